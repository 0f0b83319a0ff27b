"""What a model is given of the items of a program: all that its forward takes, and no target among it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

import pellucid
from pellucid.errors import DataError, ForwardError

COUNT = 12


class Masked(nn.Module):
    """Class scores of the words that a mask, a length or nothing leaves."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words = nn.Embedding(9, 3)

    def forward(self, x: Tensor, mask: Any = None, length: Any = None, times: float = 1.0) -> Tensor:
        if length is not None:
            mask = torch.arange(x.shape[1])[None] < length[:, None]
        found: Tensor = self.words(x)
        return times * (found.mean(1) if mask is None else (found * mask[..., None]).sum(1))


def _named(some: list[Any]) -> dict[str, Tensor]:
    words, masks, _, labels = zip(*some, strict=True)
    return {"x": torch.stack(words), "mask": torch.stack(masks), "y": torch.tensor(labels)}


class Tagger(Masked):
    """The same of each word."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        found: Tensor = self.words(x)
        return found


torch.manual_seed(1)
WORDS = torch.randint(0, 9, (COUNT, 5))
LENGTHS = torch.randint(1, 5, (COUNT,))
MASK = (torch.arange(5)[None] < LENGTHS[:, None]).float()


def accuracy(items: Any, out: Path, model: nn.Module | None = None, **options: Any) -> float | None:
    record = pellucid.inspect(
        model or Masked(), items, out=out, lenses=["accuracy"], overwrite=True, chosen=2, **options
    )
    panel: Any = record.panel("accuracy")
    found: float | None = panel.accuracy
    return found


def test_all_that_forward_takes_is_given(tmp_path: Path) -> None:
    answers = Masked()(WORDS, MASK).argmax(1).tolist()
    assert answers != Masked()(WORDS).argmax(1).tolist()
    rows = list(zip(WORDS, MASK, LENGTHS.tolist(), answers, strict=True))
    for items in (
        [{"x": words, "mask": mask, "label": label} for words, mask, _, label in rows],
        [{"x": words, "length": length, "label": label, "row": 1} for words, _, length, label in rows],
        [((words, None, length), label) for words, _, length, label in rows],
        [({"x": words, "mask": mask, "times": 2.0}, label) for words, mask, _, label in rows],
        ({"x": WORDS, "mask": MASK}, torch.tensor(answers)),
        DataLoader(rows, collate_fn=_named),
    ):
        assert accuracy(items, tmp_path / "a") == 1.0, items


def test_settings_and_missing_parts_go_through_every_lens(tmp_path: Path) -> None:
    items = [((words, mask, None, 2.0), 0) for words, mask in zip(WORDS, MASK, strict=True)]
    record = pellucid.inspect(Masked(), items, out=tmp_path / "a", chosen=2)
    assert record.manifest.state == "complete"
    assert record.live is not None


def test_a_target_among_the_inputs_is_refused_and_never_run(tmp_path: Path) -> None:
    items = list(zip(WORDS, MASK, torch.zeros(COUNT, dtype=torch.int64), strict=True))
    with pytest.raises(DataError, match=r"looks like a target. Give \(inputs, target\): \(\(first, second\), third\)"):
        accuracy(items, tmp_path / "a")


def test_an_error_of_the_model_says_what_it_was_given(tmp_path: Path) -> None:
    items = [
        {"words": words, "lengths": length, "label": 0} for words, length in zip(WORDS, LENGTHS.tolist(), strict=True)
    ]
    with pytest.raises(
        ForwardError, match="'label' is the target; 'lengths' came along as a column; the model was given 'words'"
    ):
        accuracy(items, tmp_path / "a")


def test_labels_of_tokens_are_refused_and_none_in_their_place_is_not(tmp_path: Path) -> None:
    for labels in (WORDS % 3, WORDS % 2, WORDS):
        with pytest.raises(DataError, match=r"the shape \(1, 5, 3\): not one score a class.*give None in their place"):
            accuracy(list(zip(WORDS, labels, strict=True)), tmp_path / "a", Tagger())
    assert accuracy([(words, None) for words in WORDS], tmp_path / "a", Tagger()) is None


def test_what_torch_ignores_is_no_label_and_names_are_labels(tmp_path: Path) -> None:
    answers = Masked()(WORDS).argmax(1).tolist()
    items = [
        (words, -100 if row % 3 == 0 else answer)
        for row, (words, answer) in enumerate(zip(WORDS, answers, strict=True))
    ]
    record = pellucid.inspect(Masked(), items, out=tmp_path / "a", lenses=["accuracy"], chosen=2)
    panel: Any = record.panel("accuracy")
    assert (panel.accuracy, panel.count) == (1.0, COUNT - COUNT // 3)
    named = [(words, "abc"[answer]) for words, answer in zip(WORDS, answers, strict=True)]
    assert accuracy(named, tmp_path / "b", classes=["a", "b", "c"]) == 1.0

"""Which of a model's outputs are taken for its scores, and what happens where none of them can be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.capture import logits_of, scores_in, taken_from, unscored
from pellucid.errors import ModelError, TargetError

ROWS = torch.randn(8, 6, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(8) % 3


class Pair(NamedTuple):
    hidden: Tensor
    preds: Tensor


@dataclass
class Fields:
    hidden: Tensor
    scores: Tensor


class Giving(nn.Module):
    """A linear model that gives its scores in some form."""

    def __init__(self, form: Any) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.linear, self.form = nn.Linear(6, 3), form

    def forward(self, rows: Tensor) -> Any:
        return self.form(rows, self.linear(rows))


FORMS = {
    "a loss before a name": lambda rows, scores: {"loss": scores.mean(), "scores": scores},
    "a loss that is a number of each": lambda rows, scores: {"aux_loss": scores.sum(1), "y": scores},
    "a loss in front": lambda rows, scores: (scores.logsumexp(1).mean(), scores),
    "a loss behind": lambda rows, scores: [scores, scores.mean()],
    "a name behind another tensor": lambda rows, scores: {"embedding": rows, "prediction": scores},
    "classes in front": lambda rows, scores: (scores.argmax(1), scores),
    "classes by a name": lambda rows, scores: {"pred": scores.argmax(1), "z": scores},
    "a named tuple": lambda rows, scores: Pair(rows, scores),
    "a dataclass": lambda rows, scores: Fields(rows, scores),
}


@pytest.mark.parametrize("form", FORMS)
def test_scores_are_explained_and_not_a_loss_hidden_values_or_classes(form: str) -> None:
    model = Giving(FORMS[form])
    for method in ("saliency", "integrated_gradients"):
        found = pellucid.attribute(model, ROWS, 1, method)
        expected = model.linear.weight.detach()[1].expand(8, 6)
        torch.testing.assert_close(found.input, expected.abs() if method == "saliency" else expected * ROWS)
        assert found.warnings == ()


def test_which_of_several_tensors_was_taken_is_said_where_no_name_says_so() -> None:
    output = {"one": ROWS, "two": ROWS, "loss": ROWS.mean(), "place": LABELS}
    assert logits_of(output) is ROWS
    assert taken_from(output) == "'one' of the entries 'one', 'two'"
    assert taken_from((LABELS, ROWS, ROWS.mean())) == ""
    found = pellucid.attribute(Giving(lambda rows, scores: (scores, rows)), ROWS, 1, ["saliency", "occlusion"])
    for one in found.values():
        assert one.warnings[-1].startswith("The model gives several tensors, and the first of 2 tensors was explained.")


def test_an_output_of_losses_alone_has_no_scores() -> None:
    with pytest.raises(ModelError, match="without a tensor of logits"):
        logits_of({"loss": ROWS.mean(), "rec_loss": ROWS})


@pytest.mark.parametrize("method", ["saliency", "occlusion", "integrated_gradients"])
def test_classes_and_rows_of_something_else_are_refused_as_scores(method: str) -> None:
    with pytest.raises(TargetError, match=r"gives int64 of shape \(8,\).*give the model without that step"):
        pellucid.attribute(Giving(lambda _, scores: scores.argmax(1)), ROWS, 1, method)
    with pytest.raises(TargetError, match="One score an example is needed: got 32 for 8 examples"):
        pellucid.attribute(Giving(lambda _, scores: scores.repeat_interleave(4, 0)), ROWS, 1, method)
    with pytest.raises(TargetError, match="One score an example is needed: got 1 for 8 examples"):
        pellucid.attribute(Giving(lambda _, scores: scores.sum(0, keepdim=True)), ROWS, 1, method)


def test_scores_stand_by_example_or_there_are_none() -> None:
    assert scores_in(ROWS, 8) is ROWS
    for output in (LABELS, ROWS.mean(), ROWS[None], [{"boxes": ROWS}]):
        assert scores_in(output, 8).shape == (8, 0, 0)
    assert scores_in({"logits": ROWS.mean()}, 1).shape == (1,)
    assert unscored(ROWS, 8) == unscored([{"boxes": ROWS}], 8) == ""
    assert "int64 of shape (8,), as classes are" in unscored(LABELS, 8)
    assert "shape (8, 6) for 1 example: its first axis is not the examples" in unscored(ROWS, 1)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        (lambda _, scores: scores.argmax(1), "int64 of shape (1,), as classes are"),
        (lambda _, scores: scores[None].expand(5, -1, -1), "shape (5, 1, 3) for 1 example: its first axis"),
    ],
)
def test_an_inspection_of_a_model_without_scores_says_why_it_has_no_task(form: Any, told: str, tmp_path: Path) -> None:
    items = [(row, int(label)) for row, label in zip(ROWS, LABELS, strict=True)]
    record = pellucid.inspect(Giving(form), items, out=tmp_path / "record")
    assert record.manifest.task == "none"
    said = [finding.sentence for finding in record.findings if finding.kind == "unscored-outputs"]
    assert len(said) == 1
    assert told in said[0]


def test_an_inspection_takes_the_scores_behind_a_loss(tmp_path: Path) -> None:
    model = Giving(lambda _, scores: {"loss": scores.logsumexp(1).mean(), "scores": scores})
    with torch.no_grad():
        answers = model.linear(ROWS).argmax(1).tolist()
    record = pellucid.inspect(model, list(zip(ROWS, answers, strict=True)), out=tmp_path / "record")
    assert record.manifest.task == "classification"
    assert record.panel("accuracy").accuracy == 1

"""What the training loop tells a Watch: batches whose accuracy is right or left out, at a time when it can be noted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import pellucid
from pellucid.errors import OptionError, RecordError
from pellucid.record import Record
from support.watched import small, values

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(64, 3, generator=GENERATOR)
CLASSES = torch.randint(3, (64,), generator=GENERATOR)
SINGLE = torch.randn(64, 1, generator=GENERATOR)
EITHER = torch.randint(2, (64,), generator=GENERATOR)
COUNTS = torch.poisson(torch.full((64,), 2.0), generator=GENERATOR).long()
RARE = (torch.rand(64, generator=GENERATOR) < 0.1).long()


@dataclass
class ModelOutput:
    loss: Tensor
    logits: Tensor


def binary(outputs: Tensor, targets: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(outputs.reshape(-1), targets.float())


def observed(out: Path, *batches: tuple[Any, Any, Any]) -> tuple[float | None, float | None]:
    """The loss and the accuracy that are recorded of batches at one step; None where there is no row."""
    model = small()
    with pellucid.watch(model, torch.optim.SGD(model.parameters(), lr=0.1), out=out) as watch:
        for batch in batches:
            watch.observe(*batch)
    table, _ = Record(out).training()
    return values(table, "loss").get(0), values(table, "accuracy").get(0, None)


def rows(out: Path) -> set[str]:
    return set(Record(out).training()[0]["quantity"].to_pylist())


def right_of_single() -> float:
    return sum((z > 0) == bool(t) for z, t in zip(SINGLE[:, 0].tolist(), EITHER.tolist(), strict=True)) / 64


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("of", [torch.int64, torch.uint8, torch.bool])
def test_a_single_logit_answers_one_above_zero(tmp_path: Path, kind: torch.dtype, of: torch.dtype) -> None:
    loss = binary(SINGLE, EITHER)
    _, accuracy = observed(tmp_path / "run", (SINGLE, EITHER.to(of), loss.to(kind)))
    assert accuracy == pytest.approx(right_of_single())
    assert accuracy != pytest.approx(float((EITHER == 0).float().mean()))
    assert observed(tmp_path / "number", (SINGLE, EITHER, float(loss)))[1] == pytest.approx(right_of_single())


def test_a_single_logit_that_is_sure_is_told_from_its_loss_all_the_same(tmp_path: Path) -> None:
    outputs = torch.where(EITHER[:, None] == 1, 18.0, -18.0)
    assert observed(tmp_path / "run", (outputs, EITHER, binary(outputs, EITHER)))[1] == 1.0


@pytest.mark.parametrize(
    ("outputs", "targets", "loss"),
    [
        (SINGLE, COUNTS, F.poisson_nll_loss(SINGLE[:, 0], COUNTS)),
        (SINGLE, RARE, F.poisson_nll_loss(SINGLE[:, 0], RARE)),
        (SINGLE, EITHER, F.mse_loss(SINGLE[:, 0], EITHER.float())),
        (SINGLE.sigmoid(), EITHER, F.binary_cross_entropy(SINGLE.sigmoid()[:, 0], EITHER.float())),
        (SINGLE, 2 * EITHER - 1, F.soft_margin_loss(SINGLE[:, 0], 2 * EITHER - 1)),
        (LOGITS, torch.full((64,), -100), torch.tensor(1.0)),
        (SINGLE[:0], EITHER[:0], torch.tensor(1.0)),
        (LOGITS[:0], CLASSES[:0], torch.tensor(1.0)),
        (LOGITS, CLASSES.float(), torch.tensor(1.0)),
        (LOGITS.to(torch.complex64), CLASSES, torch.tensor(1.0)),
        (LOGITS, CLASSES.tolist(), torch.tensor(1.0)),
        ({"boxes": "none"}, CLASSES, torch.tensor(1.0)),
        (None, None, torch.tensor(1.0)),
    ],
    ids=[
        "counts", "rare counts", "numbers", "probabilities", "signs", "no label", "no example of one output", "no example",
        "float targets", "complex", "a list", "no tensor", "nothing",
    ],
)  # fmt: skip
def test_where_right_is_not_known_the_loss_is_noted_and_no_accuracy(
    tmp_path: Path, outputs: Any, targets: Any, loss: Tensor
) -> None:
    assert observed(tmp_path / "run", (outputs, targets, loss)) == (pytest.approx(float(loss)), None)
    assert rows(tmp_path / "run") == {"loss"}


def test_examples_without_a_label_are_left_out(tmp_path: Path) -> None:
    targets = CLASSES.clone()
    targets[::2] = -100
    expected = sum(
        row.index(max(row)) == target for row, target in zip(LOGITS[1::2].tolist(), CLASSES[1::2].tolist(), strict=True)
    )
    batch = (LOGITS, targets, F.cross_entropy(LOGITS, targets))
    nothing = (LOGITS, torch.full((64,), -100), 0.0)
    assert observed(tmp_path / "run", batch, nothing)[1] == pytest.approx(expected / 32)
    single = torch.where(targets == -100, -100, EITHER)
    loss = binary(SINGLE[1::2], EITHER[1::2])
    right = float(((SINGLE[1::2, 0] > 0).long() == EITHER[1::2]).float().mean())
    assert observed(tmp_path / "single", (SINGLE, single, loss))[1] == pytest.approx(right)


@pytest.mark.parametrize(
    "outputs",
    [{"logits": LOGITS}, {"hidden": 1, "out": LOGITS}, (LOGITS, LOGITS[:, :2]), ModelOutput(torch.tensor(1.0), LOGITS)],
    ids=["dict", "another name", "tuple", "object"],
)
def test_the_logits_are_found_in_what_the_model_gives(tmp_path: Path, outputs: Any) -> None:
    expected = float((LOGITS.argmax(1) == CLASSES).float().mean())
    assert observed(tmp_path / "run", (outputs, CLASSES, 0.5)) == (0.5, pytest.approx(expected))


def test_a_watch_that_was_not_entered_refuses_what_it_is_told(tmp_path: Path) -> None:
    model = small()
    watch = pellucid.watch(model, torch.optim.SGD(model.parameters(), lr=0.1), out=tmp_path / "run")
    with pytest.raises(RecordError, match="was not entered, so it records nothing"):
        watch.log(loss=1.0)
    with pytest.raises(RecordError, match="was not entered, so it records nothing"):
        watch.observe(LOGITS, CLASSES, 1.0)


def test_what_is_told_after_the_block_is_warned_of_once(tmp_path: Path) -> None:
    model = small()
    with pellucid.watch(model, torch.optim.SGD(model.parameters(), lr=0.1), out=tmp_path / "run") as watch:
        watch.log(loss=1.0)
    with pytest.warns(UserWarning, match="The block of this Watch has ended") as warned:
        watch.log(validation_loss=2.0)
    watch.observe(LOGITS, CLASSES, 1.0)  # a second warning would be an error
    assert [one.filename for one in warned] == [__file__]
    assert rows(tmp_path / "run") == {"loss"}


@pytest.mark.parametrize("value", [np.array(2.0), np.array([2]), np.float32(2), True + 1, torch.tensor([[2.0]])])
def test_one_number_of_any_kind_is_taken(tmp_path: Path, value: Any) -> None:
    model = small()
    with pellucid.watch(model, torch.optim.SGD(model.parameters(), lr=0.1), out=tmp_path / "run") as watch:
        watch.log(score=value)
    assert values(Record(tmp_path / "run").training()[0], "score") == {0: 2.0}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (10**400, "got a larger one"),
        (np.zeros(2), "got ndarray"),
        (np.complex64(1j), "got complex64"),
        (torch.tensor(1j), "got a complex one"),
    ],
)
def test_what_is_no_number_of_a_record_is_refused_in_words(tmp_path: Path, value: Any, words: str) -> None:
    model = small()
    with (
        pellucid.watch(model, torch.optim.SGD(model.parameters(), lr=0.1), out=tmp_path / "run") as watch,
        pytest.raises(OptionError, match=rf"log\(score=\.\.\.\) takes one .*{words}"),
    ):
        watch.log(score=value)


def test_names_that_the_watch_writes_itself_are_kept_apart(tmp_path: Path) -> None:
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1) as watch:
        model(LOGITS.new_ones(4, 5)).sum().backward()
        optimizer.step()
        with pytest.warns(UserWarning, match="what is logged under that name stands as logged_learning_rate") as warned:
            watch.log(learning_rate=0.5, gradient_norm=7.0, weight_histogram=1)
        assert len(warned) == 1
        optimizer.step()
        watch.log(learning_rate=0.5, gradient_norm=7.0, weight_histogram=1)
    table, _ = Record(tmp_path / "run").training()
    own = table.filter((pc.field("layer") == "") & pc.field("quantity").isin(["learning_rate", "gradient_norm"]))
    assert own.num_rows == 4
    assert values(table, "learning_rate") == pytest.approx({1: 0.1, 2: 0.1})
    assert values(table, "logged_learning_rate") == {1: 0.5, 2: 0.5}
    assert values(table, "logged_gradient_norm") == {1: 7.0, 2: 7.0}
    assert values(table, "logged_weight_histogram") == {1: 1.0, 2: 1.0}


def test_a_rate_that_the_optimizer_does_not_tell_is_the_loops_to_log(tmp_path: Path) -> None:
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1) as watch:
        model(LOGITS.new_ones(4, 5)).sum().backward()
        optimizer.step()
        del optimizer.param_groups[0]["lr"]
        watch.log(learning_rate=0.5)
    assert "logged_learning_rate" not in rows(tmp_path / "run")

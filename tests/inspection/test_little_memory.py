"""An inspection where memory does not suffice for a whole batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.data.batching import collate, part_of
from pellucid.record import Record, schema
from pellucid.types import Example

FITS = 5


class Large(nn.Module):
    """Memory suffices for `fits` examples, and for `backwards` where gradients are taken."""

    def __init__(self, fits: int, backwards: int) -> None:
        super().__init__()
        self.fits, self.backwards = fits, backwards
        self.body = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 4))

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > (self.backwards if torch.is_grad_enabled() else self.fits):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return self.body(images)


def inspected(out: Path, fits: int, backwards: int) -> Record:
    torch.manual_seed(0)
    model = Large(fits, backwards).eval()
    images = torch.randn(40, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    examples = [(image, at % 4) for at, image in enumerate(images)]
    return pellucid.inspect(model, examples, out=out, batch_size=16, chosen=8)


def stages(record: Record) -> dict[str, schema.StageInfo]:
    return {stage.name: stage for stage in record.manifest.stages}


def test_batches_are_halved_and_the_record_says_so(tmp_path: Path) -> None:
    whole, little = inspected(tmp_path / "whole", 1000, 1000), inspected(tmp_path / "little", FITS, 3)
    assert little.state == "complete"
    assert little.verify() == []
    assert little.examples().drop(["loss", "confidence"]).equals(whole.examples().drop(["loss", "confidence"]))
    assert little.examples()["loss"].to_numpy() == pytest.approx(whole.examples()["loss"].to_numpy(), rel=1e-5)
    sweep = stages(little)["sweep"]
    assert sweep.examples == 40
    assert sweep.note == "Memory did not suffice for 16 examples at a time: 4 were used."
    # 16 and 8 were tried once; from then on there are batches of 4.
    assert (sweep.forward, sweep.forward_examples) == (2 + 10, 16 + 8 + 40)
    focus = stages(little)["focus"]
    assert focus.note == "Memory did not suffice for 8 examples at a time: 2 were used."
    assert focus.examples == 8
    assert little.focused == whole.focused
    assert {stage.note for stage in whole.manifest.stages} == {""}
    assert {finding.kind for finding in little.findings} == {finding.kind for finding in whole.findings}


def test_gradients_that_fit_for_no_example_are_missing_with_the_reason(tmp_path: Path) -> None:
    record = inspected(tmp_path / "none", FITS, 0)
    assert record.state == "complete"
    (said,) = record.panel("gradients").findings
    assert "Memory does not suffice for a single example" in said.sentence


def test_a_part_of_a_batch_holds_everything_of_its_examples() -> None:
    examples = [
        Example(f"e{at}", {"a": torch.full((2,), float(at)), "b": (torch.tensor([at]),)}, target=at, columns={"at": at})
        for at in range(5)
    ]
    batch = collate(examples, 7)
    part = part_of(batch, 2, 4)
    assert part_of(batch, 0, 5) is batch
    assert (part.start, part.ids, list(part.columns)) == (9, ("e2", "e3"), [{"at": 2}, {"at": 3}])
    assert isinstance(part.inputs, dict)
    assert part.inputs["a"].tolist() == [[2, 2], [3, 3]]  # type: ignore[union-attr]
    assert part.inputs["b"][0].tolist() == [[2], [3]]  # type: ignore[union-attr, index]
    assert part.targets is not None
    assert part.targets.tolist() == [2, 3]

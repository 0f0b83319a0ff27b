"""Numbers that nobody would find again are told of; those that differ by rounding, and files, are left in peace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, IterableDataset, TensorDataset

import pellucid
from pellucid.capture import Session
from pellucid.data import collate, from_python, open_data
from pellucid.data.whole import whole_targets
from pellucid.inspection.steadiness import changing_inputs, changing_outputs

INPUTS = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
CLASSES = torch.arange(30) % 3


class Flipped(Dataset[tuple[Tensor, int]]):
    """Half of the examples are turned over by chance."""

    def __len__(self) -> int:
        return 30

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return (INPUTS[row].flip(0) if torch.rand(()) < 0.5 else INPUTS[row]), int(CLASSES[row])


class Stream(IterableDataset[tuple[Tensor, int]]):
    def __init__(self, noise: float) -> None:
        self.noise = noise

    def __iter__(self) -> Iterator[tuple[Tensor, int]]:
        for row in range(30):
            yield INPUTS[row] + self.noise * torch.randn(4), int(CLASSES[row])


@pytest.mark.parametrize("seed", range(5))
def test_random_augmentation_is_seen_also_where_it_is_rare(seed: int) -> None:
    torch.manual_seed(seed)
    source = from_python(Flipped())
    assert 0 < changing_inputs(source) <= 8
    assert changing_inputs(whole_targets(source)) > 0


def test_examples_that_stay_the_same_are_not_suspected() -> None:
    broken = INPUTS.clone()
    broken[3, 1] = torch.nan  # not equal to itself, and the same
    for held in (TensorDataset(INPUTS, CLASSES), TensorDataset(broken, CLASSES), [(INPUTS[0], 1)], Stream(0.0)):
        assert changing_inputs(from_python(held)) == 0
    assert changing_inputs(from_python(Stream(0.1))) == 1
    assert changing_inputs(open_data("digits:test")) == 0


class Shaking(nn.Module):
    def __init__(self, shake: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head, self.shake = nn.Linear(4, 3), shake

    def forward(self, inputs: Tensor) -> Tensor:
        return self.shake(self.head(inputs))


@pytest.mark.parametrize(
    ("shake", "changes"),
    [
        (lambda z: z, False),
        (lambda z: nn.functional.dropout(z, 0.5, training=False), False),
        (lambda z: z * (1 + 1e-5 * torch.randn_like(z)), False),
        (lambda z: (z.bfloat16() * (1 + 1e-2 * torch.rand_like(z))).bfloat16(), False),
        (lambda z: torch.full_like(z, torch.nan), False),
        (lambda z: nn.functional.dropout(z, 0.5), True),
        (lambda z: z + 0.1 * torch.randn_like(z), True),
    ],
)
def test_an_output_that_changes_by_more_than_rounding(shake: Callable[[Tensor], Tensor], changes: bool) -> None:
    source = from_python(TensorDataset(INPUTS, CLASSES))
    batch = collate([source.example(0)], 0)
    for alone in (True, False):
        with Session(Shaking(shake), ()) as session:
            outputs = session.forward(batch.inputs).outputs
            change, beside = changing_outputs(session, source, batch, outputs, alone=alone)
            assert session.passes.forward == 2 + 3 * (changes and not alone)
        assert ((change > 0), beside) == (changes, 0)


def test_an_answer_that_depends_on_the_batch(tmp_path: Path) -> None:
    norm = nn.BatchNorm1d(4, track_running_stats=False)
    data = TensorDataset(INPUTS[:, None].expand(-1, 5, 4).mT * torch.arange(1, 6), CLASSES)

    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.head = norm, nn.Linear(4, 3)

        def forward(self, inputs: Tensor) -> Tensor:
            return self.head(self.norm(inputs).mean(2).abs() + inputs.mean(2))

    model = Normed()
    record = pellucid.inspect(model, data, out=tmp_path / "net", chosen=4)
    (found,) = [finding for finding in record.findings if finding.kind == "batch-dependence"]
    x = data.tensors[0]
    with torch.no_grad():
        alone, beside = model(x[:1]), model(x[:2])[:1]
    assert found.evidence["change"] == pytest.approx(float((alone - beside).abs().max() / alone.abs().max()), rel=1e-4)
    single = pellucid.inspect(model, data, out=tmp_path / "single", chosen=4, batch_size=1)
    assert "batch-dependence" not in {finding.kind for finding in single.findings}


def test_examples_that_cannot_be_beside_one_another_are_looked_at_alone(tmp_path: Path) -> None:
    class One(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            assert len(inputs) == 1
            return inputs[:, :3]

    uneven = from_python([(torch.ones(4 + row), 1) for row in range(3)])
    for source in (uneven, from_python([(INPUTS[0], 1)]), from_python(TensorDataset(INPUTS, CLASSES))):
        first = collate([source.example(0)], 0)
        with Session(One(), ()) as session:
            outputs = session.forward(first.inputs).outputs
            assert changing_outputs(session, source, first, outputs, alone=False) == (0.0, 0.0)


def test_both_are_said(tmp_path: Path) -> None:
    random = pellucid.inspect(Shaking(nn.functional.dropout), Flipped(), out=tmp_path / "random", chosen=4)
    kinds = [finding.kind for finding in random.findings]
    assert {"changing-inputs", "changing-outputs"} <= set(kinds)
    steady = pellucid.inspect(Shaking(lambda z: z), TensorDataset(INPUTS, CLASSES), out=tmp_path / "steady", chosen=4)
    assert not {"changing-inputs", "changing-outputs"} & {finding.kind for finding in steady.findings}

"""Small networks that are trained under a Watch: what is wrong with their training is found, and nothing of a healthy one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

import pellucid
from pellucid.record import Record, schema
from support.watched import take_step


def trained(model: nn.Module, out: Path, *, rate: float, steps: int = 60) -> Record:
    """Trains on three well-separated clouds of points under a Watch, with a validation after every 10 steps."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(3, 8, generator=generator) * 2

    def batch() -> tuple[torch.Tensor, torch.Tensor]:
        targets = torch.randint(3, (32,), generator=generator)
        return centres[targets] + torch.randn(32, 8, generator=generator), targets

    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    with pellucid.watch(model, optimizer, out=out, every=1) as watch:
        for step in range(1, steps + 1):
            take_step(model, optimizer, watch, *batch())
            if step % 10 == 0:
                with torch.no_grad():
                    inputs, targets = batch()
                    outputs = model(inputs)
                right = (outputs.argmax(dim=1) == targets).float().mean()
                watch.log(validation_loss=F.cross_entropy(outputs, targets), validation_accuracy=right)
    return Record(out)


def perceptron(activation: Callable[[], nn.Module], depth: int) -> nn.Sequential:
    torch.manual_seed(0)
    widths = [8] + [24] * depth
    hidden = [layer for before, after in pairwise(widths) for layer in (nn.Linear(before, after), activation())]
    return nn.Sequential(*hidden, nn.Linear(24, 3))


def test_a_healthy_small_network_gives_no_finding(tmp_path: Path) -> None:
    record = trained(perceptron(nn.ReLU, 2), tmp_path / "run", rate=0.02)
    assert record.findings == []
    panel = record.panel("training")
    assert isinstance(panel, schema.TrainingPanel)
    assert {one.quantity: one.value for one in panel.last}["validation_accuracy"] > 0.8  # type: ignore[operator]


def test_the_vanishing_gradient_of_a_deep_sigmoid_network_is_found(tmp_path: Path) -> None:
    record = trained(perceptron(nn.Sigmoid, 12), tmp_path / "run", rate=0.02)
    finding = next(one for one in record.findings if one.kind == "vanishing-gradients")
    assert finding.selection == {"layer": "0"}
    assert "vanishing in layers 0, 2, 4 and " in finding.sentence
    assert "smaller than those of 24 " in finding.sentence
    assert {"exploding-gradients", "small-updates"}.isdisjoint({one.kind for one in record.findings})


def test_a_learning_rate_far_too_high_is_found(tmp_path: Path) -> None:
    record = trained(perceptron(nn.ReLU, 2), tmp_path / "run", rate=1e4, steps=20)
    assert {"nonfinite-loss", "exploding-gradients", "large-updates"} & {one.kind for one in record.findings}


def test_a_learning_rate_far_too_low_is_found(tmp_path: Path) -> None:
    record = trained(perceptron(nn.ReLU, 2), tmp_path / "run", rate=1e-8, steps=20)
    assert "small-updates" in {one.kind for one in record.findings}

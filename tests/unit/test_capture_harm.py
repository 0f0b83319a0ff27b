"""Whatever is asked of a model, and however it ends, the model is left as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.capture import Session
from pellucid.errors import ForwardError
from pellucid.graph import trace
from support.awkward import CLASSES, HalfWayError, awkward, images, left_as_it_was


def examples(inputs: Tensor) -> list[tuple[Tensor, int]]:
    return [(one, row % CLASSES) for row, one in enumerate(inputs)]


def forward(model: nn.Module, path: Path) -> None:
    # The layers are found on a whole twin where the model itself breaks.
    with Session(model, trace(awkward(), images(2)).layers) as session:
        session.forward(images(), {"mean": lambda output, layer: {"mean": output.mean()}})


def explain(model: nn.Module, path: Path) -> None:
    with Session(model, trace(awkward(), images(2)).layers) as session:
        session.explain(images(), lambda logits: logits[:, 1])


def attribute(model: nn.Module, path: Path) -> None:
    pellucid.attribute(model, images(), 1, ["saliency", "gradient_x_input", "grad_cam"])


def graph(model: nn.Module, path: Path) -> None:
    found = pellucid.graph(model, images(2))
    if found.error is not None:
        raise ForwardError(found.error) from HalfWayError("told in words")


def inspect(model: nn.Module, path: Path) -> None:
    pellucid.inspect(model, examples(images(20)), out=path / "record", batch_size=8, chosen=3)


ASKED = pytest.mark.parametrize("ask", [forward, explain, attribute, graph, inspect])


@ASKED
def test_the_model_is_left_as_it_was(ask: Callable[[nn.Module, Path], None], tmp_path: Path) -> None:
    model = awkward()
    with left_as_it_was(model):
        ask(model, tmp_path)


@ASKED
def test_the_model_is_left_as_it_was_when_its_forward_raises(
    ask: Callable[[nn.Module, Path], None], tmp_path: Path
) -> None:
    model = awkward()
    model.breaks = True
    with left_as_it_was(model), pytest.raises(ForwardError, match=r"half-way|told in words") as caught:
        ask(model, tmp_path)
    assert isinstance(caught.value.__cause__, HalfWayError)


@pytest.mark.parametrize("method", ["explain", "forward"])
def test_the_model_is_left_as_it_was_when_the_user_interrupts(method: str) -> None:
    class Interrupted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before = nn.Linear(3, 3)
            self.norm = nn.BatchNorm1d(3)

        def forward(self, values: Tensor) -> Tensor:
            self.norm.running_mean.add_(1)
            if self.norm(self.before(values)).shape[0] == 5:
                raise KeyboardInterrupt
            return values

    model = Interrupted()
    with left_as_it_was(model), pytest.raises(KeyboardInterrupt), Session(model, []) as session:
        session.forward(torch.zeros(5, 3)) if method == "forward" else session.explain(torch.zeros(5, 3), torch.sum)


def test_the_inputs_are_left_as_they_were_by_a_model_that_writes_to_them() -> None:
    class Normalising(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, CLASSES)

        def forward(self, values: Tensor) -> Tensor:
            return self.head(values.sub_(0.5).relu_())

    model = Normalising()
    values = torch.randn(5, 3)
    kept = values.clone()
    found = pellucid.attribute(model, values, 2)
    assert torch.equal(values, kept)
    assert values.grad is None
    assert not values.requires_grad
    weight = model.head.weight[2].detach().abs()
    torch.testing.assert_close(found.input, torch.where(kept > 0.5, weight, torch.zeros(())))
    with Session(model, []) as session:
        session.forward(values)
    assert torch.equal(values, kept)


def test_a_write_to_a_parameter_within_a_session_is_taken_back() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(7, 5, max_norm=0.1), nn.Flatten(), nn.Linear(10, 3))
    layers = trace(model, torch.tensor([[0, 0]])).layers
    with left_as_it_was(model), Session(model, layers) as session:
        for _ in range(2):
            session.forward(torch.tensor([[1, 2], [3, 4]]))
        session.explain(torch.tensor([[5, 6]]), lambda logits: logits[:, 0])
        assert float(model[0].weight[5].detach().norm()) <= 0.1 + 1e-6

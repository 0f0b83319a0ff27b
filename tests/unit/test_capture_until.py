"""A forward that ends at the layers that were asked for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pellucid.capture import Session
from pellucid.capture.until import until
from pellucid.errors import LayerError
from pellucid.graph import trace

IMAGES = torch.randn(3, 2, 6, 6, generator=torch.Generator().manual_seed(0))
REACHED: list[nn.Module] = []  # the nets whose end a forward came to


class Net(nn.Module):
    """Writes into what its first layer made, and swallows every exception of its second half."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two, self.head = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 3, 3), nn.Linear(3, 2)

    def forward(self, images: Tensor) -> Tensor:
        made = self.one(images)
        try:
            made = self.two(made.mul_(2))
        except Exception:
            made = torch.zeros(len(images), 3, 2, 2)
        REACHED.append(self)
        return self.head(made.mean((2, 3)))


def test_outputs_are_those_of_a_whole_forward_and_nothing_behind_them_runs() -> None:
    model = Net().eval()
    layers = trace(model, IMAGES).layers
    with torch.no_grad():
        one = model.one(IMAGES)
        two = model.two(2 * one)
    REACHED.clear()
    with Session(model, layers) as session:
        found = until(session, IMAGES, ["one", "two"])
        assert (session.passes.forward, session.passes.forward_examples) == (1, 3)
        head = until(session, IMAGES, ["head"])["head"]
    assert [model] == REACHED  # for the head alone
    torch.testing.assert_close(found["one"], one)
    torch.testing.assert_close(found["two"], two)
    assert not any(value.requires_grad for value in (*found.values(), head))
    assert all(not module._forward_hooks for module in model.modules())


def test_layers_that_are_not_captured_are_refused() -> None:
    model = Net().eval()
    with (
        Session(model, trace(model, IMAGES).layers) as session,
        pytest.raises(LayerError, match="Layer 'three' is not captured"),
    ):
        until(session, IMAGES, ["three"])
    assert model(IMAGES).requires_grad

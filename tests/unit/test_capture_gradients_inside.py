"""Models that take gradients into their own hands: they differentiate in their forward, or run parts without gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.capture import Session
from pellucid.errors import LayerError, MethodError
from pellucid.graph import trace

VALUES = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))


class Forces(nn.Module):
    """The downhill slope of an energy, as of atoms by their positions."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.energy = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, places: Tensor) -> Tensor:
        places = places.requires_grad_()
        (slope,) = torch.autograd.grad(self.energy(places).sum(), places, create_graph=True)
        return -slope


class Teacher(nn.Module):
    """A product with a part that is not to learn."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.query, self.key = nn.Linear(3, 4), nn.Linear(3, 4)

    def forward(self, values: Tensor) -> Tensor:
        with torch.no_grad():
            key = self.key(values)
        return self.query(values) * key


class Slope(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 4)

    def forward(self, values: Tensor) -> Tensor:
        _, tangent = torch.func.jvp(self.layer, (values,), (torch.ones_like(values),))
        return tangent + self.layer(values)


def test_a_model_that_differentiates_is_traced_with_gradients() -> None:
    graph = trace(Forces(), VALUES)
    assert (graph.error, graph.backend) == (None, "real")
    assert "grad()" in graph.by_name
    assert graph.unused == ()


def test_its_layers_are_seen_and_its_gradients_are_autograd_s() -> None:
    model = Forces().eval()
    with Session(model, trace(model, VALUES).layers) as session:
        seen = session.forward(VALUES, {"mean": lambda output, layer: {"mean": output.mean()}})
    torch.testing.assert_close(seen.summaries["energy.2"]["mean"]["mean"], model.energy(VALUES).mean())
    assert not seen.outputs.requires_grad
    leaf = VALUES.clone().requires_grad_()
    (expected,) = torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)
    torch.testing.assert_close(pellucid.attribute(model, VALUES, 1, "saliency").input, expected.abs())
    assert not VALUES.requires_grad


def test_a_layer_without_gradients_is_left_out_and_refused_by_name() -> None:
    model = Teacher().eval()
    maps = pellucid.attribute(model, VALUES, 1, "saliency")
    assert "query" in maps.layers
    assert "key" not in maps.layers
    assert any("'key' runs under no_grad" in warning for warning in maps.warnings)
    with torch.no_grad():
        key = model.key(VALUES)[:, 1:2]
    torch.testing.assert_close(maps.input, (model.query.weight[1] * key).abs().detach())
    with pytest.raises(LayerError, match="'key' runs under no_grad"):
        pellucid.attribute(model, VALUES, 1, "saliency", layers=["key"])


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning", "ignore:.torch.jit:DeprecationWarning")
def test_what_runs_inside_a_transform_is_left_out() -> None:
    maps = pellucid.attribute(Slope().eval(), VALUES, 1, "saliency")
    assert any("inside a transform of torch.func" in warning for warning in maps.warnings)
    assert "layer#2" in maps.layers


def test_ids_without_a_layer_to_stand_for_them_are_no_quantised_model() -> None:
    class Folded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.head = nn.Embedding(9, 4), nn.Linear(4, 1)

        def forward(self, ids: Tensor) -> Tensor:
            return self.head(self.table(ids.flatten())).view(ids.shape)

    with pytest.raises(MethodError, match="whole numbers, which have no gradient"):
        pellucid.attribute(Folded(), torch.randint(0, 9, (4, 3)), 1, "saliency")

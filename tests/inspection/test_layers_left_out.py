"""What is a layer and what is not, and that a record says why: scripts, large outputs, layers of one's own, planes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.graph import trace
from pellucid.lenses.graph import GraphLens
from pellucid.record.schema import Finding
from pellucid.types import Observation


def findings(model: nn.Module, inputs: Tensor) -> list[Finding]:
    lens = GraphLens()
    lens.observe(Observation("trace", graph=trace(model.eval(), inputs)))
    return [one for one in lens.report().findings if one.kind in ("layers-left-out", "no-layers")]


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")
def test_a_script_is_said_to_show_no_layers() -> None:
    (said,) = findings(torch.jit.script(nn.Sequential(nn.Linear(3, 2), nn.ReLU())), torch.zeros(1, 3))
    assert said.kind == "no-layers"
    assert "one call of RecursiveScriptModule" in said.sentence


class Windows(nn.Module):
    """Three axes of positions, whose order nothing tells."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.head = nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, values: Tensor) -> Tensor:
        return self.head(torch.relu(self.mix(values)).mean((1, 2, 3)))


def test_layers_that_are_left_out_for_their_size_are_named() -> None:
    (said,) = findings(Windows(), torch.zeros(1, 16, 16, 16, 8))
    assert (said.kind, said.count) == ("layers-left-out", 1)
    assert "relu() gives (1, 16, 16, 16, 8)" in said.sentence
    assert findings(Windows(), torch.zeros(1, 4, 4, 4, 8)) == []


class Own(nn.Module):
    """A layer that multiplies by its own parameter in a plain function."""

    def __init__(self, given: int, made: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(made, given, 2))

    def forward(self, values: Tensor) -> Tensor:
        return torch.einsum("big,oig->bo", torch.stack([values, values**2], -1), self.weight)


def test_a_module_that_multiplies_by_its_own_parameters_is_a_layer() -> None:
    graph = trace(nn.Sequential(Own(6, 4), nn.ReLU(), Own(4, 3)).eval(), torch.zeros(1, 6))
    assert [(layer.name, layer.units) for layer in graph.layers] == [("1", 4), ("2", 3)]


class Plane(nn.Module):
    """A layer (batch, height, width, channel)."""

    def __init__(self) -> None:
        super().__init__()
        self.cut, self.mix, self.head = nn.Conv2d(1, 4, 2, 2), nn.Linear(4, 6), nn.Linear(6, 2)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(torch.relu(self.mix(self.cut(images).permute(0, 2, 3, 1))).mean((1, 2)))


def test_units_of_a_plane_are_its_channels_everywhere(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, images = Plane().eval(), torch.rand(12, 1, 8, 12)
    record = pellucid.inspect(model, [(one, row % 2) for row, one in enumerate(images)], out=tmp_path / "r", chosen=2)
    (layer,) = [one for one in record.panel("activations").layers if one.name == "relu()"]  # type: ignore[union-attr]
    with torch.no_grad():
        plane = torch.relu(model.mix(model.cut(images).permute(0, 2, 3, 1)))
    assert layer.units == 6
    found = record.array("activations", f"{layer.index}.top_values")[:, 0]
    torch.testing.assert_close(torch.as_tensor(found, dtype=torch.float32), plane.flatten(0, 2).amax(0))
    focus, tensors = record.focus(record.focused[0])
    (closer,) = [one for one in focus.layers if one.name == "relu()"]
    assert (closer.height, closer.width, closer.cam) == (4, 6, "ok")
    assert tensors[f"{closer.index}.maps"].shape[1:] == (4, 6)
    (field,) = [one for one in record.panel("mapping").layers if one.name == "relu()"]  # type: ignore[union-attr]
    assert (field.grid, field.size) == ([4, 6], [2, 2])

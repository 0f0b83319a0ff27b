"""Inputs in containers of any class: explained like tensors, given to the model as they came, and never written to."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

import pellucid
from pellucid.capture.trees import along, batch_size, certain_batch_size
from pellucid.errors import MethodError

ROWS, SCALES = torch.randn(4, 6, generator=torch.Generator().manual_seed(0)), torch.tensor([[1.0], [2.0], [3.0], [4.0]])


@dataclass(frozen=True)
class Fields:
    rows: Any
    scale: Any
    name: str = "some"

    def __post_init__(self) -> None:
        if not isinstance(self.rows, Tensor):
            raise TypeError("rows")


class Named(NamedTuple):
    rows: Any
    scale: Any


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.linear = nn.Linear(6, 3)

    def forward(self, batch: Any) -> Tensor:
        rows, scale = (batch["rows"], batch["scale"]) if isinstance(batch, Mapping) else (batch.rows, batch.scale)
        rows.mul_(2)  # what a model does to its input is its own affair
        product: Tensor = self.linear(rows) * scale
        return product


CONTAINERS = [Fields, Named, lambda **parts: UserDict(parts), lambda **parts: dict(parts)]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("method", ["saliency", "smoothgrad", "integrated_gradients"])
def test_inputs_in_any_container_have_maps_and_stay_as_they_are(container: Any, method: str) -> None:
    model, rows, scale = Scaled(), ROWS.clone(), SCALES.clone()
    given = container(rows=rows, scale=scale)
    (found,) = pellucid.attribute(model, (given,), 1, method).input
    assert type(found) is type(given)
    found = found if isinstance(found, Mapping) else {"rows": found.rows, "scale": found.scale}
    weight = 2 * model.linear.weight.detach()[1]
    if method == "integrated_gradients":
        whole = (model.linear(2 * ROWS)[:, 1] * SCALES[:, 0]).detach()
        torch.testing.assert_close(found["rows"].sum(1) + found["scale"][:, 0], whole, atol=0.05, rtol=0.02)
    elif method == "saliency":
        torch.testing.assert_close(found["rows"], (weight * SCALES).abs())
        torch.testing.assert_close(found["scale"][:, 0], model.linear(2 * ROWS)[:, 1].detach().abs())
    else:
        assert found["rows"].shape == ROWS.shape
    assert torch.equal(rows, ROWS)
    assert torch.equal(scale, SCALES)


def test_the_tree_of_a_map_is_that_of_the_input() -> None:
    given = {"a": [ROWS, "text"], "b": (Named(ROWS, None), MappingProxyType({"c": SCALES}))}
    found = along(lambda leaf: leaf + 1, given)
    assert found["a"][1] is None
    assert isinstance(found["b"][0], Named)
    assert found["b"][0].scale is None
    assert torch.equal(found["b"][1]["c"], SCALES + 1)
    with pytest.raises(ValueError, match="expected 2 parts; got 1"):
        along(lambda one, _: one, (ROWS, SCALES), (ROWS,))


def test_the_batch_is_counted_by_the_first_tensor_with_axes() -> None:
    assert batch_size((torch.tensor(3), ROWS)) == 4
    assert certain_batch_size({"rows": ROWS, "step": torch.tensor(3)}) == 4
    assert certain_batch_size((ROWS, torch.zeros(2, 9))) is None
    assert batch_size(("text", 3)) == 0


class Plain:
    rows = ROWS


@pytest.mark.parametrize("given", [Plain(), (torch.tensor(3.0),), {"rows": "text"}])
def test_inputs_without_a_batch_are_refused(given: Any) -> None:
    with pytest.raises(MethodError, match="hold no example, no tensor with axes"):
        pellucid.attribute(Scaled(), given, 1)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_sequences_of_several_lengths_in_one_tensor_are_refused() -> None:
    parts = [torch.randn(4, 6), torch.randn(2, 6)]
    for given in (pack_sequence(parts), torch.nested.nested_tensor(parts, layout=torch.jagged)):
        with pytest.raises(MethodError, match="sequences of several lengths in one nested or packed tensor"):
            pellucid.attribute(nn.Linear(6, 3), given, 1)

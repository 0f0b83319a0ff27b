"""What operators returned before is what they return again, in memory of its own."""

from __future__ import annotations

import torch
from torch import nn

from pellucid.graph import trace
from pellucid.graph.remembered import Forms, is_pure

aten = torch.ops.aten


def meta(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


def test_a_result_comes_back_with_its_form_and_memory_of_its_own() -> None:
    forms, image = Forms(), meta(1, 3, 8, 8).to(memory_format=torch.channels_last)
    key = forms.key(aten.upsample_bilinear2d.default, (image, [16, 16], False))
    assert key is not None
    assert forms.made(key) is None
    result = aten.upsample_bilinear2d.default(image, [16, 16], False)
    forms.keep(key, result, [image])
    first, second = forms.made(key), forms.made(key)
    assert (first.shape, first.stride(), first.dtype) == (result.shape, result.stride(), result.dtype)
    assert len({one.untyped_storage()._cdata for one in (result, first, second)}) == 3


def test_equal_numbers_of_other_types_are_other_questions() -> None:
    forms, whole = Forms(), meta(2, dtype=torch.int64)
    keys = {forms.key(aten.mul.Scalar, (whole, number)) for number in (1, 1.0, True)}
    assert len(keys) == 3


def test_what_looks_at_memory_that_was_given_is_not_remembered() -> None:
    forms, image = Forms(), meta(2, 6)
    assert not is_pure(aten.view.default)
    assert not is_pure(aten.relu_.default)
    assert is_pure(aten.relu.default)
    # Its schema does not say that it returns a view.
    key = forms.key(aten._unsafe_view.default, (image, [3, 4]))
    assert key is not None
    forms.keep(key, aten._unsafe_view.default(image, [3, 4]), [image])
    assert forms.made(key) is None
    assert forms.key(aten._unsafe_view.default, (image, [3, 4])) is None


class Twice(nn.Module):
    """Resizes two images alike, and writes to one of the results."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        left = nn.functional.interpolate(image, scale_factor=2, mode="bilinear")
        right = nn.functional.interpolate(image, scale_factor=2, mode="bilinear")
        left.add_(1)
        return right


def test_a_write_to_one_result_is_none_to_its_equal() -> None:
    graph = trace(Twice(), torch.zeros(1, 3, 8, 8))
    assert graph.backend == "fake"
    names = {(graph.nodes[edge.source].name, graph.nodes[edge.target].name) for edge in graph.edges}
    assert ("interpolate()#2", "output") in names
    assert ("add()", "output") not in names

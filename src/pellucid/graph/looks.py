"""How tensors look, as a node notes it."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from pellucid.graph.dataflow import bare
from pellucid.graph.fake import Fake
from pellucid.graph.structure import Shape


class Looks(NamedTuple):
    """Shapes and types of tensors, their bytes together, whether the first holds floating-point numbers."""

    shapes: tuple[Shape, ...]
    types: tuple[str, ...]
    memory: int
    floating: bool


def looks_of(tensors: list[Tensor]) -> Looks:
    """What a node notes of the tensors that go in or come out."""
    if len(tensors) == 1:
        only = tensors[0]
        look = only.look or only.looks() if type(only) is Fake else None
        if look is None:
            dtype = only.dtype
            return Looks((shape_of(only),), (_name(dtype),), _numbers(only) * dtype.itemsize, dtype.is_floating_point)
        return Looks((look.shape,), (look.name,), look.memory, look.floating)
    looks = [one.look or one.looks() if type(one) is Fake else None for one in tensors]
    return Looks(
        tuple([shape_of(one) if look is None else look.shape for one, look in zip(tensors, looks, strict=True)]),
        tuple([_name(one.dtype) if look is None else look.name for one, look in zip(tensors, looks, strict=True)]),
        sum([_numbers(one) * one.element_size() for one in tensors]),
        bool(tensors) and tensors[0].is_floating_point(),
    )


def shape_of(tensor: Tensor) -> Shape:
    """Lengths of the axes; -1 where examples differ in it (nested tensors)."""
    if type(tensor) in _PLAIN and not tensor.is_nested:
        return tuple(tensor.shape)
    return tuple([_length(tensor, axis) for axis in range(tensor.dim())])


def _length(tensor: Tensor, axis: int) -> int:
    try:
        length: object = tensor.size(axis)
    except RuntimeError:  # what torch says of an axis along which examples differ
        return -1
    return length if type(length) is int else -1


def _numbers(tensor: Tensor) -> int:
    """How many it holds; under torch.vmap, where it looks like one example's, of all of them."""
    return int(bare(tensor).numel())


_PLAIN = frozenset({Tensor, torch.nn.Parameter, Fake})


@cache
def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")

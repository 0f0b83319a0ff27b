"""Inputs of numbers without the masks that come with token ids: a mask says which ids count, and is not explained for them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from pellucid.attribution.trees import by_batch, floating
from pellucid.capture import unwrapped
from pellucid.capture.call import shapes
from pellucid.capture.trees import along
from pellucid.graph.dataflow import tensors_in
from pellucid.types import Tree

_HIDDEN = -1e4
"""From here on down, numbers that masks add to logits."""

_COMPLEX = "Complex inputs have no map: split them into real and imaginary part, which the model joins"


def of_numbers(inputs: Tree, model: nn.Module) -> Any:
    """The inputs with None where a leaf cannot be changed by a little and by example, or is the mask of token ids.

    A mask has the shape of ids, in a model with an nn.Embedding, and holds two values: 0 and 1, or 0 and what hides.
    """
    leaves = floating(by_batch(inputs))
    shapes = {leaf.shape for leaf in tensors_in(inputs) if not leaf.is_floating_point() and leaf.ndim >= 2}
    if not shapes or not any(isinstance(one, nn.Embedding) for one in unwrapped(model).modules()):
        return leaves
    return along(lambda leaf: None if leaf.shape in shapes and _is_mask(leaf) else leaf, leaves)


def without_numbers(inputs: Tree) -> str:
    """What inputs are that hold no numbers which can be changed a little, as a sentence with their shapes."""
    leaves = list(tensors_in(inputs))
    given = f"got {shapes(inputs)}."
    if any(leaf.is_complex() for leaf in leaves):
        return f"{_COMPLEX}; {given}"
    if any(leaf.layout is not torch.strided for leaf in leaves):
        return f"Sparse inputs have no map: give them dense (to_dense); {given}"
    if any(leaf.is_floating_point() for leaf in leaves):
        return f"The inputs of this model are ids with their mask, or have not one entry an example; {given}"
    return f"The inputs of this model are integers; {given}"


def complex_without_map(inputs: Tree, found: Any) -> tuple[str, ...]:
    """A warning where an input of complex numbers has no map in what was found, a tree like the inputs; nothing elsewhere."""
    alone = along(lambda leaf, one: leaf if leaf.is_complex() and one is None else None, inputs, found)
    return (f"{_COMPLEX}.",) if next(tensors_in(alone), None) is not None else ()


def _is_mask(leaf: Tensor) -> bool:
    """Whether it holds 0 and 1 alone, or 0 and what hides."""
    others = leaf[leaf != 0]
    return bool((others == 1).all()) or bool((others <= _HIDDEN).all())

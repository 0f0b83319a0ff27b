"""Trees of tensors as models take them: what in them can have gradients, and how many examples they hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pellucid.types import Tree


def with_gradients(tree: Tree, leaves: list[Tensor]) -> Tree:
    """The tree with floating leaves that require gradients, listed in `leaves`."""
    if isinstance(tree, Tensor):
        if not tree.is_floating_point():
            return tree
        leaf = tree.detach().clone().requires_grad_()
        leaves.append(leaf)
        return leaf
    if isinstance(tree, dict):
        return {name: with_gradients(part, leaves) for name, part in tree.items()}
    if isinstance(tree, tuple):
        return tuple(with_gradients(part, leaves) for part in tree)
    return [with_gradients(part, leaves) for part in tree] if isinstance(tree, list) else tree


def gradients_of(tree: Any, gradients: Mapping[int, Tensor | None]) -> Any:
    """The same tree with each leaf's gradient in its place, by the leaf's identity; None where it has none."""
    if isinstance(tree, Tensor):
        return gradients.get(id(tree))
    if isinstance(tree, dict):
        return {name: gradients_of(part, gradients) for name, part in tree.items()}
    if isinstance(tree, tuple):
        return tuple(gradients_of(part, gradients) for part in tree)
    return [gradients_of(part, gradients) for part in tree] if isinstance(tree, list) else None


def batch_size(tree: Any) -> int:
    """Extent of the first axis of the first leaf that has one; 0 where there is none."""
    if isinstance(tree, Tensor):
        return len(tree) if tree.ndim else 1
    parts = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, tuple | list) else ()
    return next((size for size in map(batch_size, parts) if size), 0)

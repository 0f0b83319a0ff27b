"""Trees of tensors, leaf by leaf: what a method does to one tensor it does to every input of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from pellucid.graph.dataflow import mapped, tensors_in
from pellucid.types import Tree


def leafwise(function: Callable[[Tensor, Tensor], Tensor | None], first: Any, second: Any) -> Any:
    """Applies a function to the leaves of two trees; leaves that the first does not have stay None."""
    if isinstance(first, Tensor):
        return function(first, second)
    if isinstance(first, dict):
        return {name: leafwise(function, part, second[name]) for name, part in first.items()}
    if isinstance(first, tuple | list):
        parts = [leafwise(function, part, value) for part, value in zip(first, second, strict=True)]
        return tuple(parts) if isinstance(first, tuple) else parts
    return None


def detached(tree: Tree) -> Any:
    """The same tree, without a history."""
    return mapped(tree, lambda leaf: leaf.detach())


def floating(tree: Tree) -> Any:
    """The tree with None where a leaf cannot be changed by a little: token ids, masks."""
    if isinstance(tree, Tensor):
        return tree if tree.is_floating_point() else None
    if isinstance(tree, dict):
        return {name: floating(part) for name, part in tree.items()}
    if isinstance(tree, tuple):
        return tuple(floating(part) for part in tree)
    return [floating(part) for part in tree] if isinstance(tree, list) else None


def paths(tree: Tree, at: str = "input") -> list[str]:
    """What to call each leaf: "input_ids", "input[1]"."""
    if isinstance(tree, dict):
        return [path for name, part in tree.items() for path in paths(part, str(name))]
    if isinstance(tree, tuple | list):
        return [path for place, part in enumerate(tree) for path in paths(part, f"{at}[{place}]")]
    return [at] if isinstance(tree, Tensor) else []


def rows_of(tree: Tree, rows: Tensor) -> Any:
    """The examples of these rows, in this order; rows may repeat."""
    return mapped(tree, lambda leaf: leaf.index_select(0, rows.to(leaf.device)))


def examples_in(tree: Tree) -> int:
    """Length of the batch axis."""
    return len(next(tensors_in(tree)))


def per_example(tree: Any) -> Tensor:
    """Sums of all leaves, one an example, in float64: float[batch]."""
    sums = [leaf.flatten(1).double().sum(1) if leaf.ndim > 1 else leaf.double() for leaf in tensors_in(tree)]
    total = sums[0]
    for one in sums[1:]:
        total = total + one
    return total


def merged(changed: Any, tree: Any) -> Any:
    """The tree with those leaves replaced that the changed one has."""
    if isinstance(tree, dict):
        return {name: merged(changed[name], part) for name, part in tree.items()}
    if isinstance(tree, tuple | list):
        parts = [merged(one, part) for one, part in zip(changed, tree, strict=True)]
        return tuple(parts) if isinstance(tree, tuple) else parts
    return tree if changed is None else changed


def numbered(tree: Any, function: Callable[[int, Tensor], Tensor | None]) -> Any:
    """Applies a function of a leaf's number and the leaf."""
    numbers = iter(range(len(list(tensors_in(tree)))))
    return leafwise(lambda leaf, _: function(next(numbers), leaf), tree, tree)

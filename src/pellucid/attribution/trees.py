"""Trees of tensors, leaf by leaf: what a method does to one tensor it does to every input of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pellucid.capture.trees import along, batch_size
from pellucid.graph.containers import parts_of
from pellucid.graph.dataflow import tensors_in
from pellucid.types import Tree


def detached(tree: Tree) -> Any:
    """The same tree, without a history."""
    return along(lambda leaf: leaf.detach(), tree, rest=lambda leaf: leaf)


def floating(tree: Tree) -> Any:
    """The tree with None where a leaf cannot be changed by a little: token ids, masks."""
    return along(lambda leaf: leaf if leaf.is_floating_point() else None, tree)


def by_batch(tree: Tree) -> Any:
    """The tree with None where a leaf has not one dense entry an example: a number for all, the edges of a graph, sparse ones."""
    examples = batch_size(tree)
    return along(lambda leaf: leaf if _is_by_batch(leaf, examples) and leaf.layout == torch.strided else None, tree)


def paths(tree: Tree, at: str = "input") -> list[str]:
    """What to call each leaf: "input_ids", "input[1]"."""
    if isinstance(tree, Tensor):
        return [at]
    named = not isinstance(tree, tuple | list)
    parts = parts_of(tree) or {}
    return [path for key, part in parts.items() for path in paths(part, str(key) if named else f"{at}[{key}]")]


def rows_of(tree: Tree, rows: Tensor) -> Any:
    """The examples of these rows, in this order; rows may repeat. Leaves that have not one entry an example stay as they are."""
    examples = batch_size(tree)
    if torch.equal(rows.cpu(), torch.arange(examples)):
        return tree

    def chosen(leaf: Tensor) -> Tensor:
        if not _is_by_batch(leaf, examples):
            return leaf
        if leaf.layout in (torch.strided, torch.sparse_coo):
            return leaf.index_select(0, rows.to(leaf.device))
        # Compressed ones have no selection of their own.
        entries: Tensor = leaf.to_sparse(layout=torch.sparse_coo).index_select(0, rows.to(leaf.device))
        return entries.to_sparse(layout=leaf.layout)

    return along(chosen, tree, rest=lambda leaf: leaf)


def per_example(tree: Any) -> Tensor:
    """Sums of all leaves, one an example, in float64: float[batch]."""
    sums = [leaf.flatten(1).double().sum(1) if leaf.ndim > 1 else leaf.double() for leaf in tensors_in(tree)]
    total = sums[0]
    for one in sums[1:]:
        total = total + one
    return total


def merged(changed: Any, tree: Any) -> Any:
    """The tree with those leaves replaced that the changed one has."""
    return along(lambda leaf, one: leaf if one is None else one, tree, changed, rest=lambda leaf: leaf)


def numbered(tree: Any, function: Callable[[int, Tensor], Tensor | None]) -> Any:
    """Applies a function of a leaf's number and the leaf."""
    numbers = iter(range(len(list(tensors_in(tree)))))
    return along(lambda leaf: function(next(numbers), leaf), tree)


def _is_by_batch(leaf: Tensor, examples: int) -> bool:
    return leaf.ndim > 0 and len(leaf) == examples

"""Trees of tensors as models take them: taken apart and put together, what has gradients, how many examples they hold.

A tree is any nesting of tuples, lists, mappings and dataclasses, of whatever class; what else stands in it is a leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from pellucid.graph.containers import parts_of, rebuilt
from pellucid.graph.dataflow import gathered, tensors_in
from pellucid.types import Tree


def along(function: Callable[..., Any], tree: Any, *others: Any, rest: Callable[[Any], Any] = lambda _: None) -> Any:
    """A tree like the first: of its tensors what a function makes of them and of what the others have in their place.

    Args:
        function: of a tensor of the first tree and what stands there in each of the others.
        tree: the first.
        others: trees with the parts that the first has, and no more of them where they are tuples or lists.
        rest: what becomes of a leaf that is no tensor.

    Raises: KeyError, TypeError, ValueError: another tree has other parts.
    """
    if isinstance(tree, Tensor):
        return function(tree, *others)
    parts = parts_of(tree)
    if parts is None:
        return rest(tree)
    beside = [_parts_like(other, parts) for other in others]
    return rebuilt(
        tree, {key: along(function, part, *(one[key] for one in beside), rest=rest) for key, part in parts.items()}
    )


def _parts_like(other: Any, parts: Mapping[Any, Any]) -> Mapping[Any, Any]:
    found = dict(enumerate(other)) if isinstance(other, Tensor) else parts_of(other)
    if found is None:
        raise TypeError(
            f"expected a tuple, list, mapping or dataclass of {len(parts)} parts; got {type(other).__name__}"
        )
    if isinstance(other, tuple | list | Tensor) and len(found) != len(parts):
        raise ValueError(f"expected {len(parts)} parts; got {len(found)}")
    return found


def with_gradients(tree: Tree, leaves: list[Tensor]) -> Tree:
    """The tree with floating leaves that require gradients, listed in `leaves`."""

    def prepared(tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            return tensor
        leaf = tensor.detach().clone().requires_grad_()
        leaves.append(leaf)
        return leaf

    found: Tree = along(prepared, tree, rest=lambda leaf: leaf)
    return found


def gradients_of(tree: Any, gradients: Mapping[int, Tensor | None]) -> Any:
    """The same tree with each leaf's gradient in its place, by the leaf's identity; None where it has none."""
    return along(lambda leaf: gradients.get(id(leaf)), tree)


def batch_size(tree: Any) -> int:
    """Extent of the first axis of the first tensor that has one; 1 where all are single numbers, 0 where there is no tensor."""
    leaves = gathered(tree)
    return next((len(leaf) for leaf in leaves if leaf.ndim), 1 if leaves else 0)


def certain_batch_size(tree: Any) -> int | None:
    """The same where all tensors that have axes agree on it; None where some are of something else, such as edges of a graph."""
    sizes = {len(leaf) for leaf in tensors_in(tree) if leaf.ndim}
    return sizes.pop() if len(sizes) == 1 else None

"""What a DataLoader's own collate_fn makes of one item, without the batch axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

Collate = Callable[[list[Any]], Any]


def collate_of(loader: DataLoader[Any]) -> Collate | None:
    """The collate_fn that somebody wrote; None where it is torch's own, or makes no batches."""
    from torch.utils.data import default_collate

    own = loader.batch_sampler is not None and loader.collate_fn is not default_collate
    return loader.collate_fn if own else None


def collated(collate: Collate, item: Any) -> Any:
    """One item as a batch of it alone holds it; as it is where that batch cannot be made, or not be taken apart for certain.

    It can where all tensors and arrays of the batch have a first axis of 1, and all else is in lists of one, or None.
    """
    try:
        batch = collate([item])
        return _only(batch, outermost=True)
    except Exception:  # a user's function raises what it likes on a batch that it was not written for
        return item


def _only(tree: Any, *, outermost: bool = False) -> Any:
    """The one example of a batch. Raises: ValueError, TypeError: it is no batch of one."""
    if hasattr(tree, "shape"):
        if len(tree) != 1:
            raise ValueError("a first axis that is not of 1")
        return tree[0]
    if tree is None:
        return None
    if isinstance(tree, Mapping):
        return {name: _only(part) for name, part in tree.items()}
    if not isinstance(tree, tuple | list):
        raise TypeError("neither a tensor nor a list of one")
    if len(tree) > 1 or outermost:
        return tuple(_only(part) for part in tree)
    if not isinstance(tree[0], str | int | float):
        raise ValueError("a list of one that may be the example or a part of it")
    return tree[0]

"""What goes into modules while a session runs its model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from pellucid.graph.dataflow import tensors_in

if TYPE_CHECKING:
    from pellucid.capture.session import Session


@contextmanager
def inputs_watched(session: Session, paths: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """The first tensor that went into each module at its last call, by path, as long as the block lasts.

    Taken as they are, not copied: what writes into them later is seen here too. A module that was not called is not there.
    """
    seen: dict[str, Tensor] = {}
    modules = dict(session.model.named_modules())

    def watch(path: str) -> Any:
        def before(module: nn.Module, arguments: tuple[Any, ...]) -> None:
            first = next(iter(tensors_in(arguments)), None)
            if first is not None:
                seen[path] = first.detach()

        return before

    handles = [modules[path].register_forward_pre_hook(watch(path)) for path in paths]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()

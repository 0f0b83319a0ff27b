"""Which axis of a tensor holds the channels, as far as operations tell: shapes alone do not."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pellucid.graph.names import module_role

if TYPE_CHECKING:
    from torch import nn

CHANNEL_LAST_FUNCTIONS = ("addmm", "embedding", "layer_norm", "linear", "rms_norm")

# These change how long an axis is, or what stands where on it, and leave the axes where they are.
_KEEPING_AXES = ("cat", "concat", "concatenate", "chunk", "flip", "narrow", "pad", "repeat", "roll", "split")

_FIRST = ("_ConvNd", "_NormBase", "GroupNorm", "FrozenBatchNorm2d", "LocalResponseNorm")
_LAST = ("Linear", "Embedding", "MultiheadAttention", "RNNBase", "LayerNorm", "RMSNorm", "Conv1D", "Bilinear")


def module_channel_last(module: nn.Module) -> bool | None:
    """Whether a leaf module's output has its channels on the last axis (True), the second (False), or either (None)."""
    kind: type = type(module)
    return _kind_channel_last(kind, module_role(module)[0] == "pool")


@lru_cache(maxsize=4096)
def _kind_channel_last(kind: type, pools: bool) -> bool | None:
    bases = {base.__name__ for base in kind.__mro__}
    if not bases.isdisjoint(_FIRST) or pools or kind.__name__.endswith("2d"):
        return False
    return True if not bases.isdisjoint(_LAST) else None


def channel_last_after(
    function: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    given: Sequence[int],
    made: Sequence[int],
    before: bool | None,
) -> bool | None:
    """The same of what a function that only moves values about has made.

    Args:
        function: its plain name.
        args: what it was called with.
        kwargs: the same by name.
        given: shape of its first input.
        made: shape of its first output.
        before: whether the input's channels are on its last axis.
    """
    if before is None:
        return None
    channel = len(given) - 1 if before else 1
    if function == "permute":
        order = kwargs.get("dims", args[1] if len(args) == 2 else args[1:])
        channel = [axis % len(given) for axis in order].index(channel)
    elif function in ("transpose", "swapaxes", "movedim"):
        axes = [axis % len(given) for axis in (*args[1:], *kwargs.values()) if isinstance(axis, int)]
        if function == "movedim" or len(axes) != 2:
            return None
        channel = {axes[0]: axes[1], axes[1]: axes[0]}.get(channel, channel)
    elif function in _KEEPING_AXES and len(made) == len(given):
        pass
    elif function in ("T", "mT") or made[-1:] != given[-1:] or (not before and len(made) != len(given)):
        return None
    elif before:
        channel = len(made) - 1
    if channel == len(made) - 1:
        return True
    return False if channel == 1 else None

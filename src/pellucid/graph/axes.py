"""Which axis of a tensor holds the channels, as far as operations tell: shapes alone do not."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pellucid.graph.names import module_role

if TYPE_CHECKING:
    from torch import nn

    from pellucid.graph.frames import Frame
    from pellucid.graph.structure import Shape

CHANNEL_LAST_FUNCTIONS = ("addmm", "embedding", "layer_norm", "linear", "rms_norm")

# These change how long an axis is, or what stands where on it, and leave the axes where they are.
_KEEPING_AXES = ("cat", "concat", "concatenate", "chunk", "flip", "narrow", "pad", "repeat", "roll", "split")

# reshape and the like: where they keep the batch and the axis behind it, that axis is what it was.
_REGROUPING = ("flatten", "reshape", "view", "squeeze", "unflatten")

_FIRST = ("_ConvNd", "_NormBase", "GroupNorm", "LocalResponseNorm")
_LAST = ("Linear", "Embedding", "MultiheadAttention", "RNNBase", "Conv1D", "Bilinear")
_LAST_BY_FORWARD = ("LayerNorm", "RMSNorm")


def module_channel_last(module: nn.Module) -> bool | None:
    """Whether a leaf module's output has its channels on the last axis (True), the second (False), or either (None).

    A name alone says nothing: a class of someone's own that is called LayerNorm may normalise any axis, and so may a subclass of
    torch's with a forward of its own.
    """
    kind: type = type(module)
    return _kind_channel_last(kind, module_role(module)[0] == "pool")


@lru_cache(maxsize=4096)
def _kind_channel_last(kind: type, pools: bool) -> bool | None:
    known: dict[str, Any] = {
        base.__name__: base for base in kind.__mro__ if base.__module__.startswith(("torch.", "transformers."))
    }
    if not known.keys().isdisjoint(_FIRST) or pools or kind.__name__.endswith("2d"):
        return False
    if not known.keys().isdisjoint(_LAST):
        return True
    own = any(name in known and getattr(kind, "forward", None) is known[name].forward for name in _LAST_BY_FORWARD)
    return True if own else None


def channel_last_of(frame: Frame, known: bool, given: Shape) -> bool | None:
    """Where a call's output has its channels, given where those of one of its inputs are, if both say something else.

    Value by value the axes stay what they were, unless two inputs disagree. Nor is it known what a linear layer makes of positions,
    which a transpose has put last: its units are no channels of what went in.
    """
    made = frame.outputs[0] if frame.outputs else ()
    if frame.channel_last is None:
        return known if made == given else None
    if frame.role in ("join", "other") and made == given:
        return None
    mixes = frame.operation in ("Linear", "linear") and not known and len(made) == len(given) > 2
    return None if mixes else frame.channel_last


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
    elif function in _REGROUPING and not before and len(made) > 2 and made[:2] == given[:2]:
        return False
    elif function in ("T", "mT") or made[-1:] != given[-1:] or (not before and len(made) != len(given)):
        return None
    elif before:
        channel = len(made) - 1
    if channel == len(made) - 1:
        return True
    return False if channel == 1 else None

"""Which inputs a model's first layers take: said where an input does not fit; and what was given where no model was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pellucid.graph.recording import Recording

if TYPE_CHECKING:
    from torch import nn

_SPACE = {1: "length", 2: "height, width", 3: "depth, height, width"}
_SAID = 2
# What is raised where an input does not fit; and what of that is raised for other reasons.
_OF_INPUTS = (RuntimeError, ValueError, IndexError, TypeError, AssertionError)
_OF_OTHERS = (RecursionError, UnicodeError)
_ABOUT_INPUTS = re.compile(
    r"shap|siz(e|ing)|dim|ax[ei]s|channel|length|width|height|broadcast|unpack|expect|match|dtype|type|argument|tensor|input|index"
    r"|range|image|batch|feature",
    re.IGNORECASE,
)


def expectations(seen: Recording, raised: BaseException) -> str:
    """What the layer that failed and the first layers take, in a sentence; "" where none of them says.

    First are those that were called first, and before any was called those that are registered first. Nothing is said of
    an error that another input would not mend: one that no call of torch raised and that speaks of no shape or type.
    """
    if not isinstance(raised, _OF_INPUTS) or isinstance(raised, _OF_OTHERS):
        return ""
    called = seen.failed is not None and seen.failed.children == 0 and seen.failed.kind in ("module", "function")
    if not called and _ABOUT_INPUTS.search(str(raised)) is None:
        return ""
    failed = seen.failed.module if seen.failed is not None else None
    said: dict[str, None] = {}
    for path, module in _first(seen, failed):
        shape = taken_by(module)
        if shape is not None:
            said[f"{path or 'the model'} ({type(module).__name__}) takes {shape}"] = None
        if len(said) == _SAID:
            break
    return "; ".join(said)


def described(given: object) -> str:
    """What stands where a model should, in words.

    described("resnet18") -> "the text 'resnet18'", described(nn.Linear) -> "the class Linear", described(3) -> "an int"
    """
    if isinstance(given, str):
        return f"the text {given[:80]!r}"
    if isinstance(given, type):
        return f"the class {given.__name__}"
    name = getattr(given, "__name__", None)
    return f"the function {name}" if callable(given) and isinstance(name, str) else _one(given)


def _one(given: object) -> str:
    kind = type(given).__name__
    return f"an {kind}" if kind[0] in "aeiouAEIO" else f"a {kind}"


def _first(seen: Recording, failed: nn.Module | None) -> Iterator[tuple[str, nn.Module]]:
    if failed is not None:
        yield seen.paths[id(failed)], failed
    called = [frame for frame in seen.frames if frame.module is not None]
    first = next((frame for frame in called if frame.module is not None and taken_by(frame.module)), None)
    if first is not None and first.module is not None:
        yield first.path, first.module
    else:
        yield from seen.model.named_modules()


def taken_by(module: nn.Module) -> str | None:
    """The shape or the values that a layer of torch.nn takes, in words; None for others.

    taken_by(nn.Conv2d(3, 8, 1)) -> "(batch, 3, height, width)"
    """
    kinds = {base.__name__ for base in type(module).__mro__}
    has: dict[str, Any] = vars(module)
    axes = next((axes for axes in (1, 2, 3) if not kinds.isdisjoint({f"Conv{axes}d", f"ConvTranspose{axes}d"})), 0)
    if axes and "in_channels" in has:
        return f"(batch, {has['in_channels']}, {_SPACE[axes]})"
    axes = next((axes for axes in (1, 2, 3) if f"BatchNorm{axes}d" in kinds), 0)
    if axes and "num_features" in has:
        return f"(batch, {has['num_features']}, {_SPACE[axes]})"
    if "Linear" in kinds and "in_features" in has:
        return f"(..., {has['in_features']})"
    if "Embedding" in kinds and "num_embeddings" in has:
        return f"whole numbers from 0 to {has['num_embeddings'] - 1}"
    if "RNNBase" in kinds and "input_size" in has:
        order = "batch, steps" if has.get("batch_first") else "steps, batch"
        return f"({order}, {has['input_size']})"
    if "MultiheadAttention" in kinds and "embed_dim" in has:
        order = "batch, tokens" if has.get("batch_first") else "tokens, batch"
        return f"({order}, {has['embed_dim']})"
    if "LayerNorm" in kinds and "normalized_shape" in has:
        return f"(..., {', '.join(str(width) for width in has['normalized_shape'])})"
    return None

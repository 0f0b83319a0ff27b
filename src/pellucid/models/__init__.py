"""Opening models, one format a file; formats come by entry point."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.errors import ModelError, WeightsError

if TYPE_CHECKING:
    from torch import nn

    from pellucid.recipe import Recipe

__all__ = ["Inputs", "OpenedModel", "check_classes", "open_model"]


@dataclass(frozen=True)
class Inputs:
    """What a model can be called with: `model(*args, **kwargs)`. Values mean nothing; shapes and types fit.

    Attributes:
        batch: how many examples that is, where the first tensor's first axis does not say it: of images in a list.
    """

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    batch: int | None = None


@dataclass(frozen=True)
class OpenedModel:
    """A model that is ready to run.

    Attributes:
        name, source: for people, and how it was named.
        classes: names in order of index, where the model, its weights or a file knows them.
        recipe: how it wants its images prepared, where it says so.
        example: inputs to trace it with, where its format tells what it takes; on the CPU.
        with_values: opens it again with random values, where it has none: for a forward that cannot do without.
    """

    model: nn.Module
    name: str
    source: str
    classes: tuple[str, ...] | None = None
    recipe: Recipe | None = None
    example: Inputs | None = None
    with_values: Callable[[], OpenedModel] | None = None


def open_model(
    spec: str,
    *,
    weights: str | Path | None = None,
    trust: bool = False,
    classes: str | Path | None = None,
    values: bool = True,
) -> OpenedModel:
    """Opens a model by name, with weights from a file.

    Args:
        spec: "file.py:function", "package.module:function", "torchvision:NAME", "timm:NAME", "transformers:CONFIG" or
            "keras:FILE"; a plain "FILE.keras" is the last.
        weights: a state dict (.pt, .pth) or .safetensors; opened without running code from it.
        trust: open a weights file that holds pickled code. It can do anything that you can.
        classes: a file of class names: one a line, or JSON (a list, or index -> name).
        values: whether the model is to compute something. Where it is not, a configuration without weights is enough.

    Raises: ModelError, WeightsError, TrustError, MissingExtraError.
    """
    from pellucid.models.classes import read_classes
    from pellucid.models.weights import load_weights, read_weights

    if spec.lower().endswith(".keras") and not spec.startswith("keras:"):
        spec = f"keras:{spec}"
    openers = {entry.name: entry for entry in entry_points(group="pellucid.models")}
    head = spec.partition(":")[0]
    kind = head if head in openers and head != "python" else "python"
    if ":" not in spec:
        raise ModelError(_unknown(spec, sorted(openers)))
    opener = openers[kind].load()
    trusting = {"trust": trust} if "trust" in inspect.signature(opener).parameters else {}
    state = None
    if weights is None:
        opened: OpenedModel = opener(spec, None, **trusting)
    elif kind == "python":
        # The model says which of several weights in a file are its own, and its code has what was pickled whole.
        opened = opener(spec, None)
        state = read_weights(Path(weights), trust=trust, code=spec, wanted=opened.model.state_dict())
    else:
        state = read_weights(Path(weights), trust=trust)
        opened = opener(spec, state, **trusting)
    if state is not None:
        load_weights(opened.model, state, str(weights))
    elif values:
        _check_values(opened)
    opened.model.eval()
    return replace(opened, classes=read_classes(Path(classes)) if classes is not None else opened.classes)


def _unknown(spec: str, formats: list[str]) -> str:
    """What is wrong with a name that has no colon."""
    path = Path(spec)
    if path.suffix.lower() in (".onnx", ".pt2", ".safetensors"):
        return (
            f"'{spec}' names a file of operations or weights, which cannot be run here. Its graph can be looked at "
            f"(pellucid graph {spec}); to run a model, name the code that builds it ('file.py:function')."
        )
    if path.suffix.lower() in (".pt", ".pth", ".ckpt", ".bin"):
        return (
            f"'{spec}' names weights alone, which do not say what to compute with them. Name the code that builds the "
            f"model, and give the file as its weights: pellucid inspect file.py:function --weights {spec}."
        )
    if path.suffix == ".json" or (path / "config.json").is_file():
        return f"'{spec}' names no model. A configuration of transformers is named 'transformers:{spec}'."
    named = ", ".join(f"'{name}:NAME'" for name in formats if name not in ("python", "transformers", "keras"))
    return (
        f"'{spec}' names no model. Expected 'file.py:function', 'package.module:function', {named}, "
        "'transformers:CONFIG' or 'keras:FILE'."
        + (" Of files `pellucid graph` also reads .onnx, .pt2 and .safetensors." if path.is_file() else "")
    )


def _check_values(opened: OpenedModel) -> None:
    """Refuses a model whose parameters have no values. Raises: WeightsError."""
    if opened.with_values is not None:
        raise WeightsError(
            f"'{opened.source}' is a configuration alone: its parameters have no values, and it cannot be run. Give its "
            f"weights with --weights, or look at its graph: pellucid graph {opened.source}."
        )


def check_classes(classes: tuple[str, ...] | None, outputs: int) -> None:
    """Refuses a list of names that does not fit. Raises: ModelError."""
    if classes is not None and len(classes) != outputs:
        raise ModelError(
            f"There are {len(classes)} class names ({', '.join(classes[:3])}, ...) but the model has {outputs} outputs. "
            "Give one name an output, in order of index (--classes FILE)."
        )

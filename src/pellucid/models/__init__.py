"""Opening models, one format a file; formats come by entry point."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

    from pellucid.recipe import Recipe

__all__ = ["OpenedModel", "check_classes", "open_model"]


@dataclass(frozen=True)
class OpenedModel:
    """A model that is ready to run.

    Attributes:
        name, source: for people, and how it was named.
        classes: names in order of index, where the model, its weights or a file knows them.
        recipe: how it wants its images prepared, where it says so.
    """

    model: nn.Module
    name: str
    source: str
    classes: tuple[str, ...] | None = None
    recipe: Recipe | None = None


def open_model(
    spec: str, *, weights: str | Path | None = None, trust: bool = False, classes: str | Path | None = None
) -> OpenedModel:
    """Opens a model by name, with weights from a file.

    Args:
        spec: "file.py:function", "package.module:function", "torchvision:NAME" or "timm:NAME".
        weights: a state dict (.pt, .pth) or .safetensors; opened without running code from it.
        trust: open a weights file that holds pickled code. It can do anything that you can.
        classes: a file of class names: one a line, or JSON (a list, or index -> name).

    Raises: ModelError, WeightsError, TrustError, MissingExtraError.
    """
    from pellucid.models.classes import read_classes
    from pellucid.models.weights import load_weights, read_weights

    openers = {entry.name: entry for entry in entry_points(group="pellucid.models")}
    head = spec.partition(":")[0]
    kind = head if head in openers and head != "python" else "python"
    if ":" not in spec:
        raise ModelError(
            f"'{spec}' names no model. Expected 'file.py:function', 'package.module:function', "
            + ", ".join(f"'{name}:NAME'" for name in sorted(openers) if name != "python")
            + "."
        )
    state = read_weights(Path(weights), trust=trust) if weights is not None else None
    opened: OpenedModel = openers[kind].load()(spec, state)
    if state is not None:
        load_weights(opened.model, state, str(weights))
    names = read_classes(Path(classes)) if classes is not None else opened.classes
    opened.model.eval()
    return OpenedModel(opened.model, opened.name, opened.source, names, opened.recipe)


def check_classes(classes: tuple[str, ...] | None, outputs: int) -> None:
    """Refuses a list of names that does not fit. Raises: ModelError."""
    if classes is not None and len(classes) != outputs:
        raise ModelError(
            f"There are {len(classes)} class names ({', '.join(classes[:3])}, ...) but the model has {outputs} outputs. "
            "Give one name an output, in order of index (--classes FILE)."
        )

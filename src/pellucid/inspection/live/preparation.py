"""From what a manifest says of its preprocessing to a recipe that prepares images the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.errors import RecordError
from pellucid.recipe import Recipe

if TYPE_CHECKING:
    from pellucid.record.schema import Preprocessing


def recipe_of(preprocessing: Preprocessing | None) -> Recipe | None:
    """The recipe that a manifest describes, to prepare images the same way again; None where it describes none.

    Raises: RecordError: a step that this pellucid does not know.
    """
    if preprocessing is None or not preprocessing.steps or preprocessing.origin not in ("model", "flags", "default"):
        return None
    settings: dict[str, object] = {"origin": preprocessing.origin}
    for step in preprocessing.steps:
        size = step.get("size")
        pair = tuple(int(side) for side in size) if isinstance(size, list) else None
        match step.get("step"):
            case "grayscale":
                settings["grayscale"] = True
            case "resize":
                settings["interpolation"] = step.get("interpolation")
                settings.update({"size": pair} if pair else {"resize": step.get("shorter_side")})
            case "centre crop":
                settings["crop"] = pair
            case "scale":
                continue
            case "normalise":
                for name in ("mean", "std"):
                    values = step.get(name)
                    settings[name] = tuple(values) if isinstance(values, list) and values else None
            case other:
                raise RecordError(f"The record's preprocessing has a step {other!r} that this pellucid does not know.")
    return Recipe(**settings)  # type: ignore[arg-type]

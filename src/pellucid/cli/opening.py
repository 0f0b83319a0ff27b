"""Opening models and data as the options name them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.cli.options import Device, numbers, square, whole_numbers
from pellucid.errors import OptionError

if TYPE_CHECKING:
    from torch import Tensor

    from pellucid.inspection.live import LiveModel
    from pellucid.recipe import Recipe
    from pellucid.record import Record


@dataclass(frozen=True)
class Preparation:
    """The options about preparing images, as they were typed."""

    resize: int | None = None
    crop: str | None = None
    size: str | None = None
    mean: str | None = None
    std: str | None = None
    grayscale: bool = False

    def over(self, recipe: Recipe | None) -> Recipe | None:
        """A recipe with what was asked for in its place; as it is where nothing was. Raises: OptionError."""
        asked: dict[str, Any] = {
            "resize": self.resize,
            "crop": square(self.crop, "--crop"),
            "size": square(self.size, "--size"),
            "mean": numbers(self.mean, "--mean"),
            "std": numbers(self.std, "--std"),
            "grayscale": self.grayscale or None,
        }
        changes = {name: value for name, value in asked.items() if value is not None}
        if not changes:
            return recipe
        from pellucid.recipe import Recipe

        base = recipe or Recipe()
        # One way of resizing takes the place of the other, unless both were asked for, which the recipe refuses.
        if "size" in changes and "resize" not in changes:
            changes["resize"] = None
        if "resize" in changes and "size" not in changes:
            changes["size"] = None
        return replace(base, **changes, origin="flags")


def device_named(choice: Device) -> str:
    """The device to run on. Raises: OptionError: there is no GPU."""
    import torch

    if choice == "cuda" and not torch.cuda.is_available():
        raise OptionError("--device cuda needs a GPU that this torch can use; there is none. Use --device cpu.")
    return "cuda" if choice == "cuda" or (choice == "auto" and torch.cuda.is_available()) else "cpu"


def live_model(
    record: Record,
    model: str,
    data: str | None,
    weights: Path | None,
    preparation: Preparation,
    device: Device,
    *,
    trust: bool,
) -> LiveModel:
    """The inspected model and data, opened again beside their record. Raises: PellucidError: they cannot be opened."""
    from pellucid.data import open_data
    from pellucid.inspection.live import LiveModel, recipe_of
    from pellucid.models import open_model

    if data is None:
        raise OptionError(f"--model needs the inspected data too: --data {_recorded_data(record)}.")
    opened = open_model(model, weights=weights, trust=trust)
    limit = record.manifest.options.get("limit")
    source = open_data(
        data,
        recipe=preparation.over(recipe_of(record.manifest.preprocessing)),
        limit=limit if isinstance(limit, int) else None,
        skip_bad=bool(record.manifest.skipped),
    )
    return LiveModel(record, opened.model.to(device_named(device)), source)


def example_input(shape: str | None, recipe: Recipe | None) -> Tensor:
    """Zeros of the asked shape, or of the one that the recipe makes. Raises: OptionError: neither says it."""
    import torch

    asked = whole_numbers(shape, "--input")
    if asked is None:
        if recipe is None or (side := recipe.crop or recipe.size) is None:
            raise OptionError(
                "This model does not say what it takes: give the shape of its input, --input 1,3,224,224."
            )
        asked = (1, 1 if recipe.grayscale else 3, *side)
    return torch.zeros(asked)


def _recorded_data(record: Record) -> str:
    return record.manifest.data.source if record.manifest.data and record.manifest.data.source else "DATA"

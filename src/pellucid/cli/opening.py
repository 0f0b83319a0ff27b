"""Opening models and data as the options name them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.cli.options import Device, numbers, square
from pellucid.errors import OptionError

if TYPE_CHECKING:
    from pellucid.data import Source
    from pellucid.graph import Graph
    from pellucid.inspection.live import LiveModel
    from pellucid.models import OpenedModel
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
    """The inspected model and data beside their record, for live questions. Raises: as `opened_again`."""
    from pellucid.inspection.live import LiveModel

    if data is None:
        raise OptionError(f"--model needs the inspected data too: --data {_recorded_data(record)}.")
    opened, source = opened_again(record, model, data, weights, preparation, trust=trust)
    return LiveModel(record, opened.model.to(device_named(device)), source)


def opened_again(
    record: Record, model: str, data: str, weights: Path | None, preparation: Preparation, *, trust: bool
) -> tuple[OpenedModel, Source]:
    """The inspected model and data, as the record says they were prepared. Raises: PellucidError: they cannot be opened."""
    from pellucid.data import open_data, read_for
    from pellucid.inspection.live import recipe_of
    from pellucid.models import open_model

    opened = open_model(model, weights=weights, trust=trust)
    limit = record.manifest.options.get("limit")
    source = open_data(
        data,
        recipe=preparation.over(recipe_of(record.manifest.preprocessing)),
        limit=limit if isinstance(limit, int) else None,
        skip_bad=bool(record.manifest.skipped),
        labels=(record.manifest.data.labels or None) if record.manifest.data else None,
    )
    return opened, read_for(source, opened.model, opened.classes)


@dataclass(frozen=True)
class Traced:
    """A model's graph.

    Attributes:
        name, source: for people, and how it was named.
        stopped: why its forward stopped half-way, with what to do; "" where it did not.
        notes: what a person should know about what it was called with, in sentences.
    """

    name: str
    source: str
    graph: Graph
    stopped: str = ""
    notes: tuple[str, ...] = ()


def traced_model(spec: str, inputs: Sequence[str] | None, weights: Path | None, *, trust: bool) -> Traced:
    """The graph of a model that runs, of a configuration, or of a file.

    Args:
        spec: how the model is named; a file of operations or weights, or a configuration, by its path alone.
        inputs: the arguments of its forward, as they were typed; what the model says it takes where not given.
        weights: to load into the model.
        trust: whether a file that holds pickled code may be opened.

    Raises: PellucidError: it cannot be opened, or nobody says what it takes.
    """
    from pellucid.graph.importers import is_graph_file, read_graph

    if is_graph_file(spec):
        for option, given in (("--input", inputs), ("--weights", weights)):
            if given:
                raise OptionError(f"{option} is for a model that runs; {spec} is a file, whose graph is read as it is.")
        return Traced(Path(spec).name, spec, read_graph(spec, trust=trust))
    from pellucid.cli.example import arguments, traced
    from pellucid.models import open_model

    asked = arguments(inputs or ())
    if ":" not in spec and (Path(spec).suffix == ".json" or (Path(spec) / "config.json").is_file()):
        spec = f"transformers:{spec}"
    opened = open_model(spec, weights=weights, trust=trust, values=False)
    called = traced(opened, asked)
    if called.graph.error is not None and opened.with_values is not None:
        called = traced(opened.with_values(), asked)
    stopped = ""
    if called.graph.error is not None:
        stopped = f"{called.graph.error.rstrip('.')}. It was called with {called.words}; --input gives another."
    return Traced(opened.name, opened.source, called.graph, stopped, called.notes)


def _recorded_data(record: Record) -> str:
    return record.manifest.data.source if record.manifest.data and record.manifest.data.source else "DATA"

"""Where people look beside what the model's attributions mark: maps of both on the same images, and their correlation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import OptionError
from pellucid.human.findings import PAGE
from pellucid.human.images import image_name
from pellucid.human.places import Marks, Places, read_places
from pellucid.measures import gaze
from pellucid.measures.words import counted
from pellucid.record import Record, Writer, schema

Floats = NDArray[np.float64]
# Cells of the longer side of a map: finer than any layer's Grad-CAM, coarser than a click is exact.
SIDE = 32
BANDWIDTH = 0.05


def add_maps(record: str | Path, paths: Sequence[str | Path], *, bandwidth: float = BANDWIDTH) -> schema.GazePanel:
    """Compares where people clicked, or what bubbles helped them, with the attribution maps that a record keeps.

    The places are those of the picture as the model saw it, after resizing and cropping. Maps of the model are those of the
    examples that were looked at closely (`inspect --chosen`): gradient, gradient times input, and each layer's Grad-CAM.

    Args:
        record: its folder.
        paths: tables; see docs/human-measures.md.
        bandwidth: standard deviation of the Gaussian around a click, as a share of the picture's longer side.

    Raises: DataError: a table is not of the layout. OptionError: no image is an example of the record.
    """
    if not 0 < bandwidth < 1:
        raise OptionError(f"--bandwidth is a share of the picture's longer side, between 0 and 1; got {bandwidth:g}.")
    held = Record(record)
    panel, maps = compared(held, read_places([Path(path) for path in paths]), bandwidth)
    with Writer.open(Path(record)) as writer:
        writer.write_panel(panel, {"maps": maps.astype(np.float32)})
        writer.update()
    return panel


@dataclass
class _Seen:
    """The images that people marked, in order of row."""

    rows: list[int] = field(default_factory=list)
    marks: list[Marks] = field(default_factory=list)
    unmatched: int = 0


def compared(held: Record, places: Places, bandwidth: float) -> tuple[schema.GazePanel, Floats]:
    """The panel, and people's maps float64[image height width]; see `add_maps`."""
    seen = _matched(held, places)
    if not seen.rows:
        some = ", ".join(list(places.images)[:5])
        raise OptionError(
            f"None of the images that people marked is an example of the record: {some}. They are named by its ids."
        )
    people = np.stack([_map(marks, places.layout, bandwidth) for marks in seen.marks])
    halves = [_halves(marks, places.layout, bandwidth) for marks in seen.marks]
    both = [pair for pair in halves if pair is not None]
    shared, shared_interval = gaze.agreement(
        *(np.stack([pair[half] for pair in both]) if both else np.zeros((0, SIDE, SIDE)) for half in (0, 1))
    )
    focused = set(held.focused)
    models = [_model_maps(held, row) if row in focused else {} for row in seen.rows]
    names = list(dict.fromkeys(name for one in models for name in one))
    found = {name: _aligned(people, models, name) for name in names}
    panel = schema.GazePanel(
        answer="",
        layout=places.layout,
        bandwidth=bandwidth,
        height=SIDE,
        width=SIDE,
        images=[
            schema.GazeImage(
                row, len(set(marks.observers)), len(marks.x), [_at(models, found, name, image) for name in names]
            )
            for image, (row, marks) in enumerate(zip(seen.rows, seen.marks, strict=True))
        ],
        methods=[
            schema.GazeMethod(
                name, one.images, one.correlation, one.interval, one.other, one.difference, one.difference_interval,
                one.p_value, one.why,
            )
            for name, one in found.items()
        ],
        agreement=shared,
        agreement_interval=shared_interval,
        unmatched=seen.unmatched,
        outside=places.outside,
        without_maps=sum(not one for one in models),
        count=len(seen.rows),
    )  # fmt: skip
    panel.answer = _answer(panel)
    panel.findings = _findings(panel)
    return panel, people


def _matched(held: Record, places: Places) -> _Seen:
    """Images found by id, then by file name."""
    ids = [str(one) for one in held.examples()["id"].to_pylist()]
    exact = {name: row for row, name in enumerate(ids)}
    loose: dict[str, int] = {}
    for row, name in enumerate(ids):
        loose[_stem(name)] = -1 if _stem(name) in loose else row
    found: dict[int, Marks] = {}
    seen = _Seen()
    for name, marks in places.images.items():
        row = exact.get(name, loose.get(_stem(image_name(name)), -1))
        if row < 0 or row in found:
            seen.unmatched += len(marks.x)
        else:
            found[row] = marks
    for row in sorted(found):
        seen.rows.append(row)
        seen.marks.append(found[row])
    return seen


def _stem(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).stem


def _map(marks: Marks, layout: str, bandwidth: float, chosen: NDArray[np.bool_] | None = None) -> Floats:
    take = np.ones(len(marks.x), np.bool_) if chosen is None else chosen
    spots = np.column_stack([marks.x, marks.y])[take]
    aspect = marks.aspect or 1.0
    if layout == "bubbles":
        return gaze.diagnostic(
            spots, np.array(marks.radii)[take], np.array(marks.right)[take], SIDE, SIDE, aspect=aspect
        )
    return gaze.density(spots, SIDE, SIDE, bandwidth, aspect=aspect)


def _halves(marks: Marks, layout: str, bandwidth: float) -> tuple[Floats, Floats] | None:
    """Maps of every other observer and of the rest; None where one person alone marked the image."""
    names = sorted(set(marks.observers))
    if len(names) < 2:
        return None
    first = np.isin(marks.observers, names[::2])
    return _map(marks, layout, bandwidth, first), _map(marks, layout, bandwidth, ~first)


def _model_maps(held: Record, row: int) -> dict[str, Floats]:
    """The attribution maps of an example on the grid of people's, by method."""
    focus, tensors = held.focus(row)
    found: dict[str, Floats] = {}
    gradient, values = tensors.get("input.gradient"), tensors.get("input.values")
    if gradient is not None and gradient.ndim == 3:
        slope = np.asarray(gradient, np.float64)
        found["gradient"] = gaze.resized(np.abs(slope).sum(axis=0), SIDE, SIDE)
        if values is not None and values.shape == gradient.shape:
            product = np.abs((slope * np.asarray(values, np.float64)).sum(axis=0))
            found["gradient x input"] = gaze.resized(product, SIDE, SIDE)
    for layer in focus.layers:
        cam = tensors.get(f"{layer.index}.grad_cam")
        if cam is not None and cam.ndim == 2 and layer.cam == "ok":
            found[f"Grad-CAM {layer.name}"] = gaze.resized(np.asarray(cam, np.float64), SIDE, SIDE)
    return found


def _aligned(people: Floats, models: Sequence[dict[str, Floats]], name: str) -> gaze.Alignment:
    has = [image for image, one in enumerate(models) if name in one]
    return gaze.aligned(people[has], np.stack([models[image][name] for image in has]))


def _at(models: Sequence[dict[str, Floats]], found: dict[str, gaze.Alignment], name: str, image: int) -> float | None:
    if name not in models[image]:
        return None
    place = sum(name in one for one in models[:image])
    value = float(found[name].each[place])
    return value if np.isfinite(value) else None


def _best(panel: schema.GazePanel) -> schema.GazeMethod | None:
    known = [one for one in panel.methods if one.difference is not None]
    return max(known, key=lambda one: one.difference or 0.0) if known else None


def _beyond(method: schema.GazeMethod, methods: int) -> bool:
    """Whether it marks what people look at beyond chance, of so many methods that were tried (Bonferroni)."""
    return method.p_value is not None and method.p_value * methods < 0.05 and (method.difference or 0.0) > 0


def _answer(panel: schema.GazePanel) -> str:
    best = _best(panel)
    if best is None or best.correlation is None or best.other is None:
        if not panel.methods:
            return "The record keeps no attribution maps of the images that people marked: inspect it with more examples --chosen."
        return f"Whether the model looks where people do is not known: {panel.methods[0].why}."
    ends = "" if best.interval is None else f" ({best.interval.low:.2f} to {best.interval.high:.2f})"
    against = (
        f"rank correlation {best.correlation:.2f}{ends}, against {best.other:.2f} with people's maps of other images"
    )
    images = counted(best.images, "image")
    if _beyond(best, len(panel.methods)):
        return f"The model looks where people look, beyond what all images share: {best.method}, {images}, {against}."
    return f"That the model looks where people look cannot be told from chance: closest is {best.method}, {images}, {against}."


def _findings(panel: schema.GazePanel) -> list[schema.Finding]:
    best = _best(panel)
    if best is None or not _beyond(best, len(panel.methods)):
        return []
    return [
        schema.Finding(
            kind="gaze",
            severity="info",
            sentence=panel.answer,
            count=best.images,
            page=PAGE,
            interval=best.interval,
            evidence={
                "method": best.method,
                "correlation": best.correlation,
                "other": best.other,
                "p_value": best.p_value,
            },
        )
    ]

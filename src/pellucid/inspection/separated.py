"""Which labels of whole pictures every channel tells apart, as it stands in a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from pellucid.features.concepts.dissect import MOST_UNITS
from pellucid.features.concepts.examples import KEPT, SIDE, drawn
from pellucid.features.concepts.separation import (
    FEWEST_EACH,
    LEAST_AREA,
    SHUFFLES,
    LabelSet,
    Pooled,
    Separated,
    Watch,
    asked,
    separable,
    separate_layers,
)
from pellucid.features.crops import Pixels, sheet
from pellucid.features.probing import Lightness
from pellucid.inspection.concepts import STORED, STRONGEST
from pellucid.measures.intervals import LEVEL
from pellucid.record import Record, Writer, schema

if TYPE_CHECKING:
    from pellucid.capture import Session
    from pellucid.types import Layer


@dataclass
class Answer:
    """A panel with its arrays."""

    panel: schema.SeparationPanel
    arrays: dict[str, np.ndarray]


def separation_of(
    session: Session,
    layers: Sequence[Layer],
    concepts: LabelSet,
    lightness: Lightness,
    *,
    pooled: Pooled = "maximum",
    seed: int = 0,
    watch: Watch = lambda done, total: None,
) -> Answer:
    """Asks the layers of an open session, and draws the pictures that excite the best of their channels most."""
    kept, refused = separable(layers, MOST_UNITS)
    refused = {name: why[0].upper() + why[1:] for name, why in refused.items()}
    found = separate_layers(session, kept, concepts, lightness, pooled=pooled, seed=seed, watch=watch, refused=refused)
    arrays: dict[str, np.ndarray] = {}
    chosen = {one.layer.index: _chosen(one) for one in found}
    for one in found:
        _arrays(one, chosen[one.layer.index], arrays)
    _draw(concepts, found, chosen, arrays)
    panel = schema.SeparationPanel(
        count=len(concepts),
        source=concepts.name,
        pooled=pooled,
        concepts=_concepts(concepts),
        layers=[_row(one, len(chosen[one.layer.index])) for one in found],
        least=LEAST_AREA,
        level=LEVEL,
        shuffles=SHUFFLES,
        fewest=FEWEST_EACH,
        side=SIDE,
        ranks=KEPT,
        refused=refused,
    )
    return Answer(panel, arrays)


def write_separation(writer: Writer, answer: Answer) -> None:
    """Writes the panel, beside what the record has of other layers with the same pictures."""
    record, panel, arrays = Record(writer.path), answer.panel, answer.arrays
    earlier = record.panel("separation") if "separation" in record.panels else None
    kept: list[schema.SeparationLayer] = []
    if isinstance(earlier, schema.SeparationPanel) and _of_one_set(earlier, panel):
        answered = {row.index for row in panel.layers}
        kept = [row for row in earlier.layers if row.index not in answered]
    places = {row.index for row in kept}
    for name in record.arrays("separation") if kept else ():
        if int(name.split(".")[0]) in places:
            arrays[name] = record.array("separation", name)
    refused = panel.refused | (earlier.refused if kept and isinstance(earlier, schema.SeparationPanel) else {})
    rows = sorted([*kept, *panel.layers], key=lambda row: row.index)
    concepts = [
        msgspec.structs.replace(one, strongest=_strongest(rows, arrays, at)) for at, one in enumerate(panel.concepts)
    ]
    writer.write_panel(msgspec.structs.replace(panel, layers=rows, concepts=concepts, refused=refused), arrays)


def _of_one_set(one: schema.SeparationPanel, other: schema.SeparationPanel) -> bool:
    def key(panel: schema.SeparationPanel) -> object:
        named = [(concept.name, concept.kind, concept.shown, concept.others) for concept in panel.concepts]
        return panel.source, panel.count, panel.pooled, named

    return key(one) == key(other)


def _chosen(one: Separated) -> np.ndarray:
    """Channels whose pictures are stored: those that tell their best concept best, ascending."""
    best = one.of_best(one.area)
    order = np.lexsort((np.arange(len(best)), -best))
    return np.sort(order[one.alive[order]][:STORED]).astype(np.int32)


def _arrays(one: Separated, chosen: np.ndarray, arrays: dict[str, np.ndarray]) -> None:
    index = one.layer.index
    values = {"area": one.area, "low": one.of_best(one.low), "high": one.of_best(one.high), "chance": one.chance}
    for name, found in values.items():
        arrays[f"{index}.{name}"] = np.ascontiguousarray(found, np.float32)
    arrays[f"{index}.best"] = one.best.astype(np.int32)
    arrays[f"{index}.alive"] = one.alive.astype(np.uint8)
    arrays[f"{index}.units"] = chosen


def _draw(
    concepts: LabelSet, found: Sequence[Separated], chosen: dict[int, np.ndarray], arrays: dict[str, np.ndarray]
) -> None:
    """One sheet a layer; each picture is read once, however many channels it excites."""
    wanted: dict[int, list[tuple[int, int, int, bool]]] = {}
    squares: dict[int, list[list[Pixels | None]]] = {}
    for one in found:
        units = chosen[one.layer.index]
        squares[one.layer.index] = [[None] * KEPT for _ in units]
        strongest = np.argsort(-one.scores[:, units], axis=0, kind="stable")[:KEPT]
        for rank, at in np.ndindex(strongest.shape):
            row = int(strongest[rank, at])
            framed = bool(concepts.labels[row, one.best[units[at]]] == 1)
            wanted.setdefault(row, []).append((one.layer.index, at, rank, framed))
    for row in sorted(wanted):
        picture, made = concepts.picture(row), {}
        for index, at, rank, framed in wanted[row]:
            if framed not in made:
                whole = np.ones(picture.shape[1:], bool)
                made[framed] = drawn(picture, whole, whole & framed)
            squares[index][at][rank] = made[framed]
    for index, rows in squares.items():
        arrays[f"{index}.sheet"] = sheet(rows, SIDE)


def _concepts(concepts: LabelSet) -> list[schema.SeparationConcept]:
    chosen = asked(concepts.labels)
    shown, others = ((concepts.labels == value).sum(0) for value in (1, 0))
    return [
        schema.SeparationConcept(one.name, one.kind, int(shown[at]), int(others[at]), bool(chosen[at]))
        for at, one in enumerate(concepts.concepts)
    ]


def _strongest(
    rows: Sequence[schema.SeparationLayer], arrays: dict[str, np.ndarray], concept: int
) -> list[schema.SeparationChannel]:
    """Channels of all layers by how well they tell one concept, those beyond their layer's chance."""
    found = []
    for row in rows:
        values, chance = arrays[f"{row.index}.area"][:, concept], arrays[f"{row.index}.chance"][concept]
        for unit in np.argsort(-values, kind="stable")[:STRONGEST].tolist():
            if values[unit] > chance and arrays[f"{row.index}.alive"][unit]:
                found.append(schema.SeparationChannel(row.index, unit, float(values[unit])))
    return sorted(found, key=lambda one: (-one.area, one.layer, one.unit))[:STRONGEST]


def _row(one: Separated, stored: int) -> schema.SeparationLayer:
    low, high = one.between()
    return schema.SeparationLayer(
        index=one.layer.index,
        name=one.layer.name,
        units=len(one.area),
        alive=int(one.alive.sum()),
        beyond=int(one.beyond.sum()),
        detectors=int(one.detectors.sum()),
        low=low,
        high=high,
        found={name: many for name, many in one.found().items() if many},
        stored=stored,
    )

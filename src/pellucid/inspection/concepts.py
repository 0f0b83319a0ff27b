"""Which concepts every channel detects, as it stands in a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from pellucid.errors import OptionError
from pellucid.features.concepts import ConceptSet, Dissected, Generated, LabelSet
from pellucid.features.concepts.counts import NULLS
from pellucid.features.concepts.dissect import places
from pellucid.features.concepts.dissection import LEAST, SATURATED, Dissection, Watch, dissect_layers
from pellucid.features.concepts.examples import KEPT, SIDE, drawn
from pellucid.features.concepts.quantiles import TOP
from pellucid.features.concepts.sets import spans_of
from pellucid.features.crops import Pixels, sheet
from pellucid.features.probing import Lightness
from pellucid.record import Record, Writer, schema

if TYPE_CHECKING:
    from pellucid.capture import Session
    from pellucid.graph import Graph
    from pellucid.recipe import Recipe
    from pellucid.types import Layer

GENERATED = "generated"
STORED = 24  # channels of a layer whose pictures are stored
STRONGEST = 24  # channels of a concept that are listed
PICTURES = 500


def concepts_named(
    spec: str, size: tuple[int, int, int], recipe: Recipe | None, pictures: int | None, seed: int
) -> ConceptSet | LabelSet:
    """The set that an option names: "generated", a folder of images and masks, or pictures labelled as wholes.

    Raises: OptionError: it is none of them, or a number of pictures was given for a folder. DataError.
    """
    if spec == GENERATED:
        return Generated(size, pictures or PICTURES, seed)
    if not Path(spec).exists():
        raise OptionError(
            f"--concepts takes '{GENERATED}', a folder with images/ and masks/, a folder of a folder a concept, or a table "
            f"(.csv, .tsv, .parquet) with the columns image and concept; there is no folder or table '{spec}'."
        )
    if pictures is not None:
        raise OptionError("--concept-pictures is for generated ones; of a folder all pictures are shown.")
    from pellucid.data.labelled import open_labelled
    from pellucid.data.tagged import is_tagged, open_tagged

    if is_tagged(Path(spec)):
        return open_tagged(spec, size, recipe)
    return open_labelled(spec, size, recipe)


@dataclass
class Answer:
    """A panel with its arrays."""

    panel: schema.ConceptsPanel
    arrays: dict[str, np.ndarray]


def concepts_of(
    session: Session,
    graph: Graph,
    layers: Sequence[Layer],
    concepts: ConceptSet,
    lightness: Lightness,
    *,
    seed: int = 0,
    watch: Watch = lambda done, total: None,
) -> Answer:
    """Dissects layers of an open session, and draws the pictures of those that agree best."""
    anchors, refused = places(graph, layers)
    refused = {name: why[0].upper() + why[1:] for name, why in refused.items()}
    dissection, found = dissect_layers(session, layers, anchors, concepts, lightness, seed=seed, watch=watch)
    nonfinite = {name for name, one in dissection.quantiles.items() if one.unordered}
    refused |= dict.fromkeys(nonfinite, "Its output is NaN or infinite on some pictures.")
    found = [one for one in found if one.layer.name not in nonfinite]
    arrays: dict[str, np.ndarray] = {}
    chosen = {one.layer.index: _chosen(one) for one in found}
    for one in found:
        _arrays(one, chosen[one.layer.index], arrays)
    _draw(dissection, found, chosen, arrays)
    panel = schema.ConceptsPanel(
        count=len(concepts),
        source=concepts.name,
        concepts=_infos(dissection),
        layers=[_row(one, len(chosen[one.layer.index])) for one in found],
        least=LEAST,
        quantile=TOP,
        shuffles=NULLS,
        mask_height=concepts.mask_size[0],
        mask_width=concepts.mask_size[1],
        side=SIDE,
        ranks=KEPT,
        refused=refused,
        saturated=SATURATED,
    )
    return Answer(panel, arrays)


def write_concepts(writer: Writer, answer: Answer) -> None:
    """Writes the panel, beside what the record has of other layers with the same pictures."""
    record, panel, arrays = Record(writer.path), answer.panel, answer.arrays
    earlier = record.panel("concepts") if "concepts" in record.panels else None
    asked = {row.index for row in panel.layers}
    kept: list[schema.ConceptLayer] = []
    if isinstance(earlier, schema.ConceptsPanel) and (earlier.source, earlier.count) == (panel.source, panel.count):
        named = [(one.name, one.kind) for one in panel.concepts]
        if [(one.name, one.kind) for one in earlier.concepts] == named:
            kept = [row for row in earlier.layers if row.index not in asked]
    for name in record.arrays("concepts") if kept else ():
        if int(name.split(".")[0]) in {row.index for row in kept}:
            arrays[name] = record.array("concepts", name)
    refused = panel.refused | (earlier.refused if kept and isinstance(earlier, schema.ConceptsPanel) else {})
    rows = sorted([*kept, *panel.layers], key=lambda row: row.index)
    infos = [
        msgspec.structs.replace(info, strongest=_strongest(rows, arrays, at)) for at, info in enumerate(panel.concepts)
    ]
    writer.write_panel(msgspec.structs.replace(panel, layers=rows, concepts=infos, refused=refused), arrays)


def _chosen(one: Dissected) -> np.ndarray:
    """Channels whose pictures are stored: those that agree best, ascending."""
    order = np.lexsort((np.arange(len(one.iou)), -one.iou.max(1)))
    alive = order[one.alive[order]]
    return np.sort(alive[:STORED]).astype(np.int32)


def _arrays(one: Dissected, chosen: np.ndarray, arrays: dict[str, np.ndarray]) -> None:
    rows, index = np.arange(len(one.iou)), one.layer.index
    values = {
        "iou": one.iou,
        "low": one.low[rows, one.best],
        "high": one.high[rows, one.best],
        "null": one.null.max(0),
        "threshold": one.thresholds,
        "reached": one.reached,
    }
    for name, found in values.items():
        arrays[f"{index}.{name}"] = np.ascontiguousarray(found, np.float32)
    arrays[f"{index}.units"] = chosen


def _draw(
    dissection: Dissection,
    found: Sequence[Dissected],
    chosen: dict[int, np.ndarray],
    arrays: dict[str, np.ndarray],
) -> None:
    """One sheet a layer; each picture is made once, however many channels it excites."""
    wanted: dict[int, list[tuple[Dissected, int, int]]] = {}
    squares: dict[int, list[list[Pixels | None]]] = {}
    for one in found:
        units = chosen[one.layer.index]
        squares[one.layer.index] = [[None] * KEPT for _ in units]
        for at, unit in enumerate(units):
            for rank, place in enumerate(dissection.strongest[one.layer.name].places[unit]):
                if place >= 0:
                    wanted.setdefault(int(place), []).append((one, at, rank))
    spans = spans_of(dissection.presence.concepts)
    for place in sorted(wanted):
        picture = dissection.concepts.picture(int(dissection.visit.order[place]))
        planes = dissection.visit.planes(place)
        for one, at, rank in wanted[place]:
            unit = int(chosen[one.layer.index][at])
            best = int(one.best[unit])
            kind = next(kind for kind, (start, end) in enumerate(spans) if start <= best < end)
            mask = planes[kind] == best - spans[kind][0] + 1
            above = dissection.strongest[one.layer.name].above(unit, rank)
            squares[one.layer.index][at][rank] = drawn(picture, above, mask)
    for index, rows in squares.items():
        arrays[f"{index}.sheet"] = sheet(rows, SIDE)


def _infos(dissection: Dissection) -> list[schema.ConceptInfo]:
    presence = dissection.presence
    pixels = len(dissection.concepts) * int(np.prod(dissection.concepts.mask_size))
    return [
        schema.ConceptInfo(concept.name, concept.kind, int(presence.pixels[:, at].sum()) / pixels, int(pictures))
        for at, (concept, pictures) in enumerate(zip(presence.concepts, presence.pictures, strict=True))
    ]


def _strongest(
    rows: Sequence[schema.ConceptLayer], arrays: dict[str, np.ndarray], concept: int
) -> list[schema.ConceptChannel]:
    """Channels of all layers by their agreement with one concept, those beyond their layer's chance."""
    found = []
    for row in rows:
        values = arrays[f"{row.index}.iou"][:, concept]
        for unit in np.argsort(-values, kind="stable")[:STRONGEST].tolist():
            if values[unit] > row.chance:
                found.append(schema.ConceptChannel(row.index, unit, float(values[unit])))
    return sorted(found, key=lambda one: (-one.iou, one.layer, one.unit))[:STRONGEST]


def _row(one: Dissected, stored: int) -> schema.ConceptLayer:
    low, high = one.between()
    return schema.ConceptLayer(
        index=one.layer.index,
        name=one.layer.name,
        units=len(one.iou),
        alive=int(one.alive.sum()),
        map_height=len(one.anchors.rows),
        map_width=len(one.anchors.columns),
        anchors=one.anchors.how,
        detectors=int(one.detectors.sum()),
        low=low,
        high=high,
        chance=one.chance,
        by_chance=one.by_chance(),
        reached=float(one.reached.max(initial=0.0)),
        found={name: many for name, many in one.found().items() if many},
        stored=stored,
    )

"""What units answered to stimuli, as a record keeps it: layer by layer, beside what it holds of other layers already."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec
import numpy as np

from pellucid.features.probing import Probed
from pellucid.features.tuning import KINDS
from pellucid.record import Record, Writer, schema


def tuned_already(record: Record, seed: int) -> set[int]:
    """Indices of the layers whose tuning the record has, of this seed."""
    panel = record.panel("tuning") if "tuning" in record.panels else None
    if not isinstance(panel, schema.TuningPanel) or panel.kinds != list(KINDS):
        return set()
    return {row.index for row in panel.layers if row.seed == seed}


def shown_before(record: Record, replaced: Collection[int]) -> int:
    """How many pictures the record's tuning was made of; 0 where all of its layers are to be replaced."""
    panel = record.panel("tuning") if "tuning" in record.panels else None
    if not isinstance(panel, schema.TuningPanel) or all(row.index in replaced for row in panel.layers):
        return 0
    return panel.count or 0


def write_tuned(writer: Writer, found: Sequence[Probed], count: int, refused: Mapping[str, str], seed: int) -> None:
    """Writes layers into the record's panel; an earlier answer on one of them is replaced, other layers stay.

    Args:
        writer: of the record.
        found: what the layers' units answered.
        count: pictures that were shown so far, to all layers of the panel.
        refused: layers left out, and why.
        seed: of everything random.
    """
    arrays: dict[str, np.ndarray] = {}
    rows = [_tuned(one, seed, arrays) for one in found]
    panel = schema.TuningPanel(
        count=count,
        layers=rows,
        kinds=list(KINDS),
        noise=len(found[0].tuning.noise) if found else 0,
        refused=dict(refused),
        note=next((one.note for one in found if one.note), ""),
    )
    writer.write_panel(*_beside_earlier(Record(writer.path), panel, arrays))


def _tuned(one: Probed, seed: int, arrays: dict[str, np.ndarray]) -> schema.TuningLayer:
    """A layer's row; its arrays go into `arrays`."""
    texts = sorted(set(one.labels.texts))
    index, tuning, labels = one.layer.index, one.tuning, one.labels
    arrays[f"{index}.label"] = np.array([texts.index(text) for text in labels.texts], np.int32)
    by_kind = tuning.by_kind()
    values = {
        "selectivity": labels.selectivity,
        "sure": labels.sure,
        "deviations": labels.deviations,
        "orientation": tuning.orientation().T,
        "frequency": tuning.frequency().T,
        "hue": tuning.hue().T,
        "grey": tuning.grey().T,
        "kinds": np.where(np.isfinite(by_kind), by_kind, np.nan).T,
    }
    for name, found in values.items():
        arrays[f"{index}.{name}"] = np.ascontiguousarray(found, np.float32)
    return schema.TuningLayer(
        index=index,
        name=one.layer.name,
        units=tuning.units,
        field_height=one.box.height,
        field_width=one.box.width,
        pictures=one.shown,
        chance=one.chance,
        clear=sum(kind != "" for kind in labels.kinds),
        frequencies=list(tuning.frequencies),
        labels=texts,
        seed=seed,
    )


def _beside_earlier(
    record: Record, panel: schema.TuningPanel, arrays: dict[str, np.ndarray]
) -> tuple[schema.TuningPanel, dict[str, np.ndarray]]:
    """The answer with those of other layers that the record has already: asking for one layer loses no other."""
    if "tuning" not in record.panels:
        return panel, arrays
    earlier = record.panel("tuning")
    if not isinstance(earlier, schema.TuningPanel) or earlier.kinds != panel.kinds:
        return panel, arrays
    asked = {row.index for row in panel.layers}
    kept = {row.index: row for row in earlier.layers if row.index not in asked}
    if not kept:
        return panel, arrays
    for name in record.arrays("tuning"):
        if int(name.split(".")[0]) in kept:
            arrays[name] = record.array("tuning", name)
    return (
        msgspec.structs.replace(
            panel,
            layers=sorted([*kept.values(), *panel.layers], key=lambda row: row.index),
            noise=max(earlier.noise, panel.noise),
            refused=earlier.refused | panel.refused,
            note=panel.note or earlier.note,
        ),
        arrays,
    )

"""The sample that a verdict rests on as a record: its examples, the model's answers, the scores, and the panel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from pellucid.errors import RecordError
from pellucid.fitting.labels import moved
from pellucid.fitting.run import Fit
from pellucid.predictions import import_predictions
from pellucid.record import Record, Writer, folder, schema
from pellucid.record.manifest import read_manifest

SAMPLE = "a sample for pellucid fit"


def check_out(out: str | Path, *, overwrite: bool = False) -> None:
    """Before anything is computed: may a record be written there? Raises: RecordError: it may not."""
    root = Path(out)
    if not root.exists():
        return
    if not root.is_dir():
        raise RecordError(f"A record is a folder; {root} is a file. Choose another path.")
    if not (root / folder.MANIFEST).exists():
        folder.refuse_strangers(root)
    elif overwrite:
        folder.refuse_human(root)
    elif not folder.only_training(present := read_manifest(root)):
        raise folder.there_already(root, present)


def write_fit(fit: Fit, out: str | Path, *, title: str | None = None, overwrite: bool = False) -> Record:
    """Makes a record of a fit; its pages show the examples, worst fitting first where one sorts by a score.

    Raises: RecordError: there is a record already, and overwrite was not asked for.
    """
    import pyarrow as pa

    sample = fit.sample
    columns: dict[str, Any] = {
        "id": sample.ids,
        "row_of_data": sample.rows,
        "logits": pa.FixedSizeListArray.from_arrays(
            pa.array(sample.logits.astype(np.float32).ravel()), sample.logits.shape[1]
        ),
    }
    targets = moved(sample.targets, fit.panel.labels)
    names = [place.name for place in fit.panel.labels]
    if (sample.targets >= 0).any() and any(place.index is None for place in fit.panel.labels):
        columns["class_of_data"] = [_name(names, target) for target in sample.targets.tolist()]
    if (targets >= 0).any():
        columns["label"] = pa.array(targets.astype(np.int32), mask=targets < 0)
    for name, scores in fit.likeness.columns.items():
        columns[name] = pa.array(scores, from_pandas=True)  # of an output that is not finite there is none
    if any(picture is not None for picture in sample.media):
        columns["picture"] = pa.array(
            [None if picture is None else {"bytes": picture.content} for picture in sample.media],
            pa.struct([("bytes", pa.binary())]),
        )
    import_predictions(
        pa.table(columns),
        out=out,
        kind="logits",
        column="logits",
        classes=list(fit.classes),
        numbers="indices",
        title=title or f"{fit.panel.model} on {fit.panel.data}",
        overwrite=overwrite,
    )
    with Writer.open(out) as writer:
        writer.write_panel(fit.panel)
        writer.update(**_origin(fit, writer.manifest))
    return Record(out)


def _origin(fit: Fit, manifest: schema.Manifest) -> dict[str, object]:
    """Where the outputs came from: a model was run, and none can be brought to rows that are a random sample."""
    found: dict[str, object] = {
        "model": fit.model,
        "seed": fit.seed,
        "device": fit.device,
        "preprocessing": fit.sample.source.preprocessing,
    }
    if manifest.saved is not None:
        found["saved"] = replace(manifest.saved, name=SAMPLE, source=fit.panel.data)
    if manifest.data is not None:
        found["data"] = replace(manifest.data, name=fit.sample.source.name, source=fit.panel.data)
    return found


def _name(names: Sequence[str], index: int) -> str | None:
    return names[index] if 0 <= index < len(names) else None

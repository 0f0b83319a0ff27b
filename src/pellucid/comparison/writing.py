"""A comparison as a record: the new model's, with the others' answers as columns, so that every page can ask them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from pellucid.comparison.pairs import FLIPS, flip_column, flips_of, pair_of
from pellucid.comparison.together import BASE, Together
from pellucid.errors import DamagedError, OptionError
from pellucid.record import Record, Writer, files, schema

if TYPE_CHECKING:
    import pyarrow as pa

LENS = "comparison"
PART_EXAMPLES = 1 << 16
_LEFT = ("examples/", "state/", f"panels/{LENS}.", f"arrays/{LENS}.")


def write(
    out: str | Path,
    all_: Together,
    panel: schema.ComparisonPanel,
    arrays: Mapping[str, NDArray[np.float32]],
    *,
    title: str,
    overwrite: bool,
) -> Record:
    """Writes the record: all that the new model's holds, and what the comparison adds.

    Raises: RecordError: something is at `out` already. StorageError. OptionError: `out` is one of the compared records.
    """
    base = all_.answers[BASE].record
    if any(Path(out).resolve() == one.record.path.resolve() for one in all_.answers):
        raise OptionError(f"--out {out} is one of the compared records; choose another folder.")
    manifest = msgspec.structs.replace(
        base.manifest,
        title=title,
        created="",
        state="running",
        error=None,
        files=[],
        options={**base.manifest.options, "compared": list(all_.names)},
    )
    if manifest.data is not None and all_.classes != manifest.data.classes:
        manifest.data = msgspec.structs.replace(manifest.data, classes=all_.classes)
    table = table_of(all_)
    with Writer.create(out, manifest, overwrite=overwrite) as writer, writer.sealing():
        names = [name for name in table["media"].unique().to_pylist() if name is not None]
        for name in names:
            writer.write_media(base.media(name), name.rpartition(".")[2])
        for index, start in enumerate(range(0, table.num_rows, PART_EXAMPLES)):
            writer.write_part(index, table.slice(start, PART_EXAMPLES), {})
        for entry in base.manifest.files:
            if not entry.path.startswith(_LEFT):
                writer.write_file(entry.path, _content(base, entry), rows=entry.rows)
        writer.write_panel(panel, dict(arrays))
    return Record(out)


def table_of(all_: Together) -> pa.Table:
    """The new model's examples table with the others' answers and what became of each example."""
    import pyarrow as pa

    table = all_.answers[BASE].record.examples()
    for name, values in columns_of(all_).items():
        if name in table.column_names:
            place = table.column_names.index(name)
            table = table.rename_columns([f"{one}_column" if one == name else one for one in table.column_names])
            table = table.add_column(place + 1, name, values)
        else:
            table = table.append_column(pa.field(name, values.type), values)
    return table


def columns_of(all_: Together) -> dict[str, pa.Array]:
    """The added columns: "<model>.prediction", ".loss", ".confidence", ".matched" where not all are, "flip", "flip.<model>"."""
    import pyarrow as pa

    found: dict[str, pa.Array] = {}
    for index, name in enumerate(all_.names):
        if index == BASE:
            continue
        predictions = all_.predictions[index]
        found[f"{name}.prediction"] = pa.array(predictions, pa.int32(), mask=predictions < 0)
        found[f"{name}.loss"] = _numbers(all_.losses[index], pa.float64())
        found[f"{name}.confidence"] = _numbers(all_.confidences[index], pa.float32())
        if not all_.there[index].all():
            found[f"{name}.matched"] = pa.array(all_.there[index])
    words = pa.array(FLIPS, pa.string())
    for index in range(1, len(all_.names)):
        flips = flips_of(pair_of(all_, 0, index))
        places = pa.array(flips, pa.int32(), mask=flips < 0)
        found[flip_column(all_.names, index)] = pa.DictionaryArray.from_arrays(places, words).cast(pa.string())
    return found


def _numbers(values: NDArray[np.float64], kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    return pa.array(values, pa.float64(), mask=~np.isfinite(values)).cast(kind)


def _content(record: Record, entry: schema.FileRef) -> bytes:
    """A listed file's bytes, checked."""
    content = files.located(record.path, entry.path).read_bytes()
    if len(content) != entry.bytes or files.sha256(content) != entry.sha256:
        raise DamagedError(
            f"{record.path / entry.path} is damaged: its SHA-256 is not the one that was written. Restore it from a copy, or "
            "make the record again."
        )
    return content

"""The model's probabilities of all classes, from a file: a record keeps the most probable ones only."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import DataError

# How far a row of float16 or rounded text may be from 1.
_TOLERANCE = 1e-2
_SHOWN = 8


def read_probabilities(path: Path, ids: Sequence[str], classes: int) -> NDArray[np.float64]:
    """float64[example class], in the order of the record; NaN where the file has no row for an example.

    Args:
        path: .npy in the order of the record, or Parquet with a column of lists; where that has a column "id", by it.
        ids: of the record's examples.
        classes: how many the model has.

    Raises: DataError: no such file, or not the probabilities of this record.
    """
    values, names = _read(path)
    if values.ndim != 2 or values.shape[1] != classes:
        raise DataError(
            f"{path} holds an array of shape {values.shape}; expected probabilities of shape ({len(ids)}, {classes})."
        )
    wide = values.astype(np.float64)
    odd = ~(np.isfinite(wide).all(axis=1) & (wide >= 0).all(axis=1) & (np.abs(wide.sum(axis=1) - 1) < _TOLERANCE))
    if odd.any():
        raise DataError(
            f"Row {int(odd.argmax()):,} of {path} holds no probabilities: expected numbers from 0 that add up to 1. Logits "
            "have to go "
            "through a softmax first."
        )
    wide /= wide.sum(axis=1, keepdims=True)
    if names is None:
        if len(wide) != len(ids):
            raise DataError(
                f"{path} has {len(wide):,} rows and no column 'id', but the record has {len(ids):,} examples; expected as many."
            )
        return wide
    places = {name: row for row, name in enumerate(names)}
    rows = np.array([places.get(name, -1) for name in ids])
    if not (rows >= 0).any():
        raise DataError(
            f"No id of {path} ({', '.join(names[:3])}, ...) is one of the record ({', '.join(ids[:3])}, ...)."
        )
    return np.where((rows >= 0)[:, None], wide[rows], np.nan)


def _read(path: Path) -> tuple[NDArray[Any], list[str] | None]:
    from pellucid.record.tables import table_of

    try:
        content = path.read_bytes()
        if path.suffix.lower() == ".npy":
            return np.load(io.BytesIO(content), allow_pickle=False), None
        table = table_of(content)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"The probabilities in {path} cannot be read: {error}. Expected a .npy array or a Parquet file."
        ) from error
    listed = [
        field.name for field in table.schema if "prob" in field.name.casefold() and hasattr(field.type, "value_type")
    ]
    if len(listed) != 1:
        raise DataError(
            f"{path} has the columns {', '.join(table.column_names[:_SHOWN])}; expected one column of lists with 'prob' in "
            "its name, "
            f"found {len(listed)}."
        )
    rows = table[listed[0]].to_pylist()
    if any(one is None or len(one) != len(rows[0] or ()) for one in rows):
        raise DataError(
            f"The lists of '{listed[0]}' of {path} are not all of one length; expected a probability of each class."
        )
    names = [str(one) for one in table["id"].to_pylist()] if "id" in table.column_names else None
    return np.array(rows, np.float64), names

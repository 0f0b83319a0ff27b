"""What a record says of each of its examples, as arrays that can be laid side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import DataError
from pellucid.record import Record, schema

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIX = ".pellucid"


@dataclass(frozen=True)
class Answers:
    """One model's answers, in the order of its record.

    Attributes:
        ids, media: pa.string[example]; media is null where there is no picture.
        targets: float64[example], a class index or a number; NaN where unknown.
        predictions: int64[example], -1 where there is none.
        losses, confidences: float64[example], NaN where not defined; the loss of a label that was given no probability is infinite.
        soft: whether a label is soft and not of one class: no confidence can be held against right and wrong.
    """

    record: Record
    ids: pa.ChunkedArray
    media: pa.ChunkedArray
    targets: NDArray[np.float64]
    predictions: NDArray[np.int64]
    losses: NDArray[np.float64]
    confidences: NDArray[np.float64]
    soft: bool = False

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def classes(self) -> list[str]:
        """Names of the classes in order of index; empty where there are none."""
        data = self.record.manifest.data
        return data.classes if data else []


def answers_of(record: Record) -> Answers:
    """Reads a record's answers. Raises: DataError: it holds no answers, of which nothing can be compared."""
    table = record.examples()
    predictions = _numbers(table["prediction"], -1).astype(np.int64)
    losses = _losses(record, table)
    if not ((predictions >= 0).any() or np.isfinite(losses).any()):
        raise DataError(
            f"{record.path} holds {len(predictions):,} examples without a prediction or a loss: there is nothing to compare. "
            "Make it with the lenses that sweep the data: pellucid inspect MODEL --data DATA --out RECORD"
        )
    return Answers(
        record=record,
        ids=table["id"],
        media=table["media"],
        targets=_numbers(table["target"], np.nan),
        predictions=predictions,
        losses=losses,
        confidences=np.where(predictions >= 0, _numbers(table["confidence"], np.nan), np.nan),
        soft=_soft(table),
    )


def _losses(record: Record, table: pa.Table) -> NDArray[np.float64]:
    """float64[example]; the table writes infinite ones as not known, and the loss panel counts them."""
    losses = _numbers(table["loss"], np.nan)
    panel = record.panel("loss") if "loss" in record.panels else None
    if isinstance(panel, schema.LossPanel) and panel.infinite:
        labelled = np.isfinite(_numbers(table["target"], np.nan))
        if "targets" in table.column_names:  # of several classes an example
            labelled |= ~table["targets"].is_null().to_numpy()
        losses[labelled & np.isnan(losses) & ~table["nonfinite"].to_numpy()] = np.inf
    return losses


def _soft(table: pa.Table) -> bool:
    if "soft_target" not in table.column_names:
        return False
    shares: NDArray[np.float64] = table["soft_target"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return bool(((shares > 0) & (shares < 1)).any())


def _numbers(column: pa.ChunkedArray, missing: float) -> NDArray[np.float64]:
    """float64[example]; nulls as told."""
    import pyarrow as pa

    values: NDArray[Any] = column.cast(pa.float64()).fill_null(missing).to_numpy()
    return np.array(values, np.float64)  # of its own: Arrow's cannot be written to


def names_of(paths: list[Path]) -> list[str]:
    """A short and unique name for each record: its folder's, with the folder above it where two would be called alike."""
    places = [path.resolve() for path in paths]
    names = [place.name.removesuffix(SUFFIX) or place.name for place in places]
    if len(set(names)) < len(names):
        names = [
            f"{place.parent.name}/{name}" if names.count(name) > 1 else name
            for place, name in zip(places, names, strict=True)
        ]
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return unique

"""What was read at each step, kept where it was made until the next flush: one transfer for many numbers."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import RecordError
from pellucid.record import tables
from pellucid.record.reader import Record

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pellucid.record.training import TrainingWriter
    from pellucid.watch.readings import Counted

# A flush is worth it after a second, when it takes a 250th of the time since the last one, and after a minute.
_SOONEST, _LATEST, _SHARE = 1.0, 60.0, 1 / 250
_MOST_WAITING = 1 << 24  # sampled values that are held on a GPU


@dataclass
class Norms:
    """What one recorded step gave for each parameter.

    Attributes:
        layers: name of each parameter's layer.
        indices: of the parameters that `values` speak of.
        values: float32[parameter] by quantity: "gradient" (unscaled) and "weight" of whole tensors, "update" and
            "before" of samples.
        shares: by how much to multiply the squares of a sample's norm to speak of the whole tensor.
    """

    step: int
    seconds: float
    layers: tuple[str, ...]
    values: dict[str, Tensor]
    indices: dict[str, list[int]]
    shares: NDArray[np.float64]


@dataclass
class Journal:
    """Numbers that wait, and when they are written."""

    table: TrainingWriter
    began: float
    scalars: list[tuple[int, float, str, list[float | Tensor]]] = field(default_factory=list)
    norms: list[Norms] = field(default_factory=list)
    histograms: list[tuple[int, float, str, str, Counted]] = field(default_factory=list)
    _waiting: int = 0
    _flushed: float = 0.0
    _cost: float = 0.0

    def due(self, now: float) -> bool:
        """Whether it is time to flush."""
        waited = now - max(self._flushed, self.began)
        if self._waiting > _MOST_WAITING:
            return True
        return waited > min(_LATEST, max(_SOONEST, self._cost / _SHARE))

    def add_histogram(self, step: int, seconds: float, layer: str, quantity: str, counted: Counted) -> None:
        """Keeps a histogram that is complete."""
        self.histograms.append((step, seconds, layer, quantity, counted))
        self._waiting += counted.waiting

    def flush(self) -> None:
        """Brings everything over, makes rows of it and writes them. Raises: StorageError: what waits is kept."""
        start = time.perf_counter()
        numbers = iter(_brought([*self._tensors()]))
        for step, seconds, quantity, values in self.scalars:
            known = [float(next(numbers)[0]) if isinstance(value, Tensor) else float(value) for value in values]
            if quantity == "accuracy":  # NaN of a batch that has none
                known = [value for value in known if not np.isnan(value)]
            if known:
                self.table.add(step, seconds, quantity, sum(known) / len(known))
        for norms in self.norms:
            self._add_norms(norms, {name: next(numbers) for name in norms.values})
        for step, seconds, layer, quantity, counted in self.histograms:
            histogram = counted.finish()
            if histogram.total:
                self.table.add(step, seconds, quantity, layer=layer, histogram=histogram.to_schema())
        for waiting in (self.scalars, self.norms, self.histograms):
            waiting.clear()
        self._waiting = 0
        self.table.flush()
        self._flushed = time.perf_counter()
        self._cost = self._flushed - start

    def _tensors(self) -> list[Tensor]:
        found = [value for *_, values in self.scalars for value in values if isinstance(value, Tensor)]
        return found + [tensor for norms in self.norms for tensor in norms.values.values()]

    def _add_norms(self, norms: Norms, values: dict[str, NDArray[np.float64]]) -> None:
        whole: dict[str, dict[str, float]] = {name: defaultdict(float) for name in values}
        for name, squares in whole.items():
            share = norms.shares if name in ("update", "before") else np.ones(len(norms.layers))
            for index, value in zip(norms.indices[name], values[name], strict=True):
                squares[norms.layers[index]] += float(value) ** 2 * float(share[index])
        with np.errstate(invalid="ignore", over="ignore"):
            if "gradient" in whole:
                total = float(np.sqrt(np.sum(np.fromiter(whole["gradient"].values(), np.float64))))
                self.table.add(norms.step, norms.seconds, "gradient_norm", total)
            for layer in dict.fromkeys(norms.layers):
                for name in ("gradient", "weight"):
                    if layer in whole.get(name, ()):
                        value = float(np.sqrt(whole[name][layer]))
                        self.table.add(norms.step, norms.seconds, f"{name}_norm", value, layer=layer)
                if layer in whole.get("update", ()):
                    before = whole["before"][layer]
                    ratio = float(np.sqrt(whole["update"][layer] / before)) if before else float("nan")
                    self.table.add(norms.step, norms.seconds, "update_ratio", ratio, layer=layer)


def refuse_record(out: Path) -> None:
    """Raises: RecordError: there is a record already; says so in the words of Python, not of the command line."""
    try:
        present = Record(out)
    except RecordError:
        return  # there is none, or the writer will say what is wrong with it
    title = present.manifest.title or "untitled"
    raise RecordError(
        f"There is a record at {out} already ({title}, {present.state}). Choose another path, or replace "
        "it: pellucid.watch(..., overwrite=True)."
    )


def warm_up() -> None:
    """Makes a table of nothing: pyarrow's first one imports pandas where it is installed, which takes half a second."""
    import pyarrow as pa

    schema = tables.training_schema()
    tables.parquet_bytes(pa.table({name: [] for name in schema.names}, schema=schema))


def _brought(tensors: list[Tensor]) -> list[NDArray[np.float64]]:
    """The values of many small tensors, with one transfer a device."""
    places: dict[torch.device, list[int]] = defaultdict(list)
    for index, tensor in enumerate(tensors):
        places[tensor.device].append(index)
    found: dict[int, NDArray[np.float64]] = {}
    for place, indices in places.items():
        # Not every device has float64; on the CPU a loss keeps all its digits.
        wide = torch.float64 if place.type == "cpu" else torch.float32
        rows = [tensors[index].detach().reshape(-1).to(wide) for index in indices]
        values = torch.cat(rows).cpu().numpy().astype(np.float64)
        ends = np.cumsum([len(row) for row in rows])
        found.update(zip(indices, np.split(values, ends[:-1]), strict=True))
    return [found[index] for index in range(len(tensors))]

"""Activations: are the numbers in every layer healthy, and what excites each unit most?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from pellucid.lenses import LensContext
from pellucid.lenses.reductions import BOUNDS, Strongest, summarise
from pellucid.lenses.rows import Unlike, merge_unlike, unlike_rows, unlike_words
from pellucid.measures.histogram import ExponentHistogram
from pellucid.record.schema import ActivationLayer, ActivationsPanel, Finding
from pellucid.types import Layer, Needs, Observation

if TYPE_CHECKING:
    from torch import Tensor

TOP_K = 9

# A unit is saturated when so much of its sampled output lies at a bound of its activation.
SATURATED_SHARE = 0.95
# A layer is called dead where a tenth of its units never fired, on enough examples: a unit that fires on 5% of all
# examples stays silent on 64 of them with a probability of 4%.
DEAD_SHARE = 0.1
DEAD_EXAMPLES = 64


@dataclass
class ActivationsLens:
    """Moments, extremes, sampled histogram and strongest examples of every unit of every layer.

    Attributes:
        units: layer -> float64 and int64 arrays by unit; "top_rows", "top_values" and "top_positions" are
            [unit k], strongest first, ties by the lower row.
        totals: layer -> float64[values, sum of squares, minimum, maximum, non-finite values].
        bins, special: layer -> the sampled histogram's counts.
        places: layer -> [index, units], and "name", "operation", "activation" as text.
        unlike: layers that are left out, because a batch of theirs had not one row an example.
    """

    name: ClassVar[str] = "activations"

    context: LensContext = field(default_factory=LensContext)
    units: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    totals: dict[str, np.ndarray] = field(default_factory=dict)
    bins: dict[str, np.ndarray] = field(default_factory=dict)
    special: dict[str, np.ndarray] = field(default_factory=dict)
    places: dict[str, list[int | str | None]] = field(default_factory=dict)
    unlike: Unlike = field(default_factory=dict)
    count: int = 0

    @property
    def needs(self) -> Needs:
        """One reduction of every layer; it skips what cannot be among the strongest, and samples on from the last batch."""
        return Needs(reductions={"activations": self._reduce})

    def _reduce(self, output: Tensor, layer: Layer) -> Mapping[str, Tensor]:
        if layer.name in self.unlike:
            return {}
        held = self.units.get(layer.name)
        weakest = held["top_values"][:, -1] if held is not None else None
        return summarise(output, layer, weakest, TOP_K, self.count)

    def observe(self, seen: Observation) -> None:
        """Adds a batch's summaries."""
        if seen.batch is None:
            return
        self.count += len(seen.batch)
        summaries = {name: one["activations"] for name, one in seen.summaries.items() if name not in self.unlike}
        rows = {name: int(found["rows"]) for name, found in summaries.items()}
        self._leave_out(unlike_rows(seen.layers.keys() - self.unlike.keys(), rows, len(seen.batch)))
        for name, found in summaries.items():
            if name not in self.unlike:
                self._add(seen.layers[name], {key: tensor.numpy() for key, tensor in found.items()}, seen)

    def _leave_out(self, unlike: Unlike) -> None:
        """Forgets layers whole: where a batch could not be told apart, others may be wrong by rows that were as many by chance."""
        merge_unlike(self.unlike, unlike)
        for held in (self.units, self.totals, self.bins, self.special, self.places):
            for name in unlike:
                held.pop(name, None)

    def _add(self, layer: Layer, found: Mapping[str, np.ndarray], seen: Observation) -> None:
        if seen.batch is None:
            return
        rows = np.array([seen.batch.row(place) for place in range(len(seen.batch))], np.int64)
        strongest = Strongest.empty(len(found["sum"]), TOP_K)
        strongest.add(found["unit"], rows[found["example"]], found["value"], found["position"])
        self._merge_layer(
            layer.name,
            [layer.index, len(found["sum"]), layer.operation, layer.activation],
            {
                "sum": found["sum"],
                "maximum": found["maximum"],
                "sampled": found["sampled"],
                "zeros": found["zeros"],
                "bounded": found["bounded"],
                **strongest.arrays(),
            },
            found["totals"],
            found["bins"],
            found["special"],
        )

    def _merge_layer(
        self,
        name: str,
        place: list[int | str | None],
        units: Mapping[str, np.ndarray],
        totals: np.ndarray,
        bins: np.ndarray,
        special: np.ndarray,
    ) -> None:
        held = self.units.get(name)
        if held is None:
            self.places[name] = list(place)
            self.units[name] = {key: value.copy() for key, value in units.items()}
            self.totals[name] = totals.copy()
            self.bins[name] = bins.copy()
            self.special[name] = special.copy()
            return
        for key in ("sum", "sampled", "zeros", "bounded"):
            held[key] = held[key] + units[key]
        held["maximum"] = np.fmax(held["maximum"], units["maximum"])
        strongest = Strongest.of(held)
        strongest.merge(Strongest.of(units))
        held.update(strongest.arrays())
        ours = self.totals[name]
        self.totals[name] = np.array(
            [
                ours[0] + totals[0],
                ours[1] + totals[1],
                min(ours[2], totals[2]),
                max(ours[3], totals[3]),
                ours[4] + totals[4],
            ]
        )
        self.bins[name] = self.bins[name] + bins
        self.special[name] = self.special[name] + special

    def merge(self, other: Self) -> None:
        """Adds what another saw."""
        self.count += other.count
        self._leave_out(other.unlike)
        for name, units in other.units.items():
            if name in self.unlike:
                continue
            self._merge_layer(
                name, other.places[name], units, other.totals[name], other.bins[name], other.special[name]
            )

    def report(self) -> ActivationsPanel:
        """One row a layer, and findings on dead, saturated and non-finite ones."""
        ordered = self._ordered()
        layers = [self._layer(name) for name in ordered]
        return ActivationsPanel(
            count=self.count,
            findings=[
                *(finding for layer in layers for finding in self._findings(layer)),
                *self._nonfinite(layers),
                *self._unlike(),
            ],
            layers=layers,
            top_k=TOP_K,
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """By layer index: mean, maximum and zero share of each unit, and its strongest examples."""
        found: dict[str, np.ndarray] = {}
        for name in self._ordered():
            index, held, per_unit = self.places[name][0], self.units[name], self._values_a_unit(name)
            found[f"{index}.mean"] = (held["sum"] / max(per_unit, 1)).astype(np.float32)
            found[f"{index}.maximum"] = held["maximum"].astype(np.float32)
            found[f"{index}.zero_share"] = (held["zeros"] / np.maximum(held["sampled"], 1)).astype(np.float32)
            found[f"{index}.top_rows"] = held["top_rows"]
            found[f"{index}.top_values"] = held["top_values"].astype(np.float32)
            found[f"{index}.top_positions"] = held["top_positions"].astype(np.int32)
        return found

    def _ordered(self) -> list[str]:
        return sorted(self.places, key=lambda name: int(self.places[name][0] or 0))

    def _values_a_unit(self, name: str) -> float:
        return float(self.totals[name][0]) / max(int(self.places[name][1] or 1), 1)

    def _layer(self, name: str) -> ActivationLayer:
        index, units, _, activation = self.places[name]
        held = self.units[name]
        values, squares, minimum, maximum, nonfinite = self.totals[name].tolist()
        counted = ExponentHistogram(self.bins[name], self.special[name])
        finite = nonfinite == 0
        mean = float(held["sum"].sum()) / values if finite and values else None
        deviation = float(np.sqrt(max(squares / values - mean**2, 0.0))) if mean is not None else None
        sampled = max(counted.total, 1)
        bounded = activation in BOUNDS
        return ActivationLayer(
            index=int(index or 0),
            name=name,
            values=int(values),
            nonfinite=int(nonfinite),
            mean=mean,
            std=deviation,
            minimum=minimum if finite else None,
            maximum=maximum if finite else None,
            zero_share=int(counted.special[0]) / sampled,
            units=int(units or 0),
            dead_units=int((held["maximum"] == 0).sum()) if activation in ("relu", "relu6", "threshold") else None,
            saturated_units=int((held["bounded"] >= SATURATED_SHARE * held["sampled"]).sum()) if bounded else None,
            histogram=counted.to_schema(),
            histogram_values=counted.total,
        )

    def _findings(self, layer: ActivationLayer) -> list[Finding]:
        found = []
        selection = {"layer": layer.name}
        enough = self.count >= DEAD_EXAMPLES
        if enough and layer.dead_units and layer.dead_units >= max(2, DEAD_SHARE * layer.units):
            share = layer.dead_units / layer.units
            found.append(
                Finding(
                    kind="dead-layer",
                    severity="high" if share >= 0.5 else "medium",
                    sentence=(
                        f"{layer.dead_units:,} of {layer.units:,} units of layer {layer.name} never fired on {self.count:,} "
                        "examples: they are dead here, and cost without answering."
                    ),
                    count=self.count,
                    page="activations",
                    weight=share,
                    evidence={"dead_units": layer.dead_units, "units": layer.units},
                    selection=selection,
                )
            )
        if layer.saturated_units and layer.saturated_units >= max(2, DEAD_SHARE * layer.units):
            share = layer.saturated_units / layer.units
            found.append(
                Finding(
                    kind="saturated-layer",
                    severity="high" if share >= 0.5 else "medium",
                    sentence=(
                        f"{layer.saturated_units:,} of {layer.units:,} units of {layer.name} sit at a bound of their "
                        f"activation for at least {SATURATED_SHARE:.0%} of what was sampled: almost no gradient passes them."
                    ),
                    count=self.count,
                    page="histograms",
                    weight=share,
                    evidence={"saturated_units": layer.saturated_units, "units": layer.units},
                    selection=selection,
                )
            )
        return found

    def _unlike(self) -> list[Finding]:
        if not self.unlike:
            return []
        return [
            Finding(
                kind="unlike-batch",
                severity="low",
                sentence=unlike_words(self.unlike, "shown"),
                count=len(self.unlike),
                evidence={"layers": len(self.unlike)},
                page="activations",
                selection={"layer": min(self.unlike)},
            )
        ]

    def _nonfinite(self, layers: list[ActivationLayer]) -> list[Finding]:
        first = next((layer for layer in layers if layer.nonfinite), None)
        if first is None:
            return []
        return [
            Finding(
                kind="nonfinite-activations",
                severity="high",
                sentence=f"{first.nonfinite:,} activations of {first.name} are NaN or infinite; it is the first such layer.",
                count=first.values,
                page="histograms",
                weight=1.0,
                evidence={"nonfinite": first.nonfinite},
                selection={"layer": first.name},
            )
        ]

"""Learning: which layers would an example or a class change, which way do classes pull, how noisy is it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from pellucid.lenses import LensContext
from pellucid.lenses.learning_answer import Answered, Sample, answer, arrays
from pellucid.record.schema import Finding, LearningPanel
from pellucid.types import TOGETHER_CLASS, Needs, Observation

# A layer without any gradient is told from so many examples on.
ENOUGH = 16
# Parameters of it that are named.
NAMED = 3
PLAIN = "cross-entropy, nats"


@dataclass
class LearningLens:
    """Squared norms and sketches of a sample's gradients by the parameters; the sample is bounded, whatever the data.

    Attributes:
        rows, targets: int64[example] in the order they came; the target is -1 where classes are not told apart.
        losses: float64[example].
        squares: module -> float64[example], squared L2 norms.
        sketches: module -> float32[example kept].
        places: module -> [index, node or None, parameters].
        read: module -> its parameters that a forward reads, and how many values each has.
        weights: module -> L2 norm of its parameters.
        population: class -> examples of the data.
        said: way, why and refusal, in words.
        frozen, notes: as in the panel.
        nonfinite: examples left out; nonfinite_layers: modules where that was so.
        _found: the answer to what there is so far, which both the report and the arrays are made of.
    """

    name: ClassVar[str] = "learning"
    needs: ClassVar[Needs] = Needs(stages=frozenset({"learn"}), losses=True)

    context: LensContext = field(default_factory=LensContext)
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    targets: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    losses: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float64))
    squares: dict[str, np.ndarray] = field(default_factory=dict)
    sketches: dict[str, np.ndarray] = field(default_factory=dict)
    places: dict[str, list[int | None]] = field(default_factory=dict)
    read: dict[str, dict[str, int]] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    population: dict[int, int] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    frozen: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    nonfinite: int = 0
    nonfinite_layers: dict[str, int] = field(default_factory=dict)
    _found: tuple[Sample, Answered | None] | None = field(default=None, init=False, repr=False, compare=False)

    def observe(self, seen: Observation) -> None:
        """Takes in the gradients of some examples of the sample."""
        if seen.stage != "learn":
            return
        if seen.refusal:
            self.said = {"refusal": seen.refusal, **self.said}
        if seen.batch is None or seen.learning is None or seen.losses is None:
            return
        learning = seen.learning
        self.population = dict(learning.population)
        self.said = {"way": learning.way, "why": learning.why, **self.said}
        self.frozen = list(learning.frozen)
        self._note(learning.notes)
        for name, layer in learning.layers.items():
            self.places[name] = [layer.index, layer.node, layer.parameters]
            self.read[name] = dict(layer.read)
            self.weights[name] = layer.weight_norm
        squares = {name: layer.squares.numpy() for name, layer in learning.layers.items()}
        finite = np.logical_and.reduce([np.isfinite(values) for values in squares.values()])
        self.nonfinite += int((~finite).sum())
        for name, values in squares.items():
            broken = int((~np.isfinite(values)).sum())
            if broken:
                self.nonfinite_layers[name] = self.nonfinite_layers.get(name, 0) + broken
        rows = np.array([seen.batch.row(place) for place in range(len(seen.batch))], np.int64)
        targets = np.full(len(rows), TOGETHER_CLASS, np.int64)
        if TOGETHER_CLASS not in learning.population and seen.batch.targets is not None:
            targets = seen.batch.targets.numpy().astype(np.int64)
        self._take(
            rows[finite],
            targets[finite],
            seen.losses.numpy()[finite],
            {name: values[finite] for name, values in squares.items()},
            {name: layer.sketch.numpy()[finite] for name, layer in learning.layers.items()},
        )

    def _note(self, notes: tuple[str, ...] | list[str]) -> None:
        self.notes = list(dict.fromkeys([*self.notes, *notes]))

    def _take(
        self,
        rows: NDArray[np.int64],
        targets: NDArray[np.int64],
        losses: NDArray[np.float64],
        squares: Mapping[str, np.ndarray],
        sketches: Mapping[str, np.ndarray],
    ) -> None:
        self._found = None
        self.rows = np.concatenate([self.rows, rows])
        self.targets = np.concatenate([self.targets, targets])
        self.losses = np.concatenate([self.losses, losses])
        for held, more in ((self.squares, squares), (self.sketches, sketches)):
            for name, values in more.items():
                held[name] = np.concatenate([held[name], values]) if name in held else values.copy()

    def merge(self, other: Self) -> None:
        """Adds another's examples."""
        self._take(other.rows, other.targets, other.losses, other.squares, other.sketches)
        self.places = {**other.places, **self.places}
        self.read = {**other.read, **self.read}
        self.weights = {**other.weights, **self.weights}
        self.population = {**other.population, **self.population}
        self.said = {**other.said, **self.said}
        self.frozen = self.frozen or list(other.frozen)
        self._note(other.notes)
        self.nonfinite += other.nonfinite
        for name, count in other.nonfinite_layers.items():
            self.nonfinite_layers[name] = self.nonfinite_layers.get(name, 0) + count

    def report(self) -> LearningPanel:
        """A row a module and a class; nothing of a sample too small to say anything."""
        sample, found = self._answer()
        panel = LearningPanel(
            count=len(sample.rows),
            loss=_words(self.context),
            layers=[],
            classes=[],
            noise=None,
            seed=self.context.seed,
            way=self.said.get("way", ""),
            why=self.said.get("why", ""),
            frozen=self.frozen,
            nonfinite=self.nonfinite,
            notes=self.notes,
            refusal=self.said.get("refusal", ""),
        )
        if found is None:
            panel.findings = _nonfinite(sample.names, 0, self.nonfinite_layers)
            return panel
        panel.layers, panel.classes, panel.noise = found.layers, found.classes, found.noise
        panel.covered = sample.covered
        panel.findings = _findings(sample, found, self.read, self.nonfinite_layers)
        return panel

    def arrays(self) -> dict[str, np.ndarray]:
        """The sample's norms, cosines of classes, and sketches of their mean gradients; see LearningPanel."""
        sample, found = self._answer()
        return {} if found is None else arrays(sample, found)

    def _answer(self) -> tuple[Sample, Answered | None]:
        """The sample, and what it tells; None where it is empty."""
        if self._found is None:
            sample = self._sample()
            self._found = sample, answer(sample, self.context.seed) if len(sample.rows) else None
        return self._found

    def _sample(self) -> Sample:
        """The examples by ascending row, those of classes that lost too many to NaN left out."""
        from pellucid.measures.parameter_gradients import LEAST

        order = np.lexsort((self.rows,))
        classes, counts = np.unique(self.targets, return_counts=True)
        enough = classes[counts >= LEAST]
        order = order[np.isin(self.targets[order], enough)]
        names = sorted(self.places, key=lambda name: self.places[name][0] or 0)
        return Sample(
            rows=self.rows[order],
            classes=enough,
            labels=np.searchsorted(enough, self.targets[order]),
            losses=self.losses[order],
            names=names,
            nodes=[self.places[name][1] for name in names],
            parameters=[self.places[name][2] or 0 for name in names],
            weights=[self.weights[name] for name in names],
            squares=[self.squares[name][order] for name in names],
            sketches=[self.sketches[name][order] for name in names],
            population=self.population,
        )


def _words(context: LensContext) -> str:
    """The loss whose gradients these are: the one that was asked for, else the task's own."""
    asked = context.loss
    if asked is None or asked.plain or asked.spec == "squared-error":
        return "squared error" if context.task == "regression" else PLAIN
    return f"{asked.name}, {asked.unit}"


def _findings(
    sample: Sample, found: Answered, read: Mapping[str, Mapping[str, int]], nonfinite: Mapping[str, int]
) -> list[Finding]:
    """Layers without gradients, or with broken ones. Classes that pull apart are no fault: the page tells of them."""
    return _nonfinite(sample.names, len(sample.rows), nonfinite) + _without(sample, found, read)


def _nonfinite(names: list[str], finite: int, nonfinite: Mapping[str, int]) -> list[Finding]:
    if not nonfinite:
        return []
    # Seen from the output, from where gradients come, the first.
    name = next(name for name in reversed(names) if name in nonfinite)
    count = max(nonfinite.values())
    return [
        Finding(
            kind="nonfinite-parameter-gradients",
            severity="high",
            sentence=(
                f"Gradients by the parameters of {_shown(name)} and of layers before it are NaN or infinite for {count:,} "
                f"of {count + finite:,} examples: one step of training on any of them breaks the weights."
            ),
            count=count + finite,
            page="gradients",
            weight=1.0,
            evidence={"examples": count, "layer": name},
            selection={"layer": name, "v.view": "learning"},
        )
    ]


def _without(sample: Sample, found: Answered, read: Mapping[str, Mapping[str, int]]) -> list[Finding]:
    """Modules that take part and get no gradient from any example; parameters that no forward reads have a finding of their own."""
    if len(sample.rows) < ENOUGH or not any(layer.mean_norm > 0 for layer in found.layers):
        return []
    still = [
        layer for layer in found.layers if layer.mean_norm == 0 and layer.node is not None and read.get(layer.name)
    ]
    if not still:
        return []
    parameters = read[still[0].name]
    names = ", ".join(list(parameters)[:NAMED]) + (
        f" and {len(parameters) - NAMED} more" if len(parameters) > NAMED else ""
    )
    others = f", or by those of {len(still) - 1} more layers" if len(still) > 1 else ""
    return [
        Finding(
            kind="no-parameter-gradient",
            severity="medium",
            sentence=(
                f"None of {len(sample.rows):,} examples has any gradient by {names} ({sum(parameters.values()):,} "
                f"values){others}: by this loss, in evaluation mode, training would not move them."
            ),
            count=len(sample.rows),
            page="gradients",
            weight=0.5,
            evidence={"layers": len(still), "layer": still[0].name},
            selection={"layer": still[0].name, "v.view": "learning"},
        )
    ]


def _shown(name: str) -> str:
    return name or "the model itself"

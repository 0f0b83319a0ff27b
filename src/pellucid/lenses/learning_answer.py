"""What a sample of parameter gradients answers: rows of the panel and its large arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.intervals import benjamini_hochberg
from pellucid.measures.parameter_gradients import (
    ClassProducts,
    Noise,
    agreement,
    class_products,
    directions,
    noise_scale,
    permuted,
)
from pellucid.record.schema import LearningClass, LearningLayer, NoiseScale

Floats = NDArray[np.float64]

LOST = "the squared norm of the mean gradient is not above 0: in these examples it cannot be told from noise"


@dataclass(frozen=True)
class Sample:
    """Examples by ascending row, and what was kept of their gradients, module by module in order of execution.

    Attributes:
        rows: int64[example]; labels: int64[example], places in `classes`; losses: float64[example].
        classes: int64[class].
        names, nodes, parameters, weights: of each module.
        squares: of each module float64[example]; sketches: float32[example kept].
        population: class -> examples of the data.
    """

    rows: NDArray[np.int64]
    classes: NDArray[np.int64]
    labels: NDArray[np.int64]
    losses: Floats
    names: list[str]
    nodes: list[int | None]
    parameters: list[int]
    weights: list[float]
    squares: list[Floats]
    sketches: list[NDArray[np.float32]]
    population: Mapping[int, int]

    @property
    def covered(self) -> float:
        """Share of the data whose class is in the sample."""
        return sum(self.population.get(int(one), 0) for one in self.classes) / max(sum(self.population.values()), 1)

    @property
    def member(self) -> Floats:
        """float64[class example]: what takes the mean over each class."""
        there = (self.labels[None, :] == np.arange(len(self.classes))[:, None]).astype(np.float64)
        found: Floats = there / there.sum(1, keepdims=True)
        return found

    @property
    def examples(self) -> int:
        """Of the data, of these classes."""
        return max(sum(self.population.get(int(one), 0) for one in self.classes), len(self.rows))

    @property
    def shares(self) -> Floats:
        """Of the classes in the data, among themselves."""
        counts = np.array([self.population.get(int(one), 0) for one in self.classes], np.float64)
        return counts / counts.sum() if counts.sum() else np.full(len(counts), 1 / max(len(counts), 1))


@dataclass(frozen=True)
class Answered:
    """What was found.

    Attributes:
        layers, classes, noise: as in the panel.
        directions, means: classes against each other, of each module and, last, of all together; `means` as gradients add up.
        q_values, mean_q_values: the corrected p values of the same, float64[layer+1 class class].
        parts: float64[layer class class], different: float64[class class], agreement: float64[example], as in the panel.
    """

    layers: list[LearningLayer]
    classes: list[LearningClass]
    noise: NoiseScale
    directions: list[ClassProducts]
    means: list[ClassProducts]
    q_values: Floats
    mean_q_values: Floats
    parts: Floats
    different: Floats
    agreement: Floats


def answer(sample: Sample, seed: int) -> Answered:
    """Everything that the sample tells."""
    number, labels = len(sample.classes), sample.labels
    grams = [(sketch @ sketch.T).astype(np.float64) for sketch in sample.sketches]
    whole = np.sum(grams, axis=0)
    squares = np.sum(sample.squares, axis=0)
    total = float(squares.sum())
    alike = [class_products(directions(gram), labels, number) for gram in (*grams, whole)]
    means = [class_products(gram, labels, number) for gram in (*grams, whole)]
    unit, member = directions(whole), sample.member
    scale = np.sqrt(np.diag(whole))
    share = np.divide(1.0, np.outer(scale, scale), out=np.zeros_like(whole), where=np.outer(scale, scale) > 0)
    return Answered(
        layers=[_layer(sample, place, gram, total) for place, gram in enumerate(grams)],
        classes=[_class(sample, place, means[-1], squares) for place in range(number)],
        noise=_noise(noise_scale(whole, squares, labels, sample.shares, sample.examples)),
        directions=alike,
        means=means,
        q_values=_corrected(alike),
        mean_q_values=_corrected(means),
        parts=np.stack([member @ (gram * share) @ member.T for gram in grams]),
        different=_symmetric(benjamini_hochberg(_upper(permuted(unit, labels, number, seed)))),
        agreement=agreement(unit, labels, number),
    )


def _corrected(products: list[ClassProducts]) -> Floats:
    """P values by layer and pair. The layers are one family of tests, all of them together another, which pays for none."""
    inner = benjamini_hochberg(np.stack([_upper(one.p_value) for one in products[:-1]]))
    last = benjamini_hochberg(_upper(products[-1].p_value))
    return np.stack([_symmetric(one) for one in (*inner, last)])


def _upper(values: Floats) -> Floats:
    """Each pair once: NaN on and below the diagonal."""
    return np.where(np.tri(len(values), dtype=bool), np.nan, values)


def _symmetric(values: Floats) -> Floats:
    upper = np.where(np.tri(len(values), dtype=bool), 0.0, np.nan_to_num(values, nan=1.0))
    found: Floats = upper + upper.T
    found[np.diag_indices(len(found))] = np.nan
    return found


def _layer(sample: Sample, place: int, gram: Floats, total: float) -> LearningLayer:
    squares, weight = sample.squares[place], sample.weights[place]
    noise = noise_scale(gram, squares, sample.labels, sample.shares, sample.examples)
    kept, parameters = sample.sketches[place].shape[1], sample.parameters[place]
    there = squares > 0
    deviation = 0.0
    if kept < parameters and there.any():
        # The norm of a sketch varies by sqrt(2 / k), a product of two of them by sqrt(1 / k).
        deviation = float(np.sqrt(np.mean((np.diag(gram)[there] / squares[there] - 1) ** 2) / 2))
    return LearningLayer(
        index=place,
        name=sample.names[place],
        node=sample.nodes[place],
        parameters=parameters,
        kept=kept,
        deviation=deviation,
        weight_norm=weight,
        mean_norm=float(np.sqrt(squares).mean()),
        norm=float(np.sqrt(noise.squared_mean)) if noise.squared_mean > 0 else None,
        relative=float(np.sqrt(squares.mean())) / weight if weight > 0 else None,
        share=float(squares.sum()) / total if total > 0 else None,
        noise=_noise(noise),
    )


def _class(sample: Sample, place: int, whole: ClassProducts, squares: Floats) -> LearningClass:
    there, square = sample.labels == place, float(whole.inner[place, place])
    name = int(sample.classes[place])
    return LearningClass(
        index=name,
        count=int(there.sum()),
        examples=sample.population.get(name, 0),
        mean_norm=float(np.sqrt(squares[there]).mean()),
        norm=float(np.sqrt(square)) if square > 0 else None,
    )


def _noise(found: Noise) -> NoiseScale:
    reason = "" if found.scale is not None else LOST if found.trace > 0 else "no example differs from another"
    return NoiseScale(found.trace, found.squared_mean, found.scale, found.low, found.high, reason)


def arrays(sample: Sample, found: Answered) -> dict[str, np.ndarray]:
    """The panel's large arrays, by the names of LearningPanel."""
    norms = np.sqrt(np.stack(sample.squares, axis=1))
    member = sample.member
    length = np.sqrt(np.sum([(sketch.astype(np.float64) ** 2).sum(1) for sketch in sample.sketches], axis=0))
    unit = member * np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
    means = [unit @ sketch for sketch in sample.sketches]
    scales = np.stack([np.abs(one).max(1) for one in means], axis=1)
    squares = np.stack([np.diag(one.inner) for one in found.means[:-1]], axis=1)
    plain = {
        "losses": sample.losses,
        "norms": norms,
        "agreement": found.agreement,
        "class_norms": np.sqrt(np.where(squares > 0, squares, np.nan)),
        "class_mean_norms": member @ norms,
        "q": found.q_values,
        "mean_q": found.mean_q_values,
        "parts": found.parts,
        "different": found.different,
        "scales": np.where(scales > 0, scales, 1.0),
    }
    for name in ("cosine", "low", "high"):
        plain[name] = np.stack([getattr(one, name) for one in found.directions])
        plain[f"mean_{name}"] = np.stack([getattr(one, name) for one in found.means])
    divided = [one / plain["scales"][:, place, None] for place, one in enumerate(means)]
    return {
        "rows": sample.rows,
        "places": sample.labels.astype(np.int32),
        "means": np.concatenate(divided, axis=1).astype(np.float16),
        **{name: values.astype(np.float32) for name, values in plain.items()},
    }

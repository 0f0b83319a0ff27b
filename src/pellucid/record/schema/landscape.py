"""The loss around a model's weights: a plane, a line to another checkpoint, and how it curves."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import field

from pellucid.record.schema.basis import Interval, Panel

BatchNormMode = Literal["eval", "train", "recalculate", "none"]


class LandscapePoints(msgspec.Struct, frozen=True):
    """The loss at points in a row, all over the same examples.

    Attributes:
        losses: mean over the examples; None where not computed yet, or not finite.
        standard_errors: of these means, over the examples.
        correct: right answers; empty where there is no one class.
        broken: examples whose loss is not finite.
    """

    losses: list[float | None]
    standard_errors: list[float | None]
    correct: list[int]
    broken: list[int]


class LandscapePlane(msgspec.Struct, frozen=True):
    """The loss at weights + x * one direction + y * another, for all pairs of the steps.

    Attributes:
        steps: of both axes, ascending.
        rows: a row of points for each step of the second direction, over the steps of the first; None where not computed yet.
        moved: values that move; fixed: biases, scales and shifts, which stay; frozen: values that are not trained, which stay.
        norms: L2 norm of each direction at a step of 1; weight_norm: of the weights that move.
        cosine: of the angle between the directions.
    """

    steps: list[float]
    rows: list[LandscapePoints | None]
    normalisation: Literal["filter", "layer", "none"]
    seed: int
    moved: int
    fixed: int
    frozen: int
    norms: list[float]
    weight_norm: float
    cosine: float


class LandscapeLine(msgspec.Struct, frozen=True):
    """The loss at (1 - t) * these weights + t * another checkpoint's.

    Attributes:
        end: the other checkpoint, as it was named.
        steps: t, from 0 to 1.
        distance: L2 norm of the difference of the parameters; weight_norm: of these weights.
        barrier: the most by which the loss lies above the straight line between the ends' losses, None where one is not finite;
            barrier_step: where; barrier_interval: over the examples, there.
    """

    end: str
    steps: list[float]
    points: LandscapePoints
    distance: float
    weight_norm: float
    barrier: float | None
    barrier_step: float | None
    barrier_interval: Interval | None


class Eigenvalue(msgspec.Struct, frozen=True):
    """An eigenvalue; one of the matrix lies no farther from `value` than `residual`."""

    value: float
    residual: float
    end: Literal["largest", "smallest"]


class Sharpness(msgspec.Struct, frozen=True):
    """How the mean loss curves by the trainable parameters.

    Attributes:
        matrix: "hessian" or "ggn" (generalised Gauss-Newton).
        parameters: rows of the matrix.
        count: examples.
        products: with vectors, each a pass over the examples; way: how they were taken.
        whole: whether every eigenvalue is known, so that nothing is estimated.
        trace, trace_error, trace_interval: the sum of all eigenvalues, its standard error over `probes` random vectors; no error
            where it is exact.
        grid, density, density_errors: share of the eigenvalues per unit, and its standard error over `runs` of `steps` products;
            `width` is the standard deviation of the bell that stands for an eigenvalue. Empty where there is none, and then
            `why`.
    """

    matrix: Literal["hessian", "ggn"]
    parameters: int
    count: int
    products: int
    way: str
    whole: bool
    eigenvalues: list[Eigenvalue]
    trace: float
    trace_error: float | None
    trace_interval: Interval | None
    probes: int
    grid: list[float]
    density: list[float]
    density_errors: list[float]
    width: float
    runs: int
    steps: int
    seed: int
    why: str = ""
    notes: list[str] = field(default_factory=list)


class LandscapePanel(Panel, tag="landscape"):
    """The loss around the weights, over a sample of the examples.

    Attributes:
        loss, spec, unit: which; accuracy: whether right answers are counted.
        batch_norm: whose statistics batch normalisation used, "none" where the model has none; batch_norms: how many there are.
        limit: examples that were asked for; sample_seed: of their choice; batch_size: examples a forward.
        centre: the loss at the weights as they are; centre_interval: over the examples.
        notes: what else a reader has to know.
    """

    loss: str
    spec: str
    unit: str
    batch_norm: BatchNormMode
    batch_norms: int
    limit: int
    sample_seed: int
    batch_size: int
    centre: float | None
    centre_interval: Interval | None
    centre_correct: int | None
    plane: LandscapePlane | None = None
    line: LandscapeLine | None = None
    sharpness: list[Sharpness] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

"""How the loss curves around the weights: extreme eigenvalues, trace and spectral density, each with its error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from pellucid.capture.memory import spare
from pellucid.errors import MethodError
from pellucid.landscape.curvature import Curvature, Floats, curvlinops
from pellucid.measures.intervals import mean_interval
from pellucid.record.schema import Interval

# So small a matrix is multiplied with every unit vector: all of it is known. Many at once take a small part of the time, and as
# many times the memory of a batch.
DENSE, BLOCK = 2048, 8
TOP, BOTTOM = 8, 3
# Of float64 that are held at once at most: 20 of ARPACK's own, eigenvectors, and what they are made orthogonal with.
VECTORS = 48
# Of an eigenvalue, relative to it; and how often the search may begin anew from what it has.
TOLERANCE, RESTARTS = 1e-5, 40
# What is taken where that does not settle.
ROUGHER = (1e-3, 1e-2)
PROBES = 16
RUNS, STEPS, GRID = 4, 24, 256
KAPPA = 3.0
MARGIN = 0.05


@dataclass(frozen=True)
class Eigenvalues:
    """Some of the largest, then some of the smallest, descending.

    Attributes:
        values: float64[eigenvalue].
        top: how many of them are the largest.
        residuals: float64[eigenvalue]: an eigenvalue of the matrix lies no farther from the value than this (Weyl).
        vectors: float64[size eigenvalue], of unit length.
        notes: what did not go as asked.
    """

    values: Floats
    top: int
    residuals: Floats
    vectors: Floats
    notes: tuple[str, ...] = ()

    @property
    def range(self) -> tuple[float, float] | None:
        """Smallest and largest eigenvalue; None where one of them was not found."""
        largest, smallest = self.values[: self.top], self.values[self.top :]
        if not len(largest):
            return None
        if len(smallest):
            return float(smallest.min()), float(largest.max())
        return (float(largest.min()), float(largest.max())) if self.vectors.shape[0] <= self.top else None


@dataclass(frozen=True)
class Trace:
    """Sum of all eigenvalues.

    Attributes:
        standard_error: over the probes; None where it is exact.
        probes: random vectors; 0 where it is exact.
    """

    value: float
    standard_error: float | None
    interval: Interval | None
    probes: int


@dataclass(frozen=True)
class Density:
    """Share of the eigenvalues around a value, per unit of the value: its integral is 1.

    Attributes:
        grid: float64[point].
        values: float64[point], the mean over the runs.
        standard_errors: float64[point] over the runs; 0 where all eigenvalues are known.
        width: standard deviation of the bell that stands for an eigenvalue.
        runs, steps: random starts, and products from each; 0 where all eigenvalues are known.
    """

    grid: Floats
    values: Floats
    standard_errors: Floats
    width: float
    runs: int
    steps: int


def whole(curvature: Curvature) -> Floats:
    """float64[size size]: the matrix, a product a column, made symmetric. For small ones."""
    if curvature.whole is None:
        units = np.eye(curvature.size)
        blocks = [curvature.times(units[:, start : start + BLOCK]) for start in range(0, curvature.size, BLOCK)]
        matrix = np.concatenate(blocks, axis=1)
        curvature.whole = (matrix + matrix.T) / 2
    return curvature.whole


def extreme_eigenvalues(curvature: Curvature, top: int = TOP, bottom: int = BOTTOM, seed: int = 0) -> Eigenvalues:
    """The largest and smallest eigenvalues, by the implicitly restarted Lanczos method (ARPACK).

    Raises: MethodError: memory does not suffice for the vectors; a product is not finite.
    Source: Lehoucq, Sorensen & Yang 1998, ARPACK users' guide.
    """
    size = curvature.size
    if size <= DENSE:
        values, vectors = np.linalg.eigh(whole(curvature))
        chosen = _ends(size, top, bottom)
        return Eigenvalues(values[::-1][chosen], min(top, size), np.zeros(len(chosen)), vectors[:, ::-1][:, chosen])
    _check_room(size, spare(torch.device("cpu")))
    start = np.random.default_rng(seed).standard_normal(size)
    if not curvature.times(start).any():
        # A random vector is sent to 0 by nothing but a matrix of zeros, from which ARPACK has no way to begin.
        return Eigenvalues(np.zeros(top + bottom), top, np.zeros(top + bottom), np.eye(size, top + bottom))
    values, vectors, note = _largest(curvature.times, start, top)
    found = len(values)
    notes = [] if not note else [_unsettled(found, top, "largest", note)]
    if bottom and found:
        # The smallest are the largest of what is left of the highest: so the tolerance is a share of that, not of nearly 0.
        highest = float(np.abs(values).max(initial=0.0))
        less, others, note = _largest(lambda one: highest * one - curvature.times(one), start, bottom)
        notes += [] if not note else [_unsettled(len(less), bottom, "smallest", note)]
        values = np.concatenate([values, (highest - less)[::-1]])
        vectors = np.concatenate([vectors, others[:, ::-1]], axis=1)
    residuals = [
        float(np.linalg.norm(curvature.times(vector) - value * vector))
        for value, vector in zip(values, vectors.T, strict=True)
    ]
    return Eigenvalues(values, found, np.array(residuals), vectors, tuple(notes))


def _largest(times: Callable[[Floats], Floats], start: Floats, number: int) -> tuple[Floats, Floats, float]:
    """The largest eigenvalues, descending, with their vectors; and to which tolerance, 0 where it is the one wanted.

    Where many lie close together, as the zeros of a wide network do, they are taken as roughly as they settle.
    """
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    size = len(start)
    operator = LinearOperator((size, size), matvec=lambda one: times(one.reshape(-1)), dtype=np.float64)
    reached = 0.0
    for tolerance in (TOLERANCE, *ROUGHER):
        try:
            values, vectors = eigsh(operator, k=number, which="LA", v0=start, tol=tolerance, maxiter=RESTARTS)
        except ArpackNoConvergence as failure:
            values, vectors, reached = failure.eigenvalues, failure.eigenvectors, tolerance
            if len(vectors.T) and tolerance != ROUGHER[-1]:
                start = vectors.sum(axis=1) + 1e-3 * start  # from what has settled already
            continue
        reached = tolerance if tolerance != TOLERANCE else 0.0
        break
    order = np.argsort(values)[::-1]
    return np.asarray(values, np.float64)[order], np.asarray(vectors, np.float64)[:, order], reached


def _check_room(size: int, room: int | None) -> None:
    """Refuses where vectors as long as the parameters do not fit. Raises: MethodError."""
    needed = VECTORS * 8 * size
    if room is not None and needed > room:
        raise MethodError(
            f"Eigenvalues of a matrix of {size:,} rows need about {needed / 1e9:.1f} GB for vectors as long as that; "
            f"{room / 1e9:.1f} GB are free. Freeze what you do not ask about (requires_grad_(False)): what is frozen is left out."
        )


def _unsettled(found: int, asked: int, which: str, tolerance: float) -> str:
    if found < asked:
        return (
            f"Of the {asked} {which} eigenvalues {found} were found; the others did not settle in {RESTARTS} restarts."
        )
    return (
        f"The {which} eigenvalues lie close together and settled to {tolerance:g} of the largest alone; the residual beside each "
        "says how far."
    )


def trace_of(curvature: Curvature, known: Floats | None = None, probes: int = PROBES, seed: int = 0) -> Trace:
    """The trace: exact on some directions, by random vectors of signs on what is orthogonal to them.

    With eigenvectors of the extreme eigenvalues as the known directions, little is left to chance.

    Args:
        curvature: the matrix.
        known: float64[size direction], orthonormal; none if None.
        probes: random vectors, 2 or more.
        seed: of them.

    Source: Meyer, Musco, Musco & Woodruff 2021, arXiv:2010.09649 (Hutch++); Gambhir, Stathopoulos & Orginos 2017,
        arXiv:1603.05988 (deflation).
    Check: the interval is Student's over the probes, which are independent given the directions.
    """
    size = curvature.size
    if size <= DENSE:
        return Trace(float(np.trace(whole(curvature))), None, None, 0)
    random = np.random.default_rng([seed, 1])
    basis = np.zeros((size, 0)) if known is None else np.linalg.qr(known)[0]
    exact = float(sum(vector @ curvature.times(vector) for vector in basis.T))
    drawn = np.empty(probes)
    for place in range(probes):
        signs = random.choice((-1.0, 1.0), size)
        rest = signs - basis @ (basis.T @ signs)
        drawn[place] = rest @ curvature.times(rest)
    deviations = float(((drawn - drawn.mean()) ** 2).sum())
    interval = mean_interval(probes, float(drawn.sum()), deviations)
    shifted = None if interval is None else Interval(interval.low + exact, interval.high + exact, method="t")
    return Trace(exact + float(drawn.mean()), float(drawn.std(ddof=1) / np.sqrt(probes)), shifted, probes)


def spectral_density(
    curvature: Curvature, lowest: float, highest: float, runs: int = RUNS, steps: int = STEPS, seed: int = 0
) -> Density:
    """Where the eigenvalues lie, by stochastic Lanczos quadrature with bells of one width (curvlinops).

    Args:
        curvature: the matrix.
        lowest: eigenvalue.
        highest: eigenvalue.
        runs: random starts, 2 or more.
        steps: products from each.
        seed: of the starts.

    Raises: MethodError: the matrix is 0 on the examples, so that it has no spectrum to spread.
    Source: Papyan 2020, JMLR 21(252), algorithm 2; Ghorbani, Krishnan & Xiao 2019, arXiv:1901.10159.
    """
    if not highest > lowest:
        raise MethodError(f"The spectral density is not defined, because all eigenvalues are {highest:g}.")
    if curvature.size <= DENSE:
        return _known_density(np.asarray(np.linalg.eigvalsh(whole(curvature)), np.float64), lowest, highest)
    steps = min(steps, curvature.size - 1)
    found = []
    grid = np.zeros(GRID)
    for run in range(runs):
        with _seeded(seed + run):
            at, values = curvlinops().lanczos_approximate_spectrum(
                curvature.operator, steps, GRID, 1, KAPPA, (lowest, highest), MARGIN
            )
        grid = at.double().cpu().numpy()
        found.append(values.double().cpu().numpy())
    stacked = np.stack(found)
    if not np.isfinite(stacked).all():
        raise MethodError(
            f"The spectral density is not defined, because a run of {steps} steps reached every direction in which the loss "
            "curves. Give more examples (--limit)."
        )
    errors = stacked.std(axis=0, ddof=1) / np.sqrt(runs)
    return Density(grid, stacked.mean(axis=0), errors, _width(lowest, highest, steps), runs, steps)


def _known_density(eigenvalues: Floats, lowest: float, highest: float) -> Density:
    """The same bells around every eigenvalue."""
    pad = MARGIN * (highest - lowest)
    grid = np.linspace(lowest - pad, highest + pad, GRID)
    width = _width(lowest, highest, STEPS)
    bells = np.exp(-0.5 * ((grid[:, None] - eigenvalues) / width) ** 2) / (width * np.sqrt(2 * np.pi))
    return Density(grid, bells.mean(axis=1), np.zeros(GRID), width, 0, 0)


def _width(lowest: float, highest: float, steps: int) -> float:
    half = (highest - lowest) * (1 + 2 * MARGIN) / 2
    return half * 2 / (steps - 1) / float(np.sqrt(8 * np.log(KAPPA)))


def _ends(size: int, top: int, bottom: int) -> list[int]:
    """Places in descending order: the first, and the last that are not among them."""
    return [*range(min(top, size)), *range(max(min(top, size), size - bottom), size)]


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Random numbers of torch from a seed; then as they were."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield

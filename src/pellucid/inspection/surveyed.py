"""The parts of a landscape as a record holds them: the plane row by row, the line, and sharpness."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from pellucid.errors import MethodError
from pellucid.record import schema

if TYPE_CHECKING:
    from torch import nn

    from pellucid.inspection.labelled import LabelledExamples
    from pellucid.inspection.landscape import Around
    from pellucid.landscape import Matrix, Points
    from pellucid.landscape.surface import Point

Counting = Callable[[int, int], None]


def points_of(
    model: nn.Module, examples: LabelledExamples, around: Around, points: Sequence[Point], heard: Counting
) -> Points:
    """Sums over the examples at some points."""
    from pellucid.landscape import surveyed

    progress = _counted(heard, len(points) * examples.batches)
    return surveyed(model, examples.objective, examples, points, around.batch_norm, progress)


def plane_of(
    model: nn.Module,
    examples: LabelledExamples,
    around: Around,
    before: schema.LandscapePlane | None,
    heard: Counting,
) -> Iterator[schema.LandscapePlane]:
    """The plane, again after each of its rows, from the middle outwards.

    Args:
        model: left as it was.
        examples: that the loss is over.
        around: what is asked for.
        before: of an earlier call; its rows are taken where it is the same plane.
        heard: hears of each point of each batch.
    """
    import torch

    from pellucid.landscape import moved_to, random_direction
    from pellucid.landscape.weights import cosine, norm_of, steps_of, values_of

    generator = torch.Generator().manual_seed(around.seed)
    one, other = (random_direction(model, around.normalisation, generator) for _ in range(2))
    values = values_of(model)
    moving = {name: values[name] for name in one.changes}
    trained = {name: one.requires_grad for name, one in model.named_parameters()}
    steps = steps_of(around.span, around.resolution)
    plane = schema.LandscapePlane(
        steps=steps,
        rows=[None] * len(steps),
        normalisation=around.normalisation,
        seed=around.seed,
        moved=one.moved,
        fixed=sum(value.numel() for name, value in values.items() if trained[name] and name not in moving),
        frozen=sum(value.numel() for name, value in values.items() if not trained[name]),
        norms=[one.norm, other.norm],
        weight_norm=norm_of(moving),
        cosine=cosine(one, other),
    )
    if before is not None and _same(before, plane):
        plane.rows[:] = before.rows
    waiting = [place for place in _from_the_middle(len(steps)) if plane.rows[place] is None]
    progress = _counted(heard, len(waiting) * len(steps) * examples.batches)
    yield plane
    for place in waiting:

        def point(step: float, along: float = steps[place]) -> Point:
            return lambda: moved_to(values, [(step, one), (along, other)])

        from pellucid.landscape import surveyed

        sums = surveyed(
            model, examples.objective, examples, [point(step) for step in steps], around.batch_norm, progress
        )
        plane.rows[place] = as_points(sums)
        yield plane


def line_of(
    model: nn.Module, examples: LabelledExamples, around: Around, resolution: int, heard: Counting
) -> schema.LandscapeLine:
    """The line from the model's weights to another checkpoint's, with the barrier on it."""
    import torch

    from pellucid.landscape import Barrier, Points, between, held, losses_at
    from pellucid.landscape.weights import end_of_line, norm_of, state_of, values_of

    start, end = state_of(model), end_of_line(model, around.end or {}, around.end_source)
    steps = torch.linspace(0, 1, resolution, dtype=torch.float64).tolist()

    def point(step: float) -> Point:
        return lambda: between(start, end, step)

    barrier, sums = Barrier(steps), Points(len(steps))
    progress = _counted(heard, len(steps) * examples.batches)
    points = [point(step) for step in steps]
    with held(model, around.batch_norm):
        if around.batch_norm == "train":
            points = [_without_statistics(one, model) for one in points]
        for losses, right in losses_at(model, examples.objective, examples, points, around.batch_norm, progress):
            barrier.add(losses)
            sums.add(losses, right)
    highest = barrier.highest()
    values = values_of(model)
    return schema.LandscapeLine(
        end=around.end_source,
        steps=steps,
        points=as_points(sums),
        distance=norm_of({name: end[name] - value for name, value in values.items()}),
        weight_norm=norm_of(values),
        barrier=None if highest is None else highest[1],
        barrier_step=None if highest is None else steps[highest[0]],
        barrier_interval=None if highest is None else highest[2],
    )


def curved(
    model: nn.Module,
    examples: LabelledExamples,
    around: Around,
    matrix: Matrix,
    heard: Callable[[int], None],
) -> schema.Sharpness:
    """Eigenvalues, trace and spectral density of the Hessian or the Gauss-Newton matrix.

    Raises: MethodError: an operation of the model cannot be differentiated twice. MissingExtraError.
    """
    from pellucid.capture import preserved
    from pellucid.landscape import Curvature, extreme_eigenvalues, spectral_density, trace_of, twice_differentiable
    from pellucid.landscape.norms import statistics
    from pellucid.landscape.sharpness import BOTTOM, DENSE, TOP

    with (
        preserved(model),
        twice_differentiable(model),
        statistics(model, around.batch_norm, examples),
    ):
        curvature = Curvature(model, examples.objective, examples, len(examples), matrix, heard)
        # The Gauss-Newton matrix of a convex loss has no eigenvalue below 0.
        found = extreme_eigenvalues(curvature, TOP, BOTTOM if matrix == "hessian" else 1, around.seed)
        trace = trace_of(curvature, found.vectors, seed=around.seed)
        density, why = None, ""
        try:
            if found.range is None:
                raise MethodError(
                    "The spectral density is not defined, because the smallest or the largest eigenvalue did not settle, and so "
                    "its range is not known."
                )
            density = spectral_density(curvature, *found.range, seed=around.seed)
        except MethodError as error:
            why = str(error)
    return schema.Sharpness(
        matrix=matrix,
        parameters=curvature.size,
        count=len(examples),
        products=curvature.products,
        way=curvature.way,
        whole=curvature.size <= DENSE,
        eigenvalues=[
            schema.Eigenvalue(float(value), float(residual), "largest" if place < found.top else "smallest")
            for place, (value, residual) in enumerate(zip(found.values, found.residuals, strict=True))
        ],
        trace=trace.value,
        trace_error=trace.standard_error,
        trace_interval=trace.interval,
        probes=trace.probes,
        grid=[] if density is None else density.grid.tolist(),
        density=[] if density is None else density.values.tolist(),
        density_errors=[] if density is None else density.standard_errors.tolist(),
        width=0.0 if density is None else density.width,
        runs=0 if density is None else density.runs,
        steps=0 if density is None else density.steps,
        seed=around.seed,
        why=why,
        notes=list(found.notes),
    )


def as_points(sums: Points) -> schema.LandscapePoints:
    """What a record keeps of sums."""
    places = range(sums.size)
    return schema.LandscapePoints(
        losses=[sums.mean(place) for place in places],
        standard_errors=[sums.standard_error(place) for place in places],
        correct=sums.right.tolist() if sums.judged else [],
        broken=sums.broken.tolist(),
    )


def _without_statistics(point: Point, model: nn.Module) -> Point:
    """The same without what batch normalisation remembers, which must not come back where batches speak for themselves."""
    from pellucid.landscape import batch_norms

    names = {f"{path}.{name}" if path else name for path in batch_norms(model) for name in _REMEMBERED}
    return lambda: {name: value for name, value in point().items() if name not in names}


_REMEMBERED = ("running_mean", "running_var", "num_batches_tracked")


def _same(one: schema.LandscapePlane, other: schema.LandscapePlane) -> bool:
    names = ("steps", "normalisation", "seed", "moved", "fixed", "frozen")
    close = all(abs(a - b) <= 1e-6 * abs(b) for a, b in zip(one.norms, other.norms, strict=True))
    return close and all(getattr(one, name) == getattr(other, name) for name in names)


def _from_the_middle(size: int) -> list[int]:
    middle = size // 2
    return sorted(range(size), key=lambda place: (abs(place - middle), place))


def _counted(heard: Counting, total: int) -> Callable[[int], None]:
    """From one point of one batch at a time to how many there were of how many."""
    done = 0

    def one(count: int) -> None:
        nonlocal done
        done += count
        heard(done, total)

    return one

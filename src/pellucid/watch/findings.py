"""What a training table says in words: gradients that vanish or explode, updates of the wrong size, a lost loss, a gap.

Needs no torch. Each check rests on medians over many steps, so that one odd step says nothing.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from pellucid.record.schema import Finding, LastValue, Severity, TrainingPanel

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Series: TypeAlias = tuple[NDArray[np.int64], NDArray[np.float64]]

# A layer's gradient, next to the median layer's, relative to its weights.
VANISHING = 1e-4
EXPLODING = 1e4
# Growth of the whole gradient over the run.
GROWTH = 1e3
# Size of an update next to the weights; around 1e-3 is common.
SMALL_UPDATE, LARGE_UPDATE = 1e-6, 0.1
# Median gradient of a layer next to its largest: below it the layer has learnt what it could.
CONVERGED = 1e-3
# Accuracy lost from training to validation.
GAP = 0.1
# Rise of the validation loss above its lowest: of that, or of its fall from the first value where it reaches 0.
RISE = 0.2
# Where one of the two is about nothing, so much of the other stands for it.
_LEAST = 0.05
# A rise of a loss that reaches 0, next to the median second difference: about four standard deviations of noise.
_NOISE = 2.5
_FEWEST = 5
_NAMED = 3


def training_findings(table: pa.Table) -> list[Finding]:
    """Findings on a training table, worst first; a healthy run has none.

    Args:
        table: columns of docs/format.md, rows in any order.
    """
    series = _series(table)
    found = [*_lost(series), *_gradients(series), *_updates(series), *_gap(series)]
    severities: tuple[Severity, ...] = ("high", "medium", "low", "info")
    return sorted(found, key=lambda finding: (severities.index(finding.severity), -finding.weight))


def no_steps(rows: int) -> Finding:
    """The finding on a Watch whose optimizer never stepped.

    Args:
        rows: that were recorded all the same, of what the loop logged.
    """
    return Finding(
        kind="no-steps",
        severity="high",
        sentence=(
            "The optimizer never stepped under this Watch: no layer was looked at, and all that was logged stands at step 0. "
            "Give the Watch the optimizer whose step() the training calls; where it has steps of its own (first_step "
            "and second_step of SAM), that is the optimizer inside it."
        ),
        count=rows,
        page="training",
        weight=1.0,
        evidence={"steps": 0},
    )


def training_panel(table: pa.Table, steps: int, layers: list[str]) -> TrainingPanel:
    """The training table in short, without findings.

    Args:
        table: columns of docs/format.md.
        steps: that the optimizer took.
        layers: names, in order of the model.
    """
    series = _series(table)
    recorded = {int(step) for (layer, _), (at, _) in series.items() if layer for step in at}
    last = [
        LastValue(quantity, int(at[-1]), float(values[-1]) if np.isfinite(values[-1]) else None)
        for (layer, quantity), (at, values) in sorted(series.items())
        if not layer
    ]
    quantities = sorted(set(table["quantity"].to_pylist()))
    return TrainingPanel(
        count=table.num_rows, steps=steps, recorded=len(recorded), layers=layers, quantities=quantities, last=last
    )


def _series(table: pa.Table) -> dict[tuple[str, str], Series]:
    """Steps and values by layer and quantity, in order of steps; NaN where the value was not finite."""
    import pyarrow.compute as pc

    table = table.filter(pc.is_null(table["counts"])).select(["step", "layer", "quantity", "value"])
    table = table.sort_by("step")
    steps = table["step"].to_numpy()
    values = table["value"].to_numpy(zero_copy_only=False).astype(np.float64)
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, key in enumerate(zip(table["layer"].to_pylist(), table["quantity"].to_pylist(), strict=True)):
        places[key].append(place)
    return {key: (steps[indices], values[indices]) for key, indices in places.items()}


def _lost(series: dict[tuple[str, str], Series]) -> list[Finding]:
    """The loss was NaN or infinite."""
    steps, values = series.get(("", "loss"), (np.zeros(0, np.int64), np.zeros(0)))
    lost = steps[~np.isfinite(values)]
    if not len(lost):
        return []
    return [
        Finding(
            kind="nonfinite-loss",
            severity="high",
            sentence=(
                f"The loss was NaN or infinite at {len(lost):,} of {len(steps):,} recorded steps, first at step "
                f"{lost[0]:,}."
            ),
            count=len(steps),
            page="training",
            weight=1.0,
            evidence={"steps": len(lost), "first": int(lost[0])},
            selection={"step": str(lost[0])},
        )
    ]


def _gradients(series: dict[tuple[str, str], Series]) -> list[Finding]:
    """Layers whose gradients are far from the others', and a gradient that grows without end."""
    found: list[Finding] = []
    relative: dict[str, float] = {}
    for (layer, quantity), (steps, values) in series.items():
        weights = series.get((layer, "weight_norm"))
        if layer and quantity == "gradient_norm" and weights is not None and np.isfinite(values).sum() >= _FEWEST:
            weight = float(np.nanmedian(weights[1]))
            relative[layer] = float(np.nanmedian(values[len(steps) // 2 :])) / weight if weight else np.nan
    known = {layer: value for layer, value in relative.items() if np.isfinite(value)}
    middle = float(np.median(list(known.values()))) if len(known) >= 2 else 0.0
    if middle > 0:
        vanished = sorted((layer for layer in known if known[layer] < VANISHING * middle), key=lambda one: known[one])
        exploded = sorted((layer for layer in known if known[layer] > EXPLODING * middle), key=lambda one: -known[one])
        count = max(len(at) for (layer, quantity), (at, _) in series.items() if layer and quantity == "gradient_norm")
        for kind, layers, word in (("vanishing", vanished, "smaller"), ("exploding", exploded, "larger")):
            if layers:
                factor = known[layers[0]] / middle
                size = f"{max(factor, 1 / factor):.0e} times {word} than" if factor else "zero, unlike"
                found.append(
                    Finding(
                        kind=f"{kind}-gradients",
                        severity="high",
                        sentence=(
                            f"Gradients are {kind} in {_named(layers)}: relative to the weights, those of {layers[0]} "
                            f"are {size} the median layer's (in the second half of the run)."
                        ),
                        count=count,
                        page="training",
                        weight=0.8,
                        evidence={"layers": len(layers), "factor": factor, "median": middle},
                        selection={"layer": layers[0]},
                    )
                )
    return found + _growth(series)


def _growth(series: dict[tuple[str, str], Series]) -> list[Finding]:
    steps, values = series.get(("", "gradient_norm"), (np.zeros(0, np.int64), np.zeros(0)))
    finite = np.isfinite(values)
    known = values[finite]
    piece = max(1, len(known) // 10)
    if len(known) < 2 * _FEWEST and finite.all():
        return []
    early = float(np.median(known[:piece])) if len(known) else 0.0
    late = float(np.median(known[-piece:])) if len(known) else 0.0
    lost = len(values) - len(known)
    if lost <= len(values) // 10 and not (early > 0 and late / early > GROWTH):
        return []
    words = (
        f"not finite at {lost:,} of {len(values):,} recorded steps"
        if lost > len(values) // 10
        else f"{late / early:,.0f} times as large at the end of the run as at its beginning"
    )
    return [
        Finding(
            kind="exploding-gradients",
            severity="high",
            sentence=f"The gradient of the whole model is {words}.",
            count=len(values),
            page="training",
            weight=0.9,
            evidence={"early": early, "late": late, "nonfinite": lost},
            selection={"step": str(steps[-1])},
        )
    ]


def _updates(series: dict[tuple[str, str], Series]) -> list[Finding]:
    """Layers that the optimizer hardly moves, or throws about."""
    medians: dict[str, float] = {}
    count = 0
    for (layer, quantity), (_, values) in series.items():
        known = values[np.isfinite(values)]
        if layer and quantity == "update_ratio" and len(known) >= _FEWEST:
            medians[layer] = float(np.median(known))
            count = max(count, len(known))
    found: list[Finding] = []
    small = sorted(
        (layer for layer, value in medians.items() if value < SMALL_UPDATE and not _converged(series, layer)),
        key=lambda one: medians[one],
    )
    large = sorted((layer for layer, value in medians.items() if value > LARGE_UPDATE), key=lambda one: -medians[one])
    for kind, layers, advice in (
        ("small-updates", small, "they hardly learn; the learning rate may be far too low"),
        ("large-updates", large, "they are thrown about; the learning rate may be far too high"),
    ):
        if layers:
            found.append(
                Finding(
                    kind=kind,
                    severity="medium",
                    sentence=(
                        f"A step changes the weights of {_named(layers)} by {medians[layers[0]]:.1e} of their size at "
                        f"the median, where about 1e-3 is common: {advice}."
                    ),
                    count=count,
                    page="training",
                    weight=0.6,
                    evidence={"layers": len(layers), "median": medians[layers[0]]},
                    selection={"layer": layers[0]},
                )
            )
    return found


def _converged(series: dict[tuple[str, str], Series], layer: str) -> bool:
    """Whether there is nothing left to learn: the gradient has shrunk with the updates."""
    _, values = series.get((layer, "gradient_norm"), (np.zeros(0, np.int64), np.zeros(0)))
    known = values[np.isfinite(values)]
    return len(known) > 0 and float(np.median(known)) < CONVERGED * float(known.max())


def _gap(series: dict[tuple[str, str], Series]) -> list[Finding]:
    """Worse on validation than in training at the end, or a validation loss that rises again."""
    evidence: dict[str, str | int | float | None] = {}
    words: list[str] = []
    count = 0
    training, validation = series.get(("", "accuracy")), series.get(("", "validation_accuracy"))
    if training is not None and validation is not None:
        late = training[1][-max(1, len(training[1]) // 10) :]
        if np.isfinite(late).any() and np.isfinite(validation[1][-1]):
            seen, unseen = float(np.nanmean(late)), float(validation[1][-1])
            if seen - unseen > GAP:
                words.append(f"the accuracy is {seen:.1%} in training and {unseen:.1%} on validation")
                evidence |= {"accuracy": seen, "validation_accuracy": unseen}
                count = len(validation[1])
    losses = series.get(("", "validation_loss"))
    if losses is not None and len(losses[1]) >= _FEWEST and np.isfinite(losses[1]).all():
        lowest = int(np.argmin(losses[1]))
        end = float(np.median(losses[1][-3:]))
        if len(losses[1]) - lowest > 3 and _has_risen(losses[1], end):
            words.append(
                f"the validation loss has risen from {losses[1][lowest]:.3g} at step {losses[0][lowest]:,} to {end:.3g}"
            )
            evidence |= {"lowest": float(losses[1][lowest]), "lowest_step": int(losses[0][lowest]), "end": end}
            count = len(losses[1])
    if not words:
        return []
    return [
        Finding(
            kind="train-validation-gap",
            severity="medium",
            sentence=f"The model fits its training examples better than new ones: {' and '.join(words)}.",
            count=count,
            page="training",
            weight=0.7,
            evidence=evidence,
        )
    ]


def _has_risen(losses: NDArray[np.float64], end: float) -> bool:
    """Whether the end lies far above the lowest.

    A loss that stays above 0 is compared with its lowest. One that does not (a log density) has no zero that means
    anything: it is compared with how far it fell.
    """
    lowest = float(losses.min())
    fall, rise = float(losses[0]) - lowest, end - lowest
    if lowest > 0:
        return rise > RISE * max(lowest, _LEAST * fall)
    noise = float(np.median(np.abs(np.diff(losses, n=2))))
    scale = max(fall, -_LEAST * lowest)
    return scale > 0 and rise > max(RISE * scale, _NOISE * noise)


def _named(layers: list[str]) -> str:
    shown = ", ".join(layers[:_NAMED])
    more = f" and {len(layers) - _NAMED} more" if len(layers) > _NAMED else ""
    return f"{'layers' if len(layers) > 1 else 'layer'} {shown}{more}"

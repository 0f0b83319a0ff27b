"""What a training table says in words: what layers show, a gradient that grows without end, a lost loss, a gap.

Needs no torch. Each check rests on medians over many steps, so that one odd step says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pellucid.record.schema import Finding, LastValue, Severity, TrainingPanel
from pellucid.watch.layer_findings import layer_findings
from pellucid.watch.series import series_of

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from pellucid.watch.series import AllSeries

# Growth of the whole gradient over the run.
GROWTH = 1e3
# Accuracy lost from training to validation.
GAP = 0.1
# Rise of the validation loss above its lowest: of that, or of its fall from the first value where it reaches 0.
RISE = 0.2
# Where one of the two is about nothing, so much of the other stands for it.
_LEAST = 0.05
# A rise of a loss that reaches 0, next to the median second difference: about four standard deviations of noise.
_NOISE = 2.5
_FEWEST = 5
# A share, or one in percent, is no larger, but for rounding.
_MOST_SHARE, _MOST_PERCENT = 1 + 1e-6, 100 * (1 + 1e-6)


def training_findings(table: pa.Table) -> list[Finding]:
    """Findings on a training table, worst first; a healthy run has none.

    Args:
        table: columns of docs/format.md, rows in any order.
    """
    series = series_of(table)
    found = [*_lost(series), *_growth(series), *layer_findings(table, series), *_gap(series)]
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
    series = series_of(table)
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


def _lost(series: AllSeries) -> list[Finding]:
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


def _growth(series: AllSeries) -> list[Finding]:
    """The gradient of the whole model grows without end, or is lost."""
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


def _gap(series: AllSeries) -> list[Finding]:
    """Worse on validation than in training at the end, or a validation loss that rises again."""
    evidence: dict[str, str | int | float | None] = {}
    words: list[str] = []
    count = 0
    training, validation = _shares(series, "accuracy"), _shares(series, "validation_accuracy")
    if training is not None and validation is not None:
        late = training[-max(1, len(training) // 10) :]
        if np.isfinite(late).any() and np.isfinite(validation[-1]):
            seen, unseen = float(np.nanmean(late)), float(validation[-1])
            if seen - unseen > GAP:
                words.append(f"the accuracy is {seen:.1%} in training and {unseen:.1%} on validation")
                evidence |= {"accuracy": seen, "validation_accuracy": unseen}
                count = len(validation)
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


def _shares(series: AllSeries, name: str) -> NDArray[np.float64] | None:
    """An accuracy as shares, also where percents were logged; None where it is neither, or was not logged."""
    _, values = series.get(("", name), (None, np.zeros(0)))
    if not np.isfinite(values).any():
        return None
    most = float(np.nanmax(values))
    return values if most <= _MOST_SHARE else values / 100 if most <= _MOST_PERCENT else None


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

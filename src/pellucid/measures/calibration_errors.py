"""Every way to say how far confidence is from accuracy, side by side."""

from __future__ import annotations

from pellucid.measures.calibration import (
    Reliability,
    chance,
    debiased_error,
    equal_mass,
    equal_width,
    expected_error,
    interval_of,
    monotone,
)
from pellucid.measures.calibration_kernel import kernel_error, kernel_interval
from pellucid.record.schema import CalibrationError, Interval

SOFT_LABELS = (
    "labels are soft, and no confidence can be held against one as right or wrong; see the calibration part of the loss"
)


def calibration_errors(bins: Reliability, why: str = "") -> list[CalibrationError]:
    """Every way to say how far confidence is from accuracy, from fine bins.

    Args:
        bins: by confidence.
        why: none of them is defined; "" where they are, or are not because there is no example.
    """
    wide, mass, ordered = equal_width(bins), equal_mass(bins), monotone(bins)
    total = bins.total
    why = why or ("" if total else "no example has a target and a confidence")
    alone = "" if debiased_error(mass) is not None else "every bin holds one example, so that its chance is not known"

    def binned(name: str, of: Reliability, interval: Interval | None) -> CalibrationError:
        return CalibrationError(name, expected_error(of), *chance(of), len(of.counts), total, why, interval)

    return [
        binned("equal width", wide, interval_of(wide)),
        binned("equal mass", mass, interval_of(mass)),
        # Its bins are chosen by the right answers: the more chance there is in these, the fewer. The interval is rather too wide.
        binned("monotone", ordered, interval_of(ordered)),
        CalibrationError(
            "debiased",
            debiased_error(mass),
            None,
            None,
            len(mass.counts),
            total,
            why or alone,
            _holding(debiased_error(mass), interval_of(mass, squared=True)),
        ),
        CalibrationError("kernel", kernel_error(bins), None, None, 0, total, why, kernel_interval(bins)),
    ]


def _holding(value: float | None, interval: Interval | None) -> Interval | None:
    """The interval, as wide as it takes to hold the value: less what chance adds, this is an estimate of the true error.

    Where few examples are certain, their own spread explains what certain answers rule out, and the value is 0.
    """
    if value is None or interval is None:
        return None
    return Interval(min(interval.low, value), max(interval.high, value), interval.level, interval.method)

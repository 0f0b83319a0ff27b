"""What every part of a record shares: intervals, histograms, findings, and a lens's answer as such."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import field

# Sub-octave bins of a histogram keep this many bits of the float32 mantissa: 4 bins an octave.
MANTISSA_BITS = 2

Severity = Literal["high", "medium", "low", "info"]


class Interval(msgspec.Struct, frozen=True):
    """A confidence interval; `method` names how it was made (wilson, bootstrap, t)."""

    low: float
    high: float
    level: float = 0.95
    method: str = "wilson"


class Histogram(msgspec.Struct, frozen=True):
    """Counts over fixed bins of the float32 bit pattern, so that histograms merge exactly.

    A bin's id is the top 1 + 8 + `mantissa_bits` bits of the float32 (sign, octave, sub-octave) as an unsigned
    integer; `bins` is sorted by the value the bin stands for, lowest first. Zeros (of either sign), infinities and
    NaN are counted apart.
    """

    bins: list[int]
    counts: list[int]
    zero: int = 0
    nan: int = 0
    positive_infinite: int = 0
    negative_infinite: int = 0
    mantissa_bits: int = MANTISSA_BITS


class Finding(msgspec.Struct, frozen=True):
    """One plain sentence with its evidence.

    Attributes:
        kind: stable name of the check that found it ("dead-layer", "confused-pair").
        weight: orders findings of one severity, larger first; between 0 and 1.
        count: how many observations the sentence rests on.
        evidence: the numbers it rests on, by name.
        page: the page of the app that shows it.
        selection: what to select there, as parameters of the app's URL (see docs/architecture.md).
    """

    kind: str
    severity: Severity
    sentence: str
    count: int
    page: str
    weight: float = 0.0
    interval: Interval | None = None
    evidence: dict[str, str | int | float | None] = field(default_factory=dict)
    selection: dict[str, str] = field(default_factory=dict)


class Panel(msgspec.Struct, tag_field="lens", kw_only=True):
    """A lens's answer. `count` is the number of examples (or values, for weights) that it rests on."""

    count: int = 0
    findings: list[Finding] = field(default_factory=list)

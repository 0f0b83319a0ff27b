"""Intervals of the parts of a score by the delta method, from sums of products in the bins of the confidence.

Every part is a function of sums over the examples, so that to first order its variance is that of its influence function, what one
example more adds to it. Within a bin with the mean confidence m and the share of right answers a these are, of an example with
confidence c, hit h, loss of the first answer l and whole loss w: of the refinement s(h, a), of the calibration
s(h, m) + (c - m) ds(a, m)/dm - s(h, a), of the part within l - s(h, m) - (c - m) ds(a, m)/dm, of the naming w - l. s(h, x) is the
score of the forecast x for the outcome h. All are linear in (1, h, c, l, w), so that sums of products suffice.

Source: van der Vaart 1998, Asymptotic Statistics, chapter 20; Siegert 2014, QJRMS 140:2009 for the parts of the Brier score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.decomposition import EDGES, FIELDS, LEAST_DOUBT, Cells, Score
from pellucid.measures.intervals import mean_interval
from pellucid.record.schema import Interval

Floats: TypeAlias = NDArray[np.float64]
_AT = {name: place for place, name in enumerate(FIELDS)}
BINS = len(EDGES) - 1

# Products of: hit and confidence with each other, and of each score the first answer's loss with them, with itself, and the rest.
PRODUCTS = (
    "hit_hit", "hit_confidence", "confidence_confidence",
    "log_hit", "log_confidence", "log_log", "log_rest", "log_whole",
    "brier_hit", "brier_confidence", "brier_brier", "brier_rest", "brier_whole",
)  # fmt: skip
_OF = {name: place for place, name in enumerate(PRODUCTS)}


def products_of(bins: NDArray[np.int64], added: Floats) -> Floats:
    """Sums of products of what `terms` gave, float64[bin product]; they merge by adding."""
    hit, confidence = added[:, _AT["hits"]], added[:, _AT["confidence"]]
    columns = [hit * hit, hit * confidence, confidence * confidence]
    for score in ("log", "brier"):
        answer, whole = added[:, _AT[f"answer_{score}"]], added[:, _AT[score]]
        columns += [answer * hit, answer * confidence, answer * answer, (whole - answer) ** 2, whole * whole]
    return np.stack([np.bincount(bins, column, minlength=BINS) for column in columns], axis=1)


@dataclass(frozen=True)
class PartIntervals:
    """95% intervals of a score's mean and its parts; None below two examples."""

    total: Interval | None
    calibration: Interval | None
    refinement: Interval | None
    within: Interval | None
    naming: Interval | None


def part_intervals(cells: Cells, products: Floats, score: Score) -> PartIntervals:
    """Intervals of the parts over all cells together.

    Args:
        cells: sums by group and bin.
        products: float64[bin product], as `products_of` gives them, over the same examples.
        score: which one.
    """
    sums = np.zeros((BINS, len(FIELDS)))
    np.add.at(sums, cells.bins, cells.sums)
    there = sums[:, 0] > 0
    sums, products = sums[there], products[there]
    count, hits, confidence = (sums[:, _AT[name]] for name in ("count", "hits", "confidence"))
    answer, whole = sums[:, _AT[f"answer_{score}"]], sums[:, _AT[score]]
    number = round(float(count.sum()))
    share, mean = hits / np.maximum(count, 1), confidence / np.maximum(count, 1)
    at_share, at_mean, slope = _line_of_share(share, score), _line(mean, score), _slope(share, mean, score)
    # Coefficients of (1, h, c, l).
    nothing = np.zeros_like(share)
    refinement = (*at_share, nothing, nothing)
    calibration = (at_mean[0] - slope * mean - at_share[0], at_mean[1] - at_share[1], slope, nothing)
    within = (slope * mean - at_mean[0], -at_mean[1], -slope, nothing + 1.0)
    of_hit, of_confidence, of_answer = (
        products[:, [_OF[name] for name in names]].T
        for names in (
            ("hit_hit", "hit_confidence", f"{score}_hit"),
            ("hit_confidence", "confidence_confidence", f"{score}_confidence"),
            (f"{score}_hit", f"{score}_confidence", f"{score}_{score}"),
        )
    )
    first = [count, hits, confidence, answer]
    second = [first, [hits, *of_hit], [confidence, *of_confidence], [answer, *of_answer]]

    def of(line: tuple[Floats, Floats, Floats, Floats]) -> Interval | None:
        total = sum(float((line[place] * first[place]).sum()) for place in range(4))
        squares = sum(
            float((line[one] * line[other] * second[one][other]).sum()) for one in range(4) for other in range(4)
        )
        return _interval(number, total, squares)

    rest = products[:, _OF[f"{score}_rest"]].sum()
    return PartIntervals(
        total=_interval(number, float(whole.sum()), float(products[:, _OF[f"{score}_whole"]].sum())),
        calibration=of(calibration),
        refinement=of(refinement),
        within=of(within),
        naming=_interval(number, float((whole - answer).sum()), float(rest)),
    )


def _interval(count: int, total: float, squares: float) -> Interval | None:
    found = mean_interval(count, total, squares - total * total / count) if count else None
    return None if found is None else Interval(found.low, found.high, found.level, "delta method, t")


def _line(forecast: Floats, score: Score) -> tuple[Floats, Floats]:
    """s(h, x) = first + second * h."""
    if score == "brier":
        return forecast**2, 1.0 - 2.0 * forecast
    wrong = -np.log(np.maximum(1.0 - forecast, LEAST_DOUBT))
    return wrong, -np.log(forecast) - wrong


def _line_of_share(share: Floats, score: Score) -> tuple[Floats, Floats]:
    """As `_line`; where the share is an end, every outcome is that end, and costs nothing there."""
    if score == "brier":
        return _line(share, score)
    inside = (share > 0) & (share < 1)
    first, second = _line(np.where(inside, share, 0.5), score)
    return np.where(inside, first, 0.0), np.where(inside, second, 0.0)


def _slope(share: Floats, mean: Floats, score: Score) -> Floats:
    """The derivative of s(a, m) by m; of the logarithm that is cut at the least doubt none is left."""
    if score == "brier":
        return 2.0 * (mean - share)
    doubt = 1.0 - mean
    slope: Floats = np.where(doubt > LEAST_DOUBT, (1.0 - share) / np.maximum(doubt, LEAST_DOUBT), 0.0) - share / mean
    return slope

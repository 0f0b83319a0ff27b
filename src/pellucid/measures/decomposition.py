"""The log loss and the Brier score taken apart, so that the parts add up to the whole.

A loss of K classes falls into two questions, asked one after the other (the chain rule of the log loss): is the first answer
right, which the confidence answers; and, of the other classes, which one is it, which is the *naming* part. The first is a
forecast of one event. On bins of the confidence it falls into

    answer = calibration + refinement + within
    refinement = uncertainty - resolution

where a bin of n examples has the mean confidence m and the share of right answers a: calibration is n d(a, m), refinement is
n h(a), h the entropy (or a (1 - a)) and d its divergence; *within* is what the single confidences gain or lose against m, so
that nothing is lost by binning. With soft labels the part of it that no model could do without, the irreducible, is known too.

Source: Bröcker 2009, QJRMS 135:1512-1519 (calibration, refinement, resolution); DeGroot & Fienberg 1983, The Statistician
32:12-22; Kull & Flach 2015, ECML (irreducible); Stephenson, Coelho & Jolliffe 2008, Weather and Forecasting 23 (within a bin).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Score: TypeAlias = Literal["log", "brier"]

EDGES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999, 1.0)
"""Bins of the confidence, (low, high]; finer where the log loss is steep."""

# Confidences are kept in float32: what is called 1 may lack up to half of the distance to the number before it.
LEAST_DOUBT = 2.0**-25

FIELDS = (
    "count", "hits", "confidence", "answer_log", "log", "answer_brier", "brier",
    "answer_entropy", "entropy", "answer_variance", "variance",
)  # fmt: skip
_AT = {name: place for place, name in enumerate(FIELDS)}


def bin_of(confidences: NDArray[np.floating]) -> NDArray[np.int64]:
    """Bin of each confidence, int64[example]; a confidence of exactly 1 falls in the last one."""
    found = np.searchsorted(np.asarray(EDGES[1:-1]), confidences.astype(np.float64), side="left")
    return found.astype(np.int64)


def terms(
    confidences: NDArray[np.floating],
    hits: NDArray[np.floating],
    log_losses: NDArray[np.floating],
    briers: NDArray[np.floating],
    entropies: NDArray[np.floating] | None = None,
    variances: NDArray[np.floating] | None = None,
    *,
    two_classes: bool = False,
) -> Floats:
    """What each example adds to its bin: float64[example field], fields as `FIELDS` names them.

    Args:
        confidences: float[example], the probability of the first answer.
        hits: float[example], whether it is right: 0 or 1, or the share of a soft label that it has.
        log_losses: float[example], nats; infinite where the label was given no probability.
        briers: float[example], Σ over classes of (p - y)², expected under the label where it is soft.
        entropies: float[example], of the soft label, nats; None where labels are hard.
        variances: float[example], Σ over classes of q (1 - q) of the soft label.
        two_classes: of the model. The first answer's log loss is the whole one then, to every digit, where it is finite.
    """
    confidence = confidences.astype(np.float64)
    hit = hits.astype(np.float64)
    doubt = np.maximum(1.0 - confidence, LEAST_DOUBT)
    found = np.zeros((len(confidence), len(FIELDS)))
    found[:, _AT["count"]] = 1.0
    found[:, _AT["hits"]] = hit
    found[:, _AT["confidence"]] = confidence
    answer = -hit * np.log(confidence) - (1.0 - hit) * np.log(doubt)
    found[:, _AT["answer_log"]] = np.where(np.isfinite(log_losses), log_losses, answer) if two_classes else answer
    found[:, _AT["log"]] = log_losses
    found[:, _AT["answer_brier"]] = hit * (1.0 - confidence) ** 2 + (1.0 - hit) * confidence**2
    found[:, _AT["brier"]] = briers
    if entropies is not None and variances is not None:
        found[:, _AT["answer_entropy"]] = entropy_of(hit)
        found[:, _AT["entropy"]] = entropies
        found[:, _AT["answer_variance"]] = hit * (1.0 - hit)
        found[:, _AT["variance"]] = variances
    return found


def entropy_of(shares: Floats) -> Floats:
    """-a ln a - (1 - a) ln(1 - a), nats; 0 at both ends."""
    inside = (shares > 0) & (shares < 1)
    safe = np.where(inside, shares, 0.5)
    return np.where(inside, -safe * np.log(safe) - (1 - safe) * np.log1p(-safe), 0.0)


def entropy_of_rows(shares: Floats) -> Floats:
    """-Σ q ln q of each distribution, float64[example], nats."""
    safe = np.where(shares > 0, shares, 1.0)
    found: Floats = -(safe * np.log(safe)).sum(axis=1)
    return np.maximum(found, 0.0)


@dataclass
class Cells:
    """Sums of `terms` by group and bin; those that hold nothing take no memory.

    Attributes:
        keys: int64[cell], group * bins + bin, ascending.
        sums: float64[cell field].
    """

    keys: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    sums: Floats = field(default_factory=lambda: np.zeros((0, len(FIELDS))))

    @classmethod
    def of(cls, groups: NDArray[np.integer], bins: NDArray[np.int64], added: Floats) -> Self:
        """Adds up what `terms` gave by group (a class) and bin."""
        return cls(*_gathered(groups.astype(np.int64) * (len(EDGES) - 1) + bins, added))

    def merge(self, other: Self) -> None:
        """Adds another's sums."""
        keys, sums = np.concatenate([self.keys, other.keys]), np.concatenate([self.sums, other.sums])
        self.keys, self.sums = _gathered(keys, sums)

    @property
    def groups(self) -> NDArray[np.int64]:
        """Group of each cell."""
        return self.keys // (len(EDGES) - 1)

    @property
    def bins(self) -> NDArray[np.int64]:
        """Bin of each cell."""
        return self.keys % (len(EDGES) - 1)


def _gathered(keys: NDArray[np.int64], sums: Floats) -> tuple[NDArray[np.int64], Floats]:
    found, places = _distinct(keys)
    # Column by column: several times as fast as numpy's add.at.
    total = [np.bincount(places, column, len(found)) for column in sums.T]
    return found, np.stack(total, axis=1)


def _distinct(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The keys that there are, ascending, and the place of each among them; without sorting where they lie close together."""
    width = int(keys.max(initial=-1)) + 1
    if width > 4 * len(keys):
        found, places = np.unique(keys, return_inverse=True)
        return found, places.reshape(-1)
    there = np.flatnonzero(np.bincount(keys, minlength=width)).astype(np.int64)
    lookup = np.zeros(width, np.int64)
    lookup[there] = np.arange(len(there))
    return there, lookup[keys]


@dataclass(frozen=True)
class Parts:
    """Means over examples of the parts of a score; they add up to `total`.

    `total = calibration + refinement + within + naming`, `refinement = uncertainty - resolution`.

    Attributes:
        irreducible, irreducible_answer: of soft labels, the mean entropy (or variance) of the label, and the part of it
            that lies in whether the first answer is right, which is part of the refinement; the rest is part of the naming.
        bias: how much of the calibration is expected of chance alone, at this number of examples; the refinement is as much
            too low.
        bins: that hold examples.
    """

    count: int
    total: float
    calibration: float
    refinement: float
    within: float
    naming: float
    uncertainty: float
    resolution: float
    bias: float
    bins: int
    irreducible: float | None = None
    irreducible_answer: float | None = None


def parts(cells: Cells, score: Score, *, soft: bool) -> Parts | None:
    """The parts of all cells together; None where there is no example, or one has an infinite score."""
    sums = _by_bin(cells)
    sums = sums[sums[:, _AT["count"]] > 0]
    if not len(sums) or not math.isfinite(sums[:, _AT[score]].sum()):
        return None
    number = float(sums[:, _AT["count"]].sum())
    count, hits = sums[:, _AT["count"]], sums[:, _AT["hits"]]
    calibration, refinement = _of_bins(count, hits, hits, sums[:, _AT["confidence"]], count, score)
    answer, whole = sums[:, _AT[f"answer_{score}"]].sum(), sums[:, _AT[score]].sum()
    overall = float(hits.sum()) / number
    uncertainty = float(entropy_of(np.asarray([overall]))[0]) if score == "log" else overall * (1 - overall)
    spread = "entropy" if score == "log" else "variance"
    # Two classes make the same Brier score twice; the rest of it is that of the other classes.
    mean_refinement = float(refinement.sum()) / number
    return Parts(
        count=round(number),
        total=float(whole) / number,
        calibration=float(calibration.sum()) / number,
        refinement=mean_refinement,
        within=float(answer - calibration.sum() - refinement.sum()) / number,
        naming=float(whole - answer) / number,
        uncertainty=uncertainty,
        resolution=uncertainty - mean_refinement,
        bias=_bias(count, hits, score) / number,
        bins=len(sums),
        irreducible=float(sums[:, _AT[spread]].sum()) / number if soft else None,
        irreducible_answer=float(sums[:, _AT[f"answer_{spread}"]].sum()) / number if soft else None,
    )


@dataclass(frozen=True)
class GroupParts:
    """What the examples of one group add to each part of the whole, for each example of all; signed."""

    group: int
    count: int
    total: float
    calibration: float
    refinement: float
    within: float
    naming: float


def contributions(cells: Cells, score: Score) -> list[GroupParts]:
    """Each group's part of each part, with the bins of all examples together: over the groups they add up to `parts`.

    Nothing where one has an infinite score.

    Within one true class there is nothing to be calibrated about, as its outcome is known; so classes share the bins.
    """
    whole = _by_bin(cells)
    if not math.isfinite(whole[:, _AT[score]].sum()):
        return []
    number = float(whole[:, _AT["count"]].sum())
    own = cells.sums
    there = whole[cells.bins]
    calibration, refinement = _of_bins(
        own[:, _AT["count"]], own[:, _AT["hits"]], there[:, _AT["hits"]], there[:, _AT["confidence"]],
        there[:, _AT["count"]], score,
    )  # fmt: skip
    answer, total = own[:, _AT[f"answer_{score}"]], own[:, _AT[score]]
    columns = np.stack([own[:, 0], total, calibration, refinement, answer - calibration - refinement, total - answer])
    groups, places = np.unique(cells.groups, return_inverse=True)
    sums = np.zeros((len(columns), len(groups)))
    for place, column in enumerate(columns):
        np.add.at(sums[place], places.reshape(-1), column)
    return [
        GroupParts(int(group), round(float(counted)), *(float(one) / number for one in rest))
        for group, counted, *rest in zip(groups, *sums, strict=True)
    ]


def _by_bin(cells: Cells) -> Floats:
    sums = np.zeros((len(EDGES) - 1, len(FIELDS)))
    np.add.at(sums, cells.bins, cells.sums)
    return sums


def _of_bins(
    count: Floats, hits: Floats, all_hits: Floats, all_confidence: Floats, all_count: Floats, score: Score
) -> tuple[Floats, Floats]:
    """Calibration and refinement of examples that share a bin with others: float64[cell] each, sums over the examples.

    Summed over all that share the bin, the first is n d(a, m) and the second n h(a).
    """
    misses = count - hits
    share, mean = all_hits / all_count, all_confidence / all_count
    if score == "brier":
        at_mean = hits * (1 - mean) ** 2 + misses * mean**2
        refinement = hits * (1 - share) ** 2 + misses * share**2
        return at_mean - refinement, refinement
    doubt = np.maximum(1.0 - mean, LEAST_DOUBT)
    at_mean = -hits * np.log(mean) - misses * np.log(doubt)
    # A share of 0 or 1 has examples of one kind only: the other logarithm is multiplied by none.
    right = np.log(np.where(share > 0, share, 1.0))
    wrong = np.log(np.where(share < 1, 1.0 - share, 1.0))
    refinement = -hits * right - misses * wrong
    return at_mean - refinement, refinement


def _bias(count: Floats, hits: Floats, score: Score) -> float:
    """What bins of finite size add to the calibration by chance, times the number of examples.

    Of the log loss 1/2 nat a bin with both outcomes (Miller 1955, to first order); of the Brier score n a (1 - a) / (n - 1) a
    bin of at least two (Ferro & Fricker 2012, QJRMS 138:1954-1960). Soft labels vary less, so that it is a bound for them.
    """
    share = hits / count
    if score == "log":
        return 0.5 * float(np.count_nonzero((share > 0) & (share < 1)))
    two = count >= 2
    return float((count[two] * share[two] * (1 - share[two]) / (count[two] - 1)).sum())

"""Slices: which examples, by a column that came with them or by a rule that is found, are answered worse than the others?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.intervals import benjamini_hochberg, hypergeometric_tail, wilson
from pellucid.record.schema import SliceAccuracy

Floats = NDArray[np.float64]

# Fewer examples cannot be told from chance; they are counted in the rest.
LEAST = 5
DEPTH = 3
LEAST_LEAF = 20
# Cuts of a number that are tried: its quantiles.
CUTS = 32


def fisher(correct: int, count: int, all_correct: int, total: int) -> float:
    """P value of a slice having another accuracy than the rest: Fisher's exact test, twice the smaller tail."""
    wrong, all_wrong = count - correct, total - all_correct
    worse = hypergeometric_tail(wrong, count, all_wrong, total)
    better = hypergeometric_tail(correct, count, all_correct, total)
    return min(1.0, 2 * min(worse, better))


def slices_of(
    counts: Mapping[tuple[str, str], tuple[int, int]], totals: Mapping[str, tuple[int, int]]
) -> list[SliceAccuracy]:
    """Every slice against the rest of its column, lowest adjusted p value first.

    Args:
        counts: (column, value) -> examples and right answers.
        totals: column -> the same for all examples that have the column.

    Returns: slices of at least five examples that are not all there are; the adjustment is over these.
    """
    tested = [
        (column, value, count, correct)
        for (column, value), (count, correct) in sorted(counts.items())
        if LEAST <= count < totals[column][0]
    ]
    p_values = np.array(
        [fisher(correct, count, totals[column][1], totals[column][0]) for column, _, count, correct in tested],
        np.float64,
    )
    adjusted = benjamini_hochberg(p_values)
    found = []
    for (column, value, count, correct), p_value, q_value in zip(tested, p_values, adjusted, strict=True):
        total, right = totals[column]
        interval = wilson(correct, count)
        if interval is not None:
            rest = (right - correct) / (total - count)
            found.append(
                SliceAccuracy(
                    column, value, count, correct, correct / count, interval, rest, float(p_value), float(q_value)
                )
            )
    return sorted(found, key=lambda one: (one.adjusted, one.accuracy))


@dataclass(frozen=True)
class Condition:
    """One step of a rule: the feature is at most, or above, `cut`; for texts: is, or is not, the code `cut`."""

    feature: int
    kind: str
    cut: float

    def holds(self, features: Floats) -> NDArray[np.bool_]:
        """For each example, float64[example feature]; a number that is not there meets no condition but "is not"."""
        values = features[:, self.feature]
        with np.errstate(invalid="ignore"):
            if self.kind == "<=":
                return np.asarray(values <= self.cut)
            if self.kind == ">":
                return np.asarray(values > self.cut)
            return np.asarray(values == self.cut if self.kind == "is" else values != self.cut)


@dataclass(frozen=True)
class FoundSlice:
    """A leaf of the tree: its rule, and what the half says that the tree has not seen."""

    rule: tuple[Condition, ...]
    count: int
    correct: int
    p_value: float
    adjusted: float


def found_slices(
    features: Floats,
    categorical: Sequence[bool],
    correct: NDArray[np.bool_],
    grown: NDArray[np.bool_],
    depth: int = DEPTH,
) -> list[FoundSlice]:
    """Rules of a shallow tree grown on one half of the examples and judged on the other, so that looking is not testing twice.

    Args:
        features: float64[example feature]; NaN where not there. A text is its code.
        categorical: bool[feature], which are codes.
        correct: bool[example], whether the answer is right.
        grown: bool[example], the half that grows the tree.
        depth: how many conditions a rule has at most.

    Returns: leaves with at least five examples in the other half, lowest adjusted p value first (over leaves).
    Source: decision trees, Breiman et al. 1984; the half that judges is that of honest trees, Athey & Imbens 2016, PNAS 113:7353.
    """
    rules = _leaves(features[grown], categorical, correct[grown].astype(np.float64), depth, ())
    judged, answers = features[~grown], correct[~grown]
    total, right = len(answers), int(answers.sum())
    tested = []
    for rule in rules:
        inside = _all_hold(rule, judged)
        count, hits = int(inside.sum()), int(answers[inside].sum())
        if rule and LEAST <= count < total:
            tested.append((rule, count, hits, fisher(hits, count, right, total)))
    adjusted = benjamini_hochberg(np.array([one[3] for one in tested], np.float64))
    found = [FoundSlice(*one, float(q_value)) for one, q_value in zip(tested, adjusted, strict=True)]
    return sorted(found, key=lambda one: (one.adjusted, one.correct / one.count))


def _all_hold(rule: Iterable[Condition], features: Floats) -> NDArray[np.bool_]:
    inside = np.ones(len(features), bool)
    for condition in rule:
        inside &= condition.holds(features)
    return inside


def _leaves(
    features: Floats, categorical: Sequence[bool], right: Floats, depth: int, rule: tuple[Condition, ...]
) -> list[tuple[Condition, ...]]:
    split = best_split(features, categorical, right) if depth > 0 else None
    if split is None:
        return [rule]
    other = Condition(split.feature, {"<=": ">", "is": "is not"}[split.kind], split.cut)
    leaves = []
    for condition in (split, other):
        inside = condition.holds(features)
        leaves += _leaves(features[inside], categorical, right[inside], depth - 1, (*rule, condition))
    return leaves


def best_split(features: Floats, categorical: Sequence[bool], right: Floats) -> Condition | None:
    """The condition after which right and wrong answers are least mixed (Gini); None where none leaves enough on both sides.

    Of equal ones the first feature and the lowest cut.
    """
    total, hits = len(right), float(right.sum())
    best: tuple[float, Condition] | None = None
    least = hits * (total - hits) / total if total else 0.0
    for feature, codes in enumerate(categorical):
        values = features[:, feature]
        known = ~np.isnan(values)
        for cut in _cuts(values[known], codes):
            condition = Condition(feature, "is" if codes else "<=", cut)
            inside = condition.holds(features)
            count = int(inside.sum())
            # What is not there meets neither side of a cut of numbers.
            others = total - count if codes else int(known.sum()) - count
            if min(count, others) < LEAST_LEAF:
                continue
            good = float(right[inside].sum())
            rest = (hits if codes else float(right[known].sum())) - good
            mixed = good * (count - good) / count + rest * (others - rest) / others
            if not codes and others + count < total:
                missing, there = total - others - count, hits - good - rest
                mixed += there * (missing - there) / missing
            if mixed < least - 1e-12 and (best is None or mixed < best[0] - 1e-12):
                best = (mixed, condition)
    return None if best is None else best[1]


def _cuts(values: Floats, codes: bool) -> list[float]:
    distinct = np.unique(values)
    if codes:
        return [float(value) for value in distinct] if len(distinct) > 1 else []
    if len(distinct) > CUTS:
        ordered = np.sort(values)
        distinct = np.unique(ordered[(np.arange(1, CUTS + 1) * len(ordered)) // CUTS - 1])
    return [float(value) for value in distinct[:-1]]

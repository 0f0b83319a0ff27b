"""What the accuracy lens finds: confidence that misleads, and classes and slices that are answered worse than the others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pellucid.measures.calibration import Reliability
from pellucid.measures.intervals import wilson
from pellucid.measures.slices import fisher
from pellucid.record.schema import ClassAccuracy, Finding, SliceAccuracy

# A gap between confidence and accuracy is told from noise at four standard errors, and matters from two points on.
GAP_DEVIATIONS = 4.0
GAP_POINTS = 0.02

# A slice is told below this false-discovery rate, where its interval lies so far below the others.
DISCOVERY = 1e-3
SLICE_POINTS = 0.05

# A class is told where its recall is surely so far below that of the others.
CLASS_POINTS = 0.1


def calibration_findings(bins: Reliability, variance: float) -> list[Finding]:
    """Over- or under-confidence: Spiegelhalter's comparison of the sum of confidences with the right answers.

    Args:
        bins: of all examples, by confidence.
        variance: sum of c (1 - c) over confidences c. Where it is 0 every confidence is 0 or 1, and any gap is beyond chance.
    """
    count, correct = bins.total, int(bins.correct.sum())
    if not count:
        return []
    gap = (float(bins.confidences.sum()) - correct) / count
    deviation = math.sqrt(variance) / count
    if abs(gap) < max(GAP_DEVIATIONS * deviation, GAP_POINTS):
        return []
    word = "overconfident" if gap > 0 else "underconfident"
    confidence = float(bins.confidences.sum()) / count
    evidence: dict[str, str | int | float | None] = {"mean_confidence": confidence, "accuracy": correct / count}
    if deviation > 0:
        evidence["deviations"] = gap / deviation
    return [
        Finding(
            kind=word,
            severity="high" if abs(gap) > 0.1 else "medium",
            sentence=(
                f"The model is {word}: its mean confidence is {confidence:.1%}, but it is right on "
                f"{correct / count:.1%} of {count:,} {'example' if count == 1 else 'examples'}, a gap of "
                f"{abs(gap) * 100:.1f} points."
            ),
            count=count,
            interval=wilson(correct, count),
            page="accuracy",
            weight=min(abs(gap), 1.0),
            evidence=evidence,
        )
    ]


def class_findings(by_class: list[ClassAccuracy], count: int, correct: int, names: Sequence[str]) -> list[Finding]:
    """Classes far below the others, and classes that are never predicted.

    Args:
        by_class: in order of index.
        count: examples of all classes.
        correct: right answers among them.
        names: of the classes, as far as they are known.
    """
    findings = []
    for entry in by_class:
        others = count - entry.support
        recall, own = entry.recall, entry.recall_interval
        rest = wilson(correct - entry.true_positive, others)
        if recall is None or own is None or rest is None:
            continue
        name = _named(entry.index, names)
        share = (correct - entry.true_positive) / others
        never = entry.predicted == 0 and entry.support >= 5
        # Both are counts: Newcombe's interval of their difference, and Fisher's test of the two.
        gap = share - recall - math.hypot(share - rest.low, own.high - recall)
        if not never and gap <= CLASS_POINTS:
            continue
        tail = fisher(entry.true_positive, entry.support, correct, count)
        surely = gap > CLASS_POINTS and tail * len(by_class) < DISCOVERY
        if not never and not surely:
            continue
        findings.append(
            Finding(
                kind="never-predicted" if never else "weak-class",
                severity="high" if surely and recall < share / 2 else "medium",
                sentence=(
                    f"Of {count:,} examples with a label none is called {name}, though {entry.support:,} are of it."
                    if never
                    else f"{name} is recognised in {recall:.1%} of {entry.support:,} examples (95% interval "
                    f"{own.low:.1%} to {own.high:.1%}); the other classes in {share:.1%} of {others:,}."
                ),
                count=entry.support,
                interval=own,
                page="accuracy",
                weight=min(max(share - recall, 0.0), 1.0),
                evidence={"recall": recall, "others": share, "p_value": tail},
                selection={"true": str(entry.index)},
            )
        )
    return sorted(findings, key=lambda finding: -finding.weight)[:3]


def _named(index: int, names: Sequence[str]) -> str:
    """A class in a sentence: its name, and that it is a class where that is a number."""
    name = names[index] if index < len(names) else str(index)
    return f"class {name}" if name.isdecimal() else name


def slice_findings(slices: Sequence[SliceAccuracy], totals: Mapping[str, tuple[int, int]]) -> list[Finding]:
    """Slices that are answered worse than the rest of their column.

    Args:
        slices: of all columns.
        totals: column -> examples that have a value of it, and right answers among them.
    """
    findings = []
    for one in slices:
        others = totals[one.column][0] - one.count
        if one.adjusted < DISCOVERY and one.rest is not None and one.interval.high < one.rest - SLICE_POINTS:
            findings.append(
                Finding(
                    kind="weak-slice",
                    severity="high" if one.accuracy < one.rest / 2 else "medium",
                    sentence=(
                        f"Where {one.column} is {one.value}, {one.accuracy:.1%} of {one.count:,} examples are right (95% interval "
                        f"{one.interval.low:.1%} to {one.interval.high:.1%}); of the {others:,} others with another {one.column} "
                        f"{one.rest:.1%}."
                    ),
                    count=one.count,
                    interval=one.interval,
                    page="accuracy",
                    weight=min(one.rest - one.accuracy, 1.0),
                    evidence={"accuracy": one.accuracy, "others": one.rest, "adjusted": one.adjusted},
                    selection={f"column.{one.column}": one.value},
                )
            )
    return sorted(findings, key=lambda finding: -finding.weight)[:3]

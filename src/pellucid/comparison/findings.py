"""What a comparison found, as sentences: better or worse, what broke, where, and what size buys."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pellucid.measures.intervals import benjamini_hochberg, p_words, wilson
from pellucid.measures.slices import LEAST
from pellucid.measures.words import counted
from pellucid.record.schema import (
    ComparedModel,
    ComparedPair,
    Finding,
    GateResult,
    GroupDifference,
    Interval,
    MeasureDifference,
    Trend,
)

PAGE = "compare"
FALSE_ALARMS = 0.05
MOST_GROUPS = 3
MEASURES = {"training_steps": "steps", "training_seconds": "seconds"}


def findings_of(
    models: list[ComparedModel],
    pairs: list[ComparedPair],
    gates: list[GateResult],
    trends: list[Trend],
    target: float | None,
) -> list[Finding]:
    """All of them; with many models only the first pair speaks of its classes."""
    found = [_gate(gate) for gate in gates if gate.failed]
    for pair in pairs[:1]:
        old, new = models[pair.old].name, models[pair.new].name
        judged = pair.measures[0].difference is not None
        found += _accuracy(pair, old, new) if judged else _loss(pair, old, new)
        found += [*_flips(pair, old, new), *_others(pair.measures[1 if judged else 2 : 3], old, new)]
        found += _groups(pair, old, new)
    return found + _trends(trends, target)


def points(value: float, *, signed: bool = True) -> str:
    """A difference of shares: +1.2 points."""
    return f"{100 * value:{'+' if signed else ''}.1f} points"


def points_interval(interval: Interval) -> str:
    """Its interval: "95% interval +0.3 to +2.1"."""
    return f"{interval.level:.0%} interval {100 * interval.low:+.1f} to {100 * interval.high:+.1f}"


def _all(count: int) -> str:
    return "Of the one example" if count == 1 else f"Of the {count:,} examples"


def _gate(gate: GateResult) -> Finding:
    return Finding(
        kind="gate-failed", severity="high", sentence=gate.sentence, count=1, page=PAGE, weight=1.0,
        evidence={"value": gate.value, "limit": gate.limit},
    )  # fmt: skip


def _accuracy(pair: ComparedPair, old: str, new: str) -> Iterable[Finding]:
    one = pair.measures[0]
    if one.difference is None or one.interval is None or one.old is None or one.new is None:
        return
    kind, word = _outcome(one.interval.low, one.interval.high)
    yield Finding(
        kind=kind,
        severity="high" if kind == "worse" else "info",
        sentence=(
            f"{new} is {word} {old}: right on {one.new:.1%} instead of {one.old:.1%} of {counted(one.count, 'example')}, "
            f"{points(one.difference)} ({points_interval(one.interval)})."
        ),
        count=one.count,
        interval=one.interval,
        page=PAGE,
        weight=min(1.0, abs(one.difference)),
        evidence={"old": one.old, "new": one.new, "fixed": pair.fixed, "broken": pair.broken, "p_value": pair.p_value},
    )


def _loss(pair: ComparedPair, old: str, new: str) -> Iterable[Finding]:
    """Better or worse where the answers are neither right nor wrong."""
    one = pair.measures[1]
    if one.difference is None or one.interval is None or one.old is None or one.new is None:
        return
    kind, word = _outcome(-one.interval.high, -one.interval.low)
    yield Finding(
        kind=kind,
        severity="high" if kind == "worse" else "info",
        sentence=(
            f"{new} is {word} {old}: a mean loss of {one.new:.4g} instead of {one.old:.4g} {one.unit}".rstrip()
            + f" over {counted(one.count, 'example')}, {one.difference:+.3g} ({one.interval.level:.0%} interval "
            f"{one.interval.low:+.3g} to {one.interval.high:+.3g})."
        ),
        count=one.count,
        interval=one.interval,
        page=PAGE,
        weight=min(1.0, abs(one.difference)),
        evidence={"old": one.old, "new": one.new},
    )


def _outcome(low: float, high: float) -> tuple[str, str]:
    """Kind and words of an interval of what is better the higher it is."""
    if high < 0:
        return "worse", "worse than"
    return ("better", "better than") if low > 0 else ("no-difference", "not shown to differ from")


def _flips(pair: ComparedPair, old: str, new: str) -> Iterable[Finding]:
    if not pair.broken:
        return
    right, wrong = pair.broken + pair.both_right, pair.fixed + pair.both_wrong
    of_wrong = f"; of the {wrong:,} that {old} had not, it is right on {pair.fixed:,}" if wrong else ""
    yield Finding(
        kind="broken",
        severity="medium" if pair.broken > pair.fixed else "low",
        sentence=f"{_all(right)} that {old} had right, {new} is not right on {pair.broken:,}{of_wrong}.",
        count=right,
        interval=wilson(pair.broken, right),
        page=PAGE,
        weight=pair.broken / right,
        evidence={"fixed": pair.fixed, "broken": pair.broken},
        selection={f"column.{pair.flip}": "broken"},
    )


def _others(measures: list[MeasureDifference], old: str, new: str) -> Iterable[Finding]:
    """A loss or a calibration error that rose beyond doubt."""
    for one in measures:
        if (
            one.difference is None
            or one.interval is None
            or one.interval.low <= 0
            or one.old is None
            or one.new is None
        ):
            continue
        shown = (
            f"the mean loss rose from {one.old:.4g} to {one.new:.4g} {one.unit} (difference's {one.interval.level:.0%} interval "
            f"{one.interval.low:+.3g} to {one.interval.high:+.3g})"
            if one.measure == "loss"
            else f"the expected calibration error rose from {one.old:.1%} to {one.new:.1%} ({points_interval(one.interval)})"
        )
        yield Finding(
            kind=f"{one.measure}-rose",
            severity="medium",
            sentence=f"From {old} to {new} {shown}, over {counted(one.count, 'example')}.",
            count=one.count,
            interval=one.interval,
            page=PAGE,
            weight=min(1.0, abs(one.difference)),
            evidence={"old": one.old, "new": one.new},
        )


def _groups(pair: ComparedPair, old: str, new: str) -> Iterable[Finding]:
    """Groups in which more broke than can be chance, of the classes and of every column those with the largest fall.

    All that are tested are adjusted together: with many columns a group of one of them falls by chance in most comparisons.
    """
    families: list[tuple[str | None, str, list[GroupDifference]]] = [(None, "recall of", pair.by_class)]
    families += [(one.column, f"accuracy where {one.column} is", one.groups) for one in pair.by_slice]
    tested = [
        (column, what, one)
        for column, what, groups in families
        for one in groups
        if one.count >= LEAST and one.p_value is not None
    ]
    adjusted = benjamini_hochberg(np.array([one.p_value for *_, one in tested], np.float64))
    for column, what, _ in families:
        fell = [
            (one, float(q_value))
            for (of, _, one), q_value in zip(tested, adjusted, strict=True)
            if of == column and q_value < FALSE_ALARMS and one.difference is not None and one.difference < 0
        ]
        for one, q_value in sorted(fell, key=lambda found: found[0].difference or 0.0)[:MOST_GROUPS]:
            yield from _fell(one, q_value, len(tested), what, column, (old, new))


def _fell(
    one: GroupDifference, adjusted: float, tests: int, what: str, column: str | None, names: tuple[str, str]
) -> Iterable[Finding]:
    if one.difference is None or one.interval is None:
        return
    yield Finding(
        kind="fell-in-group",
        severity="high",
        sentence=(
            f"From {names[0]} to {names[1]} the {what} {one.group} fell by {points(-one.difference, signed=False)} "
            f"({points_interval(one.interval)}) over {counted(one.count, 'example')}: {one.broken:,} broke, {one.fixed:,} "
            f"{'was' if one.fixed == 1 else 'were'} fixed ({p_words(adjusted)} after correction for {counted(tests, 'group')})."
        ),
        count=one.count,
        interval=one.interval,
        page=PAGE,
        weight=min(1.0, -one.difference),
        evidence={"difference": one.difference, "p_value": one.p_value, "adjusted": adjusted},
        selection={"true": str(one.index)} if column is None else {f"column.{column}": one.group},
    )


def _trends(trends: list[Trend], target: float | None) -> list[Finding]:
    """What size buys, in one sentence: accuracy, and the steps and seconds to get there."""
    by_size = {trend.measure: trend for trend in trends if trend.factor == "parameters" and trend.interval is not None}
    accuracy = by_size.get("accuracy")
    if accuracy is None or accuracy.interval is None:
        return []
    parts = [f"{points(accuracy.slope)} of accuracy ({points_interval(accuracy.interval)})"]
    for measure, word in MEASURES.items():
        trend = by_size.get(measure)
        if trend is not None and trend.interval is not None and target is not None:
            low, high = 2**trend.interval.low, 2**trend.interval.high
            over = "" if trend.runs == accuracy.runs else f", over the {trend.runs} sizes that reached it"
            parts.append(f"{2**trend.slope:.2f} times the {word} to reach {target:.0%} ({low:.2f} to {high:.2f}{over})")
    return [
        Finding(
            kind="size",
            severity="info",
            sentence=(
                f"{_verdict(by_size)} Twice the parameters bring {', '.join(parts)}; slopes over {accuracy.runs} sizes, 95% "
                "intervals."
            ),
            count=accuracy.runs,
            interval=accuracy.interval,
            page=PAGE,
            weight=0.5,
            evidence={trend.measure: trend.slope for trend in by_size.values()},
        ),
        *_beside(trends),
    ]


def _verdict(by_size: dict[str, Trend]) -> str:
    """Are bigger networks more efficient here? By each of the things that efficiency can mean."""
    said = []
    for measure, good, word, bad in (
        ("accuracy", 1, "more accurate", "less accurate"),
        ("training_steps", -1, "faster to learn in steps", "slower to learn in steps"),
        ("training_seconds", -1, "faster to learn in seconds", "slower to learn in seconds"),
    ):
        trend = by_size.get(measure)
        if trend is None or trend.interval is None:
            continue
        ends = sorted((good * trend.interval.low, good * trend.interval.high))
        shown = ends[0] > 0 or ends[1] < 0
        said.append((bad if ends[1] < 0 else word, shown))
    sure = " and ".join(word for word, shown in said if shown)
    open_ = " or ".join(word for word, shown in said if not shown)
    words = [sure, open_ and f"not shown to be {open_}"]
    return f"Bigger networks are here {'; '.join(one for one in words if one)}."


def _beside(trends: list[Trend]) -> list[Finding]:
    """Of factors beside each other: what widening brings, what deepening, and what either does at equal size."""
    accuracy = [one for one in trends if one.measure == "accuracy" and one.others and one.interval is not None]
    beside = [one for one in accuracy if "parameters" not in one.others]
    equal = [one for one in accuracy if one.others == ["parameters"]]
    if not beside:
        return []
    parts = [
        f"{points(one.slope)} for twice the {one.factor} ({points_interval(one.interval)})"
        for one in beside
        if one.interval
    ]
    thin = [
        f" At equal parameters twice the {one.factor} brings {points(one.slope)} ({points_interval(one.interval)})."
        for one in equal[-1:]
        if one.interval
    ]
    return [
        Finding(
            kind="factors",
            severity="info",
            sentence=f"Of the accuracy, the others held fixed: {', '.join(parts)}; over {beside[0].runs} sizes.{''.join(thin)}",
            count=beside[0].runs,
            interval=beside[0].interval,
            page=PAGE,
            weight=0.4,
            evidence={one.factor: one.slope for one in beside},
        )
    ]

"""Rules that fail a comparison, in words: "accuracy drops by 1% at 95%"."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.comparison.pairs import (
    Pair,
    accuracy_difference,
    churn_difference,
    confidence_difference,
    ece_difference,
    loss_difference,
    sides_of,
    slices_of,
)
from pellucid.comparison.together import Together
from pellucid.errors import OptionError
from pellucid.measures.words import counted
from pellucid.record.schema import GateResult, MeasureDifference

GRAMMAR = (
    "METRIC [may] drops|rises [by AMOUNT[%| points]] [at LEVEL%], where METRIC is accuracy, loss, ece, confidence, churn, "
    "recall of CLASS, or accuracy where COLUMN is VALUE"
)
# In quotes, where any word may stand in it; else as short as the rest of the rule lets it be.
_NAME = r"""'[^']+'|"[^"]+"|.+?"""
_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?"
_RULE = re.compile(
    rf"""\s*
    (?:(?P<metric>accuracy|loss|ece|confidence|churn)(?:\s+where\s+(?P<column>{_NAME})\s+is\s+(?P<value>{_NAME}))?
       |recall\s+of\s+(?P<group>{_NAME}))
    \s+(?P<may>may\s+)?(?P<way>drops?|falls?|decreases?|rises?|grows?|increases?)
    (?:\s+by(?:\s+more\s+than)?\s+(?P<amount>{_NUMBER})(?:\s*(?P<percent>%)|\s+(?P<points>(?:percentage\s+)?points?))?)?
    (?:\s+at\s+(?P<level>\d+(?:\.\d*)?)\s*%)?\s*""",
    re.VERBOSE | re.IGNORECASE,
)

_MEANS = {"loss": "loss", "ece": "confidence", "confidence": "confidence"}
"""Metrics that are means of what both models have, and of what."""


@dataclass(frozen=True)
class Rule:
    """One rule as read.

    Attributes:
        metric: accuracy, loss, ece, confidence, churn or recall.
        group: the class of a recall, the value of a slice; "" for all.
        column: of a slice; "" else.
        falls: whether a fall fails it, else a rise.
        may: whether it fails already where the interval does not rule the change out.
        amount: the change that is too much; in the metric's unit, or in parts of the old loss where `relative`.
    """

    text: str
    metric: str
    group: str
    column: str
    falls: bool
    may: bool
    amount: float
    relative: bool
    level: float


def read_rule(text: str) -> Rule:
    """Reads a rule. Raises: OptionError: it does not fit the grammar, its level is no probability, or it can never fail."""
    found = _RULE.fullmatch(text)
    if found is None:
        raise OptionError(
            f"--fail-if takes {GRAMMAR}; got {text!r}. For example: --fail-if 'accuracy drops by 1% at 95%'"
        )
    level = float(found["level"] or 95) / 100
    if not 0.5 <= level < 1:
        raise OptionError(f"The level of --fail-if lies between 50% and 100%, like 95%; got {text!r}.")
    metric = (found["metric"] or "recall").lower()
    if found["column"] and metric != "accuracy":
        raise OptionError(
            f"--fail-if knows slices of the accuracy only ('accuracy where COLUMN is VALUE'); got {text!r}."
        )
    falls = found["way"].lower()[0] in "df"
    if metric == "churn" and falls:
        raise OptionError(
            f"Churn is the share of answers that changed; it can only rise, as in 'churn rises by 5% at 95%'; got {text!r}."
        )
    amount = float(found["amount"] or 0)
    percent = found["percent"] is not None or found["points"] is not None
    if found["points"] is not None and metric == "loss":
        raise OptionError(f"A loss has no points; say how much in its own unit, or in %; got {text!r}.")
    if percent:
        amount /= 100
    relative = percent and metric == "loss"
    _refuse_beyond(text, found["amount"] or "", amount, percent, share=metric != "loss" or (relative and falls))
    return Rule(
        text=text.strip(),
        metric=metric,
        group=_unquoted(found["group"] or found["value"] or ""),
        column=_unquoted(found["column"] or ""),
        falls=falls,
        may=found["may"] is not None,
        amount=amount,
        relative=relative,
        level=level,
    )


def _refuse_beyond(text: str, written: str, amount: float, percent: bool, *, share: bool) -> None:
    """Refuses a change that no share can make: a rule that never fails guards nothing."""
    if share and amount >= 1:
        hint = "" if percent or float(written) > 100 else f" Write {written}% for {written} points of a hundred."
        raise OptionError(
            f"--fail-if {text!r} can never fail: no share changes by more than {written}{'%' if percent else ''}, which is all of "
            f"it or more.{hint} For example: --fail-if 'accuracy drops by 1% at 95%'"
        )


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def judge(rule: Rule, pair: Pair, all_: Together, model: str, unit: str) -> GateResult:
    """Holds the relevant end of the interval against the rule.

    "drops by 1%" fails where the whole interval lies beyond: a fall of more than 1% is shown. "may drop by 1%" fails where
    any of it does: such a fall is not ruled out.

    Raises: OptionError: no such class, column or value, or the measure is not defined here.
    """
    found = _difference(rule, pair, all_, unit)
    if found.difference is None:
        raise OptionError(f"--fail-if {rule.text!r} cannot be judged: {found.why}.")
    _refuse_what_is_missing(rule, pair)
    if found.interval is None:
        raise OptionError(
            f"--fail-if {rule.text!r} cannot be judged: {found.why or 'one example, or the same in all, gives no interval'}."
        )
    if rule.relative and found.old is not None and found.old < 0:
        raise OptionError(
            f"--fail-if {rule.text!r} cannot be judged: the old mean loss is {found.old:.4g} {unit}".rstrip()
            + ", and a percentage of what may be negative is no amount. Say how much is too much in the loss's unit, as in "
            f"'loss {'drops' if rule.falls else 'rises'} by 0.01'."
        )
    sign = -1.0 if rule.falls else 1.0
    limit = rule.amount * (found.old or 0.0) if rule.relative else rule.amount
    ends = sorted((sign * found.interval.low, sign * found.interval.high))
    value = ends[1] if rule.may else ends[0]
    failed = value > limit
    change = "fall" if rule.falls else "rise"
    verdict = (
        ("is not ruled out" if rule.may else "is shown") if failed else ("is ruled out" if rule.may else "is not shown")
    )
    scale, word = (1.0, unit) if found.measure == "loss" else (100.0, "points")
    much = f" of more than {_counted(scale * limit, word)}" if limit else ""
    return GateResult(
        rule=rule.text,
        model=model,
        failed=failed,
        difference=found.difference,
        value=sign * value,
        limit=sign * limit,
        sentence=(
            f"{model}: {rule.text}: {'FAILED' if failed else 'passed'}. The difference is "
            f"{_counted(scale * found.difference, word, sign='+')} "
            f"({100 * rule.level:.4g}% interval {scale * found.interval.low:+.4g} to {scale * found.interval.high:+.4g}, "
            f"{counted(found.count, 'example')}): a {change}{much} {verdict}."
        ),
    )


def _counted(number: float, unit: str, sign: str = "") -> str:
    """A number with its unit: one point, two points."""
    shown = f"{number:{sign}.4g}"
    return f"{shown} {unit.removesuffix('s') if unit == 'points' and shown.lstrip('+-') == '1' else unit}".rstrip()


def _difference(rule: Rule, pair: Pair, all_: Together, unit: str) -> MeasureDifference:
    if rule.metric == "loss":
        return loss_difference(pair, unit, rule.level)
    if rule.metric == "ece":
        return ece_difference(pair, rule.level)
    if rule.metric == "confidence":
        return confidence_difference(pair, rule.level)
    if rule.metric == "churn":
        return churn_difference(pair, rule.level)
    return accuracy_difference(pair.of(_rows(rule, pair, all_)), rule.level)


def _refuse_what_is_missing(rule: Rule, pair: Pair) -> None:
    """Refuses a mean over what both have where one has more: what a model fails at would not count against it."""
    if rule.metric not in _MEANS:
        return
    _, only_old, only_new = sides_of(pair, rule.metric)
    if only_old or only_new:
        old, new = pair.names
        raise OptionError(
            f"--fail-if {rule.text!r} cannot be judged: {only_old:,} "
            f"{'example has' if only_old == 1 else 'examples have'} a {_MEANS[rule.metric]} by {old} alone and "
            f"{only_new:,} by {new} alone, and what a model gives none for would not count against it."
        )


def _rows(rule: Rule, pair: Pair, all_: Together) -> NDArray[np.bool_]:
    """Which examples the rule is about."""
    if rule.metric == "recall":
        if rule.group not in all_.classes:
            raise OptionError(f"--fail-if names the class {rule.group!r}. Classes: {_listed(all_.classes)}.")
        of_class: NDArray[np.bool_] = pair.labels == all_.classes.index(rule.group)
        return of_class
    if not rule.column:
        return np.ones(len(pair.labels), np.bool_)
    columns = {name: (values, codes) for name, values, codes in slices_of(all_)}
    if rule.column not in columns:
        raise OptionError(
            f"--fail-if names the column {rule.column!r}. Columns with few values: {_listed(list(columns)) or 'none'}."
        )
    values, codes = columns[rule.column]
    value = _value_of(rule.group, values)
    if value is None:
        raise OptionError(f"--fail-if names the value {rule.group!r} of {rule.column}. Values: {_listed(values)}.")
    of_value: NDArray[np.bool_] = codes == values.index(value)
    return of_value


def _value_of(text: str, values: list[str]) -> str | None:
    """The value that is written so, else the one that is the same number: 1.0 is 1."""
    if text in values:
        return text
    number = _number(text)
    return None if number is None else next((value for value in values if _number(value) == number), None)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _listed(names: list[str]) -> str:
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")

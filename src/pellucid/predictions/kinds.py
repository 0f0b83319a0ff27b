"""Told apart safely: are these rows probabilities, or logits? Where it is not beyond doubt, it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import DataError
from pellucid.predictions.rounding import MOST_OFF, SUM_TOLERANCE, is_rounding

Kind: TypeAlias = Literal["classes", "probabilities", "logits"]

# Logits of two or three classes may add up to one by chance, those of more do not.
_CHANCE_CLASSES = 3
_CHANCE = 1 / 200

# Beyond this, float32's range, squares of scores overflow, and sums of them are no numbers any more.
LARGEST = float(np.finfo(np.float32).max)

# Most rows of logits have a number that no probability is, and many a negative one; counts and percentages have none.
_OUTSIDE = 0.5
_NEGATIVE = 0.1


@dataclass
class _Rows:
    """How many rows are of a kind, and the first of them."""

    count: int = 0
    first: int = -1
    value: float = 0.0

    def add(self, chosen: NDArray[np.bool_], start: int, values: NDArray[np.floating]) -> None:
        found = np.flatnonzero(chosen)
        if len(found) and not self.count:
            self.first, self.value = start + int(found[0]), float(values[found[0]])
        self.count += len(found)


@dataclass
class ScoreCounts:
    """What the rows of scores look like, counted.

    Attributes:
        rows, nonfinite: all, and those without an answer, which count for no kind: with NaN or +infinity, or -infinity throughout.
            Elsewhere -infinity is the logit of a class that is ruled out, a negative number.
        like: between 0 and 1 with the sum one.
        unnormalised: between 0 and 1 with another sum; empty: those of them that are 0 throughout.
        negative, large: with a number below 0; with none, but one above 1.
        beyond: with a number that float32 does not reach.
        single: one number an example was saved, that of the second of two classes.
    """

    rows: int = 0
    classes: int = 0
    nonfinite: _Rows = field(default_factory=_Rows)
    like: _Rows = field(default_factory=_Rows)
    unnormalised: _Rows = field(default_factory=_Rows)
    empty: _Rows = field(default_factory=_Rows)
    negative: _Rows = field(default_factory=_Rows)
    large: _Rows = field(default_factory=_Rows)
    beyond: _Rows = field(default_factory=_Rows)
    single: bool = False

    def add(self, scores: NDArray[np.floating], start: int) -> None:
        """Counts a piece in: float[example class]."""
        self.rows += len(scores)
        if not scores.shape[1]:  # rows that are missing, of unknown length
            self.nonfinite.add(np.ones(len(scores), np.bool_), start, np.full(len(scores), np.nan))
            return
        self.classes = scores.shape[1]
        lowest, highest = scores.min(axis=1), scores.max(axis=1)
        finite = np.isfinite(highest) & ~np.isnan(lowest)
        self.nonfinite.add(~finite, start, lowest)
        with np.errstate(invalid="ignore", over="ignore"):
            negative = finite & (lowest < 0)
            large = finite & (lowest >= 0) & (highest > 1 + SUM_TOLERANCE)
            within = finite & ~negative & ~large
            sums = scores.sum(axis=1, dtype=np.float64)
            off = np.abs(sums - 1)
            like = within & (off <= SUM_TOLERANCE)
            near = np.flatnonzero(within & ~like & (off <= MOST_OFF))
        if len(near):
            like[near] = is_rounding(scores[near], off[near])
        self.like.add(like, start, sums)
        self.unnormalised.add(within & ~like, start, sums)
        self.empty.add(within & (highest == 0), start, sums)
        self.negative.add(negative, start, lowest)
        self.large.add(large, start, highest)
        beyond = finite & ((highest > LARGEST) | ((lowest < -LARGEST) & ~np.isinf(lowest)))
        self.beyond.add(beyond, start, np.where(highest > LARGEST, highest, lowest))

    @property
    def finite(self) -> int:
        """Rows with an answer."""
        return self.rows - self.nonfinite.count

    def kind(self, asked: Kind | None, source: str, *, singly: bool = False) -> Kind:
        """Which kind they are.

        Args:
            asked: what the caller says that they are.
            source: the table, for the error's words.
            singly: each class has a probability of its own (sigmoids), so that rows need not add up to one.

        Raises: DataError: it is not beyond doubt, or not what was asked for.
        """
        if not self.finite:
            raise DataError(f"None of the {self.rows:,} rows of {source} is finite: all hold NaN, infinity or nothing.")
        if self.beyond.count:
            raise DataError(
                f"{self.beyond.count:,} of {self.finite:,} rows of {source} have scores beyond {LARGEST:.3g}, row "
                f"{self.beyond.first:,} has {self.beyond.value:.3g}: no model's logits are so large, and nothing can be summed of "
                "them. Were they written in another type or byte order?"
            )
        if asked == "logits":
            return "logits"
        if asked == "probabilities":
            self._check_probabilities(source, singly=singly)
            return "probabilities"
        within = self.like.count + (self.unnormalised.count if singly else 0)
        if within == self.finite:
            return "probabilities"
        outside = self.negative.count + self.large.count
        # A row of a few logits may look like one of probabilities by chance; like sigmoids, much more easily.
        chance = self.finite * _CHANCE if self.classes <= _CHANCE_CLASSES else 0
        chance = self.finite if singly else chance
        if (
            self.like.count <= chance
            and outside >= _OUTSIDE * self.finite
            and self.negative.count >= _NEGATIVE * self.finite
        ):
            return "logits"
        raise DataError(
            f"{source} holds neither probabilities nor logits beyond doubt. {self.told()} Rows of probabilities lie between 0 "
            f"and 1{'' if singly else ' and add up to one'}, all of them; most rows of logits have a number outside, many a "
            f"negative one. Say which they are: --kind probabilities{'' if singly else ' (each row is divided by its sum)'} or "
            "--kind logits."
        )

    def _check_probabilities(self, source: str, *, singly: bool) -> None:
        if self.negative.count or self.large.count:
            raise DataError(
                f"{source} holds numbers that are no probabilities, though --kind says so. {self.told()} If they are logits, "
                "say --kind logits."
            )
        if self.empty.count and not singly:
            raise DataError(
                f"{self.empty.count:,} of {self.finite:,} rows of {source} are 0 throughout, row {self.empty.first:,} the first: "
                "no class has any probability, so that nothing was answered. Leave a row without an answer empty, or NaN."
            )

    def told(self) -> str:
        """The counts as a sentence, each with its first row."""
        told = [
            _told(self.like, "add up to one", ""),
            _told(self.unnormalised, "lie between 0 and 1 and do not add up to one", "adds up to"),
            _told(self.negative, "have negative numbers", "has"),
            _told(self.large, "have none, but a number above 1", "has"),
        ]
        return f"Of {self.finite:,} finite rows, {'; '.join(part for part in told if part)}."


def _told(rows: _Rows, words: str, verb: str) -> str:
    if not rows.count:
        return ""
    example = f"row {rows.first:,} {verb} {rows.value:.6g}" if verb else f"row {rows.first:,} is the first"
    return f"{rows.count:,} {words} ({example})"

"""How often the interval of the class-wise calibration error holds the model's own, by simulation.

Models of 2 to 100 classes give so many different answers, drawn again and again; `python -m support.simulated_class_wise 200` (from
`tests/`) prints the table of docs/accuracy.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pellucid.measures.calibration import BINS, bin_of
from pellucid.measures.calibration_classes import class_wise_interval
from support.simulated_calibration import Held, together

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Different answers of a model; every one is as frequent.
ANSWERS = 2000
CLASSES = (2, 3, 10, 100)
NUMBERS = (200, 1000, 10_000, 100_000)


def _half(logits: Floats) -> Floats:
    """Overconfident between the first half of the classes, at least two, else calibrated."""
    some = max(2, logits.shape[1] // 2)
    true: Floats = special.softmax(logits, axis=1)
    true[:, :some] = special.softmax(logits[:, :some] / 1.8, axis=1) * true[:, :some].sum(axis=1, keepdims=True)
    return true


def _heated(temperature: float) -> Callable[[Floats], Floats]:
    def heated(logits: Floats) -> Floats:
        found: Floats = special.softmax(logits / temperature, axis=1)
        return found

    return heated


# True probabilities of the classes from the logits.
TRUTHS: dict[str, Callable[[Floats], Floats]] = {
    "calibrated": _heated(1.0),
    "slightly overconfident": _heated(1.1),
    "badly overconfident": _heated(1.8),
    "underconfident": _heated(0.77),
    "half the classes badly overconfident": _half,
}


@dataclass(frozen=True)
class Answers:
    """A model's different answers.

    Attributes:
        probabilities, true: float64[answer class].
        places: int64[answer class], class x BINS + bin.
        ends: float64[answer x class], ascending: the answer plus its true probabilities, added up.
    """

    probabilities: Floats
    true: Floats
    places: Integers
    ends: Floats

    @property
    def classes(self) -> int:
        """How many."""
        return int(self.true.shape[1])

    @property
    def error(self) -> float:
        """The true class-wise error."""
        return float(np.abs(self._added(self.true - self.probabilities)).sum()) / self.true.size

    def _added(self, values: Floats) -> Floats:
        return np.bincount(self.places.ravel(), values.ravel(), self.classes * BINS).astype(np.float64)

    def drawn(self, random: np.random.Generator, number: int) -> tuple[Integers, Floats, Integers]:
        """The cells of so many examples: counts, sums of probabilities and examples of the class, [class bin]."""
        answers = random.integers(0, len(self.true), number)
        target = np.searchsorted(self.ends, answers + random.random(number)) - answers * self.classes
        times = np.bincount(answers, minlength=len(self.true))[:, None]
        counts = self._added(np.broadcast_to(times, self.true.shape).astype(np.float64))
        sums = self._added(times * self.probabilities)
        positives = np.bincount(self.places[answers, target], minlength=self.classes * BINS)
        shape = (self.classes, BINS)
        return counts.astype(np.int64).reshape(shape), sums.reshape(shape), positives.reshape(shape)


@cache
def answers_of(classes: int, truth: str, *, alike: bool = False) -> Answers:
    """A model's answers: probabilities as of independent logits, or of `alike` classes two by two."""
    random = np.random.default_rng(classes)
    logits = random.normal(0, 2.5 if classes < 50 else 3.5, (ANSWERS, classes))
    if alike:
        pair = np.repeat(random.normal(0, 6, (ANSWERS, classes // 2)), 2, axis=1)
        logits[:, : pair.shape[1]] += pair
    probabilities = special.softmax(logits, axis=1)
    ends = np.cumsum(TRUTHS[truth](logits), axis=1)
    ends = ends / ends[:, -1:]
    true = np.diff(ends, axis=1, prepend=0.0)
    places = bin_of(probabilities) + np.arange(classes) * BINS
    return Answers(probabilities, true, places, (ends + np.arange(ANSWERS)[:, None]).ravel())


def simulated(classes: int, truth: str, number: int, times: int, *, alike: bool = False) -> Held:
    """What became of so many simulated records of one model."""
    random = np.random.default_rng([classes, list(TRUTHS).index(truth), number, alike])
    of, held = answers_of(classes, truth, alike=alike), Held()
    for _ in range(times):
        held.add(of.error, class_wise_interval(*of.drawn(random, number), exclusive=True))
    return held


def rows(times: int) -> Iterator[str]:
    """Lines of the table, each as soon as it is known."""
    for classes in CLASSES:
        for truth in TRUTHS:
            cells = [
                together([simulated(classes, truth, number, times, alike=alike) for alike in (False, True)])
                for number in NUMBERS
            ]
            yield f"| {classes} | {truth} | {' | '.join(f'{one.share:.1%}' for one in cells)} |\n"


if __name__ == "__main__":
    for line in rows(int(sys.argv[1])):
        sys.stdout.write(line)
        sys.stdout.flush()

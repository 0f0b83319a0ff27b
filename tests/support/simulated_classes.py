"""How often the intervals of one number for all classes hold the truth, towards the end of their range too.

Models of 2, 3 and 10 classes, balanced and not, whose errors prefer one class: `python -m support.simulated_classes 600` (from
`tests/`) prints the last table of docs/accuracy.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import product

import numpy as np

from pellucid.measures.classification import STATISTICS, scores, tallies
from pellucid.measures.confusion import of_square

ACCURACIES = (0.5, 0.7, 0.9, 0.97, 0.99, 0.995)
COUNTS = (20, 50, 100, 300, 1000)
MODELS = tuple(product((2, 3, 10), (True, False)))
NAMES = tuple(name for name in STATISTICS if name != "balanced accuracy")


def shares(classes: int, accuracy: float, *, balanced: bool) -> np.ndarray:
    """float64[true class, predicted class]: each class six tenths of the one before where not balanced."""
    sizes = np.full(classes, 1.0) if balanced else 0.6 ** np.arange(classes)
    errors = 0.2 + 3 * np.roll(np.eye(classes), 1, axis=1)
    np.fill_diagonal(errors, 0)
    errors /= errors.sum(axis=1, keepdims=True)
    return (sizes / sizes.sum())[:, None] * (accuracy * np.eye(classes) + (1 - accuracy) * errors)


def truths(true: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    """What each number says of endless examples; a mean over classes is over those that were seen, as the number says."""
    places = np.indices(true.shape).reshape(2, -1)
    of = tallies(places[0], places[1], true.reshape(-1), len(true))
    found = {name: float(STATISTICS[name](of)) for name in NAMES}
    called = counts.sum(axis=0) > 0
    seen = called | (counts.sum(axis=1) > 0)
    found["macro precision"] = float((of.right / of.predicted)[called].mean())
    found["macro F1"] = float((2 * of.right / (of.support + of.predicted))[seen].mean())
    return found


def coverage(true: np.ndarray, number: int, times: int, seed: int = 0) -> dict[str, float]:
    """Share of the records of so many examples whose interval holds the truth, of those where the number is defined."""
    random = np.random.default_rng(seed)
    held, defined = dict.fromkeys(NAMES, 0), dict.fromkeys(NAMES, 0)
    for _ in range(times):
        counts = random.multinomial(number, true.reshape(-1)).reshape(true.shape)
        truth = truths(true, counts)
        for one in scores(of_square(counts)):
            if one.name not in truth or one.value is None:
                continue
            defined[one.name] += 1
            ends = one.interval
            held[one.name] += ends is not None and ends.low - 1e-12 <= truth[one.name] <= ends.high + 1e-12
    return {name: held[name] / max(defined[name], 1) for name in NAMES}


def lines(times: int) -> Iterator[str]:
    """Rows of the table: the mean over the models, and the lowest."""
    for accuracy, number in product(ACCURACIES, COUNTS):
        found = [
            coverage(shares(classes, accuracy, balanced=balanced), number, times, seed=place)
            for place, (classes, balanced) in enumerate(MODELS)
        ]
        cells = [[one[name] for one in found] for name in NAMES]
        told = " | ".join(f"{np.mean(cell):.1%} ({min(cell):.1%})" for cell in cells)
        yield f"| {accuracy:.1%} | {number:,} | {told} |\n"


if __name__ == "__main__":
    for row in lines(int(sys.argv[1])):
        sys.stdout.write(row)
        sys.stdout.flush()

"""Intervals of many cells by the delta method: against the bootstrap, and against derivatives taken by differences."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.measures import classification
from pellucid.measures.classification import STATISTICS, delta_means, delta_scores, scores, tallies
from pellucid.measures.confusion import SparseCounts


def cells_of(number: int = 4000, classes: int = 7) -> SparseCounts:
    generator = np.random.default_rng(0)
    targets = generator.integers(classes, size=number)
    called = np.where(generator.random(number) < 0.7, targets, generator.integers(classes, size=number) ** 2 % classes)
    return SparseCounts.of(targets, called)


@pytest.mark.parametrize(
    "name", ["macro precision", "weighted F1", "macro F1", "Cohen's kappa", "Matthews correlation"]
)
def test_the_deviation_is_that_of_derivatives_by_differences(name: str) -> None:
    cells = cells_of()
    total = float(cells.counts.sum())

    def value(counts: np.ndarray) -> float:
        return float(STATISTICS[name](tallies(cells.rows, cells.columns, counts, 7)))

    step = 1e-3
    influence = np.empty(len(cells.counts))
    for cell in range(len(cells.counts)):
        more, less = cells.counts.astype(np.float64), cells.counts.astype(np.float64)
        more[cell] += step
        less[cell] -= step
        influence[cell] = (value(more) - value(less)) / (2 * step) * total
    shares = cells.counts / total
    variance = (shares * influence**2).sum() - (shares * influence).sum() ** 2
    interval = {**delta_scores(cells, 7), **delta_means(cells, 7)}[name]
    assert interval is not None
    # Nearly normal with so many examples: half the width is 1.96 deviations, whatever the scale it was taken on.
    assert (interval.high - interval.low) / 2 == pytest.approx(1.959964 * np.sqrt(variance / total), rel=2e-3)


def test_many_cells_have_nearly_the_intervals_of_the_bootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = cells_of()
    drawn = {score.name: score for score in scores(cells, 7)}
    monkeypatch.setattr(classification, "MOST_CELLS", 10)
    for score in scores(cells, 7):
        other = drawn[score.name]
        assert score.value == other.value
        assert score.interval is not None
        assert other.interval is not None
        width = other.interval.high - other.interval.low
        assert score.interval.low == pytest.approx(other.interval.low, abs=0.12 * width), score.name
        assert score.interval.high == pytest.approx(other.interval.high, abs=0.12 * width), score.name

"""A 95% interval holds the truth 95 times in 100: simulated here, and in the table of docs/accuracy.md with more draws."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from pellucid.measures.class_intervals import mean_of_shares
from support.simulated import CASES, WORLDS, Curves, World, coverage

PAGE = (Path(__file__).parents[2] / "docs" / "accuracy.md").read_text(encoding="utf-8")
DOCUMENTED = {
    name: float(share) / 100 for name, share in re.findall(r"^\| ([^|]+) \| ([\d.]+)% \|$", PAGE, re.MULTILINE)
}
TIMES = 800


def test_every_documented_coverage_lies_near_95_percent() -> None:
    assert len(DOCUMENTED) == 15
    assert all(0.94 <= share <= 0.965 for share in DOCUMENTED.values()), DOCUMENTED


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.__name__)
def test_simulating_again_agrees_with_the_page(world: World) -> None:
    found = coverage(world, TIMES, seed=7)
    for name, share in found.items():
        # Four standard errors of the shorter simulation.
        assert share == pytest.approx(DOCUMENTED[name], abs=4 * np.sqrt(0.95 * 0.05 / TIMES)), name


def documented(case: Curves) -> tuple[float, float]:
    """Of the area and the average precision, in the row of a case."""
    row = f"| {case.count:,} | {case.share:.1%} | {case.shift:g} | {case.spread:g} | "
    area, precision = re.findall(r"([\d.]+)% \(", PAGE[PAGE.index(row) + len(row) :].partition("\n")[0])
    return float(area) / 100, float(precision) / 100


def test_every_hard_curve_is_on_the_page_and_held_by_at_least_92_percent() -> None:
    assert all(min(documented(case)) >= 0.92 for case in CASES)


@pytest.mark.parametrize("case", [CASES[4], CASES[5], CASES[9], CASES[10], CASES[11]], ids=str)
def test_simulating_hard_curves_again_agrees_with_the_page(case: Curves) -> None:
    """Few others, or the few spread further: intervals that know of neither held 74 to 95% of these."""
    found = coverage(case.world(), TIMES // 4, seed=7)
    for share, wanted in zip(found.values(), documented(case), strict=True):
        assert share == pytest.approx(wanted, abs=4 * np.sqrt(0.95 * 0.05 / (TIMES // 4)))


@pytest.mark.parametrize(("sizes", "recalls"), [([500, 8], [0.95, 0.7]), ([1, 2, 3] * 60, [0.9, 0.8, 1.0] * 60)])
def test_balanced_accuracy_holds_with_small_classes_of_either_kind(sizes: list[int], recalls: list[float]) -> None:
    """One small class among few, and very many of one to three examples: never below, at most 98 in 100."""
    support = np.array(sizes, float)

    def world(random: np.random.Generator):  # type: ignore[no-untyped-def]
        right = random.binomial(sizes, recalls).astype(float)
        return {"balanced": (float(np.mean(recalls)), mean_of_shares(right, support))}

    assert 0.94 <= coverage(world, TIMES)["balanced"] <= 0.98


def test_too_narrow_an_interval_is_noticed() -> None:
    """The simulation can fail: intervals of two thirds of the width hold the truth in about 80 of 100."""

    def narrow(random: np.random.Generator):  # type: ignore[no-untyped-def]
        from pellucid.measures.intervals import wilson

        share = random.uniform(0.5, 0.98)
        return {"narrow": (share, wilson(int(random.binomial(200, share)), 200, level=0.8))}

    assert coverage(narrow, TIMES)["narrow"] < 0.86

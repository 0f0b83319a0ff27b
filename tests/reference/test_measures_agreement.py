"""Error consistency against scikit-learn, scipy, leave-one-out by hand, closed forms, and simulated observers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from pellucid.measures.agreement import MISSING, Tallies, pair_kappa, tallies
from pellucid.measures.consistency import independent, influence_interval, mean_kappa, resampled

RIGHTS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=60)


def tallied(rights: NDArray[np.int64]) -> Tallies:
    """The tallies of the first two observers, as one condition."""
    found = tallies(rights)
    return Tallies(*(np.array([getattr(found, name)[0, 1]]) for name in ("count", "first", "second", "both")))


def observers(rng: np.random.Generator, abilities: list[float], images: int) -> NDArray[np.int64]:
    """Observers who find the same images hard: right where ability, the image's ease and chance together exceed 0."""
    ease = rng.normal(size=images)
    return ((np.array(abilities)[:, None] + ease + rng.normal(size=(len(abilities), images))) > 0).astype(np.int64)


def true_kappa(abilities: list[float]) -> float:
    """The mean kappa of such observers over all images that there could be, by quadrature over their ease."""
    ease, weight = np.polynomial.hermite_e.hermegauss(80)
    weight = weight / weight.sum()
    chance = stats.norm.cdf(np.array(abilities)[:, None] + ease)
    accuracy, both = chance @ weight, (chance * weight) @ chance.T
    whole = Tallies(np.ones_like(both), accuracy[:, None] + 0 * both, accuracy[None] + 0 * both, both)
    return float(whole.kappa[np.triu_indices(len(abilities), 1)].mean())


@settings(deadline=None)
@given(RIGHTS)
def test_kappa_is_that_of_scikit_learn_and_undefined_where_it_divides_by_zero(pairs: list[tuple[int, int]]) -> None:
    rights = np.array(pairs).T
    found = pair_kappa(tallied(rights), resample=False)
    if len(set(rights[0])) == 1 and set(rights[0]) == set(rights[1]):
        assert found.kappa is None
        assert "by chance alone" in found.why
        assert found.observed == 1
    else:
        assert found.kappa == pytest.approx(cohen_kappa_score(*rights), abs=1e-12)


def test_perfect_agreement_is_one_where_errors_can_differ_and_not_defined_where_they_cannot() -> None:
    assert pair_kappa(tallied(np.array([[1, 0, 1], [1, 0, 1]]))).kappa == 1
    everything = pair_kappa(tallied(np.ones((2, 9), np.int64)))
    assert everything.kappa is everything.interval is everything.null is everything.p_value is None
    assert everything.why == "both get every image right, and agree by chance alone"
    assert "wrong" in pair_kappa(tallied(np.zeros((2, 9), np.int64))).why
    assert pair_kappa(tallied(np.array([[1, MISSING], [MISSING, 1]]))).why == "no image was answered by both"


@settings(max_examples=40, deadline=None)
@given(RIGHTS)
def test_the_jackknife_is_that_of_leaving_each_image_out(pairs: list[tuple[int, int]]) -> None:
    rights = np.array(pairs).T
    one = tallied(rights)
    without = [tallied(np.delete(rights, image, 1)).kappa[0] for image in range(rights.shape[1]) if rights.shape[1] > 1]
    if not one.defined[0] or len(without) < 2 or not np.isfinite(without).all():
        return
    number = len(without)
    by_hand = (number - 1) / number * ((np.array(without) - np.mean(without)) ** 2).sum()
    assert float(one.variance()[0]) == pytest.approx(by_hand, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(RIGHTS)
def test_chance_is_fishers(pairs: list[tuple[int, int]]) -> None:
    rights = np.array(pairs).T
    found = pair_kappa(tallied(rights), resample=False)
    if found.null is None or found.kappa is None:
        return
    first, second, both = rights[0].sum(), rights[1].sum(), (rights[0] & rights[1]).sum()
    number = rights.shape[1]
    table = [[both, first - both], [second - both, number - first - second + both]]
    assert found.p_value == pytest.approx(stats.fisher_exact(table).pvalue, abs=1e-9)
    edges = stats.hypergeom(number, first, second).ppf([0.025, 0.975])
    ends = [Tallies(*np.array([[number], [first], [second], [edge]], np.float64)).kappa[0] for edge in edges]
    assert (found.null.low, found.null.high) == pytest.approx(ends, abs=1e-9)
    possible = [cohen_kappa_score(rights[0], one) for one in _orders(int(second), number, int(both))]
    assert found.least - 1e-12 <= found.kappa <= found.most + 1e-12
    assert all(found.least - 1e-9 <= one <= found.most + 1e-9 for one in possible if np.isfinite(one))


def _orders(right: int, number: int, seed: int) -> list[NDArray[np.int64]]:
    """Some ways in which the second could have been right as often."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(np.arange(number) < right).astype(np.int64) for _ in range(5)]


def test_what_images_add_to_the_mean_is_that_of_leaving_each_out() -> None:
    rng = np.random.default_rng(3)
    rights = observers(rng, [0.3, 0.6, 1.0, 0.2], 60)
    rights[rng.random(rights.shape) < 0.15] = MISSING
    one = np.zeros(60, np.int64)
    chosen = np.ones((4, 4), np.bool_)
    found = mean_kappa(rights, one, chosen)
    assert found.kappa is not None
    without = np.array([mean_kappa(np.delete(rights, image, 1), one[1:], chosen).kappa for image in range(60)], float)
    assert found.influence == pytest.approx((without.mean() - without) * math.sqrt(59 / 60), abs=1e-12)
    pairs = [
        cohen_kappa_score(
            rights[a][(rights[a] >= 0) & (rights[b] >= 0)], rights[b][(rights[a] >= 0) & (rights[b] >= 0)]
        )
        for a in range(4)
        for b in range(a + 1, 4)
    ]
    assert found.kappa == pytest.approx(np.mean(pairs), abs=1e-12)
    assert (found.low, found.high, found.pairs) == (pytest.approx(min(pairs)), pytest.approx(max(pairs)), 6)


def test_a_pair_of_the_mean_has_the_jackknife_of_the_pair() -> None:
    rights = observers(np.random.default_rng(5), [0.5, 0.7], 80)
    found = mean_kappa(rights, np.zeros(80, np.int64), np.ones((2, 2), np.bool_))
    assert float((found.influence**2).sum()) == pytest.approx(float(tallied(rights).variance()[0]), abs=1e-15)


def test_conditions_are_not_thrown_together() -> None:
    """All right under an easy condition, at random under a hard one: errors are independent, though they fall together."""
    rng = np.random.default_rng(0)
    hard, easy = rng.integers(0, 2, (2, 400)), (rng.random((2, 400)) < 0.95).astype(np.int64)
    rights, condition = np.concatenate([hard, easy], 1), np.repeat([0, 1], 400)
    together = mean_kappa(rights, np.zeros(800, np.int64), np.ones((2, 2), np.bool_))
    apart = mean_kappa(rights, condition, np.ones((2, 2), np.bool_))
    assert together.kappa is not None
    assert together.interval is not None
    assert together.interval.low > 0.1
    expected = [cohen_kappa_score(*hard), cohen_kappa_score(*easy)]
    assert apart.kappa == pytest.approx(np.mean(expected))
    strata = [tallied(hard), tallied(easy)]
    pair = pair_kappa(
        Tallies(
            *(np.concatenate([getattr(one, name) for one in strata]) for name in ("count", "first", "second", "both"))
        )
    )
    assert pair.kappa == pytest.approx(np.mean(expected))
    assert pair.null is not None
    assert pair.null.low < pair.kappa < pair.null.high
    assert pair.p_value is not None
    assert pair.p_value > 0.05
    # A condition under which both are always right has no kappa; the other one counts alone.
    sure = np.concatenate([hard, np.ones((2, 400), np.int64)], 1)
    assert mean_kappa(sure, condition, np.ones((2, 2), np.bool_)).kappa == pytest.approx(expected[0])


def test_cochran_mantel_haenszel_is_that_of_statsmodels_formula() -> None:
    rng = np.random.default_rng(8)
    parts = [observers(rng, [0.1, 0.9], 70), observers(rng, [1.0, 0.3], 90)]
    strata = [tallied(one) for one in parts]
    pair = pair_kappa(
        Tallies(
            *(np.concatenate([getattr(one, name) for one in strata]) for name in ("count", "first", "second", "both"))
        )
    )
    surplus = spread = 0.0
    for one in parts:
        law = stats.hypergeom(one.shape[1], one[0].sum(), one[1].sum())
        surplus += (one[0] & one[1]).sum() - law.mean()
        spread += law.var()
    assert pair.p_value == pytest.approx(stats.chi2(1).sf(surplus**2 / spread), rel=1e-9)


@pytest.mark.parametrize("abilities", [[0.5, 0.7], [0.2, 0.6, 1.0, 1.2]])
def test_intervals_hold_the_truth_in_95_of_100_draws(abilities: list[float]) -> None:
    rng, truth, draws = np.random.default_rng(11), true_kappa(abilities), 1500
    chosen = np.ones((len(abilities),) * 2, np.bool_)
    held = 0
    for _ in range(draws):
        rights = observers(rng, abilities, 160)
        interval = (
            pair_kappa(tallied(rights), resample=False).interval
            if len(abilities) == 2
            else mean_kappa(rights, np.zeros(160, np.int64), chosen).interval
        )
        assert interval is not None
        held += interval.low <= truth <= interval.high
    assert 0.94 <= held / draws <= 0.965


def test_resampling_and_shuffling_agree_with_the_closed_forms() -> None:
    rng = np.random.default_rng(2)
    rights, one = observers(rng, [0.3, 0.6, 1.0, 0.2], 160), np.zeros(160, np.int64)
    chosen = np.ones((4, 4), np.bool_)
    found = mean_kappa(rights, one, chosen)
    drawn, band = resampled(rights, one, chosen, found), independent(rights, one, chosen)
    assert found.interval is not None
    assert drawn is not None
    assert band is not None
    assert drawn.high - drawn.low == pytest.approx(found.interval.high - found.interval.low, rel=0.15)
    assert band.low < 0 < band.high < drawn.low
    # Of independent pairs the mean varies as the mean of so many kappas, each of variance 1 / images.
    assert band.high == pytest.approx(1.96 / math.sqrt(160 * 6), rel=0.2)
    assert resampled(rights, one, chosen, found) == drawn


def test_a_skewed_interval_is_halls() -> None:
    """Both ends are where Hall's cubic of the studentised mean is Student's quantile."""
    skewed = np.random.default_rng(0).exponential(size=50)
    skewed = (skewed - skewed.mean()) / 400
    interval = influence_interval(0.3, skewed, 50)
    assert interval is not None
    deviation = math.sqrt(float((skewed**2).sum()))
    skew = float((skewed**3).sum()) / deviation**3
    for end, quantile in ((interval.low, stats.t(49).ppf(0.975)), (interval.high, stats.t(49).ppf(0.025))):
        t = (0.3 - end) / deviation
        assert t + skew * t**2 / 3 + skew**2 * t**3 / 27 + skew / 6 == pytest.approx(quantile)
    assert interval.high - 0.3 > 0.3 - interval.low, "the mean of what is skewed upwards is rather too low"


def test_a_skewless_interval_is_students_and_nothing_comes_of_nothing() -> None:
    even = np.repeat([0.01, -0.01], 20)
    interval = influence_interval(0.3, even, 40)
    assert interval is not None
    half = stats.t(39).ppf(0.975) * math.sqrt(float((even**2).sum()))
    assert (interval.low, interval.high) == pytest.approx((0.3 - half, 0.3 + half))
    assert influence_interval(0.3, np.zeros(40), 40) is None
    nobody = mean_kappa(np.zeros((1, 5), np.int64), np.zeros(5, np.int64), np.ones((1, 1), np.bool_))
    assert (nobody.kappa, nobody.pairs, nobody.interval) == (None, 0, None)

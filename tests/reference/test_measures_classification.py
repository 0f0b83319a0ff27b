"""Numbers that tell classes apart, against closed forms, scikit-learn and PyCM; intervals against their definitions."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from sklearn import metrics

from pellucid.lenses import LensContext
from pellucid.lenses.accuracy import AccuracyLens
from pellucid.measures import classification as measured
from pellucid.measures.bootstrap import bootstrap, replicates_for
from pellucid.measures.confusion import SparseCounts
from pellucid.measures.intervals import benjamini_hochberg, f1_interval, mover, newcombe_auc, wilson
from pellucid.measures.ranking import mean_reciprocal_rank, rank_counts, top_k
from pellucid.types import Batch, Observation

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import pycm


def answers(classes: int = 5, count: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    true = random.integers(0, classes, count) % random.integers(1, classes + 1, count)
    predicted = np.where(random.random(count) < 0.6, true, random.integers(0, classes, count))
    return true, predicted


def tallied(true: np.ndarray, predicted: np.ndarray, classes: int) -> measured.Tallies:
    cells = SparseCounts.of(true, predicted)
    return measured.tallies(cells.rows, cells.columns, cells.counts.astype(float), classes)


@pytest.mark.parametrize("seed", range(4))
def test_scikit_learn_and_pycm_give_the_same_numbers(seed: int) -> None:
    true, predicted = answers(seed=seed)
    of = tallied(true, predicted, 5)
    assert measured.mcc(of) == pytest.approx(metrics.matthews_corrcoef(true, predicted), abs=1e-12)
    assert measured.kappa(of) == pytest.approx(metrics.cohen_kappa_score(true, predicted), abs=1e-12)
    assert measured.balanced_accuracy(of) == pytest.approx(metrics.balanced_accuracy_score(true, predicted), abs=1e-12)
    assert measured.macro_precision(of) == pytest.approx(
        metrics.precision_score(true, predicted, average="macro"), abs=1e-12
    )
    assert measured.weighted_f1(of) == pytest.approx(metrics.f1_score(true, predicted, average="weighted"), abs=1e-12)
    for beta in (0.5, 1.0, 2.0):
        np.testing.assert_allclose(
            measured.f_beta(of, beta), metrics.fbeta_score(true, predicted, beta=beta, average=None), atol=1e-12
        )
    peer = pycm.ConfusionMatrix(true, predicted)
    assert measured.kappa(of) == pytest.approx(peer.Kappa, abs=1e-9)
    assert measured.mcc(of) == pytest.approx(peer.Overall_MCC, abs=1e-9)
    assert measured.macro_f1(of) == pytest.approx(peer.F1_Macro, abs=1e-9)


def test_closed_forms_of_a_two_by_two_table() -> None:
    # 40 right of class 0, 10 of class 0 called 1, 20 of class 1 called 0, 30 right of class 1.
    cells = SparseCounts(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.array([40, 10, 20, 30]))
    of = measured.tallies(cells.rows, cells.columns, cells.counts.astype(float), 2)
    assert measured.balanced_accuracy(of) == pytest.approx((40 / 50 + 30 / 50) / 2)
    assert measured.mcc(of) == pytest.approx((40 * 30 - 10 * 20) / np.sqrt(50 * 60 * 50 * 40))
    assert measured.kappa(of) == pytest.approx((0.7 - 0.5) / 0.5)
    assert measured.macro_f1(of) == pytest.approx((80 / 110 + 60 / 90) / 2)


def test_what_is_not_defined_says_so_where_scikit_learn_says_zero() -> None:
    """One class only: chance alone agrees always, and a constant has no correlation."""
    same = np.zeros(30, np.int64)
    with pytest.warns(UserWarning, match="single label"):
        assert metrics.matthews_corrcoef(same, same) == 0.0
    listed = {one.name: one for one in measured.scores(SparseCounts.of(same, same))}
    for name in ("Matthews correlation", "Cohen's kappa"):
        assert listed[name].value is None
        assert listed[name].interval is None
        assert "one class" in listed[name].why
    assert listed["balanced accuracy"].value == 1.0
    assert all(one.value is None and one.why and one.count == 0 for one in measured.scores(SparseCounts()))


@pytest.mark.parametrize("swapped", [False, True], ids=["targets", "predictions"])
def test_kappa_is_not_defined_where_it_is_zero_by_construction(swapped: bool) -> None:
    """One class on either side: agreement is then what chance gives, whatever the model does."""
    pairs = np.zeros(20, np.int64), np.arange(20) % 3
    cells = SparseCounts.of(*(pairs[::-1] if swapped else pairs))
    listed = {one.name: one for one in measured.scores(cells)}
    assert metrics.cohen_kappa_score(*pairs) == pytest.approx(0.0, abs=1e-12)
    for name in ("Matthews correlation", "Cohen's kappa"):
        assert listed[name].value is None
        assert listed[name].why == "the targets or the predictions are all of one class"


def test_classes_that_never_occur_are_left_out_of_means() -> None:
    of = tallied(np.array([0, 0, 1]), np.array([0, 1, 1]), 4)
    assert measured.balanced_accuracy(of) == pytest.approx(0.75)
    assert measured.macro_precision(of) == pytest.approx(0.75)
    assert np.isnan(measured.f_beta(of)[2:]).all()
    assert measured.macro_f1(of) == pytest.approx(2 / 3)


def test_many_draws_are_each_tallied_as_if_alone() -> None:
    cells = SparseCounts.of(*answers())
    drawn = np.random.default_rng(1).poisson(cells.counts, (7, len(cells.counts))).astype(float)
    together = measured.tallies(cells.rows, cells.columns, drawn, 5)
    for place, counts in enumerate(drawn):
        alone = measured.tallies(cells.rows, cells.columns, counts, 5)
        for name in ("right", "support", "predicted"):
            np.testing.assert_array_equal(getattr(together, name)[place], getattr(alone, name))


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60), st.permutations(range(4)))
def test_names_of_classes_change_nothing(pairs: list[tuple[int, int]], names: list[int]) -> None:
    true, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    one = tallied(true, predicted, 4)
    other = tallied(np.array(names)[true], np.array(names)[predicted], 4)
    for statistic in measured.STATISTICS.values():
        np.testing.assert_allclose(statistic(one), statistic(other), atol=1e-12)
    assert not measured.mcc(one) > 1 + 1e-12
    assert not measured.kappa(one) > 1 + 1e-12


def test_every_k_counts_the_targets_among_the_first() -> None:
    random = np.random.default_rng(3)
    logits, true = random.normal(size=(300, 8)), random.integers(0, 8, 300)
    ranks = (logits > logits[np.arange(300), true][:, None]).sum(axis=1)
    counts = rank_counts(np.append(ranks, [-1, -1]), 8)
    for k in range(1, 9):
        found = top_k(counts, k)
        assert found is not None
        if k < 8:
            assert found.accuracy == pytest.approx(metrics.top_k_accuracy_score(true, logits, k=k, labels=range(8)))
        assert found.interval == wilson(found.correct, 300)
    assert top_k(counts, 8).correct == 300  # type: ignore[union-attr]
    assert mean_reciprocal_rank(counts) == pytest.approx(
        metrics.label_ranking_average_precision_score(np.eye(8)[true], logits)
    )
    assert top_k(np.zeros(0, np.int64), 1) is None
    assert mean_reciprocal_rank(np.zeros(3, np.int64)) is None


def test_the_interval_of_f1_is_wilsons_of_the_share_it_is_a_function_of() -> None:
    assert f1_interval(0, 0, 0) is None
    found = f1_interval(30, 40, 50)
    low, high = stats.binomtest(30, 60).proportion_ci(method="wilson")
    assert found is not None
    assert (found.low, found.high) == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)), abs=1e-12)
    assert found.low < 2 * 30 / 90 < found.high


def test_mover_of_one_quantity_is_its_own_interval_and_of_many_shrinks() -> None:
    low, high = wilson(8, 10).low, wilson(8, 10).high  # type: ignore[union-attr]
    one = mover(np.array([0.8]), np.array([low]), np.array([high]))
    assert (one.low, one.high) == pytest.approx((low, high))  # type: ignore[union-attr]
    many = mover(np.full(25, 0.8), np.full(25, low), np.full(25, high))
    assert (many.low, many.high) == pytest.approx((0.8 - (0.8 - low) / 5, 0.8 + (high - 0.8) / 5))  # type: ignore[union-attr]
    assert mover(np.zeros(0), np.zeros(0), np.zeros(0)) is None


@pytest.mark.parametrize(("area", "positives", "negatives"), [(0.9, 20, 50), (0.5, 30, 30), (0.02, 7, 200)])
def test_newcombes_interval_solves_its_equation(area: float, positives: int, negatives: int) -> None:
    found = newcombe_auc(area, positives, negatives)
    assert found is not None

    def misses(candidate: float) -> float:
        extra = (positives + negatives) / 2 - 1
        spread = 1 + extra * (1 - candidate) / (2 - candidate) + extra * candidate / (1 + candidate)
        deviation = np.sqrt(candidate * (1 - candidate) * spread / positives / negatives)
        return float(abs(candidate - area) - stats.norm.ppf(0.975) * deviation)

    assert found.low == pytest.approx(optimize.brentq(misses, 1e-12, area), abs=1e-9)
    assert found.high == pytest.approx(optimize.brentq(misses, area, 1 - 1e-12), abs=1e-9)


def test_an_area_of_one_still_has_a_width() -> None:
    found = newcombe_auc(1.0, 10, 10)
    assert found is not None
    assert found.high == 1.0
    assert 0.6 < found.low < 0.95
    assert newcombe_auc(1.0, 0, 10) is None


def test_benjamini_and_hochberg_is_scipys() -> None:
    p_values = np.random.default_rng(5).random(40) ** 3
    np.testing.assert_allclose(benjamini_hochberg(p_values), stats.false_discovery_control(p_values), atol=1e-15)


def mean_of_cells(values: np.ndarray):  # type: ignore[no-untyped-def]
    return lambda counts: ((counts * values).sum(axis=1) / counts.sum(axis=1))[:, None]


def test_drawing_counts_is_drawing_examples() -> None:
    """A mean of few distinct values: the interval of scipy's bootstrap over the examples themselves."""
    values, counts = np.array([0.0, 1.0, 5.0]), np.array([50, 30, 20])
    (found,) = bootstrap(counts, mean_of_cells(values), seed=1, replicates=4000)
    peer = stats.bootstrap((np.repeat(values, counts),), np.mean, n_resamples=4000, rng=2, method="BCa")
    assert found is not None
    assert (found.low, found.high) == pytest.approx(tuple(peer.confidence_interval), abs=0.04)
    assert found.method == "bootstrap"


def test_a_bootstrap_repeats_itself_and_knows_what_is_not_defined() -> None:
    cells = SparseCounts.of(*answers(count=80))

    def of(counts: np.ndarray) -> np.ndarray:
        return measured.kappa(measured.tallies(cells.rows, cells.columns, counts, 5))[:, None]

    assert bootstrap(cells.counts, of, seed=4) == bootstrap(cells.counts, of, seed=4)
    assert bootstrap(cells.counts, of, seed=4) != bootstrap(cells.counts, of, seed=5)
    assert bootstrap(np.array([9]), lambda counts: np.full((len(counts), 1), np.nan)) == [None]
    (point,) = bootstrap(np.array([9]), lambda counts: np.ones((len(counts), 1)))
    assert (point.low, point.high) == (1.0, 1.0)  # type: ignore[union-attr]


def test_more_cells_take_fewer_draws() -> None:
    assert [replicates_for(cells) for cells in (1, 40_000, 80_000, 10**7)] == [1000, 1000, 500, 200]


def test_a_biased_and_skewed_statistic_gets_scipys_corrected_interval() -> None:
    """The spread of a few examples: what is drawn is too small on average, which percentiles alone would keep."""
    values, counts = np.array([0.0, 1.0, 4.0, 30.0]), np.array([14, 8, 5, 3])

    def spread(drawn: np.ndarray) -> np.ndarray:
        share = drawn / drawn.sum(axis=1, keepdims=True)
        return np.sqrt((share * values**2).sum(axis=1) - (share * values).sum(axis=1) ** 2)[:, None]

    (found,) = bootstrap(counts, spread, seed=1, replicates=20_000)
    examples = np.repeat(values, counts)
    peer, plain = (
        stats.bootstrap((examples,), np.std, n_resamples=20_000, rng=2, method=method).confidence_interval
        for method in ("BCa", "percentile")
    )
    assert abs(plain.low - peer.low) > 1
    assert found is not None
    assert (found.low, found.high) == pytest.approx((peer.low, peer.high), abs=0.04)


def test_ranks_that_are_not_known_leave_the_first_place_alone_defined() -> None:
    """Saved classes only: the rank is 0 where right and -1 where wrong, which must not read as always among the first."""
    target, prediction = np.array([0, 1, 2, 2, 1]), np.array([0, 1, 1, 0, 1])
    columns = {
        "target": target,
        "prediction": prediction,
        "rank": np.where(target == prediction, 0, -1),
        "confidence": np.full(5, np.nan),
    }
    lens = AccuracyLens(LensContext(("a", "b", "c")))
    batch = Batch(0, tuple("vwxyz"), None)  # type: ignore[arg-type]
    lens.observe(Observation("sweep", batch=batch, outputs=np.full((5, 3), np.nan), columns=columns))  # type: ignore[arg-type]
    panel = lens.report()
    assert [(one.k, one.accuracy) for one in panel.top_k] == [(1, 0.6)]
    assert panel.ranks == []
    assert panel.ece is None
    assert panel.without_probabilities == 5
    assert all(one.value is None and "saved" in one.why for one in panel.areas)

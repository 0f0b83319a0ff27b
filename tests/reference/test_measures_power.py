"""Power: its moments against scipy's bivariate normal and against the measured kappa, its answers against simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pellucid.errors import OptionError
from pellucid.measures import power
from pellucid.measures.agreement import tallies

QUESTIONS = [
    power.Plan("accuracy", -0.08, people_accuracy=0.8),
    power.Plan("kappa", 0.15, people_accuracy=0.7, model_accuracy=0.75, kappa=0.1),
    power.Plan("chance", 0.12, people_accuracy=0.75, model_accuracy=0.65, people_kappa=0.5),
]


def observers(plan: power.Plan, images: int, people: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    difficulty = generator.standard_normal(images)
    shares = [plan.people.right(difficulty)] * people + [model.right(difficulty) for model in plan.models]
    return np.stack([generator.random(images) < share for share in shares]).astype(np.int8)


@pytest.mark.parametrize("plan", QUESTIONS, ids=lambda plan: plan.question)
def test_observers_have_the_accuracies_and_kappas_that_are_asked_for(plan: power.Plan) -> None:
    right = observers(plan, 200_000, 2)
    np.testing.assert_allclose(right[:2].mean(1), plan.people_accuracy, atol=0.004)
    np.testing.assert_allclose(right[2:].mean(1), plan.model_accuracy, atol=0.004)
    kappas = tallies(right).kappa
    assert kappas[0, 1] == pytest.approx(plan.people_kappa, abs=0.01)
    wanted = {"accuracy": [0.2], "kappa": [0.1, 0.25], "chance": [0.12]}[plan.question]
    np.testing.assert_allclose(kappas[0, 2:], wanted, atol=0.01)


@pytest.mark.parametrize("plan", QUESTIONS, ids=lambda plan: plan.question)
def test_kappa_of_two_observers_is_that_of_scipys_bivariate_normal(plan: power.Plan) -> None:
    for model in plan.models:
        a, b = plan.people.accuracy, model.accuracy
        correlation = plan.people.loading * model.loading
        both = stats.multivariate_normal(cov=[[1, correlation], [correlation, 1]]).cdf(
            [stats.norm.ppf(a), stats.norm.ppf(b)]
        )
        expected = a * b + (1 - a) * (1 - b)
        kappa = (1 - a - b + 2 * both - expected) / (1 - expected)
        assert power.kappa_between(plan.people, model) == pytest.approx(kappa, abs=1e-5)


@settings(max_examples=15, deadline=None)
@given(people=st.integers(1, 20), accuracy=st.floats(0.3, 0.9), difference=st.sampled_from([-0.2, 0.05]))
def test_without_shared_difficulty_the_variance_is_binomial(people: int, accuracy: float, difference: float) -> None:
    plan = power.Plan("accuracy", difference, people_accuracy=accuracy, people_kappa=0, kappa=0)
    model = accuracy + difference
    expected = model * (1 - model) + accuracy * (1 - accuracy) / people
    assert power.variance(plan, people) == pytest.approx(expected, rel=1e-9)
    # The power is then that of the textbook's z test.
    shift = abs(difference) / math.sqrt(expected / 200)
    textbook = stats.norm.sf(1.959963984540054 - shift) + stats.norm.cdf(-1.959963984540054 - shift)
    assert power.power(plan, 200, people) == pytest.approx(textbook, abs=1e-9)


def test_the_variance_of_one_kappa_is_that_of_the_jackknife() -> None:
    plan = QUESTIONS[2]
    measured = tallies(observers(plan, 200_000, 1))
    assert power.variance(plan, 1) == pytest.approx(measured.variance()[0, 1] * 200_000, rel=0.03)


@pytest.mark.parametrize("plan", QUESTIONS, ids=lambda plan: plan.question)
@pytest.mark.parametrize(("images", "people"), [(300, 1), (300, 8)])
def test_formula_and_simulation_agree(plan: power.Plan, images: int, people: int) -> None:
    share, interval = power.simulate(plan, images, people, draws=800, seed=5)
    assert interval is not None
    # Three standard errors of 800 draws, and one in a hundred for the normal approximation.
    assert share == pytest.approx(power.power(plan, images, people), abs=3 * math.sqrt(0.25 / 800) + 0.01)


@pytest.mark.parametrize("plan", QUESTIONS, ids=lambda plan: plan.question)
def test_the_images_needed_are_the_fewest_that_do_and_more_people_need_no_more(plan: power.Plan) -> None:
    needed = [power.images_needed(plan, people) for people in (1, 3, 10)]
    assert needed == sorted(needed, reverse=True)
    for people, images in zip((1, 3, 10), needed, strict=True):
        assert power.power(plan, images, people) >= 0.8 > power.power(plan, images - 1, people)
    assert power.images_needed(plan, 3, 0.95) > needed[1]


def test_a_test_of_nothing_finds_something_as_often_as_its_level_says() -> None:
    # Both models have one kappa: a difference of next to nothing.
    plan = power.Plan("kappa", 1e-9, kappa=0.2)
    share, _ = power.simulate(plan, 400, 5, draws=1000, seed=1)
    assert share == pytest.approx(0.05, abs=0.02)
    assert power.power(plan, 400, 5) == pytest.approx(0.05, abs=1e-6)


def test_what_cannot_be_is_refused_with_what_can() -> None:
    for said, make in (
        ("kappa with people lies between", lambda: power.Plan("kappa", 0.7, kappa=0.2)),
        ("difference of 0", lambda: power.Plan("chance", 0)),
        ("model's accuracy must lie", lambda: power.Plan("accuracy", 0.3, people_accuracy=0.8)),
        ("people's accuracy must lie", lambda: power.Plan("chance", 0.1, people_accuracy=1)),
        ("kappa among people", lambda: power.Plan("chance", 0.1, people_kappa=-0.1)),
        ("level of the test", lambda: power.Plan("chance", 0.1, level=0)),
        ("power must lie", lambda: power.images_needed(QUESTIONS[0], 1, 1.0)),
        ("more than 10,000,000", lambda: power.images_needed(power.Plan("chance", 1e-5), 1)),
    ):
        with pytest.raises(OptionError, match=said):
            make()

"""The pieces of evidence of a fit, and the words of a verdict that is made of them."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest
import torch
from torch import nn

from pellucid.fitting.labels import by_answers, by_order, moved, places
from pellucid.fitting.variants import strangeness
from pellucid.fitting.verdict import Evidence, verdict_of
from pellucid.measures.intervals import newcombe_auc, wilson
from pellucid.record.schema import InputVariant, Interval, LabelPlace, ProbeAccuracy, ScoreDistribution


def test_strangeness_is_the_divergence_of_two_normal_distributions() -> None:
    norm = nn.BatchNorm2d(3).eval()
    norm.running_mean = torch.tensor([0.0, 1.0, -2.0])
    norm.running_var = torch.tensor([1.0, 4.0, 0.25])
    holder = nn.Sequential(norm)
    mean, variance, count = torch.tensor([0.5, 1.0, 0.0]), torch.tensor([1.0, 1.0, 1.0]), 40.0
    sums = [(mean * count).double(), ((variance + mean**2) * count).double(), torch.tensor(count, dtype=torch.float64)]
    ones, zeros = norm.running_var.double() + norm.eps, norm.running_mean.double()
    arrived = torch.distributions.Normal(mean.double(), (variance.double() + norm.eps).sqrt())
    known = torch.distributions.Normal(zeros, ones.sqrt())
    expected = float(torch.distributions.kl_divergence(arrived, known).median())
    assert strangeness(holder, {"0": sums}) == pytest.approx(expected, rel=1e-5)
    assert strangeness(holder, {}) is None


def test_names_are_found_exactly_by_synonym_and_by_number() -> None:
    targets = np.array([0, 0, 1, 2, -1])
    found = places(("Tabby", "car", "dog"), ("tabby, tabby cat", "dog"), 2, targets)
    assert [(place.index, place.how, place.examples) for place in found] == [
        (0, "synonym", 2),
        (None, "none", 1),
        (1, "name", 1),
    ]
    assert moved(targets, found).tolist() == [0, 0, -1, 1, -1]
    assert [place.how for place in places(None, None, 3, targets)] == ["order"] * 3
    assert [place.how for place in places(None, None, 10, targets)] == ["unknown"] * 3
    assert places(None, None, 10, np.array([-1])) == []


def test_names_that_stand_twice_are_told_apart_by_their_order() -> None:
    """ImageNet has two cranes and two maillots."""
    model = ("crane", "dog", "crane", "pot, flowerpot", "pot")
    assert [place.index for place in places(model, model, 5, np.arange(5))] == [0, 1, 2, 3, 4]
    assert [place.index for place in places(("Crane", "flowerpot", "pot"), model, 5, np.arange(3))] == [0, 3, 4]


def test_numbers_alone_are_the_model_s_where_its_answers_agree() -> None:
    targets = np.repeat([0, 1, 2], 20)
    unnamed = places(None, None, 10, targets)
    assert [place.index for place in by_order(unnamed, 10, targets, targets)] == [0, 1, 2]
    shifted = by_order(unnamed, 10, targets, (targets + 3) % 10)
    assert [place.how for place in shifted] == ["unknown"] * 3
    assert by_order(unnamed, 2, targets, targets) == unnamed, "more classes than the model has"
    named = places(("a", "b", "c"), ("d", "e"), 2, targets)
    assert [place.how for place in by_order(named, 2, targets, targets)] == ["none"] * 3


def _evidence(own: ProbeAccuracy | None, probes_: list[ProbeAccuracy], how: str = "name") -> Evidence:
    labels = [LabelPlace(name, place, how, 500) for place, name in enumerate("ab")]  # type: ignore[arg-type]
    return Evidence(labels, True, own, None, probes_, "", [], [], 1000)


def _accuracy(on: str, correct: int, over: str = "", gain: tuple[float, float, float] | None = None) -> ProbeAccuracy:
    told = ProbeAccuracy(on, 9, correct, 1000, correct / 1000, wilson(correct, 1000), None)  # type: ignore[arg-type]
    if gain is None:
        return told
    return msgspec.structs.replace(told, over=over, gain=gain[0], gain_interval=Interval(gain[1], gain[2]))


def test_a_model_that_its_inputs_alone_would_beat_does_not_fit() -> None:
    own = _accuracy("model", 600, "pixels", (-0.3, -0.33, -0.27))
    features = _accuracy("features", 610, "pixels", (-0.29, -0.32, -0.26))
    told = verdict_of(_evidence(own, [own, features, _accuracy("pixels", 900), _accuracy("majority", 500)]))
    assert told.word == "wrong task"
    assert any(
        "30.0 points fewer than a linear classifier of the inputs themselves" in one.sentence for one in told.reasons
    )


def test_features_that_tell_nearly_all_are_never_no_help() -> None:
    """Of classes that are rare, and where the inputs alone tell as much."""
    rare = [
        _accuracy("features", 990, "pixels", (0.001, -0.004, 0.006)),
        _accuracy("pixels", 989),
        _accuracy("majority", 950),
    ]
    assert verdict_of(_evidence(None, rare, "none")).word == "cannot tell"
    behind = [
        _accuracy("features", 980, "pixels", (-0.01, -0.018, -0.003)),
        _accuracy("pixels", 990),
        _accuracy("majority", 100),
    ]
    assert verdict_of(_evidence(None, behind, "none")).word == "cannot tell"


def test_features_of_another_world_that_bring_next_to_nothing_are_no_help() -> None:
    probes_ = [
        _accuracy("features", 963, "pixels", (-0.003, -0.018, 0.011)),
        _accuracy("pixels", 966),
        _accuracy("majority", 100),
    ]
    open_ = _evidence(None, probes_, "none")
    assert verdict_of(open_).word == "cannot tell"

    def seen(area: float) -> Evidence:
        score = ScoreDistribution("energy", "", "", "", [], [], [], 500, 500, area, newcombe_auc(area, 500, 500))
        return dataclasses.replace(open_, scores=[score])

    assert verdict_of(seen(0.6)).word == "cannot tell"
    for area in (0.97, 0.03):
        told = verdict_of(seen(area))
        assert told.word == "wrong task"
        assert "not what the model was trained on" in told.sentence
    worse = [_accuracy("features", 900, "pixels", (-0.06, -0.1, -0.02)), *probes_[1:]]
    assert verdict_of(_evidence(None, worse, "none")).word == "wrong task"


def test_a_model_that_is_mostly_wrong_is_said_to_be() -> None:
    own = _accuracy("model", 300, "features", (0.0, -0.02, 0.02))
    rare = [own, _accuracy("features", 300, "majority", (0.2, 0.17, 0.23)), _accuracy("majority", 100)]
    evidence = dataclasses.replace(
        _evidence(own, rare), labels=[LabelPlace(str(one), one, "name", 100) for one in range(10)]
    )
    told = verdict_of(evidence)
    assert told.word == "fits"
    assert "most of its answers are wrong" in told.sentence
    assert "suits this task." not in told.sentence


@pytest.mark.parametrize(
    ("nats", "words"), [(1.9, "'half the size' comes nearest, with 1.90: check"), (2.1, "no other preparation")]
)
def test_a_way_that_comes_much_nearer_is_named(nats: float, words: str) -> None:
    ways = [InputVariant("as they are", "", 99, 10.0), InputVariant("half the size", "", 99, nats)]
    told = verdict_of(Evidence([], False, None, None, [], "", [], ways, 99))
    assert told.word == "preprocess differently"
    assert words in told.sentence


def test_a_permutation_is_found_by_the_model_s_own_answers() -> None:
    generator = np.random.default_rng(0)
    targets = generator.integers(0, 4, 200)
    order = np.array([2, 0, 3, 1])
    answers = np.where(generator.random(200) < 0.8, order[targets], generator.integers(0, 6, 200))
    for found in (
        places(None, None, 4, targets),
        places(("a", "b", "c", "d"), ("k", "l", "m", "n", "o", "p"), 6, targets),
        places(("b", "c", "a", "e"), ("a", "b", "c", "d"), 4, targets),
    ):
        placed = by_answers(found, 6, targets, answers)
        assert [place.index for place in placed] == order.tolist()
        assert {place.how for place in placed} == {"answers"}
        assert np.array_equal(moved(targets, placed), order[targets])
    unnamed = places(None, None, 4, targets)
    assert by_answers(unnamed, 4, targets, np.where(answers < 4, targets, 0)) == unnamed, "as they are"
    noise = generator.integers(0, 4, 200)
    assert by_answers(unnamed, 4, targets, noise) == unnamed
    assert by_answers(unnamed, 4, targets, np.zeros(200, np.int64)) == unnamed, "one answer to all"
    few = np.concatenate([targets[:-2] % 3, [3, 3]])
    assert by_answers(unnamed, 4, few, order[few]) == unnamed, "too few of a class"
    twice = np.where(targets == 0, 1, np.where(targets == 1, 1, np.where(targets == 2, 2, 3)))
    assert by_answers(unnamed, 4, targets, twice) == unnamed, "two classes with one answer"

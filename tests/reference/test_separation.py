"""Labels of whole pictures against scikit-learn and SciPy, against planted detectors, and against what detects nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from pellucid.capture import Session
from pellucid.errors import LayerError, OptionError
from pellucid.features.concepts import Concept, separate
from pellucid.features.concepts.separation import LEAST_AREA, Scores, separate_layers, separated
from pellucid.features.probing import Lightness
from pellucid.graph import trace
from pellucid.measures.intervals import newcombe_auc
from pellucid.measures.separation import (
    area_intervals,
    areas,
    deviations_by_chance,
    midranks,
    reached_by_chance,
    shuffled_maxima,
)
from support.experts import MapExperts

# --- areas ------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(count=st.integers(2, 40), levels=st.integers(1, 60), seed=st.integers(0, 10_000))
def test_areas_are_those_of_scikit_learn_with_ties_and_without(count: int, levels: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(0, levels, (count, 3)).astype(np.float32)
    labels = random.random((count, 4)) < np.array([0.1, 0.5, 0.9, 0.0])
    ranks = midranks(scores)
    np.testing.assert_array_equal(ranks, rankdata(scores, axis=0))
    found = areas(ranks, labels)
    for unit in range(3):
        for label in range(4):
            if 0 < labels[:, label].sum() < count:
                expected = roc_auc_score(labels[:, label], scores[:, unit])
                assert found[unit, label] == pytest.approx(expected, abs=1e-12)
            else:
                assert np.isnan(found[unit, label])


def test_intervals_are_those_of_one_area_at_a_time() -> None:
    found = np.array([[0.0, 0.31, 0.5], [0.77, 1.0, np.nan]])
    with_label, without = np.array([10.0, 25.0, 300.0]), np.array([90.0, 12.0, 200.0])
    low, high = area_intervals(found, with_label, without)
    for unit, label in np.ndindex(2, 2):
        expected = newcombe_auc(found[unit, label], with_label[label], without[label])
        assert expected is not None
        assert (low[unit, label], high[unit, label]) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert np.isnan(low[1, 2])
    assert low[1, 1] < 0.9  # an area of 1 on few pictures is not certain


def test_the_spread_by_chance_is_that_of_all_orders() -> None:
    labels = np.zeros((7, 1), bool)
    labels[:3] = True
    random = np.random.default_rng(0)
    drawn = [areas(midranks(random.permutation(7)[:, None]), labels)[0, 0] for _ in range(6000)]
    assert deviations_by_chance(labels)[0] == pytest.approx(np.std(drawn), rel=0.04)


def test_where_there_is_nothing_to_find_few_families_of_tests_find_anything() -> None:
    random = np.random.default_rng(1)
    wrong, families = 0, 200
    for family in range(families):
        scores = np.maximum(random.standard_normal((60, 12)) - random.uniform(0, 2.5, 12), 0)  # many ties at zero
        scores[:, 1] = scores[:, 0]  # and tests that go together
        labels = np.stack([random.random(60) < share for share in (0.2, 0.5)], 1)
        ranks = midranks(scores)
        limit = reached_by_chance(shuffled_maxima(ranks, labels, 99, family))
        wrong += bool((areas(ranks, labels) > 0.5 + limit * deviations_by_chance(labels)).any())
    assert wrong <= 18  # 5% of 200 are 10; more than 18 come once in a hundred times


def test_shuffles_are_the_same_whatever_units_are_ranked_beside() -> None:
    random = np.random.default_rng(2)
    ranks, labels = midranks(random.standard_normal((50, 9))), random.random((50, 3)) < 0.4
    whole = shuffled_maxima(ranks, labels, 30, 5)
    parts = np.maximum(shuffled_maxima(ranks[:, :4], labels, 30, 5), shuffled_maxima(ranks[:, 4:], labels, 30, 5))
    np.testing.assert_allclose(whole, parts, atol=1e-12)
    moved = labels[np.random.default_rng(5).permutation(50)]  # the first round, by its definition
    expected = ((areas(ranks, moved) - 0.5) / deviations_by_chance(labels)).max()
    assert whole[0] == pytest.approx(expected, abs=1e-9)


# --- of a model ---------------------------------------------------------------------------------------------------

COLOURS = {"red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "blue": (0.0, 0.0, 1.0)}


@dataclass
class Spotted:
    """Grey noise with one small spot of a colour somewhere, labelled by the colour and by whether the picture is bright."""

    pictures: int = 90
    size: tuple[int, int, int] = (3, 16, 16)
    name: str = "spots"
    concepts: tuple[Concept, ...] = (*(Concept(name, "colour") for name in COLOURS), Concept("bright", "light"))
    labels: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.labels = np.zeros((self.pictures, 4), np.int8)
        for row in range(self.pictures):
            self.labels[row, row % 3] = 1
            self.labels[row, 3] = row // 3 % 2
        self.labels[80:, 3] = -1  # of these nothing is said of the light

    def __len__(self) -> int:
        return self.pictures

    def picture(self, row: int) -> np.ndarray:
        random = np.random.default_rng(row)
        picture = np.repeat(0.1 * random.random((1, 16, 16)), 3, 0) + 0.4 * max(0, int(self.labels[row, 3]))
        top, left = random.integers(1, 13, 2)
        picture[:, top : top + 3, left : left + 3] = np.array(list(COLOURS.values())[row % 3])[:, None, None]
        return picture.astype(np.float32)


class Planted(nn.Module):
    """A channel a colour, one for light, one that is never anything, one that looks at nothing; then a vector of their maxima."""

    def __init__(self) -> None:
        super().__init__()
        self.act, self.pool, self.head = nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Linear(6, 2)

    def forward(self, images: Tensor) -> Tensor:
        colours = images - 0.5 * (images.sum(1, keepdim=True) - images)
        light = images.mean((1, 2, 3), keepdim=True).expand_as(images[:, :1])
        dead, noise = torch.zeros_like(light), (images[:, :1] * 9973.0).frac().mean((2, 3), keepdim=True)
        maps = self.act(torch.cat([colours, light, dead, noise.expand_as(light)], 1))
        return self.head(self.pool(maps).flatten(1))


def test_planted_channels_get_the_labels_of_what_they_look_at() -> None:
    model, concepts = Planted().train(), Spotted()
    found = separate(model, concepts=concepts)
    one = found["act"]
    assert [one.concepts[at].name for at in one.best[:4]] == ["red", "green", "blue", "bright"]
    assert one.detectors.tolist() == [True, True, True, True, False, False]
    assert one.alive.tolist() == [True, True, True, True, False, True]
    assert not one.beyond[5]
    assert one.found() == {"red": 1, "green": 1, "blue": 1, "bright": 1}
    low, high = one.between()
    assert low <= 4 <= high
    assert model.training
    assert all(not module._forward_hooks for module in model.modules())
    # A vector has no places: its numbers are the scores.
    assert found["pool"].found() == one.found()
    np.testing.assert_array_equal(found["pool"].scores, one.scores)


@pytest.mark.parametrize("pooled", ["maximum", "mean"])
def test_areas_of_a_layer_are_those_of_scikit_learn_over_the_pictures_that_say_something(pooled: str) -> None:
    torch.manual_seed(0)
    model, concepts = nn.Sequential(nn.Conv2d(3, 7, 5), nn.Tanh()).eval(), Spotted()
    found = separate(model, "1", concepts=concepts, pooled=pooled, batch_size=7)["1"]  # type: ignore[arg-type]
    with torch.no_grad():
        maps = model(torch.from_numpy(np.stack([concepts.picture(row) for row in range(len(concepts))])))
    scores = (maps.amax((2, 3)) if pooled == "maximum" else maps.mean((2, 3))).numpy()
    np.testing.assert_allclose(found.scores, scores, rtol=1e-5, atol=1e-6)
    for at in range(4):
        said = concepts.labels[:, at] >= 0
        for unit in range(7):
            expected = roc_auc_score(concepts.labels[said, at], found.scores[said, unit])
            assert found.area[unit, at] == pytest.approx(expected, abs=1e-12)
            interval = newcombe_auc(expected, (concepts.labels[:, at] == 1).sum(), (concepts.labels[:, at] == 0).sum())
            assert interval is not None
            assert (found.low[unit, at], found.high[unit, at]) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_tokens_and_planes_are_pooled_over_their_places() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, images: Tensor) -> Tensor:
            return self.act(images.flatten(2).transpose(1, 2) - 0.5)

    concepts = Spotted()
    found = separate(Tokens(), "act", concepts=concepts)["act"]
    assert found.scores.shape == (90, 3)
    expected = np.stack([np.maximum(concepts.picture(row) - 0.5, 0).max((1, 2)) for row in range(90)])
    np.testing.assert_allclose(found.scores, expected, rtol=1e-6)


def test_parts_of_a_set_merge_exactly() -> None:
    random = torch.Generator().manual_seed(0)
    maps = torch.randn(10, 4, 6, generator=random)
    whole, one, other = (Scores(10, 4) for _ in range(3))
    whole.observe(range(10), maps)
    other.observe(range(4, 10), maps[4:])
    one.observe(range(4), maps[:4])
    other.merge(one)
    np.testing.assert_array_equal(other.values, whole.values)
    assert other.shown.all()


def test_what_cannot_be_told_is_refused() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(784, 2)).eval()
    few = Spotted(12)
    with pytest.raises(
        OptionError, match="at least 10 pictures show it and 10 of its kind do not; spots has of each: red 4"
    ):
        separate(model, concepts=few)
    with pytest.raises(OptionError, match="its maximum or its mean; got 'sum'"):
        separate(model, concepts=Spotted(), pooled="sum")  # type: ignore[arg-type]
    with pytest.raises(LayerError, match="no layer '7'"):
        separate(model, "7", concepts=Spotted())
    layer = trace(model, torch.zeros(1, 3, 16, 16)).layer("0")
    with pytest.raises(LayerError, match="NaN or infinite on some pictures"):
        separated(layer, Spotted(), np.full((90, 4), np.nan, np.float32))
    rare = Spotted()
    rare.labels = rare.labels.copy()
    rare.labels[:, 3] = 0
    rare.labels[:9, 3] = 1
    found = separate(model, "0", concepts=rare)["0"]
    assert np.isnan(found.area[:, 3]).all()
    assert (found.best < 3).all()
    assert LEAST_AREA == 0.8


@pytest.mark.parametrize("batch_size", [1, 8])
def test_an_expert_is_not_asked_about_pictures_that_it_did_not_see_and_the_others_are(batch_size: int) -> None:
    torch.manual_seed(0)
    concepts, model = Spotted(), MapExperts(3).eval()
    name = f"experts.{int(concepts.picture(0).mean() > 0.3)}.1"
    why = rf"'{name}' (gave \d rows? for a batch of 8|was not reached)"
    with pytest.raises(LayerError, match=why):
        separate(model, name, concepts=concepts, mean=(0.3,), std=(0.5,), batch_size=batch_size)
    pictures = torch.from_numpy(np.stack([concepts.picture(row) for row in range(len(concepts))])) * 2 - 0.6
    layers = [layer for layer in trace(model, pictures[:1]).layers if layer.name in ("shared.1", name)]
    assert len(layers) == 2
    refused: dict[str, str] = {}
    with Session(model, layers) as session:
        lightness = Lightness((-0.6,) * 3, (1.4,) * 3)
        found = separate_layers(session, layers, concepts, lightness, batch_size=batch_size, refused=refused)
    assert [one.layer.name for one in found] == ["shared.1"]
    assert list(refused) == [name]
    with torch.no_grad():
        expected = model.shared(pictures).amax((2, 3)).numpy()
    np.testing.assert_allclose(found[0].scores, expected, rtol=1e-5, atol=1e-6)

"""The sanity check and the deletion and insertion curves: against scipy and brute force, and what they must find."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr, t
from torch import Tensor, nn

import pellucid
from pellucid.attribution import deletion, insertion, sanity
from pellucid.attribution.verdict import Judged, Ranks, judged
from pellucid.errors import OptionError


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 8, 3), nn.Tanh(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 3)
    ).eval()


def images() -> Tensor:
    return torch.randn(3, 2, 8, 8, generator=torch.Generator().manual_seed(1))


def test_the_cascade_goes_from_the_output_to_the_input_and_leaves_the_model_as_it_was() -> None:
    model, given = net(), images()
    before = {name: one.clone() for name, one in model.state_dict().items()}
    states = torch.random.get_rng_state()
    found = sanity(model, given, "prediction", "saliency")
    assert found.modules == ("5", "2", "0")
    assert found.correlations.shape == (3, 3)
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), states)
    assert not found.fails
    # The first step by hand: only the last layer is random, drawn with its own mean and deviation.
    index = model(given).argmax(1)
    maps = pellucid.attribute(model, given, index).input
    other = net()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for one in other[5].parameters():
            one.copy_(torch.randn(one.shape, generator=generator) * one.std() + one.mean())
    changed = pellucid.attribute(other, given, index).input
    expected = [spearmanr(a.flatten(), b.flatten()).statistic for a, b in zip(maps, changed, strict=True)]
    torch.testing.assert_close(found.correlations[0], torch.tensor(expected, dtype=torch.float64))


def test_a_method_that_shows_the_input_whatever_the_weights_is_shown_failing() -> None:
    given = torch.zeros(2, 1, 9, 9)
    given[:, :, 2:5, 3:7] = 3
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 2)
    )
    assert sanity(model.eval(), given, 0, "eigen_cam").fails


@pytest.mark.parametrize(
    ("method", "fails"),
    [("guided_backprop", True), ("deconvnet", True), ("gradient_x_input", False), ("lrp_epsilon", False)],
)
def test_methods_that_recover_the_image_from_random_weights_are_shown_failing(method: str, fails: bool) -> None:
    """Guided backpropagation does so wherever there are many channels, deconvnet behind a max pool: Nie et al. 2018,
    arXiv:1805.07039, theorems 1 and 2. Rectified backward, weights of any sign add up to what the first layer saw.
    """
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(1, 192, 5), nn.ReLU(), nn.MaxPool2d(4), nn.Conv2d(192, 192, 3), nn.ReLU(), nn.Flatten(), nn.Linear(768, 10)
    )  # fmt: skip
    given = torch.zeros(3, 1, 20, 20)
    for example in range(3):
        given[example, 0, 3 + example : 12 + example, 5:9] = 2
        given[example, 0, 10:14, 2 : 18 - example] = -1.5
    found = sanity(model.eval(), given, 0, method)
    assert found.fails == fails
    last = found.correlations[-1].abs()
    assert bool((last > 0.5).all()) == fails
    assert bool((last < 0.4).all()) != fails


def enlarged(count: int, side: int, generator: torch.Generator) -> Tensor:
    """Unrelated maps of few places, as CAMs are: float[count 1 24 24]."""
    small = torch.rand(count, 1, side, side, generator=generator)
    return nn.functional.interpolate(small, size=(24, 24), mode="bilinear", align_corners=False)


def test_small_maps_that_are_alike_by_chance_are_not_shown_failing_and_those_that_are_alike_are() -> None:
    generator = torch.Generator().manual_seed(0)
    by_chance, verdicts, alike = 0, [], []
    for _ in range(60):
        before = enlarged(1, 3, generator)
        others = [enlarged(1, 3, generator) for _ in range(8)]
        by_chance += abs(spearmanr(before.flatten(), others[0].flatten()).statistic) > 0.5
        verdicts.append(judged(Ranks(before), list(map(Ranks, others))))
        same = [before + 0.3 * one for one in others]
        alike.append(judged(Ranks(before), list(map(Ranks, same))).verdict)
    assert by_chance >= 6, "a single random model would be wrong every tenth time"
    assert sum(one.verdict == "fails" for one in verdicts) == 0
    assert alike.count("fails") >= 54
    # The interval is one of the mean over random models: that of many more lies inside nearly always.
    many = [
        abs(float(Ranks(enlarged(1, 3, generator)).correlations(Ranks(enlarged(1, 3, generator)))[0]))
        for _ in range(400)
    ]
    center = sum(many) / len(many)
    inside = sum(
        one.low <= center + 0.1 and one.high >= center - 0.1 for one in verdicts if one.low is not None and one.high
    )
    assert inside >= 54


def test_large_maps_that_are_unrelated_pass() -> None:
    generator = torch.Generator().manual_seed(1)
    before = enlarged(2, 12, generator)
    found = judged(Ranks(before), [Ranks(enlarged(2, 12, generator)) for _ in range(4)])
    assert found.verdict == "passes"
    assert found.chance is not None
    assert found.chance < 0.3


def test_the_verdict_by_hand_and_where_there_is_none() -> None:
    before = torch.randn(2, 30, generator=torch.Generator().manual_seed(2))
    others = [torch.randn(2, 30, generator=torch.Generator().manual_seed(3 + at)) for at in range(3)]
    found = judged(Ranks(before), list(map(Ranks, others)))
    each = [
        float(np.mean([abs(spearmanr(a, b).statistic) for a, b in zip(before, other, strict=True)])) for other in others
    ]
    assert found.mean == pytest.approx(np.mean(each))
    low, high = t.interval(0.95, 2, np.mean(each), np.std(each, ddof=1) / 3**0.5)
    assert found.low == pytest.approx(max(low, 0))
    assert found.high == pytest.approx(min(high, 1))
    constant = Ranks(torch.zeros(2, 30))
    assert judged(Ranks(before), [constant, constant]) == Judged(None, None, None, None, "undefined")
    with pytest.raises(OptionError, match=r"2 or more random models.*got rounds=1"):
        sanity(net(), images(), 0, rounds=1)


def test_a_cam_of_four_places_gets_no_verdict_by_chance() -> None:
    """The deepest map here is 2 x 2: which of its places is strongest is one of four, whatever the weights."""
    torch.manual_seed(4)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2), nn.ReLU(), nn.Conv2d(16, 16, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(16, 3),
    )  # fmt: skip
    given = torch.randn(1, 1, 11, 11, generator=torch.Generator().manual_seed(5))
    for seed in range(2):
        assert not sanity(model.eval(), given, 0, "grad_cam", seed=seed).fails


def test_the_model_is_put_back_after_an_error() -> None:
    model, given = net(), images()
    before = {name: one.clone() for name, one in model.state_dict().items()}
    calls = []

    def target(output: Tensor) -> Tensor:
        calls.append(1)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return output[:, 0]

    with pytest.raises(KeyboardInterrupt):
        sanity(model, given, target)
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())


@pytest.mark.parametrize("insert", [False, True])
def test_curves_are_those_of_brute_force(insert: bool) -> None:
    model, given = net().double(), images().double()
    ranking = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(2))
    found = (insertion if insert else deletion)(model, given, [0, 1, 2], ranking, steps=4, fill=0.5)
    assert found.fractions.tolist() == [0, 0.25, 0.5, 0.75, 1]
    for example in range(3):
        places = ranking[example].flatten().argsort(descending=True)
        for step in range(5):
            one = (torch.full_like(given[example], 0.5) if insert else given[example].clone()).flatten(1)
            gone = places[: 16 * step]
            one[:, gone] = given[example].flatten(1)[:, gone] if insert else 0.5
            with torch.no_grad():
                expected = model(one.reshape(1, 2, 8, 8)).softmax(1)[0, example]
            torch.testing.assert_close(found.scores[example, step], expected)
    middle = (found.scores[:, 1:] + found.scores[:, :-1]).sum(1) / 8
    torch.testing.assert_close(found.area, middle)


def test_a_map_that_is_right_has_a_smaller_deletion_and_a_larger_insertion_area_than_its_reverse() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(50, 3)).eval()
    given = torch.randn(4, 2, 5, 5)
    right = pellucid.attribute(model, given, 1, "gradient_x_input").input
    assert bool((deletion(model, given, 1, right).area < deletion(model, given, 1, -right).area).all())
    assert bool((insertion(model, given, 1, right).area > insertion(model, given, 1, -right).area).all())


def test_a_map_of_another_shape_is_refused() -> None:
    with pytest.raises(OptionError, match=r"must have the input's positions, \(3, 8, 8\); got \(3, 4, 4\)"):
        deletion(net(), images(), 0, torch.zeros(3, 4, 4))

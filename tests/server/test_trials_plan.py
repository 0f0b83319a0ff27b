"""Who sees what when: laws of the plan, and the spectrum of the masks."""

from __future__ import annotations

import io
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.stats import linregress

from pellucid.errors import OptionError
from pellucid.server.trials.design import Design, Timing, checked
from pellucid.server.trials.mask import mask_png, pink_noise
from pellucid.server.trials.plan import MASKS, plan
from support.trials import invented

designs = st.builds(
    Design,
    block=st.integers(1, 20),
    practice=st.integers(0, 6),
    checks=st.integers(0, 3),
    trials=st.none() | st.integers(1, 40),
    seed=st.integers(0, 2**32),
)


@settings(max_examples=60, deadline=None)
@given(designs, st.integers(2, 5), st.integers(1, 5), st.integers(1, 3), st.integers(0, 6))
def test_laws_of_a_plan(design: Design, categories: int, each: int, conditions: int, observer: int) -> None:
    pictures = invented(categories, each, conditions)
    names = [f"c{number}" for number in range(categories)]
    trials = plan(pictures, names, design, observer)
    assert trials == plan(pictures, names, design, observer), "the same seed, the same plan"
    shown = [pictures[one.picture] for one in trials if one.kind != "check"]
    assert len({picture.origin for picture in shown}) == len(shown), "an original is seen once, practice included"
    assert all(names[one.category] == pictures[one.picture].category for one in trials if one.kind != "check")
    counted = [one for one in trials if one.kind == "trial"]
    originals = categories * each
    most = originals - design.practice if originals > design.practice else originals
    assert len(counted) == min(design.trials or most, most)
    assert [one.block for one in trials] == sorted(one.block for one in trials)
    assert all((one.block == 0) == (one.kind == "practice") for one in trials)
    assert all(0 <= one.mask < MASKS for one in trials)
    for block in range(1, max((one.block for one in trials), default=0) + 1):
        members = [one for one in trials if one.block == block]
        assert sum(one.kind == "check" for one in members) == design.checks
        assert members[0].kind == "trial"
        assert sum(one.kind == "trial" for one in members) <= design.block


def test_every_block_holds_each_category_and_condition_equally_often() -> None:
    pictures = invented(4, 12, 2)
    design = Design(block=8, practice=0, checks=0)
    trials = plan(pictures, ["c0", "c1", "c2", "c3"], design, 0)
    cells = Counter((pictures[one.picture].category, pictures[one.picture].condition) for one in trials)
    assert set(cells.values()) == {6}
    for block in range(1, 7):
        inside = Counter(pictures[one.picture].category for one in trials if one.block == block)
        assert set(inside.values()) == {2}


def test_conditions_go_round_the_observers_in_a_latin_square() -> None:
    pictures = invented(2, 6, 3)
    design = Design(practice=0)
    seen = Counter(
        pictures[one.picture].example
        for observer in range(3)
        for one in plan(pictures, ["c0", "c1"], design, observer)
        if one.kind == "trial"
    )
    assert seen == Counter({picture.example: 1 for picture in pictures})


def test_observers_and_seeds_have_orders_of_their_own() -> None:
    pictures, names = invented(4, 6), ["c0", "c1", "c2", "c3"]
    orders = {
        tuple(one.picture for one in plan(pictures, names, Design(practice=0, seed=seed), observer))
        for seed in range(3)
        for observer in range(3)
    }
    assert len(orders) == 9


def test_the_plan_of_a_seed_is_this_one_for_good() -> None:
    # A study must be the same after an upgrade of Python: its random numbers are pinned.
    trials = plan(invented(2, 3), ["c0", "c1"], Design(practice=1, block=3, checks=1, seed=7), 1)
    assert [(one.kind[0], one.block, one.picture) for one in trials] == PINNED


PINNED = [("p", 0, 5), ("t", 1, 3), ("c", 1, -1), ("t", 1, 1), ("t", 1, 0), ("t", 2, 4), ("c", 2, -1), ("t", 2, 2)]


def test_a_practice_picture_is_taken_from_those_that_do_not_count_where_there_are_some() -> None:
    pictures, names = invented(2, 10), ["c0", "c1"]
    trials = plan(pictures, names, Design(trials=12, practice=4), 0)
    assert Counter(one.kind for one in trials) == Counter({"trial": 12, "practice": 4, "check": 1})
    everything = plan(pictures, names, Design(practice=4), 0)
    assert Counter(one.kind for one in everything)["trial"] == 16


@pytest.mark.parametrize(
    ("design", "categories", "said"),
    [
        (Design(), ("one",), "2 to 36 categories"),
        (Design(), tuple(f"c{number}" for number in range(37)), "here are 37. Group the classes with --categories"),
        (Design(), ("cat", "NA"), "cannot be told from no answer"),
        (Design(), ("cat", "cat"), "cannot be told from another"),
        (Design(timing=Timing(presentation=0)), ("a", "b"), "--presentation lasts 1 to 600,000 ms; got 0"),
        (Design(timing=Timing(choice=10**7)), ("a", "b"), "--choice lasts 1 to"),
        (Design(timing=Timing(mask=-1)), ("a", "b"), "--mask lasts 0 to"),
        (Design(block=0), ("a", "b"), "--block is 1 to"),
        (Design(trials=0), ("a", "b"), "--trials is at least 1"),
        (Design(size=5), ("a", "b"), "--size is 16 to"),
    ],
)
def test_what_people_cannot_do_is_refused(design: Design, categories: tuple[str, ...], said: str) -> None:
    with pytest.raises(OptionError, match=said.replace("(", r"\(")):
        checked(design, categories)


def test_a_mask_is_noise_of_one_over_f_at_full_contrast() -> None:
    noise = pink_noise(3)
    assert noise.shape == (256, 256)
    assert max(abs(noise.astype(float) - 127.5).max(), 0) == 127.5, "one end of the range is reached"
    assert noise.mean() == pytest.approx(127.5, abs=0.5)
    power = np.abs(np.fft.fft2(noise.astype(np.float64))) ** 2
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256)[None, :])
    band = (frequency > 2 / 256) & (frequency < 0.3)
    fit = linregress(np.log(frequency[band]), np.log(power[band]))
    # Power falls as 1 / f^2; the rounding to 256 levels adds a little white noise.
    assert fit.slope == pytest.approx(-2.0, abs=0.02)


def test_masks_of_other_seeds_are_other_ones_and_the_file_holds_the_mask() -> None:
    assert not np.array_equal(pink_noise(1), pink_noise(2))
    with Image.open(io.BytesIO(mask_png(1, 64))) as opened:
        assert opened.mode == "L"
        np.testing.assert_array_equal(np.asarray(opened), pink_noise(1, 64))

"""Probabilities and logits are told apart where it is safe, and refused, with counts, where it is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import pellucid
from pellucid.errors import DataError
from pellucid.predictions.kinds import Kind, ScoreCounts
from pellucid.predictions.rounding import MOST_OFF, SUM_TOLERANCE
from support.saved import answered, softmax


def kind_of(scores: NDArray[np.floating], asked: Kind | None = None) -> Kind:
    counts = ScoreCounts()
    for start in range(0, len(scores), 7):
        counts.add(scores[start : start + 7], start)
    return counts.kind(asked, "p.npy")


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    classes=st.integers(2, 30),
    number=st.integers(20, 80),
    seed=st.integers(0, 999),
    scale=st.sampled_from([1.0, 3.0, 30.0]),
)
def test_logits_are_logits_and_their_softmax_is_probabilities(
    classes: int, number: int, seed: int, scale: float
) -> None:
    logits = (np.random.default_rng(seed).normal(size=(number, classes)) * scale).astype(np.float32)
    assert kind_of(softmax(logits)) == "probabilities"
    assert kind_of(softmax(logits).astype(np.float16).astype(np.float32)) == "probabilities"
    assert kind_of(np.log(np.maximum(softmax(logits), 1e-30))) == "logits"
    shares = ((logits < 0) | (logits > 1)).any(axis=1).mean()
    if classes > 3 and shares > 0.5:
        assert kind_of(logits) == "logits"


def test_rows_of_both_kinds_are_refused_with_counts_and_the_first_of_each() -> None:
    logits, _ = answered(50, 5)
    mixed = np.where(np.arange(50)[:, None] < 30, softmax(logits), logits)
    with pytest.raises(
        DataError, match=r"Of 50 finite rows, 30 add up to one \(row 0 is the first\); 20 have negative"
    ) as told:
        kind_of(mixed)
    assert "(row 30 has -" in str(told.value)
    assert "--kind logits" in str(told.value)
    one = np.where(np.arange(50)[:, None] == 41, softmax(logits), logits)
    with pytest.raises(DataError, match=r"1 add up to one \(row 41 is the first\)"):
        kind_of(one)
    negative = softmax(logits)
    negative[13, 2] = -0.01
    with pytest.raises(DataError, match=r"49 add up to one .*; 1 have negative numbers \(row 13 has -0\.01\)"):
        kind_of(negative)


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        (1 / (1 + np.exp(-answered(30, 6)[0])), "30 lie between 0 and 1 and do not add up to one"),
        (np.random.default_rng(0).integers(0, 50, (30, 6)).astype(float), "have none, but a number above 1"),
        (softmax(answered(30, 6)[0]) * 100, r"30 have none, but a number above 1 \(row 0 has"),
        (np.abs(answered(30, 6)[0]), "a number above 1"),
    ],
    ids=["sigmoids", "counts", "percentages", "rectified logits"],
)
def test_what_is_neither_beyond_doubt_is_asked(scores: NDArray[np.floating], words: str) -> None:
    with pytest.raises(DataError, match=words):
        kind_of(scores)
    assert kind_of(scores, "logits") == "logits"


def test_the_way_out_is_to_say_so(tmp_path: Path) -> None:
    logits, targets = answered(60, 5)
    half = softmax(logits) / 2
    with pytest.raises(DataError, match=r"\(row 0 adds up to 0\.5\)"):
        pellucid.import_predictions(half, targets, out=tmp_path / "half")
    record = pellucid.import_predictions(half, targets, out=tmp_path / "half", kind="probabilities")
    assert record.manifest.saved is not None
    assert record.manifest.saved.unnormalised == 60
    whole = pellucid.import_predictions(softmax(logits), targets, out=tmp_path / "whole")
    assert record.summary().mean_loss == pytest.approx(whole.summary().mean_loss, rel=1e-6)
    with pytest.raises(DataError, match="no probabilities, though --kind says so"):
        pellucid.import_predictions(logits, targets, out=tmp_path / "wrong", kind="probabilities")
    assert not (tmp_path / "wrong").exists()


def test_two_classes_by_one_number(tmp_path: Path) -> None:
    logits, targets = answered(60, 2)
    both = pellucid.import_predictions(logits.astype(np.float64), targets, out=tmp_path / "both", kind="logits")
    second = (logits[:, 1] - logits[:, 0]).astype(np.float64)
    cases: tuple[tuple[str, NDArray[np.float64], Kind], ...] = (
        ("logit", second, "logits"),
        ("column", second[:, None], "logits"),
        ("probability", 1 / (1 + np.exp(-second)), "probabilities"),
    )
    for name, scores, kind in cases:
        with pytest.raises(DataError, match="--kind"):
            pellucid.import_predictions(scores, targets, out=tmp_path / name)
        record = pellucid.import_predictions(scores, targets, out=tmp_path / name, kind=kind)
        assert record.summary().accuracy == both.summary().accuracy
        assert record.summary().mean_loss == pytest.approx(both.summary().mean_loss, rel=1e-6)


def test_nothing_finite_is_nothing() -> None:
    with pytest.raises(DataError, match=r"None of the 5 rows of p\.npy is finite"):
        kind_of(np.full((5, 3), np.nan))
    some = softmax(answered(9, 3)[0])
    some[2:5] = np.nan
    assert kind_of(some) == "probabilities"


def test_rows_without_any_probability_are_refused(tmp_path: Path) -> None:
    logits, targets = answered(60, 5)
    scores = softmax(logits)
    scores[[7, 9]] = 0
    kinds: tuple[Kind | None, ...] = (None, "probabilities")
    for kind in kinds:
        with pytest.raises(DataError, match=r"2 of 60 rows of .* row 7 the first|row 7 adds up to 0"):
            pellucid.import_predictions(scores, targets, out=tmp_path / "net", kind=kind)
    # Of classes that may be true by themselves none may be.
    sets = np.eye(5, dtype=np.bool_)[targets]
    assert pellucid.import_predictions(scores, sets, out=tmp_path / "sets").summary().examples == 60


def test_scores_of_which_nothing_can_be_summed_are_refused() -> None:
    logits, _ = answered(60, 5)
    wide = logits.astype(np.float64)
    wide[8, 2] = -1e307
    for asked in (None, "logits"):
        with pytest.raises(DataError, match=r"1 of 60 rows of p\.npy have scores beyond 3\.4e\+38, row 8 has -1e\+307"):
            kind_of(wide, asked)
    wide[8, 2] = np.finfo(np.float32).min
    assert kind_of(wide) == "logits"


@pytest.mark.parametrize(("classes", "digits"), [(100, 3), (1000, 4), (10, 2), (3, 2)])
def test_few_digits_of_many_classes_are_probabilities(classes: int, digits: int) -> None:
    exact = softmax(np.random.default_rng(0).normal(size=(300, classes)))
    for rounded in (np.round(exact.astype(np.float64), digits), np.round(exact, digits)):
        assert np.abs(rounded.sum(axis=1) - 1).max() > SUM_TOLERANCE
        assert kind_of(rounded) == "probabilities"
    # As far from one, and no rounding: numbers with all their digits.
    scaled = exact.astype(np.float64) * (1 + np.resize([0.01, -0.01], 300))[:, None]
    with pytest.raises(DataError, match="300 lie between 0 and 1 and do not add up to one"):
        kind_of(scaled)
    # As few digits, and further from one than they explain.
    lost = np.round(exact.astype(np.float64), digits)
    lost[np.arange(300), exact.argmin(axis=1)] += MOST_OFF + classes * 0.5 * 0.1**digits
    with pytest.raises(DataError, match="300 lie between 0 and 1 and do not add up to one"):
        kind_of(np.round(lost, digits))


def test_probabilities_of_bfloat16_are_probabilities() -> None:
    torch = pytest.importorskip("torch")
    exact = torch.from_numpy(softmax(np.random.default_rng(0).normal(size=(2000, 3))))
    rounded = exact.bfloat16().float().numpy()
    assert np.abs(rounded.sum(axis=1) - 1).max() > SUM_TOLERANCE
    assert kind_of(rounded) == kind_of(rounded.astype(np.float64)) == "probabilities"
    assert pellucid.predictions.panels_of(exact.bfloat16(), lenses=["predictions"])

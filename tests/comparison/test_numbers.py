"""Models that predict numbers are compared by their losses, which may be negative."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from pellucid import compare
from pellucid.errors import OptionError
from support.answered import numbered

RNG = np.random.default_rng(0)
TARGETS = RNG.normal(size=50)
LOSSES = {"old": RNG.exponential(1.0, 50), "new": RNG.exponential(0.5, 50)}


def test_the_loss_decides_where_nothing_is_right_or_wrong(tmp_path: Path) -> None:
    old, new = (numbered(tmp_path / name, TARGETS, losses) for name, losses in LOSSES.items())
    panel = compare(old, new, out=tmp_path / "both", fail_if="loss rises by 1%").panel
    measures = {one.measure: one for one in panel.pairs[0].measures}
    assert measures["loss"].difference == pytest.approx((LOSSES["new"] - LOSSES["old"]).mean())
    assert (panel.count, panel.pairs[0].by_class, panel.gates[0].failed, panel.notes) == (50, [], False, [])
    assert measures["accuracy"].why == measures["ece"].why
    assert (
        measures["accuracy"].why
        == "the models predict numbers, which are neither right nor wrong; compare their losses"
    )
    assert measures["confidence"].why == "the models predict numbers, which come without a confidence"
    with pytest.raises(OptionError, match="cannot be judged: the models predict numbers"):
        compare(old, new, fail_if="accuracy drops")


@pytest.mark.parametrize(("change", "kind", "word"), [(-0.3, "better", "better than"), (0.3, "worse", "worse than")])
def test_a_loss_that_differs_beyond_doubt_is_found(tmp_path: Path, change: float, kind: str, word: str) -> None:
    losses = LOSSES["old"], LOSSES["old"] + change + np.resize([0.1, -0.1], 50)
    old, new = (numbered(tmp_path / name, TARGETS, one) for name, one in zip(LOSSES, losses, strict=True))
    (found,) = compare(old, new).panel.findings
    assert (found.kind, found.severity) == (kind, "high" if kind == "worse" else "info")
    assert found.sentence.startswith(f"new is {word} old: a mean loss of {losses[1].mean():.4g} instead of")
    expected = stats.ttest_rel(losses[1], losses[0]).confidence_interval()
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((expected.low, expected.high))


def test_a_loss_that_may_be_the_same_is_said_to_be(tmp_path: Path) -> None:
    old = numbered(tmp_path / "old", TARGETS, LOSSES["old"])
    (found,) = compare(old, numbered(tmp_path / "new", TARGETS, LOSSES["old"][::-1])).panel.findings
    assert (found.kind, found.severity) == ("no-difference", "info")


@pytest.mark.parametrize(
    ("rule", "change", "failed"),
    [("loss rises by 0.01", 0.1, True), ("loss rises by 0.01", -0.1, False), ("loss may rise by 0.01", -0.1, False),
     ("loss drops by 0.01", -0.1, True), ("loss drops by 0.01", 0.1, False), ("loss rises", 0.1, True)],
)  # fmt: skip
def test_negative_losses_are_judged_in_their_unit(tmp_path: Path, rule: str, change: float, failed: bool) -> None:
    old = numbered(tmp_path / "old", TARGETS, LOSSES["old"] - 3)
    new = numbered(tmp_path / "new", TARGETS, LOSSES["old"] - 3 + change + np.resize([0.01, -0.01], 50))
    assert compare(old, new, fail_if=rule).failed == failed


@pytest.mark.parametrize("rule", ["loss rises by 1%", "loss drops by 1%", "loss may rise by 1%"])
def test_a_percentage_of_a_negative_loss_is_refused(tmp_path: Path, rule: str) -> None:
    old = numbered(tmp_path / "old", TARGETS, LOSSES["old"] - 3)
    way = "drops" if "drops" in rule else "rises"
    with pytest.raises(
        OptionError, match=rf"the old mean loss is -[\d.]+, and a percentage .* as in 'loss {way} by 0.01'"
    ):
        compare(old, old, fail_if=rule)


def test_numbers_that_one_model_lacks_are_said_and_never_judged(tmp_path: Path) -> None:
    lost, none = LOSSES["new"].copy(), LOSSES["old"].copy()
    lost[:5] = none[4:7] = np.nan
    old, new = numbered(tmp_path / "old", TARGETS, none), numbered(tmp_path / "new", TARGETS, lost)
    panel = compare(old, new).panel
    loss = panel.pairs[0].measures[1]
    assert loss.count == 43
    assert loss.difference == pytest.approx((LOSSES["new"] - LOSSES["old"])[7:].mean())
    assert panel.notes == [
        "Left out are examples with a label that neither old nor new answers: 1.",
        "Means of loss are over the 43 examples that have one by both models; left out are 4 that have one by old alone and 2 by "
        "new alone.",
    ]
    with pytest.raises(OptionError, match="4 examples have a loss by old alone and 2 by new alone"):
        compare(old, new, fail_if="loss rises by 1%")

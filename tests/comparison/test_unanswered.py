"""What one model does not answer, or gives an infinite loss to, counts against it and is said; rules never pass over it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

import pellucid
from pellucid import Record, compare
from pellucid.errors import OptionError
from support.answered import answered

TARGETS = np.array([0, 1] * 100)
ROWS = np.arange(200)


def sure(probability: float) -> NDArray[np.float64]:
    """float64[example class]; the label has this probability."""
    found = np.full((200, 2), 1 - probability)
    found[ROWS, TARGETS] = probability
    return found


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The old model is right at 70% confidence; the new ones at 90%, but not on the first 20 examples."""
    folder = tmp_path_factory.mktemp("unanswered")
    certain, lost = sure(0.9), sure(0.9)
    certain[:20] = np.eye(2)[1 - TARGETS[:20]]
    lost[:20] = np.nan
    for name, scores in (("old", sure(0.7)), ("certain", certain), ("lost", lost)):
        pellucid.import_predictions(scores, TARGETS, out=folder / name)
    return {name: folder / name for name in ("old", "certain", "lost")}


def test_no_answer_by_one_model_is_not_right(records: dict[str, Path]) -> None:
    found = compare(records["old"], records["lost"], fail_if="accuracy may drop by 3%")
    assert found.failed
    pair = found.panel.pairs[0]
    assert (pair.count, pair.broken, pair.fixed, pair.both_right) == (200, 20, 0, 180)
    assert pair.p_value == pytest.approx(stats.binomtest(0, 20).pvalue)
    accuracy = pair.measures[0]
    assert (accuracy.old, accuracy.new, accuracy.count) == (1.0, 0.9, 200)
    assert [(one.count, one.broken) for one in pair.by_class] == [(100, 10), (100, 10)]
    assert (found.panel.models[1].correct, found.panel.models[1].count) == (180, 200)
    assert found.panel.notes[0] == (
        "Of the 200 examples that old or lost answers, old leaves 0 unanswered and lost 20: they count as not right there, and "
        "as answers that changed."
    )


def test_an_answer_that_is_gone_is_a_changed_one(records: dict[str, Path]) -> None:
    from sklearn.metrics import cohen_kappa_score

    found = compare(records["old"], records["lost"], fail_if="churn rises by 3%")
    pair = found.panel.pairs[0]
    assert found.failed
    assert (pair.answered, pair.agreed, pair.churn) == (200, 180, pytest.approx(0.1))
    gone = np.where(ROWS < 20, -1, TARGETS)
    assert pair.kappa == pytest.approx(cohen_kappa_score(TARGETS, gone))


def test_what_neither_answers_is_left_out_and_counted(tmp_path: Path) -> None:
    old = answered(tmp_path / "old", [0, 0, 1, 1, 2], [0, -1, -1, 1, 2])
    new = answered(tmp_path / "new", [0, 0, 1, 1, 2], [0, 0, -1, -1, 1])
    found = compare(old, new, out=tmp_path / "both")
    pair = found.panel.pairs[0]
    assert (pair.count, pair.fixed, pair.broken, pair.both_right, pair.both_wrong) == (4, 1, 2, 1, 0)
    assert Record(tmp_path / "both").examples()["flip"].to_pylist() == ["both right", "fixed", None, "broken", "broken"]
    assert "Left out are examples with a label that neither old nor new answers: 1." in found.panel.notes


def test_what_only_one_record_has_is_no_missing_answer(tmp_path: Path) -> None:
    old = answered(tmp_path / "old", [0, 1, 1, 2], [0, 1, 1, 2], ids=["a", "b", "c", "d"])
    new = answered(tmp_path / "new", [0, 1, 2, 2], [0, -1, 2, 2], ids=["a", "b", "d", "e"])
    found = compare(old, new, out=tmp_path / "both")
    pair = found.panel.pairs[0]
    assert (pair.count, pair.broken, pair.both_right, pair.answered) == (3, 1, 2, 3)
    table = Record(tmp_path / "both").examples()
    assert table["flip"].to_pylist() == ["both right", "broken", "both right", None]
    assert table["old.matched"].to_pylist() == [True, True, True, False]


def test_an_infinite_loss_leaves_no_mean(records: dict[str, Path]) -> None:
    why = "certain has an infinite loss on 20 examples, whose labels were given no probability at all"
    found = compare(records["old"], records["certain"])
    loss = found.panel.pairs[0].measures[1]
    assert (loss.old, loss.new, loss.difference, loss.why) == (None, None, None, why)
    assert f"The mean loss is not defined: {why}." in found.panel.notes
    assert [model.loss for model in found.panel.models] == [pytest.approx(-np.log(0.7)), None]
    assert [model.infinite for model in found.panel.models] == [0, 20]
    for both in (("old", "certain"), ("certain", "old")):
        with pytest.raises(OptionError, match=r"cannot be judged: certain has an infinite loss on 20 examples"):
            compare(*(records[one] for one in both), fail_if="loss may rise by 1%")


def test_a_loss_by_one_model_alone_is_left_out_said_and_never_judged(records: dict[str, Path]) -> None:
    found = compare(records["old"], records["lost"])
    loss, ece, confidence = found.panel.pairs[0].measures[1:]
    assert (loss.count, ece.count, confidence.count) == (180, 180, 180)
    assert loss.difference == pytest.approx(np.log(0.7 / 0.9))
    assert found.panel.notes[1] == (
        "Means of loss and confidence are over the 180 examples that have one by both models; left out are 20 that have one by "
        "old alone and 0 by lost alone."
    )
    for rule in ("loss rises by 1%", "ece may rise", "confidence drops"):
        with pytest.raises(
            OptionError, match=r"cannot be judged: 20 examples have a \w+ by old alone and 0 by lost alone"
        ):
            compare(records["old"], records["lost"], fail_if=rule)
        with pytest.raises(
            OptionError, match=r"cannot be judged: 0 examples have a \w+ by lost alone and 20 by old alone"
        ):
            compare(records["lost"], records["old"], fail_if=rule)


def test_of_many_models_each_is_judged_on_what_any_answers(records: dict[str, Path]) -> None:
    panel = compare(records["old"], records["certain"], records["lost"]).panel
    assert [(model.correct, model.count) for model in panel.models] == [(200, 200), (180, 200), (180, 200)]
    # Means of losses are over the 180 examples on which all have one.
    assert [model.loss for model in panel.models] == [pytest.approx(-np.log(one)) for one in (0.7, 0.9, 0.9)]


def test_a_score_of_our_own_is_no_slice(records: dict[str, Path]) -> None:
    assert "brier" in Record(records["certain"]).examples().column_names
    assert compare(records["old"], records["certain"]).panel.pairs[0].by_slice == []

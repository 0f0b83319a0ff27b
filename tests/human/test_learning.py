"""People's mistakes along a training: planted checkpoints, the measured kappa, and the onset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from pellucid.errors import OptionError
from pellucid.human import import_people
from pellucid.human.learning import add_learning, onset_of, step_of
from pellucid.record import Record, schema
from support.answered import answered
from support.judged import model_vs_human

IMAGES = 240
CLASSES = ("cat", "dog", "bird")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path], np.ndarray]:
    """A record with three people, and checkpoints that come to share their difficulties."""
    folder = tmp_path_factory.mktemp("trained")
    rng = np.random.default_rng(1)
    category, difficulty = rng.integers(0, 3, IMAGES), rng.standard_normal(IMAGES)

    def answers(share: float) -> np.ndarray:
        right = share * difficulty + np.sqrt(1 - share**2) * rng.standard_normal(IMAGES) < 0.5
        return np.where(right, category, (category + rng.integers(1, 3, IMAGES)) % 3)

    ids = [f"i{row}.png" for row in range(IMAGES)]
    said = [answers(share) for share in (0.0, 0.0, 0.85, 0.95)]
    checkpoints = [
        answered(folder / f"net-step{step}.pellucid", category.tolist(), one.tolist(), ids=ids)
        for step, one in zip((0, 10, 100, 1000), said, strict=True)
    ]
    people = [answers(0.9) for _ in range(3)]
    for place, one in enumerate(people):
        model_vs_human(
            folder / "answers" / f"exp_subject-{place}_session_1.csv", f"s{place}", ids, [CLASSES[c] for c in category],
            [CLASSES[c] for c in one],
        )  # fmt: skip
    import_people(folder / "answers", checkpoints[-1])
    right = np.array([one == category for one in [*people, *said]])
    return checkpoints[-1], checkpoints, right


def test_the_course_is_the_mean_kappa_at_each_checkpoint_and_the_onset_is_where_it_leaves_chance(
    trained: tuple[Path, list[Path], np.ndarray],
) -> None:
    record, checkpoints, right = trained
    panel = add_learning(record, checkpoints[::-1])
    assert Record(record).panel("perceptual_learning") == panel
    assert [point.step for point in panel.points] == [0, 10, 100, 1000]
    for place, point in enumerate(panel.points):
        model = right[3 + place]
        expected = np.mean([cohen_kappa_score(person, model) for person in right[:3]])
        assert point.kappa == pytest.approx(expected)
        assert point.accuracy == pytest.approx(model.mean())
        assert point.count == IMAGES
    among = np.mean([cohen_kappa_score(right[a], right[b]) for a, b in ((0, 1), (0, 2), (1, 2))])
    assert panel.people == pytest.approx(among)
    assert panel.onset == 100
    assert "from step 100 on" in panel.answer
    assert [(finding.kind, finding.selection) for finding in panel.findings] == [
        ("perceptual-learning", {"step": "100"})
    ]


def test_steps_are_named_or_told_from_names(trained: tuple[Path, list[Path], np.ndarray]) -> None:
    record, checkpoints, _ = trained
    assert [point.step for point in add_learning(record, checkpoints[:2], steps=[7, 5]).points] == [5, 7]
    with pytest.raises(OptionError, match="2 steps for 1"):
        add_learning(record, checkpoints[:1], steps=[1, 2])
    with pytest.raises(OptionError, match="Several checkpoints are of step 3"):
        add_learning(record, checkpoints[:2], steps=[3, 3])
    with pytest.raises(OptionError, match="no number"):
        step_of(Path("net.pellucid"))
    with pytest.raises(OptionError, match="holds no answers of people"):
        add_learning(checkpoints[0], checkpoints)


def point(step: int, kappa: float | None, high: float) -> schema.PerceptualPoint:
    null = schema.Interval(-high, high)
    return schema.PerceptualPoint(step, "", 1, 0.5, None, kappa, None, null if kappa is not None else None)


def test_the_onset_is_the_first_of_those_that_stay_above_the_band() -> None:
    assert onset_of([point(1, 0.3, 0.1), point(2, 0.0, 0.1), point(3, 0.2, 0.1), point(4, 0.4, 0.1)]) == 3
    assert onset_of([point(1, 0.3, 0.1), point(2, 0.05, 0.1)]) is None
    assert onset_of([point(1, 0.3, 0.1), point(2, None, 0.1)]) is None
    assert onset_of([point(1, 0.3, 0.1)]) == 1


def test_a_checkpoint_that_is_always_right_has_no_kappa_and_says_why(tmp_path: Path) -> None:
    category, ids = [0, 1, 2, 0], [f"i{row}.png" for row in range(4)]
    record = answered(tmp_path / "a1.pellucid", category, category, ids=ids)
    said = [CLASSES[one] for one in category]
    model_vs_human(tmp_path / "exp_subject-1_session_1.csv", "s", ids, said, said)
    import_people(tmp_path / "exp_subject-1_session_1.csv", record)
    panel = add_learning(record, [record])
    assert panel.points[0].kappa is None
    assert "every shared image right" in panel.answer
    assert panel.onset is None

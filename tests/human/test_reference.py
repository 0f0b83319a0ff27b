"""Real people: the figures that are known of the answers in the shared data, recomputed another way."""

from __future__ import annotations

import csv
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from pellucid.human import import_people
from pellucid.human.reading import read_answers
from support.shared import REASON, SHARED

pytestmark = [pytest.mark.data, pytest.mark.skipif(SHARED is None, reason=REASON)]
DATA = (SHARED or Path()) / "data"


def rows(experiment: str) -> list[dict[str, str]]:
    """All trials of an experiment, column names in lower case."""
    found = []
    for path in sorted((DATA / "human" / experiment).glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as stream:
            found += [{name.lower(): value for name, value in row.items()} for row in csv.DictReader(stream)]
    return found


@pytest.mark.parametrize(("experiment", "known"), [("edge", 0.318), ("silhouette", 0.476)])
def test_mean_kappa_over_pairs_of_people(experiment: str, known: float, tmp_path: Path) -> None:
    panel = import_people(DATA / "human" / experiment, tmp_path / "people.pellucid")
    right: dict[str, dict[str, int]] = {}
    for row in rows(experiment):
        right.setdefault(row["subj"], {})[row["imagename"].rsplit("_", 1)[1]] = (
            row["object_response"] == row["category"]
        )
    images = sorted(right["subject-01"])
    kappas = [
        cohen_kappa_score([right[a][one] for one in images], [right[b][one] for one in images])
        for a, b in combinations(right, 2)
    ]
    assert panel.people.kappa == pytest.approx(np.mean(kappas), abs=1e-12)
    assert round(panel.people.kappa or 0.0, 3) == known
    assert (panel.people.pairs, panel.people.images, panel.match.matched) == (45, 160, 160)
    assert panel.people.interval is not None
    assert panel.people.interval.low > 0.2
    assert [pair.kappa for pair in panel.pairs] == pytest.approx(kappas, abs=1e-12)
    assert panel.match.no_answer == sum(row["object_response"] == "na" for row in rows(experiment))
    assert panel.model is None


def test_shape_bias_of_each_person(tmp_path: Path) -> None:
    panel = import_people(DATA / "human" / "cue-conflict", tmp_path / "people.pellucid")
    told: dict[str, list[int]] = {}
    for row in rows("cue-conflict"):
        shape, texture = (
            part.rstrip("0123456789") for part in row["imagename"].rsplit("_", 1)[1].removesuffix(".png").split("-")
        )
        assert shape == row["category"]
        if shape != texture:
            counts = told.setdefault(row["subj"], [0, 0])
            counts[0] += row["object_response"] == shape
            counts[1] += row["object_response"] == texture
    found = {panel.observers[one.observer].name: one for one in panel.shape if one.category == "" and one.observer >= 0}
    assert {name: [one.shape, one.texture] for name, one in found.items()} == told
    assert [round(one.bias or 0.0, 3) for one in found.values()] == [0.962, 0.944, 0.967, 0.919, 0.964]
    (everybody,) = [one for one in panel.shape if one.category == "" and one.observer < 0]
    assert (everybody.shape, everybody.count) == (sum(counts[0] for counts in told.values()), 5 * 1200)


def test_conditions_and_images_of_noise_are_told_apart(tmp_path: Path) -> None:
    panel = import_people(DATA / "human" / "uniform-noise", tmp_path / "people.pellucid")
    assert panel.conditions == ["0", "0.03", "0.05", "0.1", "0.2", "0.35", "0.6", "0.9"]
    assert (panel.match.images, panel.match.repeated, panel.match.matched) == (1280, 0, 1280)
    by_condition = [one.accuracy for one in panel.accuracies if one.by == "condition" and one.observer == -1]
    assert by_condition[0] is not None
    assert by_condition[0] > 0.75 > 0.3 > (by_condition[-1] or 0.0)


def test_cifar_10h(tmp_path: Path) -> None:
    path = DATA / "cifar10" / "test.parquet"
    panel = import_people(path, tmp_path / "people.pellucid")
    table = pq.read_table(path, columns=["human_counts", "label"])
    counts = np.array(table["human_counts"].to_pylist())
    soft = panel.soft
    assert soft is not None
    assert (soft.judgements, soft.least, soft.most, soft.images) == (511_000, 47, 63, 10_000)
    assert soft.entropy == pytest.approx(stats.entropy(counts, axis=1).mean(), abs=1e-12)
    assert round(soft.entropy, 4) == 0.1545
    assert round(soft.unanimous / soft.images, 3) == 0.439
    assert soft.majority == (counts.argmax(1) == table["label"].to_numpy()).sum()
    assert round(soft.majority / soft.labelled, 4) == 0.9921
    assert panel.categories[:2] == ["airplane", "automobile"]
    assert panel.people.kappa is None
    assert panel.people.why == "only counts of answers are known, not who gave which"
    assert "agree on 92.4%" in panel.answer


def test_every_file_of_people_is_read_whole() -> None:
    for path in sorted((DATA / "human").glob("*/*.csv")):
        answers = read_answers(path)
        assert answers.layout == "model-vs-human"
        assert answers.experiment == path.parent.name
        with path.open(encoding="utf-8") as stream:
            assert answers.judgements == sum(1 for line in stream if line.strip()) - 1

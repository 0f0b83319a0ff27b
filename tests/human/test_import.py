"""Answers in, matched to a record and compared: every layout, every odd input, and nothing dropped in silence."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pellucid.errors import RecordError
from pellucid.human import import_people
from pellucid.human.answers import kept_answers, part_path
from pellucid.record import Record, Writer, schema
from support.judged import model_vs_human
from support.pets import IMAGES, PETS, TRUE, observer, panel_of

# --- layouts --------------------------------------------------------------------------------------------------------


def test_people_and_model_on_the_same_images(record: Path, tmp_path: Path) -> None:
    first = model_vs_human(
        tmp_path / "exp_subject-01_session_1.csv",
        "subject-01",
        IMAGES,
        TRUE,
        ["cat", "dog", "dog", "dog", "bird", "bird"],
    )
    second = model_vs_human(
        tmp_path / "exp_subject-02_session_1.csv",
        "subject-02",
        IMAGES,
        TRUE,
        ["cat", "cat", "na", "dog", "bird", "cat"],
    )
    panel = import_people([first, second], record)
    assert panel == panel_of(record)
    assert (panel.match.matched, panel.match.matched_by, panel.match.unanswered, panel.match.no_answer) == (
        6,
        "file name",
        0,
        1,
    )
    assert [one.kind for one in panel.observers] == ["person", "person", "model"]
    assert panel.model == 2
    assert [one.correct for one in panel.observers] == [5, 4, 4]
    assert observer(panel, "subject-02").no_answer == 1
    # Right: 101111, 110110, 101110: the model errs as the first does but for the last image.
    kappas = [pair.kappa for pair in panel.pairs]
    assert kappas == pytest.approx(
        [(0.5 - 11 / 18) / (7 / 18), (5 / 6 - 11 / 18) / (7 / 18), (4 / 6 - 5 / 9) / (4 / 9)]
    )
    assert panel.people.kappa == pytest.approx(kappas[0])
    assert panel.with_model is not None
    assert panel.with_model.kappa == pytest.approx(np.mean(kappas[1:]))
    assert panel.difference == pytest.approx(np.mean(kappas[1:]) - (kappas[0] or 0.0))
    assert panel.outcomes == schema.HumanOutcomes(both=3, only_people=0, only_model=1, neither=2, count=6)
    assert panel.combined == "same"
    held = Record(record)
    arrays = {name: held.array("human", name) for name in held.arrays("human")}
    assert arrays["row"].tolist() == [0, 1, 2, 3, 4, 5]
    assert arrays["right"].tolist() == [2, 1, 1, 2, 2, 1]
    assert arrays["judgements"].tolist() == [2] * 6
    assert arrays["outcome"].tolist() == [0, 3, 2, 0, 0, 3]
    assert arrays["model"].tolist() == [0, 1, 1, 1, 2, 0]
    everybody = next(one for one in panel.confusions if one.observer == -1)
    assert dict(zip(zip(everybody.rows, everybody.columns, strict=True), everybody.counts, strict=True)) == {
        (0, 0): 3, (0, 1): 1, (1, 1): 3, (1, 3): 1, (2, 2): 3, (2, 0): 1,
    }  # fmt: skip


def test_confusions_beside_a_model_are_over_the_images_that_both_answered(record: Path, tmp_path: Path) -> None:
    # The record has the first six images alone; people answered two more, and left out the last of its own.
    images, true = [*IMAGES[:5], "0001_cat7.png", "0002_cat8.png"], [*TRUE[:5], "cat", "cat"]
    said = {
        "subject-01": ["cat", "dog", "dog", "dog", "bird", "bird", "bird"],
        "subject-02": ["cat", "cat", "na", "dog", "bird", "dog", "dog"],
    }
    files = [
        model_vs_human(tmp_path / f"exp_{name}_session_1.csv", name, images, true, responses)
        for name, responses in said.items()
    ]
    panel = import_people(files, record)
    assert (panel.match.images, panel.match.matched) == (7, 5)
    places = {name: place for place, name in enumerate([*PETS, "na"])}
    model = ["cat", "dog", "dog", "dog", "bird"]
    wanted: dict[int, Counter[tuple[int, int]]] = {
        at: Counter((places[one], places[answer]) for one, answer in zip(true[:5], answers[:5], strict=True))
        for at, answers in enumerate([*said.values(), model])
    }
    wanted[-1] = wanted[0] + wanted[1]
    found = {
        one.observer: dict(zip(zip(one.rows, one.columns, strict=True), one.counts, strict=True))
        for one in panel.confusions
    }
    assert found == wanted
    assert [one.count for one in panel.confusions] == [10, 5, 5, 5]
    alone = import_people(files, tmp_path / "people.pellucid")
    assert [one.count for one in alone.confusions] == [14, 7, 7], "without a model, over all images"


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_a_plain_table_takes_what_is_true_from_the_record(record: Path, tmp_path: Path, suffix: str) -> None:
    ids = Record(record).examples()["id"].to_pylist()
    columns = {
        "Observer": ["a"] * 6,
        "Example": ids,
        "Response": ["Cat", "cat", "DOG", "dog", "bird", ""],
        "Seconds": [0.5, 0.6, 0.7, 0.8, 0.9, None],
    }
    path = tmp_path / f"answers{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
    else:
        mark = "," if suffix == ".csv" else "\t"
        lines = [
            mark.join("" if one is None else str(one) for one in row) for row in zip(*columns.values(), strict=True)
        ]
        path.write_text("\ufeff" + "\n".join([mark.join(columns), *lines]), encoding="utf-8")
    panel = import_people(path, record)
    assert (panel.match.matched_by, panel.categories) == ("id", list(PETS))
    one = observer(panel, "a")
    assert (one.correct, one.count, one.no_answer, one.seconds) == (5, 6, 1, pytest.approx(0.7))


def test_images_are_found_by_the_checksum_of_their_picture(record: Path, tmp_path: Path) -> None:
    media = Record(record).examples()["media"].to_pylist()
    path = tmp_path / "answers.csv"
    path.write_text("observer,image,response\n" + "\n".join(f"a,{name},cat" for name in media[:4]), encoding="utf-8")
    panel = import_people(path, record)
    assert (panel.match.matched_by, panel.match.matched, panel.match.unanswered) == ("content", 4, 2)
    assert observer(panel, "a").correct == 2


@pytest.mark.parametrize("kind", ["lists", "columns", "npy"])
def test_counts_of_each_class(record: Path, tmp_path: Path, kind: str) -> None:
    counts = np.array([[9, 1, 0], [5, 5, 0], [0, 10, 0], [2, 6, 2], [0, 0, 10], [1, 3, 6]])
    ids = Record(record).examples()["id"].to_pylist()
    path = tmp_path / {"lists": "counts.parquet", "columns": "counts.csv", "npy": "counts.npy"}[kind]
    if kind == "lists":
        pq.write_table(pa.table({"id": ids[::-1], "counts": counts[::-1].tolist()}), path)
    elif kind == "columns":
        rows = [f"{name},{','.join(map(str, row))}" for name, row in zip(ids, counts, strict=True)]
        path.write_text("\n".join(["id,cat,dog,bird", *rows]), encoding="utf-8")
    else:
        np.save(path, counts)
    panel = import_people(path, record)
    assert panel.match.matched_by == ("row" if kind == "npy" else "id")
    assert (panel.match.judgements, panel.match.images) == (60, 6)
    soft = panel.soft
    assert soft is not None
    assert (soft.unanimous, soft.majority, soft.labelled, soft.answered) == (2, 6, 6, 6)
    assert soft.with_model == pytest.approx(np.mean([0.9, 0.5, 1, 0.6, 1, 0.1]))
    assert soft.cross_entropy is None
    assert "--probabilities" in soft.why
    assert [one.kind for one in panel.observers] == ["model"]
    assert panel.people.why == "only counts of answers are known, not who gave which"


# --- people alone ---------------------------------------------------------------------------------------------------


def test_a_record_is_made_where_there_is_none_and_more_answers_are_added(tmp_path: Path) -> None:
    place = tmp_path / "people.pellucid"
    right = ["cat", "dog", "dog", "dog", "bird", "bird"]
    first = model_vs_human(tmp_path / "a" / "exp_subject-01_session_1.csv", "subject-01", IMAGES, TRUE, right)
    panel = import_people(first, place)
    assert panel.answer.startswith("Not defined, because")
    assert panel.people.kappa is None
    held = Record(place)
    assert held.verify() == []
    assert held.examples()["id"].to_pylist() == IMAGES
    assert held.manifest.data is not None
    assert held.manifest.data.classes == sorted(PETS)
    second = model_vs_human(tmp_path / "a" / "exp_subject-02_session_1.csv", "subject-02", IMAGES, TRUE, right[::-1])
    panel = import_people(tmp_path / "a", place)
    assert [one.name for one in panel.sources] == [first.name, second.name]
    assert [one.name for one in panel.observers] == ["subject-01", "subject-02"]
    assert panel.people.pairs == 1
    assert panel.notes == [f"Imported before, and not taken twice: {first.name}."]
    assert panel.match.repeated == 0
    # The answers are there as they came, part by part, and what is compared again without files is the same.
    parts = kept_answers(Record(place))
    assert [one.table["response"].to_pylist() for one in parts] == [right, right[::-1]]
    again = import_people([], place)
    assert (again.people, again.observers) == (panel.people, panel.observers)
    with pytest.raises(RecordError, match="people's responses, which cannot be made again"):
        Writer.create(place, schema.Manifest(), overwrite=True)


def test_damaged_answers_are_told(tmp_path: Path) -> None:
    place = tmp_path / "people.pellucid"
    path = model_vs_human(tmp_path / "exp_subject-01_session_1.csv", "a", IMAGES, TRUE, TRUE)
    import_people(path, place)
    part = place / part_path(0)
    part.write_bytes(part.read_bytes()[:-10])
    with pytest.raises(RecordError, match="damaged"):
        import_people([], place)


def test_a_crowd_of_observers_is_compared_by_means_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    observers = np.repeat(np.arange(80), 30)
    images = np.concatenate([rng.choice(100, 30, replace=False) for _ in range(80)])
    said = np.where(rng.random(len(images)) < 0.1 + 0.8 * (images % 2), "cat", "dog")
    path = tmp_path / "crowd.parquet"
    pq.write_table(
        pa.table({
            "observer": [f"w{one}" for one in observers],
            "example": [f"i{one}" for one in images],
            "category": ["cat"] * len(images),
            "response": said,
        }),
        path,
    )  # fmt: skip
    panel = import_people(path, tmp_path / "people.pellucid")
    assert panel.people.pairs + panel.people.undefined == 80 * 79 // 2
    assert panel.people.kappa is not None
    assert panel.people.kappa > 0.5
    assert panel.pairs == []
    assert {one.observer for one in panel.accuracies} == {-1}
    assert any("80 observers" in note for note in panel.notes)
    assert panel.answer.startswith("People err on the same images as each other: kappa = 0.")

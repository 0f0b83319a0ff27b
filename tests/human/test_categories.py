"""Categories of people that are coarser than the classes of the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pellucid
from pellucid.errors import DataError, OptionError
from pellucid.human import import_people
from pellucid.record import Record, schema
from support.judged import model_vs_human

CLASSES = ("tabby", "siamese", "beagle", "pug", "husky", "collie", "canary", "truck")
KINDS = {"cat": ["tabby", 1], "dog": [2, 3, 4, 5], "bird": [6]}
DEEP = "animal\n mammal\n  cat\n   tabby\n   siamese\n  dog\n   beagle\n   pug\n   husky\n   collie\n bird\n  canary\n"
TREE = "animal\n cat\n  tabby\n  siamese\n dog\n  beagle\n  pug\n  husky\n  collie\n bird\n  canary\ntruck\n"


@pytest.fixture
def fine(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """Saved probabilities of eight classes for four images; two cats, a dog and a bird."""
    rows = np.array(
        [
            [0.30, 0.10, 0.20, 0.15, 0.10, 0.10, 0.03, 0.02],  # cat .40, dog .55: sums say dog, means say cat
            [0.60, 0.20, 0.05, 0.05, 0.03, 0.03, 0.02, 0.02],
            [0.10, 0.10, 0.20, 0.20, 0.15, 0.15, 0.05, 0.05],
            [0.02, 0.02, 0.02, 0.02, 0.01, 0.01, 0.20, 0.70],  # truck first, which people cannot choose: bird
        ]
    )
    path = tmp_path / "net.pellucid"
    table = pa.table({"id": ["a.png", "b.png", "c.png", "d.png"], "probabilities": rows.tolist()})
    pellucid.import_predictions(table, out=path, classes=CLASSES, kind="probabilities")
    return path, rows


def test_a_category_is_the_sum_of_its_classes_by_file_by_tree_and_by_the_record(
    fine: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    record, rows = fine
    images, true = ["a.png", "b.png", "c.png", "d.png"], ["cat", "cat", "dog", "bird"]
    path = model_vs_human(tmp_path / "exp_a_session_1.csv", "a", images, true, true)
    kinds, tree, wide = tmp_path / "kinds.json", tmp_path / "tree.txt", tmp_path / "wide.npy"
    kinds.write_text(json.dumps(KINDS), encoding="utf-8")
    tree.write_text(TREE, encoding="utf-8")
    np.save(wide, rows)
    panel = import_people(path, record, categories=kinds, probabilities=wide)
    assert panel.combined == "sum"
    assert [sorted(panel.categories)[place] for place in range(3)] == ["bird", "cat", "dog"]
    assert dict(zip(panel.categories, panel.mapping, strict=True)) == {
        "cat": [0, 1],
        "dog": [2, 3, 4, 5],
        "bird": [6],
    }
    answers = [panel.categories[place] for place in Record(record).array("human", "model")]
    assert answers == ["dog", "cat", "dog", "bird"]
    by_tree = import_people([], record, hierarchy=tree, probabilities=wide)
    assert sorted(map(tuple, by_tree.mapping)) == sorted(map(tuple, panel.mapping))
    mean = import_people([], record, categories=kinds, combine="mean", probabilities=wide)
    assert mean.combined == "mean"
    answers = [mean.categories[place] for place in Record(record).array("human", "model")]
    assert answers == ["cat", "cat", "dog", "bird"]
    assert mean.match.undecided == 0
    from pellucid.inspection.hierarchy import add_hierarchy

    add_hierarchy(record, tree)
    assert import_people([], record, probabilities=wide).mapping == by_tree.mapping


def test_mistakes_weigh_by_how_far_up_the_tree_they_meet(fine: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    record, rows = fine
    images, true = ["a.png", "b.png", "c.png", "d.png"], ["cat", "cat", "dog", "bird"]
    wide, tree = tmp_path / "wide.npy", tmp_path / "tree.txt"
    np.save(wide, rows)
    tree.write_text(DEEP, encoding="utf-8")
    for observer, said in (("a", ["dog", "cat", "bird", "bird"]), ("b", ["bird", "dog", "dog", "cat"])):
        model_vs_human(tmp_path / f"exp_{observer}_session_1.csv", observer, images, true, said)
    files = sorted(tmp_path.glob("exp_*.csv"))
    assert import_people(files, record, probabilities=wide, categories=_kinds(tmp_path)).gravity == []
    panel = import_people([], record, probabilities=wide, hierarchy=tree)
    people, model = panel.gravity
    # cat for dog twice meets at mammal, of height 2; bird for cat, dog for bird and cat for bird meet at animal, of height 3.
    assert (people.observer, people.mistakes, people.mean) == (-1, 5, (2 + 2 + 3 + 3 + 3) / 5)
    assert people.highest == 3
    assert people.interval is not None
    assert model.observer == panel.model
    assert (model.mistakes, model.mean) == (1, 2.0)


def _kinds(folder: Path) -> Path:
    path = folder / "kinds.json"
    path.write_text(json.dumps(KINDS), encoding="utf-8")
    return path


@pytest.mark.parametrize("combine", ["sum", "mean"])
def test_stored_classes_settle_what_nothing_can_turn_and_nothing_else(
    tmp_path: Path, combine: Literal["sum", "mean"]
) -> None:
    """Five of eight classes are stored; where they name a category it is that of all eight."""
    rng = np.random.default_rng(1)
    rows = rng.dirichlet([0.6] * 8, 400)
    names = [f"{row}.png" for row in range(400)]
    record, kinds, wide = tmp_path / "net.pellucid", tmp_path / "kinds.json", tmp_path / "wide.npy"
    table = pa.table({"id": names, "probabilities": rows.tolist()})
    pellucid.import_predictions(table, out=record, classes=CLASSES, kind="probabilities")
    kinds.write_text(json.dumps(KINDS), encoding="utf-8")
    np.save(wide, rows)
    path = model_vs_human(tmp_path / "exp_a_session_1.csv", "a", names, ["cat"] * 400, ["cat", "dog"] * 200)
    panel = import_people(path, record, categories=kinds, combine=combine)
    found = Record(record).array("human", "model")
    exact = import_people([], record, categories=kinds, combine=combine, probabilities=wide)
    truth = Record(record).array("human", "model")
    by_hand = np.stack([getattr(rows[:, one], combine)(1) for one in panel.mapping if one], 1).argmax(1)
    mapped = [place for place, one in enumerate(panel.mapping) if one]
    assert [mapped[place] for place in by_hand] == truth.tolist()
    settled = found >= 0
    assert (found[settled] == truth[settled]).all()
    assert panel.match.undecided == 400 - settled.sum()
    assert 10 < panel.match.undecided < 200
    assert any("do not settle the model's category" in note for note in panel.notes)
    assert (exact.match.undecided, exact.notes) == (0, [])
    assert observer_count(panel) == settled.sum()


def observer_count(panel: schema.HumanPanel) -> int:
    """How many answers of the model count."""
    assert panel.model is not None
    return panel.observers[panel.model].count


def test_what_the_classes_of_a_category_may_not_be(fine: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    record, rows = fine
    path = model_vs_human(tmp_path / "exp_a_session_1.csv", "a", ["a.png"], ["cat"], ["cat"])
    kinds = tmp_path / "kinds.json"
    for held, told in (
        ("[]", "an object of categories"),
        ("{", "cannot be read"),
        ('{"cat": [8]}', "holds 8, which is no class"),
        ('{"cat": ["lion"]}', "holds 'lion', which is no class"),
        ('{"cat": [true]}', "no class"),
        ('{"cat": [0], "dog": [0]}', "stands for 'cat' and for 'dog'"),
    ):
        kinds.write_text(held, encoding="utf-8")
        with pytest.raises(DataError, match=told):
            import_people(path, record, categories=kinds)
    with pytest.raises(OptionError, match="give one of them"):
        import_people(path, record, categories=kinds, hierarchy=kinds)
    wide = tmp_path / "wide.npy"
    for values, told in (
        (rows[:, :3], r"shape \(4, 3\); expected probabilities of shape \(4, 8\)"),
        (rows[:2], "2 rows and no column 'id'"),
        (rows * 2, "no probabilities"),
        (np.log(rows), "no probabilities"),
    ):
        np.save(wide, values)
        with pytest.raises(DataError, match=told):
            import_people(path, record, probabilities=wide)
    pq.write_table(pa.table({"id": ["x"], "probabilities": [rows[0].tolist()]}), tmp_path / "wide.parquet")
    with pytest.raises(DataError, match="No id of"):
        import_people(path, record, probabilities=tmp_path / "wide.parquet")


def test_cross_entropy_of_saved_probabilities_by_id(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows, counts = rng.dirichlet([1] * 7, 30), rng.multinomial(20, [1 / 7] * 7, 30)
    ids = [f"x{row}" for row in range(30)]
    record, answers, wide = tmp_path / "net.pellucid", tmp_path / "counts.parquet", tmp_path / "wide.parquet"
    pellucid.import_predictions(pa.table({"id": ids, "probabilities": rows.tolist()}), out=record, kind="probabilities")
    pq.write_table(pa.table({"id": ids, "human_counts": counts.tolist()}), answers)
    order = rng.permutation(30)
    pq.write_table(pa.table({"id": [ids[row] for row in order], "probabilities": rows[order].tolist()}), wide)
    soft = import_people(answers, record, probabilities=wide).soft
    assert soft is not None
    assert soft.cross_entropy == pytest.approx(-(counts / 20 * np.log(rows)).sum(1).mean(), abs=1e-6)
    assert soft.compared == 30
    assert soft.cross_entropy_interval is not None
    assert soft.why == ""
    rows[3] = [0.5, 0.5, 0, 0, 0, 0, 0]
    np.save(tmp_path / "wide.npy", rows)
    soft = import_people([], record, probabilities=tmp_path / "wide.npy").soft
    assert soft is not None
    assert soft.cross_entropy is None
    assert "probability 0" in soft.why


def test_categories_that_no_class_stands_for_are_told_with_what_to_do(
    fine: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    record, _ = fine
    images = ["a.png", "b.png", "c.png", "d.png"]
    for person, said in enumerate((["cat", "dog", "dog", "cat"], ["cat", "dog", "cat", "cat"])):
        path = tmp_path / "people" / f"exp_p{person}_session_1.csv"
        model_vs_human(path, f"p{person}", images, ["cat", "cat", "dog", "bird"], said)
    panel = import_people(tmp_path / "people", record)
    assert panel.match.unmapped == {"cat": 5, "dog": 3}
    assert panel.model is None
    assert panel.people.pairs == 1
    assert "no class of the model stands for any of their categories" in panel.answer
    assert "--categories FILE or --hierarchy FILE" in panel.answer

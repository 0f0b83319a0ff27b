"""The same examples found again, by id and by picture; what cannot be found is counted, what is not the same refused."""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree

import numpy as np
import pytest

from pellucid import compare
from pellucid.comparison.answers import names_of
from pellucid.comparison.matching import common_classes
from pellucid.errors import DataError, OptionError
from support.answered import answered


def test_examples_in_another_order_are_found_by_their_ids(tmp_path: Path) -> None:
    ids = ["a", "b", "c", "d"]
    old = answered(tmp_path / "old", [0, 1, 2, 0], [0, 1, 2, 1], ids=ids)
    new = answered(tmp_path / "new", [0, 2, 1, 0], [1, 2, 1, 0], ids=["d", "c", "b", "a"])
    found = compare(old, new).panel
    pair = found.pairs[0]
    assert found.models[0].matched_by == "id"
    assert (pair.count, pair.both_right, pair.both_wrong, pair.fixed, pair.broken) == (4, 3, 1, 0, 0)
    assert found.notes == []


def test_numbers_given_anew_are_no_ids_where_the_pictures_say_so(tmp_path: Path) -> None:
    ids = [str(row) for row in range(6)]
    old = answered(tmp_path / "old", [0, 1, 2, 0, 1, 2], [0, 1, 2, 0, 1, 0], ids=ids, pictures=range(6))
    shuffled = [3, 5, 0, 1, 4, 2]
    targets = [[0, 1, 2, 0, 1, 2][row] for row in shuffled]
    new = answered(tmp_path / "new", targets, targets, ids=ids, pictures=shuffled)
    found = compare(old, new).panel
    assert found.models[0].matched_by == "content"
    assert (found.pairs[0].count, found.pairs[0].fixed, found.pairs[0].both_right) == (6, 1, 5)
    assert "found by content" in found.notes[0]


def test_renamed_examples_are_found_by_their_pictures_beside_the_others(tmp_path: Path) -> None:
    old = answered(tmp_path / "old", [0, 1, 2], [0, 1, 2], ids=["a", "b", "c"], pictures=range(3))
    new = answered(tmp_path / "new", [0, 1, 2], [0, 1, 1], ids=["a", "b", "renamed"], pictures=range(3))
    model = compare(old, new).panel.models[0]
    assert (model.matched_by, model.matched, model.unmatched, model.unanswered) == ("id and content", 3, 0, 0)


def test_what_is_only_in_one_is_counted_and_not_compared(tmp_path: Path) -> None:
    old = answered(tmp_path / "old", [0, 1, 2, 0], [0, 1, 2, 0], ids=["a", "b", "c", "x"])
    new = answered(tmp_path / "new", [0, 1, 2, 1, 1], [0, 1, 0, 1, 1], ids=["a", "b", "c", "y", "z"])
    found = compare(old, new).panel
    model = found.models[0]
    assert (model.matched, model.unmatched, model.unanswered) == (3, 1, 2)
    assert (found.pairs[0].count, found.pairs[0].broken) == (3, 1)
    assert found.notes == [
        "Both old and new have 3 of the examples; left out are 1 that only old has and 2 that only new has."
    ]


def test_an_id_that_is_there_twice_names_no_example(tmp_path: Path) -> None:
    old = answered(tmp_path / "old", [0, 1, 2], [0, 1, 2], ids=["a", "a", "b"])
    new = answered(tmp_path / "new", [0, 1, 2], [1, 1, 2], ids=["a", "b2", "b"])
    found = compare(old, new).panel
    assert found.pairs[0].count == 1
    assert found.models[0].repeated == 2
    assert any("more than once" in note for note in found.notes)


def test_labels_that_were_corrected_are_left_out(tmp_path: Path) -> None:
    targets = [row % 3 for row in range(30)]
    corrected = [*targets[:-1], (targets[-1] + 1) % 3]
    old, new = answered(tmp_path / "old", targets, targets), answered(tmp_path / "new", corrected, targets)
    found = compare(old, new).panel
    assert (found.models[0].relabelled, found.pairs[0].count) == (1, 29)
    assert "Left out, because old and new label them differently: 1 of 30 examples." in found.notes


def test_records_of_different_data_are_refused(tmp_path: Path) -> None:
    targets = [row % 3 for row in range(30)]
    old = answered(tmp_path / "old", targets, targets)
    elsewhere = answered(tmp_path / "elsewhere", targets, targets, ids=[f"other-{row}" for row in range(30)])
    with pytest.raises(DataError, match=r"no example in common.*ids like other-0"):
        compare(old, elsewhere)
    same_ids = answered(tmp_path / "same", [(one + 1) % 3 for one in targets], targets)
    with pytest.raises(DataError, match=r"30 of 30 examples .* another label in each"):
        compare(old, same_ids)
    strange = answered(tmp_path / "strange", targets, targets, classes=["car", "ship", "plane"])
    with pytest.raises(DataError, match=r"other classes: 3 \(car, ship, plane\) and 3 \(cat, dog, bird\)"):
        compare(old, strange)


@pytest.mark.parametrize("named", [False, True])
def test_different_data_of_one_frequent_class_are_refused_though_most_labels_agree(tmp_path: Path, named: bool) -> None:
    """3% of both are of the second class: by chance 94% of the labels agree."""
    first, second = (np.random.default_rng(seed).random(400) < 0.03 for seed in (1, 2))
    ids = [f"img-{row}" for row in range(400)] if named else [str(row) for row in range(400)]
    old, new = (
        answered(tmp_path / name, labels.astype(int).tolist(), [0] * 400, classes=["no", "yes"], ids=ids)
        for name, labels in (("old", first), ("new", second))
    )
    with pytest.raises(
        DataError, match=r"of 400 examples .* about \d+ would by chance: they are records of different data"
    ):
        compare(old, new)


def test_few_corrections_of_a_rare_class_are_no_other_data(tmp_path: Path) -> None:
    targets = [0] * 190 + [1] * 10
    corrected = [*targets[:-2], 0, 0]
    for ids in ([str(row) for row in range(200)], [f"img-{row}" for row in range(200)]):
        old = answered(tmp_path / "old", targets, targets, classes=["no", "yes"], ids=ids)
        new = answered(tmp_path / "new", corrected, targets, classes=["no", "yes"], ids=ids)
        assert compare(old, new).panel.models[0].relabelled == 2
        rmtree(tmp_path / "old")
        rmtree(tmp_path / "new")


def test_pictures_say_that_examples_are_the_same_where_ids_are_numbers_of_rows(tmp_path: Path) -> None:
    targets = [0] * 40
    corrected = [*targets[:-1], 1]
    old, new = (
        answered(
            tmp_path / name,
            labels,
            targets,
            classes=["no", "yes"],
            ids=[str(row) for row in range(40)],
            pictures=range(40),
        )
        for name, labels in (("old", targets), ("new", corrected))
    )
    assert compare(old, new).panel.models[0].relabelled == 1


def test_classes_in_another_order_or_more_of_them_are_matched_by_name(tmp_path: Path) -> None:
    old = answered(tmp_path / "old", [0, 1, 2], [0, 1, 3], classes=["dog", "cat", "bird", "fish"])
    new = answered(tmp_path / "new", [1, 0, 2], [1, 0, 2], classes=["cat", "dog", "bird"])
    found = compare(old, new, out=tmp_path / "both")
    pair = found.panel.pairs[0]
    assert (pair.fixed, pair.both_right) == (1, 2)
    record = found.write(tmp_path / "again")
    assert record.manifest.data is not None
    assert record.manifest.data.classes == ["cat", "dog", "bird", "fish"]
    assert record.examples()["old.prediction"].to_pylist() == [1, 0, 3]


def test_numbered_classes_take_the_names_of_the_other() -> None:
    names, places = common_classes([["0", "1"], ["cat", "dog"]], base=1)
    assert names == ["cat", "dog"]
    assert [place.tolist() for place in places] == [[0, 1], [0, 1]]


def test_one_record_alone_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"at least two records, the old and the new; got .*only alone"):
        compare(answered(tmp_path / "only", [0, 1], [0, 1]))


def test_names_are_unique_and_as_short_as_can_be() -> None:
    assert names_of([Path("/a/old.pellucid"), Path("/a/new.pellucid")]) == ["old", "new"]
    assert names_of([Path("/a/net.pellucid"), Path("/b/net.pellucid")]) == ["a/net", "b/net"]
    assert names_of([Path("/a/net"), Path("/a/net")]) == ["a/net", "a/net#2"]


def test_records_without_answers_and_bad_numbers_are_refused(tmp_path: Path) -> None:
    full = answered(tmp_path / "full", [0, 1], [0, 1])
    empty = answered(tmp_path / "empty", [0, 1], [-1, -1])
    with pytest.raises(DataError, match="without a prediction or a loss"):
        compare(full, empty)
    with pytest.raises(OptionError, match="between 0 and 1"):
        compare(full, full, to_accuracy=90)


def test_examples_without_label_count_for_churn_alone(tmp_path: Path) -> None:
    old = answered(tmp_path / "old", [0, -1, -1], [0, 1, 2])
    new = answered(tmp_path / "new", [0, -1, -1], [0, 1, 0])
    pair = compare(old, new).panel.pairs[0]
    assert (pair.count, pair.answered, pair.agreed) == (1, 3, 2)
    assert pair.churn == pytest.approx(1 / 3)


def test_without_any_label_the_accuracy_is_not_defined_and_says_why(tmp_path: Path) -> None:
    old, new = answered(tmp_path / "old", [-1] * 4, [0, 1, 2, 0]), answered(tmp_path / "new", [-1] * 4, [0, 1, 2, 1])
    found = compare(old, new).panel
    measures = {one.measure: one for one in found.pairs[0].measures}
    assert measures["accuracy"].difference is None
    assert measures["accuracy"].why == "no example has a label and an answer"
    assert found.pairs[0].p_value is None
    assert found.models[0].accuracy is None
    assert found.findings == []
    assert np.isclose(found.pairs[0].churn or 0, 0.25)

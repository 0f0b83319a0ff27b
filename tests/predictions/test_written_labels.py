"""Labels of several classes as CSV writes them: a column a class, or a list in a cell, judged as the same lists in an array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import pellucid
from pellucid.errors import DataError, OptionError, PellucidError
from support.saved import CLASSES, answered, softmax

LOGITS, TARGETS = answered(80)
SAVED = softmax(LOGITS)
SIGMOIDS = 1 / (1 + np.exp(-LOGITS.astype(np.float64)))
GENERATOR = np.random.default_rng(5)
TRUE = GENERATOR.random((80, 4)) < 0.4
COUNTS = GENERATOR.multinomial(20, np.full(4, 0.25), size=80)
SOFT = np.round(GENERATOR.dirichlet(np.ones(4), size=80), 3)
SOFT[:, 3] = np.round(1 - SOFT[:, :3].sum(axis=1), 3)
KEPT = ("loss", "target", "prediction", "confidence", "soft_target", "targets", "called", "nonfinite")


def csv_of(path: Path, header: str, rows: Any) -> Path:
    path.write_text(
        "\n".join([header, *(row if isinstance(row, str) else ",".join(map(str, row)) for row in rows)]) + "\n"
    )
    return path


def columns(tmp_path: Path, values: Any, header: str = "cat,dog,owl,yak") -> Path:
    return csv_of(tmp_path / "labels.csv", header, values.tolist() if hasattr(values, "tolist") else values)


def imported(tmp_path: Path, scores: Any, labels: Any, **options: Any) -> pellucid.Record:
    return pellucid.import_predictions(scores, labels, out=tmp_path / "net", overwrite=True, **options)


def kept(record: pellucid.Record) -> dict[str, list[Any]]:
    table = record.examples()
    return {name: table[name].to_pylist() for name in KEPT if name in table.schema.names}


def refused(tmp_path: Path, *given: Any, error: type[PellucidError] = DataError, **options: Any) -> str:
    with pytest.raises(error) as told:
        pellucid.import_predictions(*given, out=tmp_path / "refused", **options)
    assert not (tmp_path / "refused").exists()
    return str(told.value)


def names_of(rows: Any, separator: str = ";") -> list[str]:
    # A separator alone is a set of no classes; an empty cell is one that is not known.
    return [separator.join(CLASSES[place] for place in np.flatnonzero(row)) or separator for row in rows]


# --- sets of classes ----------------------------------------------------------------------------------------------


def sets_written(tmp_path: Path, form: str) -> Path:
    lists = [np.flatnonzero(row).tolist() for row in TRUE]
    forms: dict[str, tuple[str, Any]] = {
        "columns of 0 and 1": ("cat,dog,owl,yak", TRUE.astype(int).tolist()),
        "numbered": ("is_0,is_1,is_2,is_3", TRUE.astype(float).tolist()),
        "booleans": ("cat,dog,owl,yak", [[str(one).lower() for one in row] for row in TRUE.tolist()]),
        "names with semicolons": ("label", names_of(TRUE)),
        "names with bars and blanks": ("label", names_of(TRUE, " | ")),
        "indices": ("label", [";".join(map(str, row)) or ";" for row in lists]),
        "indices in brackets": ("label", [f'"{row}"' for row in lists]),
        "names in brackets, as Python writes them": ("label", [f'"{[CLASSES[one] for one in row]}"' for row in lists]),
        "booleans in brackets": ("label", [f'"{str(row).lower()}"' for row in TRUE.tolist()]),
    }
    return csv_of(tmp_path / "labels.csv", *forms[form])


@pytest.mark.parametrize(
    "form",
    [
        "columns of 0 and 1",
        "numbered",
        "booleans",
        "names with semicolons",
        "names with bars and blanks",
        "indices",
        "indices in brackets",
        "names in brackets, as Python writes them",
        "booleans in brackets",
    ],
)
def test_sets_are_those_of_an_array_of_booleans(tmp_path: Path, form: str) -> None:
    wanted = kept(imported(tmp_path, SIGMOIDS, TRUE, classes=CLASSES))
    record = imported(tmp_path, SIGMOIDS, sets_written(tmp_path, form), classes=CLASSES)
    assert record.manifest.task == "multilabel"
    assert kept(record) == wanted


def test_columns_are_taken_by_name_whatever_their_order_and_the_rest_comes_along(tmp_path: Path) -> None:
    rows = [[index, *row[::-1], index % 7] for index, row in enumerate(TRUE.astype(int).tolist())]
    labels = csv_of(tmp_path / "labels.csv", "id,yak,owl,dog,cat,site", rows)
    record = imported(tmp_path, SIGMOIDS, labels, classes=CLASSES)
    assert record.examples()["targets"].to_pylist() == [np.flatnonzero(row).tolist() for row in TRUE]
    assert record.examples()["site"].to_pylist() == [index % 7 for index in range(80)]


def test_the_columns_name_the_classes_where_nothing_else_does(tmp_path: Path) -> None:
    labels = columns(tmp_path, TRUE.astype(int), "owl,cat,yak,dog")
    record = imported(tmp_path, SIGMOIDS, labels)
    assert record.manifest.data is not None
    assert record.manifest.data.classes == ["owl", "cat", "yak", "dog"]
    # Scores that are called alike are found by these names too.
    scores = csv_of(tmp_path / "scores.csv", "cat,dog,owl,yak", SIGMOIDS[:, [1, 3, 0, 2]].tolist())
    assert kept(imported(tmp_path, scores, labels)) == kept(record)


def test_labels_beside_the_scores_in_one_file_and_in_another_order(tmp_path: Path) -> None:
    wanted = kept(imported(tmp_path, SIGMOIDS, TRUE, classes=CLASSES))
    rows = [[*score, *label] for score, label in zip(SIGMOIDS.tolist(), TRUE.astype(int).tolist(), strict=True)]
    both = csv_of(tmp_path / "both.csv", "p_0,p_1,p_2,p_3,label_0,label_1,label_2,label_3", rows)
    assert kept(imported(tmp_path, both, None, classes=CLASSES)) == wanted
    rows = [[*score, label] for score, label in zip(SIGMOIDS.tolist(), names_of(TRUE), strict=True)]
    both = csv_of(tmp_path / "both.csv", "p_0,p_1,p_2,p_3,truth", rows)
    assert kept(imported(tmp_path, both, "truth", classes=CLASSES)) == wanted
    rows = [[f"i{index}", *score] for index, score in enumerate(SIGMOIDS.tolist())]
    scores = csv_of(tmp_path / "scores.csv", "id,p_0,p_1,p_2,p_3", rows)
    shuffled = [f"i{index},{names_of(TRUE)[index]}" for index in GENERATOR.permutation(80)]
    record = imported(tmp_path, scores, csv_of(tmp_path / "labels.csv", "id,label", shuffled), classes=CLASSES)
    assert kept(record) == wanted


def test_a_row_without_a_label_is_counted_and_a_set_of_none_is_not(tmp_path: Path) -> None:
    for labels in (
        csv_of(tmp_path / "labels.csv", "cat,dog,owl,yak", [",,,", [0, 0, 0, 0], *TRUE[2:].astype(int).tolist()]),
        csv_of(tmp_path / "labels.csv", "label", ['""', ";", *names_of(TRUE[2:])]),
        csv_of(
            tmp_path / "labels.csv", "label", ['""', "[]", *(f'"{np.flatnonzero(row).tolist()}"' for row in TRUE[2:])]
        ),
    ):
        record = imported(tmp_path, SIGMOIDS, labels, classes=CLASSES)
        assert record.examples()["targets"].to_pylist()[:2] == [None, []]
        panel = record.panel("accuracy")
        assert isinstance(panel, pellucid.record.schema.AccuracyPanel)
        assert panel.count == 79


# --- soft labels --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["columns", "numbered", "brackets", "semicolons"])
def test_soft_labels_are_those_of_an_array(tmp_path: Path, form: str) -> None:
    wanted = kept(imported(tmp_path, SAVED, SOFT, classes=CLASSES))
    labels = {
        "columns": lambda: columns(tmp_path, SOFT),
        "numbered": lambda: columns(tmp_path, SOFT, "q0,q1,q2,q3"),
        "brackets": lambda: csv_of(tmp_path / "labels.csv", "label", [f'"{row}"' for row in SOFT.tolist()]),
        "semicolons": lambda: csv_of(
            tmp_path / "labels.csv", "label", [";".join(map(str, row)) for row in SOFT.tolist()]
        ),
    }[form]()
    record = imported(tmp_path, SAVED, labels, classes=CLASSES)
    assert record.manifest.task == "classification"
    found = kept(record)
    np.testing.assert_allclose(found.pop("soft_target"), wanted.pop("soft_target"), atol=1e-15)
    np.testing.assert_allclose(found.pop("loss"), wanted.pop("loss"), atol=1e-12)
    assert found == wanted


def test_counts_of_votes_are_divided_by_their_sum(tmp_path: Path) -> None:
    record = imported(tmp_path, SAVED, columns(tmp_path, COUNTS), classes=CLASSES)
    np.testing.assert_allclose(record.examples()["soft_target"].to_pylist(), COUNTS / 20, atol=1e-15)
    bracketed = csv_of(tmp_path / "labels.csv", "label", [f'"{row}"' for row in SOFT.round().astype(int).tolist()])
    assert "must hold numbers" in refused(tmp_path, SAVED, bracketed, classes=CLASSES, label_kind="soft")


def test_a_single_one_in_every_row_is_one_class_unless_it_is_said_to_be_a_set(tmp_path: Path) -> None:
    labels = columns(tmp_path, np.eye(4, dtype=int)[TARGETS])
    assert kept(imported(tmp_path, SAVED, labels, classes=CLASSES)) == kept(imported(tmp_path, SAVED, TARGETS))
    record = imported(tmp_path, SIGMOIDS, labels, classes=CLASSES, label_kind="sets")
    assert record.examples()["targets"].to_pylist() == [[one] for one in TARGETS]
    # Votes of one person an image: the same numbers as soft labels.
    record = imported(tmp_path, SAVED, labels, classes=CLASSES, label_kind="soft")
    assert record.examples()["soft_target"].to_pylist() == np.eye(4)[TARGETS].tolist()


def test_a_name_that_holds_a_separator_is_one_class(tmp_path: Path) -> None:
    classes = ("cat;tabby", "dog", "owl", "yak")
    labels = csv_of(tmp_path / "labels.csv", "label", [classes[one] for one in TARGETS])
    assert imported(tmp_path, SAVED, labels, classes=classes).examples()["target"].to_pylist() == TARGETS.tolist()
    # Of predicted classes alone there are no sets, so that nothing is split.
    named = np.array(classes)
    record = imported(tmp_path, named[SAVED.argmax(axis=1)], labels)
    assert record.manifest.data is not None
    assert record.manifest.data.classes == sorted(classes)


# --- refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "changed", "words"),
    [
        (SOFT, {3: [0.5, 0.1, 0, 0], 9: [0.5, 0.5, 0.5, 0]}, "row 3, [0.5, 0.1, 0, 0], does not sum to 1"),
        (SOFT, {3: [0.5, 0.1, 0, 0], 9: [0.5, 0.5, 0.5, 0]}, "(2 such rows)"),
        (SOFT, {7: [1.5, -0.5, 0, 0]}, "row 7, [1.5, -0.5, 0, 0], holds a number outside of 0 to 1"),
        (COUNTS, {0: [-1, 3, 0, 0]}, "row 0, [-1, 3, 0, 0], holds a negative number"),
        (COUNTS, {79: [0, 0, 0, 0]}, "row 79, [0, 0, 0, 0], names no class"),
        (
            TRUE.astype(int),
            {0: [1, "", 0, 0], 1: [0, 1, 0, ""], 2: [1, "", "", 0]},
            "row 0, [1, nan, 0, 0], lacks some of its numbers (3 such rows). Missing cells by column: dog 2, owl 1, yak 1",
        ),
    ],
)
def test_what_is_wrong_is_counted_over_the_whole_file_with_the_first_row(
    tmp_path: Path, rows: Any, changed: dict[int, list[Any]], words: str
) -> None:
    written = [changed.get(index, row) for index, row in enumerate(rows.tolist())]
    found = refused(tmp_path, SAVED, columns(tmp_path, written), classes=CLASSES)
    assert words in found, found


def test_what_is_no_label_of_the_kind_that_was_asked_for_is_refused(tmp_path: Path) -> None:
    with_two = columns(tmp_path, [[2, 0, 1, 0], *TRUE[1:].astype(int).tolist()])
    assert "row 0, [2, 0, 1, 0], is no set of classes" in refused(
        tmp_path, SIGMOIDS, with_two, classes=CLASSES, label_kind="sets"
    )
    assert "is not one class: expected a single 1" in refused(
        tmp_path, SIGMOIDS, columns(tmp_path, TRUE.astype(int)), classes=CLASSES, label_kind="class"
    )
    named = csv_of(tmp_path / "labels.csv", "label", names_of(TRUE))
    assert "expected a number a class" in refused(
        tmp_path, SAVED, named, classes=CLASSES, label_kind="soft", error=OptionError
    )
    soft = csv_of(tmp_path / "labels.csv", "label", [f'"{row}"' for row in SOFT.tolist()])
    assert "numbers that are not whole" in refused(
        tmp_path, SAVED, soft, classes=CLASSES, label_kind="sets", error=OptionError
    )
    assert "must be 'class', 'soft' or 'sets'" in refused(tmp_path, SAVED, soft, label_kind="hard", error=OptionError)


@pytest.mark.parametrize(
    ("labels", "found"),
    [(TRUE, "sets"), (SOFT, "soft"), (pa.array(COUNTS.tolist(), pa.list_(pa.float64())), "soft"), (TARGETS, "class")],
    ids=["booleans", "probabilities", "lists", "numbers"],
)
def test_labels_whose_type_says_what_they_are_are_not_taken_for_others(tmp_path: Path, labels: Any, found: str) -> None:
    table = pa.table({"label": labels.tolist()})
    for asked in {"class", "sets", "soft"} - {found}:
        if (asked, found) == ("sets", "soft"):  # numbers may be sets, one 0 or 1 a class
            assert "row 0 holds other numbers than 0 and 1 (80 such rows" in refused(
                tmp_path, SAVED, table, label_kind=asked
            )
            continue
        told = refused(tmp_path, SAVED, table, label_kind=asked, error=OptionError)
        assert f"--label-kind {asked}, but the column 'label'" in told
    told = refused(tmp_path, SAVED, None, label_kind="sets", error=OptionError)
    assert "there are no labels" in told


def test_lists_of_whole_numbers_are_indices_or_where_one_says_so_counts(tmp_path: Path) -> None:
    counts = pa.table({"label": pa.array(COUNTS.tolist(), pa.list_(pa.int64()))})
    record = imported(tmp_path, SAVED, counts, label_kind="soft")
    np.testing.assert_allclose(kept(record)["soft_target"], COUNTS / 20, rtol=1e-12)
    indices = pa.table({"label": [np.flatnonzero(row).tolist() for row in TRUE]})
    record = imported(tmp_path, SIGMOIDS, indices, label_kind="sets")
    assert kept(record)["targets"] == indices["label"].to_pylist()


def test_names_and_numbers_of_classes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    unknown = csv_of(tmp_path / "labels.csv", "label", ["cat;emu", *names_of(TRUE[1:])])
    assert "the files also name 'emu'" in refused(tmp_path, SIGMOIDS, unknown, classes=CLASSES)
    assert "nothing says which score is whose" in refused(tmp_path, SIGMOIDS, unknown)
    lacking = columns(tmp_path, TRUE.astype(int), "cat,dog,owl,emu")
    assert "columns for 3 of 4 classes and none for 'yak'; 'emu' is none of the classes" in refused(
        tmp_path, SIGMOIDS, lacking, classes=CLASSES
    )
    three = columns(tmp_path, TRUE[:, :3].astype(int), "cat,dog,owl")
    assert "has 3 values, but there are scores of 4 classes" in refused(tmp_path, SIGMOIDS, three)
    soft = columns(tmp_path, np.full((80, 3), 1 / 3), "cat,dog,owl")
    assert "name 3 classes, but there are scores of 4" in refused(tmp_path, SAVED, soft)


def test_lists_that_are_not_alike_or_cannot_be_read_are_refused(tmp_path: Path) -> None:
    def cells(*first: str) -> Path:
        return csv_of(tmp_path / "labels.csv", "label", [*first, *['"[0, 1]"'] * (80 - len(first))])

    assert "'cat', is no list, but that of row 1 is" in refused(tmp_path, SIGMOIDS, cells("cat"), classes=CLASSES)
    assert "row 0, '[0.1 0.9]', is no list that can be read" in refused(tmp_path, SIGMOIDS, cells("[0.1 0.9]"))
    assert "lists of indices and of names" in refused(tmp_path, SIGMOIDS, cells('"[""cat""]"'), classes=CLASSES)
    assert "holds 7, none of the 4 classes" in refused(tmp_path, SIGMOIDS, cells('"[7]"'))
    assert "is no list that can be read" in refused(tmp_path, SIGMOIDS, cells('"[[0], 1]"'))


def test_columns_of_other_numbers_are_no_labels(tmp_path: Path) -> None:
    aged = csv_of(tmp_path / "labels.csv", "age,weight", [[30 + index, 60] for index in range(80)])
    assert "no labels beyond doubt" in refused(tmp_path, SAVED, aged)
    two = softmax(LOGITS[:, :2])
    assert kept(imported(tmp_path, two, aged, label_kind="soft"))["soft_target"][0] == [30 / 90, 60 / 90]
    table = pa.table({"scores": SIGMOIDS.tolist(), "label": names_of(TRUE)})
    record = imported(tmp_path, table, "label", classes=CLASSES)
    assert record.manifest.task == "multilabel"

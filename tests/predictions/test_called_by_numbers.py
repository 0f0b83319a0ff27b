"""Classes that are called by numbers: digits are their names where they can be nothing else, and it is asked where they can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pellucid import import_predictions
from pellucid.errors import DataError, OptionError
from pellucid.predictions import panels_of
from support.program import Program, in_process
from support.saved import answered, softmax

# As folders of images and encoders of text sort them: "10" before "2".
NAMES = sorted(map(str, range(12)))
LOGITS, TARGETS = answered(240, 12)
SCORES = softmax(LOGITS)
ACCURACY = (SCORES.argmax(axis=1) == TARGETS).mean()
BY_NAME = np.array([int(NAMES[index]) for index in TARGETS])


def csv_of(path: Path, columns: dict[str, Any]) -> Path:
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def accuracy(*given: Any, **options: Any) -> float | None:
    found: float | None = panels_of(*given, lenses=["accuracy"], **options)["accuracy"].accuracy  # type: ignore[union-attr]
    return found


@pytest.mark.parametrize("floats", [False, True])
def test_digits_of_a_text_file_are_names_as_they_are_in_parquet(tmp_path: Path, floats: bool) -> None:
    labels: list[Any] = [float(one) for one in BY_NAME] if floats else BY_NAME.tolist()
    columns = {name: SCORES[:, place] for place, name in enumerate(NAMES)}
    saved = csv_of(tmp_path / "p.csv", {**columns, "label": labels})
    assert accuracy(saved, classes=NAMES) == pytest.approx(ACCURACY)
    table = pa.table({"probs": list(SCORES), "label": [str(one) for one in BY_NAME]})
    assert accuracy(table, classes=NAMES) == pytest.approx(ACCURACY)
    beside = csv_of(tmp_path / "labels.csv", {"label": labels})
    assert accuracy(SCORES, beside, classes=NAMES) == pytest.approx(ACCURACY)
    assert accuracy(SCORES, csv_of(tmp_path / "i.csv", {"label": TARGETS}), classes=NAMES, numbers="indices") == (
        pytest.approx(ACCURACY)
    )


def test_labels_in_another_order_and_sets_of_digits_are_names_too(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(240)
    saved = pa.table({"id": [f"i{row}" for row in range(240)], "probs": list(SCORES)})
    beside = csv_of(tmp_path / "labels.csv", {"id": [f"i{row}" for row in order], "label": BY_NAME[order]})
    assert accuracy(saved, beside, classes=NAMES) == pytest.approx(ACCURACY)
    listed = pq.write_table(pa.table({"label": [[int(one)] for one in BY_NAME]}), tmp_path / "sets.parquet")
    assert listed is None
    with pytest.raises(DataError, match="--numbers names or --numbers indices"):
        panels_of(SCORES, tmp_path / "sets.parquet", classes=NAMES)
    cells = csv_of(tmp_path / "cells.csv", {"label": [f'"[{one}]"' for one in BY_NAME]})
    by_names = panels_of(SCORES, pa.table({"label": [[str(one)] for one in BY_NAME]}), classes=NAMES)
    for labels, options in ((cells, {}), (tmp_path / "sets.parquet", {"numbers": "names"})):
        assert panels_of(SCORES, labels, classes=NAMES, **options)["confusion"] == by_names["confusion"]  # type: ignore[arg-type]


def test_numbers_that_can_be_both_are_asked_and_never_guessed() -> None:
    with pytest.raises(
        DataError, match=r"a label of 2 may be the class called '2' or the one with the index 2, called '10'"
    ):
        panels_of(SCORES, BY_NAME, classes=NAMES)
    assert accuracy(SCORES, BY_NAME, classes=NAMES, numbers="names") == pytest.approx(ACCURACY)
    assert accuracy(SCORES, TARGETS, classes=NAMES, numbers="indices") == pytest.approx(ACCURACY)
    called = np.array([int(NAMES[index]) for index in SCORES.argmax(axis=1)])
    with pytest.raises(DataError, match="--numbers"):
        panels_of(called, BY_NAME, classes=NAMES)
    assert accuracy(called, BY_NAME, classes=NAMES, numbers="names") == pytest.approx(ACCURACY)
    # Zero and one mean the same either way, and so do names in their own order.
    few = np.flatnonzero(BY_NAME < 2)
    assert accuracy(SCORES[few], BY_NAME[few], classes=NAMES) == accuracy(
        SCORES[few], TARGETS[few], classes=NAMES, numbers="indices"
    )
    assert accuracy(SCORES, TARGETS, classes=[str(one) for one in range(12)]) == pytest.approx(ACCURACY)


def test_numbers_that_can_be_one_thing_only_are_that(tmp_path: Path) -> None:
    logits, targets = answered(90, 3)
    scores = softmax(logits)
    right = (scores.argmax(axis=1) == targets).mean()
    names = np.array([3, 5, 8])
    assert accuracy(scores, names[targets], classes=["3", "5", "8"]) == pytest.approx(right)
    assert accuracy(names[scores.argmax(axis=1)], names[targets], classes=["3", "5", "8"]) == pytest.approx(right)
    assert accuracy(scores, targets, classes=["1", "2", "3"]) == pytest.approx(right)  # 0 is none of the names
    assert accuracy(scores, targets + 1, classes=["1", "2", "3"]) == pytest.approx(right)  # 3 is no index
    assert accuracy(scores, csv_of(tmp_path / "l.csv", {"label": names[targets]}), classes=["3", "5", "8"]) == (
        pytest.approx(right)
    )
    with pytest.raises(
        DataError, match="is 9, but there are 3 classes, 0 to 2; nor are they names, for no class is called 1"
    ):
        panels_of(scores, np.where(targets == 0, 9, targets), classes=["3", "5", "8"])
    with pytest.raises(DataError, match="--numbers names, but a label is 0, and no class is called so"):
        panels_of(scores, targets, classes=["1", "2", "3"], numbers="names")


def test_true_and_false_are_the_classes_that_are_called_so(tmp_path: Path) -> None:
    logits, targets = answered(60, 2)
    scores = softmax(logits)
    right = (scores.argmax(axis=1) == targets).mean()
    labels = csv_of(tmp_path / "labels.csv", {"label": ["true" if one == 0 else "false" for one in targets]})
    assert accuracy(scores, labels, classes=["true", "false"]) == pytest.approx(right)
    with pytest.raises(DataError, match="--numbers"):
        panels_of(scores, targets == 0, classes=["true", "false"])
    assert accuracy(scores, targets == 1, classes=["no", "yes"]) == pytest.approx(right)


def test_names_in_a_file_are_those_of_its_numbers(tmp_path: Path) -> None:
    table = pa.table({"probs": list(SCORES), "label": TARGETS})
    pq.write_table(table.replace_schema_metadata({"class_names": ",".join(NAMES)}), tmp_path / "p.parquet")
    assert accuracy(tmp_path / "p.parquet") == pytest.approx(ACCURACY)
    columns = {name: (NAMES[place] == np.array(NAMES)[TARGETS]).astype(int) for place, name in enumerate(NAMES)}
    assert accuracy(SCORES, csv_of(tmp_path / "hot.csv", columns), classes=NAMES) == pytest.approx(ACCURACY)


def test_the_command_says_how_it_read_them(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    program: Program = in_process(capfd, monkeypatch)
    np.save("p.npy", SCORES)
    np.save("labels.npy", BY_NAME)
    Path("names.txt").write_text("\n".join(NAMES), encoding="utf-8")
    given = ["import", "p.npy", "--labels", "labels.npy", "--classes", "names.txt", "--out", "net"]
    done = program(*given)
    assert done.code == 2
    assert "--numbers names or --numbers indices" in " ".join(done.err.split())
    done = program(*given, "--numbers", "names")
    assert done.code == 0, done.err
    assert "read as names of classes" in " ".join(done.err.split())
    with pytest.raises(OptionError, match="numbers must be"):
        import_predictions(SCORES, BY_NAME, out=tmp_path / "other", numbers="both")  # type: ignore[arg-type]

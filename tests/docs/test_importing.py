"""docs/importing.md says what the code does: names of columns, thresholds, sizes."""

from __future__ import annotations

from pathlib import Path

from pellucid.measures.losses import CERTAIN
from pellucid.measures.saved import GIVEN
from pellucid.predictions import ids, kinds, rounding, run, several
from pellucid.predictions.roles import BY_ROW, ID, PREDICTION, TARGET

TEXT = (Path(__file__).parents[2] / "docs" / "importing.md").read_text(encoding="utf-8")
WORDS = " ".join(TEXT.split())


def test_the_columns_that_are_found_by_name_are_named() -> None:
    for name in (*GIVEN, PREDICTION[0], TARGET[0], "target", ID):
        assert f"`{name}`" in TEXT, name
    assert "target" in TARGET
    assert BY_ROW == "row"


def test_thresholds_and_sizes_are_those_of_the_code() -> None:
    assert f"within {rounding.SUM_TOLERANCE} for" in WORDS
    assert f"within up to {rounding.MOST_OFF} where" in WORDS
    assert f"one in {1 / kinds._CHANCE:.0f} may by chance" in WORDS
    assert "at least half of the rows" in WORDS
    assert kinds._OUTSIDE == 0.5
    assert "and a tenth a negative one" in WORDS
    assert kinds._NEGATIVE == 0.1
    assert f"parts of {run.PART_EXAMPLES:,} examples" in WORDS
    assert f"{ids.MOST_HASHES / 1e6:.0f} million at a time" in WORDS


def test_what_labels_of_several_classes_are_is_that_of_the_code() -> None:
    assert f"sum to 1 within {several.SLACK:g}" in WORDS
    assert f"at most {CERTAIN:,.0f}" in WORDS

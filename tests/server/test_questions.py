"""Questions about many examples: the numbers that numpy finds, for any selection, and no word of a client in a statement."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import numpy as np
import pyarrow as pa
import pytest
from starlette.applications import Starlette

from pellucid.errors import MissingExtraError, OptionError, RecordError
from pellucid.record import Record, Writer, schema
from pellucid.server.questions import QUESTIONS, Asking
from pellucid.server.questions.filters import filter_of
from support.asking import asker
from support.fixtures_questions import SELECTIONS, record
from support.parts import examples_part

SELECTS = pytest.mark.parametrize("selection", SELECTIONS)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return record(tmp_path_factory.mktemp("asked") / "asked.pellucid")


@pytest.fixture(scope="module")
def asking(opened: Record) -> Asking:
    return Asking(lambda: opened)


def said(selection: str) -> list[tuple[str, str]]:
    return parse_qsl(selection, keep_blank_values=True)


def fits(row: dict[str, object], selection: str) -> bool:
    """Whether a row is selected, as the app's documentation has it."""
    chosen = filter_of(said(selection))

    def within(value: object, bounds: tuple[float, float] | None) -> bool:
        return bounds is None or (isinstance(value, float) and bounds[0] <= value <= bounds[1])

    def written(value: object) -> str:
        return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

    target, prediction = row["target"], row["prediction"]
    return (
        (not chosen.true or target in chosen.true)
        and (not chosen.predicted or prediction in chosen.predicted)
        and (not chosen.either or target in chosen.either or prediction in chosen.either)
        and (not chosen.outcome or None not in (target, prediction))
        and (not chosen.outcome or (target == prediction) == (chosen.outcome == "right"))
        and within(row["loss"], chosen.losses)
        and within(row["confidence"], chosen.confidences)
        and (chosen.rows is None or row["row"] in chosen.rows)
        and all(name in row and written(row[name]) == value for name, value in chosen.columns)
    )


@SELECTS
def test_totals_cells_and_values_are_those_of_the_table(asking: Asking, opened: Record, selection: str) -> None:
    rows = [row for row in opened.examples().to_pylist() if fits(row, selection)]
    judged = [row for row in rows if row["target"] is not None and row["prediction"] is not None]
    (totals,) = asking.answer("totals", said(selection)).to_pylist()
    assert totals["examples"] == len(rows)
    assert totals["judged"] == len(judged)
    assert totals["correct"] == sum(row["target"] == row["prediction"] for row in judged)
    losses = np.array([row["loss"] for row in rows if row["loss"] is not None])
    assert totals["losses"] == len(losses)
    assert totals["loss_sum"] == pytest.approx(losses.sum(), rel=1e-12)
    assert totals["loss_squares"] == pytest.approx((losses**2).sum(), rel=1e-12)
    cells = {
        (row["class"], row["prediction"]): row["examples"]
        for row in asking.answer("cells", said(selection)).to_pylist()
    }
    pairs = [(row["target"], row["prediction"]) for row in judged]
    assert cells == {pair: pairs.count(pair) for pair in set(pairs)}
    assert list(cells) == sorted(cells)
    devices = asking.answer("values", [*said(selection), ("of", "device")]).to_pylist()
    found = [row["device"] or "" for row in rows]
    assert {row["value"]: row["examples"] for row in devices} == {value: found.count(value) for value in set(found)}


@SELECTS
def test_classes_bins_and_ranks_add_up_to_the_totals(asking: Asking, selection: str) -> None:
    (totals,) = asking.answer("totals", said(selection)).to_pylist()
    classes = asking.answer("classes", said(selection)).to_pydict()
    assert sum(classes["support"]) == sum(classes["predicted"]) == totals["judged"]
    assert sum(classes["correct"]) == totals["correct"]
    assert sum(classes["loss_sum"]) == pytest.approx(totals["loss_sum"])
    assert sum(asking.answer("losses", said(selection))["examples"].to_pylist()) == totals["losses"]
    assert sum(asking.answer("confidences", said(selection))["correct"].to_pylist()) == totals["correct"]


def test_rows_come_sorted_and_a_part_at_a_time(asking: Asking, opened: Record) -> None:
    table = opened.examples().to_pylist()
    table.sort(key=lambda row: (row["loss"] is None, -(row["loss"] or 0), row["row"]))
    found = [
        row["row"]
        for offset in range(0, len(table), 50)
        for row in asking.answer("rows", [("limit", "50"), ("offset", str(offset))]).to_pylist()
    ]
    assert found == [row["row"] for row in table]
    one = asking.answer("rows", [("sort", "weight"), ("descending", "0"), ("limit", "1")])
    assert one["weight"].to_pylist() == [-2.25]
    assert one.column_names[-4:] == ["device", "Device", "weight", "lit"]
    assert len(asking.answer("rows", [("limit", "1000000")])) == len(table)


def test_a_column_of_numbers_may_be_asked_for_a_range(asking: Asking, opened: Record) -> None:
    weights = [row["weight"] for row in opened.examples().to_pylist() if row["weight"] is not None]
    for low, high in ((-2.25, 0.5), (0.0, float("inf")), (7e9, 8e9)):
        text = f"{low}..{'Infinity' if high == float('inf') else high}"
        (totals,) = asking.answer("totals", [("column.weight", text)]).to_pylist()
        assert totals["examples"] == sum(low <= one <= high for one in weights)
    (none,) = asking.answer("totals", [("column.device", "0..2")]).to_pylist()
    assert none["examples"] == 0


HOSTILE = ["'; DROP TABLE examples; --", '" OR 1=1 --', "{column}", "along_0", "x') OR true --", "%27", "\x00"]


@pytest.mark.parametrize("word", HOSTILE)
def test_no_word_of_a_client_is_part_of_a_statement(asking: Asking, word: str) -> None:
    before = asking.answer("totals", []).to_pylist()
    for parameters in ([(f"column.{word}", "x")], [("column.device", word)]):
        assert asking.answer("totals", parameters)["examples"].to_pylist() == [0]
    for name in ("true", "rows", "losses", "outcome", "class", "confidences"):
        asking.answer("totals", [(name, word)])
    for question, parameters in (("values", [("of", word)]), ("rows", [("sort", word)]), (word, [])):
        with pytest.raises(RecordError):
            asking.answer(question, parameters)
    with pytest.raises(OptionError, match="whole number"):
        asking.answer("rows", [("limit", word)])
    assert asking.answer("totals", []).to_pylist() == before


def test_the_database_reads_no_file(asking: Asking, opened: Record) -> None:
    import duckdb

    place = next(opened.path.glob("examples/*.parquet"))
    with pytest.raises(duckdb.Error, match="disabled"):
        asking._examples().ask(f"FROM read_parquet('{place}')", [])


def test_parts_may_have_columns_of_their_own(tmp_path: Path) -> None:
    with Writer.create(tmp_path / "parts.pellucid", schema.Manifest()) as writer, writer.sealing():
        writer.write_part(0, examples_part(0, 4), {})
        writer.write_part(1, examples_part(4, 4, {"later": ["a", "b", "a", "a"]}), {})
    opened = Record(tmp_path / "parts.pellucid")
    values = Asking(lambda: opened).answer("values", [("of", "later")]).to_pylist()
    assert {row["value"]: row["examples"] for row in values} == {"": 4, "a": 3, "b": 1}


def test_whole_numbers_that_are_one_float_are_told_apart(tmp_path: Path) -> None:
    with Writer.create(tmp_path / "big.pellucid", schema.Manifest()) as writer, writer.sealing():
        writer.write_part(0, examples_part(0, 4, {"serial": [2**62, 2**62 + 1, 2**62 + 1, -5]}), {})
    opened = Record(tmp_path / "big.pellucid")
    asking = Asking(lambda: opened)
    for value, wanted in ((2**62, 1), (2**62 + 1, 2), (-5, 1), (2**62 + 2, 0), ("-5.0", 1), ("9" * 60, 0)):
        assert asking.answer("totals", [("column.serial", str(value))])["examples"].to_pylist() == [wanted]


def test_without_duckdb_it_says_how_to_install_it(opened: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'pellucid\[scale\]'"):
        Asking(lambda: opened).about()


def test_the_server_answers_with_tables(make_app: Callable[..., Starlette]) -> None:
    ask = asker(make_app())
    about = ask("/api/questions").json()
    assert about["examples"] == 300
    for question in QUESTIONS:
        address = f"/api/questions/{question}?{urlencode({'outcome': 'wrong', 'of': about['columns'][0]['name']})}"
        answer = ask(address)
        assert answer.status_code == 200, answer.text
        assert pa.ipc.open_stream(answer.content).read_all().num_columns > 0
    assert ask("/api/questions/nothing").status_code == 404

"""The questions: each one statement over the filtered examples, its answer a small table."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from pellucid.errors import OptionError, PellucidError, RecordError
from pellucid.record import Record
from pellucid.server.questions.filters import Along, condition, filter_of
from pellucid.server.questions.loading import BINS, FINE, Loaded, loaded

if TYPE_CHECKING:
    import pyarrow as pa

LARGE = 2_000_000  # examples; of more, the browser asks instead of holding them
MOST_VALUES = 200  # a column of more values is no way to group
_MOST_KEPT = 64  # answers, of at most so many bytes each
_MOST_KEPT_BYTES = 1 << 21
MOST_ROWS = 1000  # that are sent at once
_LOSSES = (
    "count(*) FILTER (isfinite(loss)) AS losses, coalesce(sum(loss) FILTER (isfinite(loss)), 0) AS loss_sum, "
    "coalesce(sum(loss * loss) FILTER (isfinite(loss)), 0) AS loss_squares"
)
_JUDGED = (
    "count(*) AS examples, count(*) FILTER (target IS NOT NULL AND prediction IS NOT NULL) AS judged, "
    "count(*) FILTER (target = prediction) AS correct"
)
_KNOWN = "target IS NOT NULL AND prediction IS NOT NULL"

# By name: the statement over `chosen`, the filtered examples.
QUESTIONS: Mapping[str, str] = MappingProxyType(
    {
        "totals": f"SELECT {_JUDGED}, {_LOSSES} FROM chosen",
        "classes": (
            "SELECT class, sum(support)::BIGINT AS support, sum(predicted)::BIGINT AS predicted, "
            "sum(correct)::BIGINT AS correct, sum(losses)::BIGINT AS losses, sum(loss_sum) AS loss_sum, "
            "sum(loss_squares) AS loss_squares FROM ("
            f"SELECT target AS class, count(prediction) AS support, 0 AS predicted, "
            f"count(*) FILTER (target = prediction) AS correct, {_LOSSES} FROM chosen WHERE target IS NOT NULL "
            "GROUP BY target UNION ALL "
            f"SELECT prediction, 0, count(*), 0, 0, 0, 0 FROM chosen WHERE {_KNOWN} GROUP BY prediction) "
            "GROUP BY class ORDER BY class"
        ),
        "cells": (
            f"SELECT target AS class, prediction, count(*) AS examples FROM chosen WHERE {_KNOWN} "
            "GROUP BY target, prediction ORDER BY target, prediction"
        ),
        "losses": "SELECT loss_bin AS bin, count(*) AS examples FROM chosen WHERE loss_bin IS NOT NULL GROUP BY 1 ORDER BY 1",
        "confidences": (
            "SELECT fine AS bin, count(*) AS examples, sum(confidence::DOUBLE) AS confidence, "
            f"count(*) FILTER (target = prediction) AS correct FROM chosen WHERE fine IS NOT NULL AND {_KNOWN} "
            "GROUP BY 1 ORDER BY 1"
        ),
        "ranks": "SELECT rank, count(*) AS examples FROM chosen WHERE rank >= 0 GROUP BY 1 ORDER BY 1",
        "values": (
            f"SELECT coalesce({{column}}::VARCHAR, '') AS value, {_JUDGED}, {_LOSSES} FROM chosen "
            f"GROUP BY 1 ORDER BY examples DESC, value LIMIT {MOST_VALUES + 1}"
        ),
        "rows": "SELECT {sent} FROM chosen ORDER BY {column} NULLS LAST, row LIMIT ? OFFSET ?",
    }
)


class Asking:
    """Answers questions about the examples of one record.

    Attributes:
        record: gives the record as it is now.
    """

    def __init__(self, record: Callable[[], Record]) -> None:
        self.record = record
        self._lock = threading.Lock()
        self._loaded: Loaded | None = None
        self._answers: dict[tuple[int, str, str], pa.Table] = {}

    def prepare(self) -> None:
        """Begins to read the examples where they are too many to be sent, so that the first question need not wait."""
        if self.record().manifest.examples > LARGE:
            threading.Thread(target=self._prepare, name="pellucid-examples", daemon=True).start()

    def _prepare(self) -> None:
        with contextlib.suppress(PellucidError):  # told to who asks
            self._examples()

    def about(self) -> dict[str, object]:
        """What the questions can be asked of: how many examples, the largest finite loss, the columns that came along."""
        examples = self._examples()
        return {
            "examples": examples.count,
            "most_loss": examples.most_loss,
            "bins": BINS,
            "fine": FINE,
            "columns": [
                {"name": name, "kind": column.kind, "distinct": examples.distinct[name]}
                for name, column in examples.columns.items()
            ],
        }

    def answer(self, question: str, parameters: Iterable[tuple[str, str]]) -> pa.Table:
        """The answer's table.

        Args:
            question: one of `QUESTIONS`.
            parameters: the selection, as the app's address has it; of "values" the `of`, of "rows" also `sort`,
                `descending`, `limit` and `offset`.

        Raises:
            RecordError: there is no such question or column, or the record cannot be read.
            OptionError: a parameter cannot be read.
            MissingExtraError: DuckDB is not installed.
        """
        if question not in QUESTIONS:
            raise RecordError(f"There is no question {question[:40]!r}. There are: {', '.join(QUESTIONS)}.")
        given = list(parameters)
        said = dict(given)
        examples = self._examples()
        where, values = condition(filter_of(given), examples.columns)
        text = QUESTIONS[question]
        names: list[str] | None = None
        if question == "values":
            text = text.format(column=_identifier(said.get("of", ""), examples.columns))
        if question == "rows":
            known = {**dict.fromkeys(examples.own), **examples.columns}
            sort = said.get("sort", "loss")
            identifier = sort if sort in examples.own else _identifier(sort, examples.columns)
            way = "DESC" if said.get("descending", "1") == "1" else "ASC"
            sent = [*examples.own, *(column.identifier for column in examples.columns.values())]
            text = text.format(sent=", ".join(sent), column=f"{identifier} {way}")
            values += [_whole(said, "limit", 100, MOST_ROWS), _whole(said, "offset", 0, examples.count)]
            names = list(known)
        statement = f"WITH chosen AS (SELECT * FROM examples WHERE {where}) {text}"
        answer = self._kept(examples, statement, values)
        return answer.rename_columns(names) if names else answer

    def _kept(self, examples: Loaded, statement: str, values: list[object]) -> pa.Table:
        """The answer, kept for a while: pages ask the same again, and hands go back and forth."""
        key = (examples.parts, statement, repr(values))
        with self._lock:
            known = self._answers.pop(key, None)
            if known is not None:
                self._answers[key] = known  # the last to go
                return known
        answer = examples.ask(statement, values)
        if answer.nbytes <= _MOST_KEPT_BYTES:
            with self._lock:
                self._answers[key] = answer
                if len(self._answers) > _MOST_KEPT:
                    self._answers.pop(next(iter(self._answers)))
        return answer

    def _examples(self) -> Loaded:
        record = self.record()
        with self._lock:
            if self._loaded is None or self._loaded.parts != record.parts:
                self._loaded = loaded(record)
            return self._loaded


def _identifier(name: str, known: Mapping[str, Along]) -> str:
    if name not in known:
        raise RecordError(
            f"No column {name[:80]!r} came along with the examples. There are: {', '.join(known) or 'none'}."
        )
    return known[name].identifier


def _whole(said: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = said.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise OptionError(f"The parameter '{name}' must be a whole number >= 0; got {text[:40]!r}.")
    return min(int(text), most)

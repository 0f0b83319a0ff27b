"""A small examples table and DuckDB's answers about it, which the app's own answers must equal."""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from pellucid.record import Record
from pellucid.record.tables import stream_bytes
from pellucid.server.questions import QUESTIONS, Asking
from support.answered import answered

PLACE = Path(__file__).parents[1] / "fixtures" / "measures" / "questions.json"
ROWS = 120
SELECTIONS = (
    "",
    "true=1",
    "predicted=0,2",
    "class=1-2",
    "outcome=right",
    "outcome=wrong&column.device=phone",
    "losses=0.2..3",
    "confidences=0.5..0.8&class=0",
    "rows=3-20,40,119,500",
    "column.device=",
    "column.weight=0.5",
    "column.lit=true",
    "column.Device=a",
    "column.nothing=x",
    "losses=0..Infinity",
)


def record(path: Path) -> Record:
    """Targets and predictions that miss here and there, and columns of each kind, two of which differ by case only."""
    generator = np.random.default_rng(11)
    targets = generator.integers(-1, 3, ROWS)
    predictions = np.where(generator.random(ROWS) < 0.6, targets, generator.integers(-1, 3, ROWS))
    columns = {
        "device": [("phone", "camera", None, 'it\'s "so"')[row % 4] for row in range(ROWS)],
        "Device": [("a", "b")[row % 2] for row in range(ROWS)],
        "weight": [(0.5, 1.0, None, -2.25, 1e21)[row % 5] for row in range(ROWS)],
        "lit": [row % 3 == 0 for row in range(ROWS)],
    }
    confidences = generator.beta(4, 2, ROWS).round(3)
    answered(path, targets.tolist(), predictions.tolist(), confidences=confidences.tolist(), columns=columns)
    return Record(path)


def text() -> str:
    """The fixture file."""
    with tempfile.TemporaryDirectory() as folder:
        opened = record(Path(folder) / "asked.pellucid")
        asking = Asking(lambda: opened)
        answers = [
            {
                "selection": selection,
                **{
                    question: _columns(asking, question, selection)
                    for question in QUESTIONS
                    if question not in ("rows", "values")
                },
                "values": {
                    name: _columns(asking, "values", selection, of=name) for name in ("device", "Device", "lit")
                },
                "rows": {
                    f"{sort} {way}": _columns(
                        asking, "rows", selection, sort=sort, descending=way, limit="7", offset="2"
                    )["row"]
                    for sort in ("loss", "confidence", "target", "row", "weight")
                    for way in ("0", "1")
                },
            }
            for selection in SELECTIONS
        ]
        table = base64.b64encode(stream_bytes(opened.examples())).decode()
        said = {"table": table, "about": asking.about(), "answers": answers}
    return json.dumps(said, separators=(",", ":")) + "\n"


def _columns(asking: Asking, question: str, selection: str, **more: str) -> dict[str, list[Any]]:
    parameters = [*parse_qsl(selection, keep_blank_values=True), *more.items()]
    found = asking.answer(question, parameters).to_pydict()
    return {name: [float(one) if isinstance(one, int) else one for one in values] for name, values in found.items()}

"""Traces every model of the frozen lists and writes docs/coverage.md.

python -m bench.coverage                     all lists
python -m bench.coverage oddities            one list; the others' rows are kept
python -m bench.coverage timm:vgg resnet50   some entries
python -m bench.coverage --untimed           checks alone; the page stays as it is
"""

from __future__ import annotations

import dataclasses
import json
import sys
import threading
from pathlib import Path

from bench.coverage.lists import LISTS
from bench.coverage.measuring import Result
from bench.coverage.page import page
from bench.coverage.running import run

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PAGE = HERE.parent.parent / "docs" / "coverage.md"


def chosen(words: list[str]) -> list[tuple[str, str]]:
    """The entries that the words name: lists, entries, or both as list:entry."""
    every = [(listed, name) for listed, read in LISTS.items() for name in read()]
    known = {word for listed, name in every for word in (listed, name, f"{listed}:{name}")}
    unknown = sorted(set(words) - known)
    if unknown:
        raise SystemExit(f"No list or entry is called {', '.join(unknown)}. Lists: {', '.join(LISTS)}.")
    wanted = set(words) or known
    return [(listed, name) for listed, name in every if {listed, name, f"{listed}:{name}"} & wanted]


def say(result: Result) -> None:
    """One line as soon as it is known."""
    ratio = f", {result.ratio:.2f} forwards" if result.ratio is not None else ""
    words = f"{result.backend}, {result.nodes} nodes{ratio}, {result.peak} MiB"
    outcome = f"no   {'; '.join(result.reasons)[:400]}" if result.reasons else "yes "
    print(f"{result.listed}:{result.name:44} {words:48} {outcome}", flush=True)


def keep(results: list[Result]) -> None:
    """Puts new rows in the place of old ones, drops those that are on no list any more, writes the page."""
    rows = [Result(**row) for row in json.loads(RESULTS.read_text())] if RESULTS.exists() else []
    known = {(row.listed, row.name): row for row in [*rows, *results]}
    ordered = {
        listed: [known[listed, name] for name in read() if (listed, name) in known] for listed, read in LISTS.items()
    }
    kept = [dataclasses.asdict(row) for listed in ordered.values() for row in listed]
    RESULTS.write_text("[\n" + ",\n".join(json.dumps(row) for row in kept) + "\n]\n")
    PAGE.write_text(page({listed: rows for listed, rows in ordered.items() if rows}))


def main() -> None:
    """Measures what was asked for, and keeps each result at once, so that a run cut short has what it took."""
    words = sys.argv[1:]
    timed = "--untimed" not in words
    entries = chosen([word for word in words if word != "--untimed"])
    keeping = threading.Lock()

    def said(result: Result) -> None:
        say(result)
        if timed:
            with keeping:
                keep([result])

    results = run(entries, said, timed)
    traced = sum(not result.reasons for result in results)
    print(f"{traced} of {len(entries)} traced")


if __name__ == "__main__":
    main()

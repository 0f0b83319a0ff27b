"""Opening the demo's app in a real Chromium: how soon it paints, and how soon a click has its answer on every page."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
from pathlib import Path

from bench.browsing import not_measured, programs
from bench.ratios import begin, finish
from pellucid import demo, server

DRIVER = Path(__file__).with_name("app.mjs")


def measured(browser: str, node: str) -> dict[str, list[float]]:
    """Milliseconds by what was measured, from the demo's own record, served with the model at hand."""
    with tempfile.TemporaryDirectory() as folder:
        shown = demo.run(Path(folder) / "digits.pellucid")
        with server.start(shown.record.path, live=shown.live) as running:
            done = subprocess.run(
                [node, str(DRIVER), browser, running.url], check=True, stdout=subprocess.PIPE, text=True, timeout=180
            )
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def row(what: str, milliseconds: list[float], limit: str, note: str) -> dict[str, object]:
    return {
        "what": what,
        "ours": f"{statistics.median(milliseconds):.0f} ms",
        "range": f"{min(milliseconds):.0f} to {max(milliseconds):.0f} ms",
        "limit": limit,
        "note": note,
    }


def main() -> None:
    options = begin(__doc__)
    browser, node = programs()
    if not browser or not node:
        finish([not_measured("the demo's app", browser)], options.out)
        return
    found = measured(browser, node)
    finish(
        [
            row("first contentful paint, a fresh browser profile", found["paints"], "1000 ms", "median of 5 loads"),
            row("the whole overview, nothing left to load", found["readies"], "", "the same loads"),
            row(
                "a click on a link to a page, for the first time", found["first"], "100 ms",
                f"{len(found['first'])} pages, complete and with their part of the record fetched, to the second frame",
            ),
            row("a click on a link to a page that was open before", found["pages"], "100 ms", f"{len(found['pages'])} clicks"),
            row(
                "a click on a confusion cell to the narrowed page", found["cells"], "100 ms",
                f"{len(found['cells'])} clicks",
            ),
        ],
        options.out,
    )  # fmt: skip


if __name__ == "__main__":
    main()

"""`pellucid hierarchy`: which classes are kinds of which, added to a record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli import options
from pellucid.cli.terminal import answer, answer_json, say

HierarchyFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="Indented names, JSON, or lines of parent and child.")
]
Ids = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="What the hierarchy calls the classes, in order of index: WordNet ids, say."),
]
SHOWN = 5


def hierarchy(record: options.RecordPath, file: HierarchyFile, ids: Ids = None, as_json: options.Json = False) -> None:
    """Tell a record which classes are kinds of which, so that its pages fold classes into concepts."""
    from pellucid.inspection.hierarchy import add_hierarchy

    panel = add_hierarchy(record, file, ids)
    if as_json:
        answer_json(panel)
        return
    placed = sum(1 for index in panel.classes if index >= 0) - len(panel.unplaced)
    concepts = sum(1 for index in panel.classes if index < 0)
    answer(f"{concepts:,} concepts above {placed:,} classes")
    if panel.unplaced:
        names = [panel.names[place] for place, index in enumerate(panel.classes) if index in set(panel.unplaced)]
        say(f"Not placed: {len(names):,} classes ({', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''}).")
    if panel.unknown:
        first = ", ".join(panel.unknown[:SHOWN])
        say(
            f"No classes of the model: {len(panel.unknown):,} names ({first}{', ...' if len(panel.unknown) > SHOWN else ''})."
        )

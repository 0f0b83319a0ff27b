"""Layers whose output does not have one row an example of the batch: nothing in it can be told to be of which example."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Unlike = dict[str, list[int]]
"""Layer -> [rows of its output, examples of that batch], of a batch where the two were not the same; 0 rows where not reached."""

_NAMED = 3


def unlike_rows(layers: Iterable[str], rows: Mapping[str, int], examples: int) -> Unlike:
    """Those of a batch's layers whose rows are not its examples; a layer that the batch did not reach has none."""
    return {name: [rows.get(name, 0), examples] for name in layers if rows.get(name, 0) != examples}


def merge_unlike(ours: Unlike, theirs: Mapping[str, list[int]]) -> None:
    """Takes in what another saw; of two batches of one layer the same one stays, in any order."""
    for name, found in theirs.items():
        ours[name] = min(found, ours.get(name, found))


def unlike_words(unlike: Mapping[str, list[int]], what: str) -> str:
    """Says what was not done with which layers ("shown"), and why."""
    names, one = sorted(unlike), len(unlike) == 1
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    rows, examples = unlike[names[0]]
    batch = f"a batch of {examples:,} example{'' if examples == 1 else 's'}"
    left = (
        f"Layer{'' if one else 's'} {', '.join(names[:_NAMED])}{more} {'is' if one else 'are'} not {what}: {names[0]}"
    )
    if rows == 0:
        return f"{left} was not reached by {batch}, so that it sees only some of them."
    return (
        f"{left} gave {rows:,} row{'' if rows == 1 else 's'} for {batch}, so that it sees only some of them, or they are not its "
        "first axis; which row is of which example cannot be told."
    )

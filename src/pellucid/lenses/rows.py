"""Layers whose output does not have one row an example of the batch: nothing in it can be told to be of which example."""

from __future__ import annotations

from collections.abc import Mapping

Unlike = dict[str, list[int]]
"""Layer -> [rows of its output, examples of that batch], of a batch where the two were not the same."""

_NAMED = 3


def merge_unlike(ours: Unlike, theirs: Mapping[str, list[int]]) -> None:
    """Takes in what another saw; of two batches of one layer the same one stays, in any order."""
    for name, found in theirs.items():
        ours[name] = min(found, ours.get(name, found))


def unlike_words(unlike: Mapping[str, list[int]], what: str) -> str:
    """Says what was not done with which layers ("shown"), and why."""
    names, one = sorted(unlike), len(unlike) == 1
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    rows, examples = unlike[names[0]]
    return (
        f"Layer{'' if one else 's'} {', '.join(names[:_NAMED])}{more} {'is' if one else 'are'} not {what}: {names[0]} gave "
        f"{rows:,} row{'' if rows == 1 else 's'} for a batch of {examples:,} examples, so that it sees only some of them, or "
        "they are not its first axis; which row is of which example cannot be told."
    )

"""What a reader has to know of a comparison: how examples were matched, and what a model gave no answer to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pellucid.comparison.pairs import Pair, infinite_losses, pair_of, sides_of
from pellucid.comparison.together import Together
from pellucid.measures.words import counted


def notes_of(all_: Together) -> Iterator[str]:
    """One sentence each: of the matching, then of each pair."""
    yield from _matching(all_)
    for index in range(1, len(all_.names)):
        pair = pair_of(all_, 0, index)
        labelled = np.isfinite(all_.targets) & all_.there[[0, index]].all(axis=0)
        yield from _answers(pair, int(np.count_nonzero(labelled & ~pair.answered & np.isnan(pair.losses).all(axis=0))))
        yield from _means(pair)


def _matching(all_: Together) -> Iterator[str]:
    base = all_.names[1]
    for name, found, changed in zip(all_.names, all_.matches, all_.relabelled, strict=True):
        if found.by == "itself":
            continue
        if found.by != "id":
            yield f"Examples of {name} were found by {found.by}: ids alone do not tell them."
        if found.unmatched or found.unanswered:
            yield (
                f"Both {name} and {base} have {found.count:,} of the examples; left out are {found.unmatched:,} that only {name} "
                f"has and {found.unanswered:,} that only {base} has."
            )
        if found.repeated:
            yield f"An id that is there more than once names no example: {counted(found.repeated, 'example')} of {name} and {base}."
        if changed:
            yield f"Left out, because {name} and {base} label them differently: {changed:,} of {counted(found.count, 'example')}."
        if found.other_pictures:
            yield (
                f"Under the same id {name} and {base} have another picture, prepared in another way or not the same: "
                f"{found.other_pictures:,} of {counted(found.count, 'example')}."
            )


def _answers(pair: Pair, by_neither: int) -> Iterator[str]:
    (old, new), count = pair.names, int(np.count_nonzero(pair.answered))
    not_old, not_new = (int(np.count_nonzero(pair.answered & (one < 0))) for one in (pair.old, pair.new))
    if not_old or not_new:
        yield (
            f"Of the {counted(count, 'example')} that {old} or {new} answers, {old} leaves {not_old:,} unanswered and {new} "
            f"{not_new:,}: they count as not right there, and as answers that changed."
        )
    if by_neither:
        yield f"Left out are examples with a label that neither {old} nor {new} answers: {by_neither:,}."


def _means(pair: Pair) -> Iterator[str]:
    infinite = infinite_losses(pair)
    if infinite:
        yield f"The mean loss is not defined: {infinite}."
    left: dict[tuple[int, int, int], list[str]] = {}
    for what in ("loss", "confidence"):
        left.setdefault(sides_of(pair, what), []).append(what)
    for (both, only_old, only_new), whats in left.items():
        if both and (only_old or only_new):
            yield (
                f"Means of {' and '.join(whats)} are over the {counted(both, 'example')} that have one by both models; left out "
                f"are {only_old:,} that have one by {pair.names[0]} alone and {only_new:,} by {pair.names[1]} alone."
            )

"""Who sees which picture when: drawn from a seed, the same on every machine and in every version of Python."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence

from pellucid.server.trials.design import Design, Kind, Picture, Trial

MASKS = 8  # different ones; each trial takes one of them


def plan(pictures: Sequence[Picture], categories: Sequence[str], design: Design, observer: int) -> list[Trial]:
    """The trials of one observer, practice first, then blocks.

    Of pictures of one origin an observer sees one; the next observer sees the next (a Latin square over conditions). Each
    block holds every category and condition as often as every other block, up to one trial; within a block the order is random.

    Args:
        pictures: all that may be shown.
        categories: among which people choose.
        design: how many, and the seed.
        observer: number of the observer, from 0.
    """
    draw = random.Random(f"{design.seed}:{observer}")
    places = {name: place for place, name in enumerate(categories)}
    shown = _spread(_versions(pictures, design.seed, observer), pictures, draw)
    # What is not shown in trials that count is practised with; where everything is shown, practice takes its share.
    most = len(shown) - design.practice if len(shown) > design.practice else len(shown)
    number = most if design.trials is None else min(design.trials, most)
    practised = shown[number : number + design.practice]

    def trial(kind: Kind, block: int, picture: int, category: int) -> Trial:
        return Trial(kind, block, picture, category, draw.randrange(MASKS))

    def of(kind: Kind, block: int, picture: int) -> Trial:
        return trial(kind, block, picture, places[pictures[picture].category])

    trials = [of("practice", 0, picture) for picture in practised]
    for block, members in enumerate(_blocks(shown[:number], pictures, design.block, draw), start=1):
        ordered = [of("trial", block, picture) for picture in members]
        for _ in range(design.checks):
            place = draw.randint(1, len(ordered))  # never the first: people are still arriving
            ordered.insert(place, trial("check", block, -1, draw.randrange(len(categories))))
        trials += ordered
    return trials


def _versions(pictures: Sequence[Picture], seed: int, observer: int) -> list[int]:
    """One picture of each origin, so that each category has its conditions equally often."""
    origins: dict[str, list[int]] = defaultdict(list)
    for place, picture in enumerate(pictures):
        origins[picture.origin].append(place)
    categories: dict[str, list[str]] = defaultdict(list)
    for name in sorted(origins):
        categories[pictures[origins[name][0]].category].append(name)
    same = random.Random(f"{seed}")  # for all observers, so that the square is one
    chosen = []
    for column, category in enumerate(sorted(categories)):
        names = categories[category]
        same.shuffle(names)
        for row, name in enumerate(names, start=column):
            versions = sorted(origins[name], key=lambda place: (pictures[place].condition, pictures[place].example))
            chosen.append(versions[(row + observer) % len(versions)])
    return chosen


def _spread(chosen: Iterable[int], pictures: Sequence[Picture], draw: random.Random) -> list[int]:
    """In an order whose every beginning holds each category and condition equally often, while they last."""
    cells: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place in sorted(chosen):
        cells[(pictures[place].category, pictures[place].condition)].append(place)
    piles = [cells[key] for key in sorted(cells)]
    for pile in piles:
        draw.shuffle(pile)
    found = []
    while piles:
        draw.shuffle(piles)
        found += [pile.pop() for pile in piles]
        piles = [pile for pile in piles if pile]
    return found


def _blocks(shown: Sequence[int], pictures: Sequence[Picture], size: int, draw: random.Random) -> list[list[int]]:
    """As many blocks as it takes, each with its share of every category and condition, in random order."""
    number = -(-len(shown) // size)
    cells: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place in shown:
        cells[(pictures[place].category, pictures[place].condition)].append(place)
    keys = sorted(cells)
    draw.shuffle(keys)
    dealt = [place for key in keys for place in cells[key]]
    blocks = [dealt[block::number] for block in range(number)]
    for block in blocks:
        draw.shuffle(block)
    return blocks

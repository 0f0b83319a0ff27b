"""What a set of concepts is: pictures, and for every pixel of a mask which concept of each kind stands there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

MOST_MASK = 112  # pixels a side

Picture = NDArray[np.float32]
Planes = NDArray[np.int16]
"""int16[kind height width]: 0 where no concept of the kind is labelled, else 1 + its place among the concepts of the kind."""


@dataclass(frozen=True, slots=True)
class Concept:
    """One thing to look for.

    Attributes:
        name: for people, "red".
        kind: what it is one of, "colour". A pixel has at most one concept of a kind.
    """

    name: str
    kind: str


class ConceptSet(Protocol):
    """Pictures with masks, in a fixed order, each to be had again by its row.

    Attributes: a plain field will do for each.
    """

    @property
    def name(self) -> str:
        """For people: where it comes from."""

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """Those of one kind stand together, kinds in the order of the planes."""

    @property
    def size(self) -> tuple[int, int, int]:
        """Channels, height and width of every picture: the model's input."""

    @property
    def mask_size(self) -> tuple[int, int]:
        """Height and width of every mask; a pixel of a mask stands for an equal share of the picture."""

    def __len__(self) -> int:
        """Number of pictures."""

    def picture(self, row: int) -> Picture:
        """float32[channel height width] between 0 (black) and 1 (white)."""

    def planes(self, row: int) -> Planes:
        """The masks of the same picture."""


def kinds_of(concepts: tuple[Concept, ...]) -> tuple[str, ...]:
    """The kinds in order."""
    return tuple(dict.fromkeys(concept.kind for concept in concepts))


@lru_cache(maxsize=64)
def spans_of(concepts: tuple[Concept, ...]) -> tuple[tuple[int, int], ...]:
    """First concept and first beyond, of every kind."""
    found, start = [], 0
    for kind in kinds_of(concepts):
        end = start + sum(concept.kind == kind for concept in concepts)
        found.append((start, end))
        start = end
    return tuple(found)


def mask_size_of(height: int, width: int) -> tuple[int, int]:
    """A picture's size, halved until no side is longer than 112: what Bau et al. annotate inputs of 224 with."""
    while max(height, width) > MOST_MASK and min(height, width) >= 2:
        height, width = height // 2, width // 2
    return height, width


def at_mask(planes: NDArray[np.integer], size: tuple[int, int]) -> Planes:
    """What stands in the middle of every pixel of a smaller mask: from int[... height width] to int16."""
    rows, columns = (
        np.floor((np.arange(kept) + 0.5) * whole / kept).astype(int)
        for kept, whole in zip(size, planes.shape[-2:], strict=True)
    )
    return np.ascontiguousarray(planes[..., rows[:, None], columns[None]], np.int16)


@dataclass(frozen=True)
class Mixture:
    """One picture's masks as what stands together on a pixel: a dozen combinations say it as well as all the planes.

    Attributes:
        place: int64[pixel], which combination.
        holds: float64[combination concept], 1 where the combination has the concept.
        shows: bool[kind], whether any concept of the kind is on the picture.
        counts: int64[combination], its pixels.
    """

    place: NDArray[np.int64]
    holds: NDArray[np.float64]
    shows: NDArray[np.bool_]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, planes: Planes, concepts: tuple[Concept, ...]) -> Mixture:
        """From the planes of a picture."""
        code = np.zeros(planes[0].size, np.int64)
        kinds: list[NDArray[np.int64]] = []  # of each combination so far, what it has of each kind
        for plane, (start, end) in zip(planes, spans_of(concepts), strict=True):
            mixed = code * (end - start + 1) + plane.reshape(-1)
            found, code = np.unique(mixed, return_inverse=True)
            kinds = [one[found // (end - start + 1)] for one in kinds] + [found % (end - start + 1)]
        holds = np.zeros((int(code.max()) + 1, len(concepts)))
        for which, (start, _) in zip(kinds, spans_of(concepts), strict=True):
            named = np.flatnonzero(which)
            holds[named, start + which[named] - 1] = 1.0
        shows = np.array([bool(which.any()) for which in kinds])
        return cls(code, holds, shows, np.bincount(code, minlength=len(holds)))


@dataclass
class Visit:
    """The rows of a set in a seeded order: a place in it has other pictures' masks for neighbours, whatever the set's order.

    Masks are kept as long as a neighbour needs them, so that each is made about once and memory does not grow with the set.
    """

    concepts: ConceptSet
    seed: int
    reach: int

    def __post_init__(self) -> None:
        self.order = np.random.default_rng(self.seed).permutation(len(self.concepts))
        self._kept: dict[int, Planes] = {}
        self._mixed: dict[int, Mixture] = {}

    def __len__(self) -> int:
        return len(self.order)

    def batches(self, size: int) -> Iterator[tuple[range, Picture]]:
        """Places in the order, and float32[batch channel height width]."""
        for start in range(0, len(self), size):
            places = range(start, min(len(self), start + size))
            yield places, np.stack([self.concepts.picture(int(self.order[place])) for place in places])

    def planes(self, place: int) -> Planes:
        """Masks at a place, wherever it is, round and round."""
        place %= len(self)
        if place not in self._kept:
            if len(self._kept) > self.reach:
                del self._kept[next(iter(self._kept))]
            self._kept[place] = self.concepts.planes(int(self.order[place]))
        return self._kept[place]

    def mixture(self, place: int) -> Mixture:
        """The same masks, combined."""
        place %= len(self)
        if place not in self._mixed:
            if len(self._mixed) > self.reach:
                del self._mixed[next(iter(self._mixed))]
            self._mixed[place] = Mixture.of(self.planes(place), self.concepts.concepts)
        return self._mixed[place]

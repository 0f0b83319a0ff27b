"""Where people look: density maps from clicks or bubbles, and their correlation with other maps of the same images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.intervals import mean_interval
from pellucid.measures.rank_correlation import ranks
from pellucid.record.schema import Interval

Floats = NDArray[np.float64]
PERMUTATIONS = 2000
# Below this part of the densest place's weight, no bubble was near: what was seen there is not known.
_UNSEEN = 1e-3


def density(
    places: Floats, height: int, width: int, bandwidth: float, *, aspect: float = 1.0, weights: Floats | None = None
) -> Floats:
    """How densely places lie, a Gaussian around each: float64[height width], sums to 1.

    Args:
        places: float64[place 2], x and y as shares of the image's width and height, from its left upper corner.
        height: of the map.
        width: of the map.
        bandwidth: standard deviation of the Gaussian as a share of the image's longer side.
        aspect: the image's width divided by its height.
        weights: float64[place], 1 each where None.
    """
    planes = _planes(places, height, width, np.full(len(places), bandwidth), aspect)
    mass = np.ones(len(places)) if weights is None else weights
    total = np.einsum("p,phw->hw", mass, planes)
    whole = float(total.sum())
    found: Floats = total / whole if whole > 0 else np.full((height, width), 1 / (height * width))
    return found


def diagnostic(
    places: Floats, radii: Floats, right: NDArray[np.bool_], height: int, width: int, *, aspect: float = 1.0
) -> Floats:
    """Where seeing helps: at each place the share of right answers among bubbles near it; float64[height width], sums to 1.

    The planes of all bubbles of right answers, summed, over those of all answers; where hardly any bubble was it takes the
    mean share of right answers.

    Args:
        places: float64[bubble 2], as for `density`.
        radii: float64[bubble], the standard deviation of its Gaussian window as a share of the longer side.
        right: bool[bubble], whether the answer of its trial was right.
        height: of the map.
        width: of the map.
        aspect: the image's width divided by its height.

    Source: Gosselin & Schyns 2001, Vision Research 41:2261, the proportion plane.
    """
    planes = _planes(places, height, width, radii, aspect)
    seen, helped = planes.sum(axis=0), planes[right].sum(axis=0)
    share = np.divide(helped, seen, out=np.full_like(seen, right.mean()), where=seen > _UNSEEN * seen.max())
    whole = float(share.sum())
    found: Floats = share / whole if whole > 0 else np.full((height, width), 1 / (height * width))
    return found


def _planes(places: Floats, height: int, width: int, spread: Floats, aspect: float) -> Floats:
    """float64[place height width]: a Gaussian around each place, 1 at its centre."""
    longer = max(aspect, 1.0)
    # In units of the image's longer side.
    across, down = aspect / longer, 1.0 / longer
    x = ((np.arange(width) + 0.5) / width - places[:, 0:1]) * across
    y = ((np.arange(height) + 0.5) / height - places[:, 1:2]) * down
    variance = 2 * spread[:, None] ** 2
    planes: Floats = np.exp(-(y**2) / variance)[:, :, None] * np.exp(-(x**2) / variance)[:, None, :]
    return planes


def resized(values: Floats, height: int, width: int) -> Floats:
    """A map on another grid, each cell the mean of what it covers."""
    found: Floats = _overlaps(values.shape[0], height) @ values @ _overlaps(values.shape[1], width).T
    return found


def _overlaps(cells: int, wanted: int) -> Floats:
    """float64[wanted cells]: the part that each cell has of each wanted one; rows sum to 1."""
    edges, goals = np.arange(cells + 1) / cells, np.arange(wanted + 1) / wanted
    low = np.maximum(edges[None, :-1], goals[:-1, None])
    high = np.minimum(edges[None, 1:], goals[1:, None])
    shares: Floats = np.maximum(high - low, 0.0) * wanted
    return shares


def correlations(first: Floats, second: Floats) -> Floats:
    """Spearman's correlation over the places of each map of the first with each of the second.

    Args:
        first: float64[image height width].
        second: float64[other height width].

    Returns: float64[image other], NaN where a map does not vary.
    """
    a, b = (_standard(maps) for maps in (first, second))
    found: Floats = np.clip(a @ b.T, -1.0, 1.0)
    return found


def _standard(maps: Floats) -> Floats:
    """Ranks of the places of each map, centred and of length 1; NaN where the map does not vary."""
    found = np.stack([ranks(one.ravel()) for one in maps])
    found -= found.mean(axis=1, keepdims=True)
    length = np.sqrt((found**2).sum(axis=1, keepdims=True))
    unit: Floats = np.divide(found, length, out=np.full_like(found, np.nan), where=length > 0)
    return unit


@dataclass(frozen=True)
class Alignment:
    """How two sets of maps of the same images go together; None where not defined, and `why`.

    Attributes:
        each: float64[image], NaN where a map does not vary.
        correlation: mean over images; `other` the mean with the maps of other images; `difference` mean of image by image.
        p_value: share of random assignments of the first maps to images with a mean at least as high, that of the images counted.
    """

    each: Floats
    images: int
    correlation: float | None = None
    interval: Interval | None = None
    other: float | None = None
    difference: float | None = None
    difference_interval: Interval | None = None
    p_value: float | None = None
    why: str = ""


def aligned(first: Floats, second: Floats, seed: int = 0) -> Alignment:
    """Whether maps of the same image are more alike than maps of different images are.

    Maps of any two photographs correlate, for people and models both look at the middle: that is what the other images' maps say.

    Args:
        first: float64[image height width].
        second: the same images, the same shape.
        seed: of the random assignments.
    """
    if not len(first):
        return Alignment(np.zeros(0), 0, why="no image has both maps")
    table = correlations(first, second)
    each = np.diagonal(table).copy()
    known = np.flatnonzero(np.isfinite(each))
    if not len(known):
        return Alignment(each, 0, why="no image has two maps that vary")
    own, table = each[known], table[np.ix_(known, known)]
    number = len(known)
    correlation, interval = float(own.mean()), _interval(own)
    if number < 2:
        return Alignment(each, number, correlation, interval, why="one image alone has no others to be held against")
    others = (table.sum(axis=0) - own) / (number - 1)
    gain = own - others
    generator = np.random.default_rng(seed)
    shuffled = generator.permuted(np.tile(np.arange(number), (PERMUTATIONS, 1)), axis=1)
    drawn = table[shuffled, np.arange(number)].mean(axis=1)
    as_much = int((drawn >= correlation - 1e-12).sum())
    return Alignment(
        each, number, correlation, interval, float(others.mean()), float(gain.mean()), _interval(gain),
        (as_much + 1) / (PERMUTATIONS + 1),
    )  # fmt: skip


def agreement(first: Floats, second: Floats) -> tuple[float | None, Interval | None]:
    """How well the maps of all people would be met by those of as many others, from the maps of two halves.

    Args:
        first: float64[image height width], of one half of the people.
        second: of the other half.

    Returns: mean Spearman correlation r of the halves over images, raised to 2r / (1 + r), and its interval over images.
    Source: Spearman 1910 and Brown 1910, British Journal of Psychology 3.
    """
    if not len(first):
        return None, None
    each = np.array([correlations(a[None], b[None])[0, 0] for a, b in zip(first, second, strict=True)])
    each = each[np.isfinite(each)]
    if not len(each):
        return None, None
    interval = _interval(each)

    def raised(value: float) -> float:
        return 2 * value / (1 + value) if value > -1 else -1.0

    if interval is not None:
        low, high = (max(-1.0, min(1.0, raised(max(end, -0.5)))) for end in (interval.low, interval.high))
        interval = Interval(low, high, interval.level, "t")
    return max(-1.0, raised(max(float(each.mean()), -0.5))), interval


def _interval(values: Floats) -> Interval | None:
    return mean_interval(len(values), float(values.sum()), float(((values - values.mean()) ** 2).sum()))

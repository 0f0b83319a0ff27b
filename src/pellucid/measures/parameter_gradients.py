"""What inner products of examples' parameter gradients tell: norms of class means, whether classes pull apart, and noise.

Everything rests on the Gram matrix of the examples' gradients g[i] and on which class each is of. A mean of few noisy
gradients is longer than the true one, and two such means look less alike than they are; products of an example with itself
carry that bias, so they are left out: what remains is unbiased, and can be below 0 where noise is all there is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.intervals import LEVEL

Floats = NDArray[np.float64]

LEAST = 4  # examples of a class: an unbiased norm needs 2, its spread a few more
MOST_CLASSES = 32
ROUNDS = 999


@dataclass(frozen=True)
class ClassProducts:
    """Classes against each other in one layer.

    Attributes:
        inner: float64[class class], unbiased <G[a], G[b]> of the mean gradients; the diagonal is |G[a]|^2.
        cosine: of the mean gradients, within -1 and 1; NaN where one of them is lost in noise (|G|^2 not above 0).
        low, high: its 95% interval, by the infinitesimal jackknife and Student's t.
        p_value: that the inner product is 0, two-sided, not yet corrected for the number of pairs; NaN on the diagonal.
    """

    inner: Floats
    cosine: Floats
    low: Floats
    high: Floats
    p_value: Floats


@dataclass(frozen=True)
class Noise:
    """How much single examples' gradients differ from their mean.

    Attributes:
        trace: tr(Sigma), the variance of an example's gradient summed over parameters.
        squared_mean: |G|^2, unbiased.
        scale: B = tr(Sigma) / |G|^2, in examples; None where |G|^2 is not above 0.
        low, high: its 95% interval; high is None where it has no end, low where not even that is known.
    """

    trace: float
    squared_mean: float
    scale: float | None
    low: float | None
    high: float | None


def class_products(gram: Floats, labels: NDArray[np.int64], classes: int) -> ClassProducts:
    """Inner products and cosines of the classes' mean gradients.

    Args:
        gram: float64[example example], inner products of the examples' gradients.
        labels: int64[example], 0 to classes - 1; every class at least LEAST times.
        classes: how many there are.

    Source: the unbiased products are two-sample U-statistics (Hoeffding 1948); their variance by the infinitesimal jackknife
        (Jaeckel 1972).
    """
    own, mean, count = _sums(gram, labels, classes)
    inner = np.stack([_class_mean(mean, labels, index) for index in range(classes)])
    inner = (inner + inner.T) / 2  # equal but for rounding
    square = np.array([own[labels == index].mean() for index in range(classes)])
    inner[np.diag_indices(classes)] = square
    length = np.sqrt(np.where(square > 0, square, np.nan))
    product = length[:, None] * length[None, :]
    cosine = inner / product
    # For each pair, what class a's examples add to the variances of the cosine and of the inner product.
    spread, plain = np.zeros((classes, classes)), np.zeros((classes, classes))
    for index in range(classes):
        there = labels == index
        number = count[index] * (count[index] - 1)
        off = mean[there] - inner[index]
        pull = off / product[index] - cosine[index] * (own[there] - square[index])[:, None] / length[index] ** 2
        spread[index] = (pull**2).sum(0) / number
        plain[index] = (off**2).sum(0) / number
    low, high = _interval(cosine, spread, count)
    diagonal = np.where(np.isnan(length), np.nan, 1.0)
    for one in (cosine, low, high):
        one[np.diag_indices(classes)] = diagonal
    return ClassProducts(
        inner, np.clip(cosine, -1, 1), np.clip(low, -1, 1), np.clip(high, -1, 1), _two_sided(inner, plain, count)
    )


def directions(gram: Floats) -> Floats:
    """Cosines of all pairs: the Gram matrix of the gradients scaled to length 1, rows of zeros where one has no length.

    Few examples, those that the model gets wrong, have nearly all of the length: their mean says little of the others.
    """
    length = np.sqrt(np.diag(gram))
    inverse = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
    found: Floats = gram * inverse[:, None] * inverse[None, :]
    return found


def noise_scale(gram: Floats, squares: Floats, labels: NDArray[np.int64], shares: Floats, examples: float) -> Noise:
    """The simple gradient noise scale: beyond batches of so many examples, a mean gradient hardly gets truer.

    With one class it is tr(Sigma) = n/(n-1) (s - m) over |G|^2 = (n m - s)/(n-1), s the mean of the squared norms and m the
    squared norm of the mean. Where classes were sampled apart, their shares in the data weigh them; what chance in these shares,
    those of so many examples, adds to |G|^2 is taken off: their class means' variance over the number of examples less 1.

    Args:
        gram: float64[example example].
        squares: float64[example], squared norms.
        labels: int64[example], every class at least LEAST times.
        shares: float64[class], of the data; their sum is 1.
        examples: of the data, at least 2; infinite where the shares are known.

    Source: McCandlish, Kaplan, Amodei et al. 2018, arXiv:1812.06162, section 2.2 and appendix A.1.
    """
    classes = len(shares)
    own, mean, count = _sums(gram, labels, classes)
    mean = mean.copy()
    mean[np.arange(len(labels)), labels] = own
    toward = mean @ shares
    by_class = np.array([toward[labels == index].mean() for index in range(classes)])
    size = np.array([squares[labels == index].mean() for index in range(classes)])
    within = np.array([own[labels == index].mean() for index in range(classes)])
    squared_mean = float(shares @ by_class)
    squared_mean -= float(shares @ within - squared_mean) / (examples - 1)
    trace = float(shares @ size) - squared_mean
    if trace <= 0:
        return Noise(max(trace, 0.0), squared_mean, None, None, None)
    ratio = squared_mean / trace
    weight = shares[labels]
    of_mean = 2 * weight * (toward - by_class[labels])
    of_trace = weight * (squares - size[labels]) - of_mean
    pull = (of_mean - ratio * of_trace) / trace
    number = (count * (count - 1))[labels]
    of_share = (2 * by_class - ratio * (size - 2 * by_class)) / trace
    chance = float(shares @ of_share**2 - (shares @ of_share) ** 2) / examples
    deviation = float(np.sqrt((pull**2 / number).sum() + max(chance, 0.0)))
    half = deviation * _quantile(len(labels) - classes)
    least, most = ratio - half, ratio + half
    return Noise(
        trace,
        squared_mean,
        1 / ratio if ratio > 0 else None,
        1 / most if most > 0 else None,
        1 / least if least > 0 else None,
    )


def agreement(gram: Floats, labels: NDArray[np.int64], classes: int) -> Floats:
    """Cosine of each example's gradient with the mean of the others of its class: float64[example], NaN where one is 0."""
    own, _, count = _sums(gram, labels, classes)
    norm = np.diag(gram)
    found = np.full(len(labels), np.nan)
    for index in range(classes):
        there = np.flatnonzero(labels == index)
        inside = gram[np.ix_(there, there)]
        rows = inside.sum(1)
        others = inside.sum() - 2 * rows + norm[there]
        length = np.sqrt(np.maximum(others, 0)) / (count[index] - 1) * np.sqrt(norm[there])
        found[there] = np.where(length > 0, own[there] / np.where(length > 0, length, 1), np.nan)
    clipped: Floats = np.clip(found, -1, 1)
    return clipped


def permuted(gram: Floats, labels: NDArray[np.int64], classes: int, seed: int, rounds: int = ROUNDS) -> Floats:
    """Whether the name of the class matters to the gradient, for each pair: p values, float64[class class], NaN on the diagonal.

    The distance of the two mean gradients against that of as many random splits of the two classes' examples.

    Source: Pitman 1937; the statistic is the maximum mean discrepancy of a linear kernel (Gretton et al. 2012).
    """
    random = np.random.default_rng(seed)
    found = np.full((classes, classes), np.nan)
    for first in range(classes):
        for second in range(first + 1, classes):
            one, other = np.flatnonzero(labels == first), np.flatnonzero(labels == second)
            there = np.concatenate([one, other])
            signs = np.concatenate([np.full(len(one), 1 / len(one)), np.full(len(other), -1 / len(other))])
            split = random.permuted(np.tile(signs, (rounds + 1, 1)), axis=1)
            split[0] = signs
            distance = np.einsum("ri,ri->r", split @ gram[np.ix_(there, there)], split)
            # Splits that are the same one up to rounding count as at least as far apart.
            least = distance[0] - 1e-9 * abs(distance[0])
            found[first, second] = found[second, first] = (1 + (distance[1:] >= least).sum()) / (rounds + 1)
    return found


def sample(targets: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """Rows of examples, as many of each class as can be, in ascending order; the same for the same seed.

    Only classes with LEAST examples are dealt, at most MOST_CLASSES of them, and no more than there are places for LEAST of
    each: the commonest.

    Args:
        targets: int64[example], -1 where unknown.
        most: how many rows, >= LEAST.
        seed: of the choice within a class.
    """
    order = np.random.default_rng(seed).permutation(len(targets))
    classes, counts = np.unique(targets[targets >= 0], return_counts=True)
    enough = np.flatnonzero(counts >= LEAST)
    commonest = enough[np.argsort(-counts[enough], kind="stable")][: min(max(most // LEAST, 1), MOST_CLASSES)]
    hands = [order[targets[order] == name] for name in classes[commonest]]
    chosen: list[int] = []
    for turn in range(max((len(hand) for hand in hands), default=0)):
        dealt = [int(hand[turn]) for hand in hands if turn < len(hand)]
        # A turn that would not reach every class is not begun, but after the least.
        if len(chosen) + len(dealt) > most and turn >= LEAST:
            break
        chosen += dealt
    return np.sort(np.array(chosen, np.int64))


def _sums(gram: Floats, labels: NDArray[np.int64], classes: int) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Each example's mean product with the others of its class and with every class's examples, and the classes' sizes."""
    member = (labels[:, None] == np.arange(classes)).astype(np.float64)
    count = member.sum(0).astype(np.int64)
    if int(count.min(initial=LEAST)) < LEAST:
        raise ValueError(f"every class needs {LEAST} examples; the smallest has {int(count.min())}")
    sums = gram @ member
    own = (sums[np.arange(len(labels)), labels] - np.diag(gram)) / (count[labels] - 1)
    return own, sums / count, count


def _class_mean(mean: Floats, labels: NDArray[np.int64], index: int) -> Floats:
    found: Floats = mean[labels == index].mean(0)
    return found


def _freedom(spread: Floats, count: NDArray[np.int64]) -> Floats:
    """Welch and Satterthwaite's degrees of freedom of two variances that are added."""
    less = (count - 1)[:, None]
    both = spread + spread.T
    parts = spread**2 / less + (spread**2 / less).T
    found: Floats = np.divide(both**2, parts, out=np.ones_like(both), where=parts > 0)
    return found


def _interval(cosine: Floats, spread: Floats, count: NDArray[np.int64]) -> tuple[Floats, Floats]:
    from scipy import special

    half = np.sqrt(spread + spread.T) * special.stdtrit(_freedom(spread, count), 0.5 + LEVEL / 2)
    return cosine - half, cosine + half


def _two_sided(inner: Floats, spread: Floats, count: NDArray[np.int64]) -> Floats:
    from scipy import special

    deviation = np.sqrt(spread + spread.T)
    score = np.divide(np.abs(inner), deviation, out=np.zeros_like(inner), where=deviation > 0)
    found: Floats = 2 * special.stdtr(_freedom(spread, count), -score)
    found[np.diag_indices(len(found))] = np.nan
    return found


def _quantile(freedom: int) -> float:
    from scipy import special

    return float(special.stdtrit(max(freedom, 1), 0.5 + LEVEL / 2))

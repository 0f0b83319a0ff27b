"""What many people answered to an image, as a distribution, and how a model's probabilities stand to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def entropies(counts: NDArray[np.integer]) -> Floats:
    """Entropy in nats of the answers to each image, float64[image], from int[image category]; NaN without answers."""
    total = counts.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = counts / total
        terms = np.where(counts > 0, shares * np.log(np.where(counts > 0, shares, 1.0)), 0.0)
    return np.where(total[:, 0] > 0, -terms.sum(axis=1) + 0.0, np.nan)


def pairwise_agreement(counts: NDArray[np.integer]) -> Floats:
    """The chance that two people who answer the same image agree, float64[image]; NaN below two answers.

    Source: Fleiss 1971, Psychological Bulletin 76:378-382, eq. 2.
    """
    total = counts.sum(axis=1).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        share: Floats = (counts.astype(np.float64) * (counts - 1)).sum(axis=1) / (total * (total - 1))
    return np.where(total > 1, share, np.nan)


def agreement_with_others(counts: NDArray[np.integer]) -> Floats:
    """The chance that one person's answer is the most frequent one of all others', float64[image]; NaN below two answers.

    Where several answers are most frequent, one of them is drawn.
    """
    total = counts.sum(axis=1)
    found = np.zeros(len(counts))
    for category in range(counts.shape[1]):
        others = counts.copy()
        others[:, category] -= 1
        best = others.max(axis=1)
        ties = (others == best[:, None]).sum(axis=1)
        found += counts[:, category] * (others[:, category] == best) / ties
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 1, found / total, np.nan)


def most_frequent(counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """The one answer that is most frequent, int64[image]; -1 where there is none or several are."""
    best = counts.max(axis=1)
    alone = ((counts == best[:, None]).sum(axis=1) == 1) & (best > 0)
    return np.where(alone, counts.argmax(axis=1), -1)


def second_most_frequent(counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """The one answer after the most frequent one, int64[image]; -1 where first or second are not one answer each."""
    first = most_frequent(counts)
    rest = counts.copy()
    rest[np.arange(len(counts)), np.maximum(first, 0)] = 0
    return np.where(first >= 0, most_frequent(rest), -1)


def cross_entropies(counts: NDArray[np.integer], probabilities: NDArray[np.floating]) -> Floats:
    """Cross-entropy of the model under people's answers, nats: float64[image].

    Args:
        counts: int[image category].
        probabilities: float[image category]; infinity results where people give an answer of probability 0.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with np.errstate(divide="ignore"):
        logs = np.log(probabilities.astype(np.float64))
    terms = np.where(counts > 0, shares * np.where(counts > 0, logs, 0.0), 0.0)
    return np.where(counts.sum(axis=1) > 0, -terms.sum(axis=1), np.nan)

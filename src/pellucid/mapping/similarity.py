"""How alike two layers see the same examples: debiased linear CKA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import OptionError

LEAST_EXAMPLES = 4


def centred(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """The U-centred Gram matrix of examples by features: float64[example example], zero on the diagonal.

    The mean product of two such matrices off the diagonal is the unbiased estimate of HSIC with a linear kernel (Song et
    al. 2012, eq. 5), in the form of Székely & Rizzo 2014: an inner product, so that a layer with itself is never negative.
    """
    features = np.asarray(features, np.float64)
    count = len(features)
    if features.ndim != 2 or count < LEAST_EXAMPLES:
        raise OptionError(
            f"Unbiased HSIC needs features (example, feature) of at least {LEAST_EXAMPLES} examples; got {features.shape}."
        )
    # Shifting all examples changes nothing; it keeps what is alike out of the sums.
    features = features - features.mean(0)
    gram = features @ features.T
    np.fill_diagonal(gram, 0.0)
    sums = gram.sum(1)
    gram -= (sums[:, None] + sums[None, :]) / (count - 2) - sums.sum() / ((count - 1) * (count - 2))
    np.fill_diagonal(gram, 0.0)
    return gram


def hsic(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """The unbiased estimate of HSIC with linear kernels of the same examples in two spaces."""
    one, other = centred(first), centred(second)
    if len(one) != len(other):
        raise OptionError(f"Both spaces must hold the same examples; got {len(one)} and {len(other)}.")
    return float((one * other).sum() / (len(one) * (len(one) - 3)))


@dataclass
class Likeness:
    """Debiased linear CKA between layers, streamed over batches of examples.

    Each batch adds its unbiased HSIC of every pair; the sums are divided once, at the end (Nguyen et al. 2021, eq. 3). One
    batch of all examples gives debiased CKA itself. It corrects for few examples with many features, which make plain CKA
    near 1 for anything (Murphy et al. 2024).

    Source: Kornblith et al. 2019, arXiv:1905.00414; Nguyen et al. 2021, arXiv:2010.15327; Murphy et al. 2024, arXiv:2405.01012.
    Check: 1 between a layer and itself, whatever the batch; unchanged by rotation and scale; 0 on average between
        independent features, however many.
    """

    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    examples: int = 0

    def add(self, layers: Sequence[NDArray[np.floating]]) -> None:
        """Takes in a batch: float[example feature] of every layer, the same examples in each."""
        sizes = {len(features) for features in layers}
        if len(sizes) > 1:
            raise OptionError(f"All layers must hold the same examples; got {sorted(sizes)}.")
        if not layers:
            return
        count = sizes.pop()
        flat = np.stack([centred(features).ravel() for features in layers])
        found = flat @ flat.T / (count * (count - 3))
        self.sums = found if not self.sums.size else self.sums + found
        self.examples += count

    def matrix(self) -> NDArray[np.float64]:
        """float64[layer layer] in [-1, 1]; NaN where a layer tells no two examples apart."""
        own = np.diag(self.sums)
        scale = np.sqrt(np.outer(own, own))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(scale > 0, self.sums / scale, np.nan)


def debiased_cka(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Debiased linear CKA of the same examples in two spaces; see `Likeness`."""
    likeness = Likeness()
    likeness.add([first, second])
    return float(likeness.matrix()[0, 1])

"""Units that look for nothing: random weights over the same field, shown the same stimuli.

How selective they seem is what a unit has to beat before it gets a name. The best of hundreds of stimuli fits anything a little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.features.stimuli import Stimuli
from pellucid.features.tuning import Floats

CONTROLS = 60
# Of fewer weights than these every set is a detector of something, an edge or a spot: there is no chance to compare with.
LEAST_WEIGHTS = 100
_FINEST = 26  # pixels a side that larger fields are reduced to


class Controls:
    """Random linear receptive fields with a rectifier; `observe` every batch of pictures, then ask for `responses`."""

    def __init__(self, stimuli: Stimuli, seed: int = 0) -> None:
        box = stimuli.box.within(*stimuli.size)
        # A pixel more on each side: a unit's answer is the strongest of nine places.
        top, left = max(0, box.top - 1), max(0, box.left - 1)
        self._rows = slice(top, box.top + box.height + 1)
        self._columns = slice(left, box.left + box.width + 1)
        self._random = np.random.default_rng(seed)
        self._kernels: NDArray[np.float32] | None = None
        self._answers: list[Floats] = []
        self.weights = 0

    def observe(self, pictures: NDArray[np.float32]) -> None:
        """Takes float32[batch channel height width]."""
        seen = _reduced(pictures[:, :, self._rows, self._columns]) - 0.5
        batch, channels, height, width = seen.shape
        tall, wide = max(1, height - 2), max(1, width - 2)
        if self._kernels is None:
            self.weights = channels * tall * wide
            self._kernels = self._random.standard_normal((channels * tall * wide, CONTROLS)).astype(np.float32)
        answers = np.full((batch, CONTROLS), 0.0)
        for row in range(height - tall + 1):
            for column in range(width - wide + 1):
                patch = seen[:, :, row : row + tall, column : column + wide].reshape(batch, -1)
                answers = np.maximum(answers, patch @ self._kernels)
        self._answers.append(answers)

    def responses(self) -> Floats:
        """float64[picture control]."""
        return np.concatenate(self._answers)


def _reduced(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means over blocks, so that no side is longer than the finest that is looked at."""
    height, width = pictures.shape[2:]
    block = max(1, -(-max(height, width) // _FINEST))
    if block == 1:
        return pictures
    tall, wide = max(1, height // block), max(1, width // block)
    cut = pictures[:, :, : tall * block, : wide * block]
    return np.asarray(
        cut.reshape(*cut.shape[:2], tall, min(block, height), wide, min(block, width)).mean(axis=(3, 5)), np.float32
    )

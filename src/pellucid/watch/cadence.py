"""When to look: at every so many steps, or as often as a share of the training's time allows."""

from __future__ import annotations

from dataclasses import dataclass

# Time that was not spent on looking may be saved up for so many looks: a pause must not be followed by a burst.
_SAVED_LOOKS = 3


@dataclass
class Cadence:
    """Decides which steps are looked at.

    Attributes:
        every: look at steps 1, 1 + every, 1 + 2 every, ...; None: as often as the share allows.
        share: of the training's time that looking may take.
        cost: seconds of the cheapest of the last two looks; the first one is dearer than all that follow.
    """

    every: int | None
    share: float
    cost: float = 0.0
    _latest: float = 0.0
    _saved: float = 0.0
    _looked: float | None = None

    def due(self, step: int, now: float) -> bool:
        """Whether to look at this step, counted from 1, at this time in seconds."""
        if self.every is not None:
            return (step - 1) % self.every == 0
        if self._looked is None:
            self._looked = now
            return True
        self._saved = min(self._saved + self.share * (now - self._looked), _SAVED_LOOKS * self.cost)
        self._looked = now
        return self._saved >= self.cost

    def spent(self, seconds: float) -> None:
        """A look took this long."""
        if self._latest:
            self.cost = min(seconds, self._latest)
            self._saved = max(self._saved - seconds, -_SAVED_LOOKS * self.cost)
        else:
            self.cost = seconds  # the first one is free: a run of one look is not slowed by it
        self._latest = seconds

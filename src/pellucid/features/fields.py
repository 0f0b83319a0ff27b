"""Where on the input a unit looks, and the frame between its field and a picture."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of input pixels; it may reach over the border, where the model saw padding."""

    top: int
    left: int
    height: int
    width: int

    @property
    def extent(self) -> int:
        """The longer side, in pixels."""
        return max(self.height, self.width)

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column of its middle, in pixels from the first pixel's centre."""
        return self.top + (self.height - 1) / 2, self.left + (self.width - 1) / 2

    def within(self, height: int, width: int) -> Box:
        """The part of it that lies on an image of this size."""
        top, left = max(0, self.top), max(0, self.left)
        bottom, right = min(height, self.top + self.height), min(width, self.left + self.width)
        return Box(top, left, max(1, bottom - top), max(1, right - left))

"""Shapes as intensities between 0 and 1 over a grid of pixels: what stimuli are made of.

Coordinates are in pixels from the field's centre, y downwards; angles are those of the drawn line, in degrees counter-clockwise
from the horizontal.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
CUT = 1 / 3  # cycles a pixel: of coarser gratings whole pixels are light or dark


def grid(height: int, width: int, centre: tuple[float, float]) -> tuple[Plane, Plane]:
    """Row and column of every pixel from a centre: two float32[height width]."""
    rows, columns = np.meshgrid(
        np.arange(height, dtype=np.float32) - np.float32(centre[0]),
        np.arange(width, dtype=np.float32) - np.float32(centre[1]),
        indexing="ij",
    )
    return rows, columns


def across(y: Plane, x: Plane, angle: float) -> Plane:
    """Signed distance from the line through the centre at an angle, positive above (or left of) it."""
    radians = math.radians(angle)
    return np.asarray(-x * math.sin(radians) - y * math.cos(radians), np.float32)


def along(y: Plane, x: Plane, angle: float) -> Plane:
    """Distance along the line at an angle."""
    radians = math.radians(angle)
    return np.asarray(x * math.cos(radians) - y * math.sin(radians), np.float32)


def inside(distance: Plane) -> Plane:
    """1 where a signed distance is positive, 0 where negative, a pixel's share between."""
    return np.asarray(np.clip(distance + 0.5, 0.0, 1.0), np.float32)


def sine(y: Plane, x: Plane, angle: float, frequency: float, phase: float) -> Plane:
    """A sinusoidal grating; frequency in cycles a pixel, phase in cycles."""
    return np.asarray(0.5 + 0.5 * np.cos(2 * np.pi * (across(y, x, angle) * frequency - phase)), np.float32)


def square(y: Plane, x: Plane, angle: float, frequency: float, phase: float) -> Plane:
    """The same with hard edges; of a fine one a pixel has its share: cut at whole pixels it would be waves of other directions."""
    turns = across(y, x, angle) * np.float32(frequency) - np.float32(phase)
    if frequency <= CUT:
        return np.asarray(np.cos(2 * np.pi * turns) > 1e-4, np.float32)
    return inside(np.asarray((0.25 - np.abs(turns - np.round(turns))) / frequency, np.float32))


def checkerboard(y: Plane, x: Plane, cell: float, shift: tuple[float, float]) -> Plane:
    """Squares of a side in pixels."""
    rows, columns = np.floor((y - shift[0]) / cell + 1e-4), np.floor((x - shift[1]) / cell + 1e-4)
    return np.asarray((rows + columns) % 2 == 0, np.float32)


def dots(y: Plane, x: Plane, pitch: float, radius: float, shift: tuple[float, float]) -> Plane:
    """Discs on a lattice whose every second row is moved by half a pitch."""
    tall = pitch * math.sqrt(0.75)
    row = np.round((y - shift[0]) / tall)
    columns = x - shift[1] - np.where(row % 2 == 0, 0.0, pitch / 2)
    near_y = y - shift[0] - row * tall
    near_x = columns - np.round(columns / pitch) * pitch
    return inside(np.asarray(radius - np.hypot(near_y, near_x), np.float32))


def disc(y: Plane, x: Plane, radius: float) -> Plane:
    """A filled circle."""
    return inside(np.asarray(radius - np.hypot(y, x), np.float32))


def ring(y: Plane, x: Plane, radius: float, width: float) -> Plane:
    """A circle's line."""
    return inside(np.asarray(width / 2 - np.abs(np.hypot(y, x) - radius), np.float32))


def bar(y: Plane, x: Plane, angle: float, width: float) -> Plane:
    """A line across the whole picture."""
    return inside(np.asarray(width / 2 - np.abs(across(y, x, angle)), np.float32))


def corner(y: Plane, x: Plane, angle: float) -> Plane:
    """A right angle whose apex is the centre and whose middle points along an angle."""
    first, second = across(y, x, angle + 45), across(y, x, angle - 45)
    return inside(np.asarray(np.minimum(-first, second), np.float32))


def arc(y: Plane, x: Plane, angle: float, radius: float, width: float) -> Plane:
    """A curved line through the centre, bending away from an angle."""
    radians = math.radians(angle)
    return ring(
        np.asarray(y - radius * math.sin(radians), np.float32),
        np.asarray(x + radius * math.cos(radians), np.float32),
        radius,
        width,
    )


def cross(y: Plane, x: Plane, angle: float, width: float) -> Plane:
    """Two lines at right angles."""
    return np.maximum(bar(y, x, angle, width), bar(y, x, angle + 90, width))


def box(y: Plane, x: Plane, half: float) -> Plane:
    """A filled square."""
    return inside(np.asarray(half - np.maximum(np.abs(y), np.abs(x)), np.float32))


def triangle(y: Plane, x: Plane, angle: float, half: float) -> Plane:
    """A filled triangle of equal sides; one side is the line at an angle."""
    sides = [half / 2 + across(y, x, angle + turn) for turn in (0.0, 120.0, 240.0)]
    return inside(np.asarray(np.minimum.reduce(sides), np.float32))


def noise(shape: tuple[int, int], exponent: float, random: np.random.Generator) -> Plane:
    """Noise whose amplitude falls with frequency to an exponent: 0 white, 1 pink; its range is 0 to 1."""
    rows, columns = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    frequency = np.maximum(np.hypot(rows, columns), 1.0 / max(shape))
    spectrum = np.fft.rfft2(random.standard_normal(shape)) / frequency**exponent
    plane = np.fft.irfft2(spectrum, s=shape)
    low, high = np.quantile(plane, (0.02, 0.98))
    return np.asarray(np.clip((plane - low) / max(high - low, 1e-9), 0.0, 1.0), np.float32)

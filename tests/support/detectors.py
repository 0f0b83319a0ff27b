"""Networks whose units are known to look for something: banks of planted filters, alone and summed by a second layer."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

SIDE = 11
Kernel = np.ndarray


@dataclass(frozen=True)
class Planted:
    """A filter, float[channel side side], and the words that a right label of it holds, any one of each group."""

    kernel: Kernel
    words: tuple[tuple[str, ...], ...]


def _grid() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    return y, x


def _balanced(plane: np.ndarray, channels: int) -> Kernel:
    return np.repeat((plane - plane.mean())[None], channels, axis=0)


def gabor(angle: float, period: float, phase: float, channels: int) -> Planted:
    y, x = _grid()
    radians = np.radians(angle)
    across = -x * np.sin(radians) - y * np.cos(radians)
    plane = np.exp(-(x**2 + y**2) / (2 * (SIDE / 4) ** 2)) * np.cos(2 * np.pi * across / period + phase)
    return Planted(_balanced(plane, channels), ((f" {round(angle)} degrees",), ("stripes", "line", "edge")))


def opponent(hue: float, words: tuple[str, ...]) -> Planted:
    colour = np.array(colorsys.hsv_to_rgb(hue / 360, 1, 1)) - np.array(colorsys.hsv_to_rgb((hue / 360 + 0.5) % 1, 1, 1))
    y, x = _grid()
    return Planted(colour[:, None, None] * np.exp(-(x**2 + y**2) / 18), (words, ("opponent",)))


def checkerboard(cell: int, channels: int, sign: int = 1) -> Planted:
    y, x = np.mgrid[:SIDE, :SIDE]
    plane = sign * (((y // cell) + (x // cell)) % 2 * 2.0 - 1)
    return Planted(_balanced(plane, channels), (("checkerboard",), (f" {cell} pixel",)))


def corner(down: int, right: int, channels: int) -> Planted:
    y, x = _grid()
    vertical, horizontal = "lower" if down > 0 else "upper", "right" if right > 0 else "left"
    plane = ((y * down >= 0) & (x * right >= 0)).astype(float)
    return Planted(_balanced(plane, channels), (("corner",), (f"{vertical} {horizontal}",)))


def blob(radius: float, sign: int, channels: int) -> Planted:
    y, x = _grid()
    polarity = "bright" if sign > 0 else "dark"
    return Planted(_balanced(sign * (np.hypot(y, x) <= radius).astype(float), channels), ((f"{polarity} spot",),))


def edge(angle: float, channels: int) -> Planted:
    y, x = _grid()
    radians = np.radians(angle)
    across = -x * np.sin(radians) - y * np.cos(radians)
    plane = np.tanh(across) * np.exp(-(x**2 + y**2) / (2 * (SIDE / 3) ** 2))
    return Planted(_balanced(plane, channels), ((f" edge, {round(angle)} degrees",),))


def line(angle: float, channels: int) -> Planted:
    y, x = _grid()
    radians = np.radians(angle)
    across = -x * np.sin(radians) - y * np.cos(radians)
    plane = np.exp(-(across**2) / 2 - (x**2 + y**2) / (2 * (SIDE / 3) ** 2))
    return Planted(_balanced(plane, channels), ((f" line, {round(angle)} degrees",),))


def curve(angle: float, towards: str, channels: int) -> Planted:
    """Half a circle whose middle points along an angle."""
    y, x = _grid()
    radians = np.radians(angle)
    down, right = y - np.sin(radians) * 0.28 * SIDE, x + np.cos(radians) * 0.28 * SIDE
    near = np.exp(-((np.hypot(down, right) - 0.42 * SIDE) ** 2) / (2 * (SIDE / 14) ** 2))
    plane = near * (right * np.cos(radians) - down * np.sin(radians) > 0)
    return Planted(_balanced(plane, channels), ((f"curve, towards the {towards}",),))


def swinging(angle: float, hue: float, axis: str) -> Planted:
    """A grating between opposite hues."""
    colour = np.array(colorsys.hsv_to_rgb(hue / 360, 1, 1)) - np.array(colorsys.hsv_to_rgb((hue / 360 + 0.5) % 1, 1, 1))
    plane = gabor(angle, 5.5, 0.0, 1).kernel
    return Planted(colour[:, None, None] * plane, ((f"{axis} ",), (f" stripes, {round(angle)} degrees",)))


def bank(channels: int) -> list[Planted]:
    """Gabors, checkerboards, corners, spots, edges, lines, curves and, for three channels, opponents."""
    found = [
        gabor(angle, period, phase, channels)
        for angle in range(0, 180, 15)
        for period in (4, 6)
        for phase in (0.0, np.pi / 2)
    ]
    found += [checkerboard(cell, channels) for cell in (1, 2, 3)]
    found += [corner(down, right, channels) for down in (1, -1) for right in (1, -1)]
    found += [blob(radius, sign, channels) for radius in (2.0, 3.5) for sign in (1, -1)]
    found += [plant(angle, channels) for plant in (edge, line) for angle in range(0, 180, 15)]
    found += [
        curve(angle, word, channels) for angle, word in ((0, "right"), (90, "top"), (180, "left"), (270, "bottom"))
    ]
    if channels == 3:
        names = ("red-cyan", "orange-blue", "yellow-blue", "lime-violet", "green-magenta", "turquoise-pink")
        found += [opponent(30 * step, (name,)) for step, name in enumerate(names)]
        found += [swinging(angle, 30 * step, name) for angle in (0, 45, 90, 120) for step, name in enumerate(names)]
        found += [opponent(30 * step + 180, ("-".join(reversed(name.split("-"))),)) for step, name in enumerate(names)]
    return found


def fine(channels: int) -> list[Planted]:
    """Gabors of periods below 3.5 pixels, down to the finest whose direction pixels can tell: half a field from their limit."""
    found = []
    for period in (1.6, 1.7, 1.8, 1.9, 2.0, 2.1, 2.25, 2.5, 2.75, 3.0, 3.25):
        for angle in range(0, 180, 15):
            radians = np.radians(angle)
            steepest = max(abs(np.sin(radians)), abs(np.cos(radians))) / period  # cycles a pixel along rows or columns
            if steepest <= 0.5 - 1 / (2 * SIDE):
                found += [gabor(angle, period, phase, channels) for phase in (0.0, np.pi / 2)]
    return found


def summed(channels: int) -> tuple[list[Planted], list[tuple[int, ...]]]:
    """Filters of a first layer, and which of them each unit of a second sums: cells that do not mind phase or polarity."""
    filters: list[Planted] = []
    sums: list[tuple[int, ...]] = []
    for angle in range(0, 180, 15):
        sums.append(tuple(range(len(filters), len(filters) + 4)))
        filters += [gabor(angle, 5, turn * np.pi / 2, channels) for turn in range(4)]
    for cell in (1, 2, 3):
        sums.append((len(filters), len(filters) + 1))
        filters += [checkerboard(cell, channels, sign) for sign in (1, -1)]
    return filters, sums


class Normalised(nn.Module):
    """Filters behind the normalisation that a model expects of its inputs: it undoes that first, as training would."""

    def __init__(
        self, filters: list[Kernel], mean: tuple[float, ...], std: tuple[float, ...], sums: list[tuple[int, ...]] | None
    ) -> None:
        super().__init__()
        weights = torch.from_numpy(np.stack(filters)).float()
        weights = weights / weights.abs().sum((1, 2, 3), keepdim=True)
        scale = torch.tensor(std).view(1, -1, 1, 1)
        self.first = nn.Conv2d(weights.shape[1], len(weights), SIDE, padding=SIDE // 2)
        self.first.weight.data = weights * scale
        # Middle grey gives nothing.
        shift = torch.tensor(mean).view(1, -1, 1, 1) - 0.5
        self.first.bias.data = (weights * shift).sum((1, 2, 3))
        self.second: nn.Module | None = None
        if sums is not None:
            self.second = nn.Conv2d(len(weights), len(sums), 1)
            self.second.weight.data.zero_()
            self.second.bias.data.fill_(-0.02)
            for unit, parts in enumerate(sums):
                self.second.weight.data[unit, list(parts)] = 1.0

    def forward(self, images: Tensor) -> Tensor:
        found = self.first(images).relu()
        return found if self.second is None else self.second(found).relu()

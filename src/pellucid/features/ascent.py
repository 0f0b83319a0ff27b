"""Pictures as points that can be climbed from: Fourier spectra with decorrelated colours, of any number of channels.

Source: Olah, Mordvintsev & Schubert 2017 (spectra, colours, transformations); Fel et al. 2023, arXiv:2306.06805 (magnitudes
held at those of natural images, phases free).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

Method: TypeAlias = Literal["fourier", "maco"]
_TURN, _SCALE = 0.09, 0.08  # radians; share


@dataclass(frozen=True)
class Look:
    """What the data looks like, between black (0) and white (1).

    Attributes:
        mean: float[channel].
        colours: float[channel channel], a square root of the covariance of the channels.
        magnitudes: float[height width], mean magnitude of the spectrum of their mean channel.
    """

    mean: Tensor
    colours: Tensor
    magnitudes: Tensor

    @classmethod
    def of(cls, pictures: Iterable[Tensor], size: tuple[int, int]) -> Look:
        """Measured on pictures float[channel height width], between 0 and 1."""
        total, square, count = torch.zeros(()), torch.zeros(()), 0
        magnitudes = torch.zeros(size[0], size[1] // 2 + 1)
        number = 0
        for picture in pictures:
            pixels = picture.flatten(1).double()
            total, square, count = total + pixels.sum(1), square + pixels @ pixels.T, count + pixels.shape[1]
            grey = functional.interpolate(picture.mean(0)[None, None], size, mode="bilinear", align_corners=False)[0, 0]
            magnitudes += torch.fft.rfft2(grey - grey.mean(), norm="ortho").abs()
            number += 1
        mean = total / count
        values, vectors = torch.linalg.eigh(square / count - mean[:, None] * mean)
        root = vectors @ torch.diag(values.clamp(min=1e-6).sqrt()) @ vectors.T
        return cls(mean.float(), (root / root.norm(dim=0).max()).float(), magnitudes / number)


class Points:
    """A batch of pictures under ascent.

    Args:
        look: of the data.
        size: of the pictures.
        method: "fourier" moves the whole spectrum, "maco" its phases.
        start: float[batch channel height frequency 2], standard normal; see `begun`.
    """

    def __init__(self, look: Look, size: tuple[int, int], method: Method, start: Tensor) -> None:
        self._look, self._size, self.method = look, size, method
        rows, columns = torch.fft.fftfreq(size[0])[:, None], torch.fft.rfftfreq(size[1])[None]
        frequency = torch.hypot(rows, columns).clamp(min=1 / max(size))
        self._fall = 1 / (frequency * max(size))
        magnitudes = look.magnitudes
        if magnitudes.shape != frequency.shape:
            magnitudes = functional.interpolate(
                magnitudes[None, None], frequency.shape, mode="bilinear", align_corners=False
            )[0, 0]
        self._magnitudes = magnitudes / magnitudes.square().mean().sqrt().clamp(min=1e-9)
        self.free = start.clone().requires_grad_()
        self.rate = 0.1 if method == "fourier" else 0.3

    def pictures(self) -> Tensor:
        """float[batch channel height width], between 0 and 1."""
        if self.method == "fourier":
            spectrum = torch.view_as_complex(self.free.contiguous()) * self._fall
        else:
            spectrum = torch.polar(self._magnitudes.expand(self.free.shape[:-1]), self.free[..., 0] * 3)
        plane = torch.fft.irfft2(spectrum, s=self._size, norm="ortho")
        if self.method == "maco":
            plane = plane - plane.mean((2, 3), keepdim=True)
            plane = plane / plane.std((2, 3), keepdim=True).clamp(min=1e-6)
        mixed = torch.einsum("bchw,dc->bdhw", plane, self._look.colours)
        middle = torch.logit(self._look.mean.clamp(0.05, 0.95)).view(1, -1, 1, 1)
        return torch.sigmoid(2 * mixed + middle)


def begun(count: int, channels: int, size: tuple[int, int], seed: int) -> Tensor:
    """Starts of growing contrast: float[count channel height frequency 2]."""
    random = torch.Generator().manual_seed(seed)
    noise = torch.randn((count, channels, size[0], size[1] // 2 + 1, 2), generator=random)
    return noise * torch.logspace(-1, 0.7, count).view(-1, 1, 1, 1, 1)


def transformed(pictures: Tensor, random: torch.Generator, jitter: float) -> Tensor:
    """Each picture turned, scaled and moved a little, at random: what survives that is no trick of single pixels.

    Args:
        pictures: float[batch channel height width].
        random: where the transformations come from.
        jitter: how far they move, in pixels.
    """
    batch, _, height, width = pictures.shape
    turn, scale, down, right = (2 * torch.rand((4, batch), generator=random) - 1).unbind()
    turn, scale = turn * _TURN, 1 + scale * _SCALE
    cos, sin = torch.cos(turn) * scale, torch.sin(turn) * scale
    moves = (2 * jitter * right / width, 2 * jitter * down / height)
    affine = torch.stack([torch.stack([cos, -sin, moves[0]], 1), torch.stack([sin, cos, moves[1]], 1)], 1)
    grid = functional.affine_grid(affine.to(pictures.device), list(pictures.shape), align_corners=False)
    return functional.grid_sample(pictures, grid, mode="bilinear", padding_mode="reflection", align_corners=False)

"""Pictures as points that can be climbed from: a Fourier spectrum of uncorrelated colours, or its phases alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from pellucid.errors import OptionError
from pellucid.features.look import Look, falling, logits_of

Method: TypeAlias = Literal["fourier", "maco"]

PACE = 1.4  # of all frequencies together


class Parameterisation(ABC):
    """A batch of pictures as free parameters; any values of them are pictures between black and white.

    A picture is the sigmoid of `look.mean` + `look.colours` times its planes, so that no step can leave the range.

    Attributes:
        rate: of Adam.
        look: what the planes' colours are.
        size: height and width of the pictures.
    """

    rate: float

    def __init__(self, look: Look, size: tuple[int, int]) -> None:
        self.look = look
        self.size = size

    @abstractmethod
    def begin(self, random: torch.Generator, contrast: float) -> Tensor:
        """Free parameters of one picture, float[...]; of noise."""

    @abstractmethod
    def of(self, pictures: Tensor) -> Tensor:
        """The parameters whose pictures are nearest to given ones, float[batch channel height width] between 0 and 1."""

    @abstractmethod
    def spectrum(self, free: Tensor) -> Tensor:
        """complex[batch channel height frequency] of the uncorrelated planes, from float[batch ...]."""

    def planes(self, free: Tensor) -> Tensor:
        """float[batch channel height width], uncorrelated."""
        planes: Tensor = torch.fft.irfft2(self.spectrum(free), s=self.size, norm="ortho")
        return planes

    def pictures(self, free: Tensor) -> Tensor:
        """float[batch channel height width] between 0 (black) and 1 (white)."""
        look = self.look
        mixed = torch.einsum("bchw,dc->bdhw", self.planes(free), look.colours.to(free.device))
        return torch.sigmoid(mixed + look.mean.to(free.device).view(1, -1, 1, 1))

    def planes_of(self, pictures: Tensor) -> Tensor:
        """The uncorrelated planes of given pictures: what `pictures` undoes."""
        off = logits_of(pictures) - self.look.mean.view(1, -1, 1, 1)
        return torch.einsum("bchw,dc->bdhw", off, torch.linalg.inv(self.look.colours))


class Fourier(Parameterisation):
    """The whole spectrum moves, each frequency at a pace that falls as it rises.

    Source: Olah, Mordvintsev & Schubert 2017, doi:10.23915/distill.00007, "preconditioning".
    """

    rate = 0.06

    def __init__(self, look: Look, size: tuple[int, int]) -> None:
        super().__init__(look, size)
        fall = falling(size)
        # So that a step changes small pictures as much as large ones.
        self._fall = PACE * fall / fall.square().mean().sqrt()

    def begin(self, random: torch.Generator, contrast: float) -> Tensor:
        """Noise of this standard deviation."""
        shape = (self.look.channels, self.size[0], self.size[1] // 2 + 1, 2)
        return contrast * torch.randn(shape, generator=random)

    def spectrum(self, free: Tensor) -> Tensor:
        """What the parameters are, each frequency scaled by its pace."""
        return torch.view_as_complex(free.contiguous()) * self._fall.to(free.device)

    def of(self, pictures: Tensor) -> Tensor:
        """The parameters of exactly these pictures, as far as they are not wholly black or white."""
        spectrum = torch.fft.rfft2(self.planes_of(pictures), norm="ortho") / self._fall
        return torch.view_as_real(spectrum)


class Phases(Parameterisation):
    """MACO: the magnitudes are held at those of the data, and phases alone move.

    Source: Fel et al. 2023, arXiv:2306.06805. They hold the spectrum before a sigmoid, and so does this, where the
    magnitudes are measured on the logits of the data: the planes of a picture have exactly those.
    """

    rate = 0.3

    def __init__(self, look: Look, size: tuple[int, int]) -> None:
        super().__init__(look, size)
        if look.size != size:
            raise ValueError(f"the magnitudes are of pictures of {look.size}, not of {size}")
        # In these columns a row and its mirror are one wave, whose phases must be opposite.
        self._mirrored = [0] if size[1] % 2 else [0, size[1] // 2]
        self._mirror = -torch.arange(size[0]) % size[0]

    def begin(self, random: torch.Generator, contrast: float) -> Tensor:
        """Phases from the whole turn; their contrast is given, so that `contrast` is not used."""
        shape = (self.look.channels, self.size[0], self.size[1] // 2 + 1)
        return (2 * torch.rand(shape, generator=random) - 1) * torch.pi

    def of(self, pictures: Tensor) -> Tensor:
        """The phases of given pictures; their magnitudes stay the data's."""
        phases: Tensor = torch.fft.rfft2(self.planes_of(pictures), norm="ortho").angle()
        for column in self._mirrored:  # where a row's phase is what is free less what its mirror has
            phases[..., column] = phases[..., column] / 2
        return phases

    def spectrum(self, free: Tensor) -> Tensor:
        """The data's magnitudes with these phases."""
        phases = free.clone()
        for column in self._mirrored:
            phases[..., column] = free[..., column] - free[..., self._mirror.to(free.device), column]
        return torch.polar(self.look.magnitudes.to(free.device).expand(phases.shape).contiguous(), phases)


def way_named(name: str) -> Method:
    """A method by name. Raises: OptionError: there is none of that name."""
    for method in get_args(Method):
        if name == method:
            known: Method = method
            return known
    raise OptionError(f"The method must be fourier or maco; got {name!r}.")


def parameterisation(method: Method, look: Look, size: tuple[int, int]) -> Parameterisation:
    """The one of a method."""
    return Fourier(look, size) if method == "fourier" else Phases(look, size)

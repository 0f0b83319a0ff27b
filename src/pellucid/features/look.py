"""What the pictures of a data set are like: their mean, how their colours go together, and their spectrum."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

EDGE = 0.02  # black and white have no logit; nearer to them than this is as far
# Of photographs, where no examples say: red, green and blue vary together most, then orange against blue, then green against
# purple. The square root of their covariance that Olah et al. 2017 measured on ImageNet.
_PHOTOGRAPHS = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
_FEW = 2  # examples from which a spectrum is taken


@dataclass(frozen=True)
class Look:
    """How pictures between black (0) and white (1) are spread, in logits, where no sum leaves that range.

    Attributes:
        mean: float[channel], logits.
        colours: float[channel channel]: from uncorrelated planes of unit variance to logits; a root of their covariance.
        magnitudes: float[channel height frequency], mean magnitude of the uncorrelated planes' spectrum ("ortho"); its
            constant term is 0, for `mean` holds it.
        size: height and width of pictures with these magnitudes.
        count: examples that it was measured on; 0: it is that of photographs, magnitudes falling with frequency.
    """

    mean: Tensor
    colours: Tensor
    magnitudes: Tensor
    size: tuple[int, int]
    count: int

    @property
    def channels(self) -> int:
        """Of the pictures."""
        return len(self.mean)

    @classmethod
    def of(cls, pictures: Iterable[Tensor], size: tuple[int, int]) -> Look:
        """Measured on pictures float[channel height width] between 0 and 1, in their middle of this size.

        Two rounds over the pictures: the planes are uncorrelated only once their covariance is known.
        """
        seen = [logits_of(middle(picture.detach().float().cpu(), size)) for picture in pictures]
        if len(seen) < _FEW:
            channels = int(seen[0].shape[0]) if seen else 3
            return cls.usual(channels, size)
        pixels = torch.stack(seen).double()
        mean = pixels.mean((0, 2, 3))
        spread = (pixels - mean.view(-1, 1, 1)).transpose(0, 1).flatten(1)
        values, vectors = torch.linalg.eigh(spread @ spread.T / spread.shape[1])
        # A channel that says nothing of its own still may move a little.
        root = vectors @ torch.diag(values.clamp(min=1e-4 * float(values.max().clamp(min=1.0))).sqrt())
        planes = torch.einsum("dc,bchw->bdhw", torch.linalg.inv(root), pixels - mean.view(-1, 1, 1))
        magnitudes = torch.fft.rfft2(planes, norm="ortho").abs().mean(0)
        magnitudes[:, 0, 0] = 0.0
        return cls(mean.float(), root.float(), magnitudes.float(), size, len(seen))

    @classmethod
    def usual(cls, channels: int, size: tuple[int, int]) -> Look:
        """That of photographs; of any other number of channels than three, each varies alone."""
        colours = torch.tensor(_PHOTOGRAPHS) if channels == 3 else torch.eye(channels)
        colours = 1.3 * colours / colours.norm(dim=1).max()
        magnitudes = falling(size)
        magnitudes[0, 0] = 0.0
        # Of unit variance: each column but the first and that of the highest frequency stands for two.
        twice = torch.full((magnitudes.shape[1],), 2.0)
        twice[0] = 1.0
        if size[1] % 2 == 0:
            twice[-1] = 1.0
        power = (magnitudes.square() * twice).sum() / (size[0] * size[1])
        every = (magnitudes / power.sqrt()).expand(channels, -1, -1).clone()
        return cls(torch.zeros(channels), colours, every, size, 0)


def falling(size: tuple[int, int]) -> Tensor:
    """float[height frequency], 1 over the frequency in cycles a pixel; of the constant term as of one cycle a picture."""
    rows, columns = torch.fft.fftfreq(size[0])[:, None], torch.fft.rfftfreq(size[1])[None]
    return 1 / torch.hypot(rows, columns).clamp(min=1 / max(size))


def logits_of(pictures: Tensor) -> Tensor:
    """Between 0 and 1 to the whole line; black and white to its ends at `EDGE`."""
    return torch.logit(pictures.clamp(EDGE, 1 - EDGE))


def middle(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """The middle of a picture, of this size; a smaller picture is enlarged first."""
    scale = max(size[0] / picture.shape[1], size[1] / picture.shape[2])
    if scale > 1:
        larger = [max(want, round(scale * side)) for want, side in zip(size, picture.shape[1:], strict=True)]
        picture = torch.nn.functional.interpolate(picture[None], larger, mode="bilinear", align_corners=False)[0]
    top, left = ((side - want) // 2 for want, side in zip(size, picture.shape[1:], strict=True))
    return picture[:, top : top + size[0], left : left + size[1]]

"""Pictures that excite a unit more than anything in the data: gradient ascent, many units at once, up to their layer only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pellucid.capture import Session
from pellucid.capture.until import until
from pellucid.errors import MethodError
from pellucid.features.ascent import Look, Method, Points, begun, transformed
from pellucid.features.fields import Box
from pellucid.features.probing import Lightness, Sight, framed

OBJECTIVE = "the strongest response anywhere in the map, plus a tenth of the map's mean"
_PIXELS = 500_000  # of a batch
_CANDIDATES = 16
_GRAM_UNITS = 48
_UNLIKE = 0.05  # weight of the likeness of variants

Watch = Callable[[int, int], None]


@dataclass(frozen=True)
class Ascent:
    """How to climb.

    Attributes:
        method: "fourier" or "maco".
        steps: of Adam, each one forward and one backward up to the layer.
        variants: pictures a unit, pushed apart.
        seed: of starts and transformations.
    """

    method: Method = "fourier"
    steps: int = 64
    variants: int = 2
    seed: int = 0


@dataclass(frozen=True)
class Made:
    """Pictures of some units.

    Attributes:
        pictures: float32[unit variant channel height width], between 0 and 1.
        values: float32[unit variant], the strongest response to each as it is, without transformation.
        boxes: field of the strongest place of each, in pixels of the picture.
    """

    pictures: NDArray[np.float32]
    values: NDArray[np.float32]
    boxes: tuple[tuple[Box, ...], ...]


def optimise(
    session: Session,
    sight: Sight,
    units: Sequence[int],
    size: tuple[int, int],
    lightness: Lightness,
    look: Look,
    ascent: Ascent,
    watch: Watch = lambda done, total: None,
) -> Made:
    """Pictures for units of one layer.

    Args:
        session: holds the model open, with the layer.
        sight: where the layer's middle unit looks.
        units: channels of the layer.
        size: height and width of the model's input; what no unit in the middle sees is left out.
        lightness: what black and white are to the model.
        look: of the data.
        ascent: how to climb.
        watch: hears how many steps of how many; raise to cancel.

    Raises: MethodError: the layer has no gradient by the inputs, or none of the pictures has a finite response.
    """
    window, moved = framed(session, [sight], size, lightness, ascent.seed)
    climb = _Climb(session, moved[0], (window.height, window.width), lightness, look, ascent)
    a_time = max(1, _PIXELS // (window.height * window.width) // ascent.variants)
    groups = [list(units[start : start + a_time]) for start in range(0, len(units), a_time)]
    found = []
    for number, group in enumerate(groups):
        found.append(
            climb.run(group, lambda step, at=number: watch(at * ascent.steps + step, len(groups) * ascent.steps))  # type: ignore[misc]
        )
    return Made(
        np.concatenate([one.pictures for one in found]),
        np.concatenate([one.values for one in found]),
        tuple(boxes for one in found for boxes in one.boxes),
    )


@dataclass
class _Climb:
    session: Session
    sight: Sight
    size: tuple[int, int]
    lightness: Lightness
    look: Look
    ascent: Ascent

    def __post_init__(self) -> None:
        channels = len(self.lightness.black)
        self._starts = begun(_CANDIDATES * self.ascent.variants, channels, self.size, self.ascent.seed)
        points = Points(self.look, self.size, self.ascent.method, self._starts)
        self._answers = self._strongest(points.pictures().detach())[0]  # float[candidate unit]

    def run(self, units: list[int], watch: Callable[[int], None]) -> Made:
        """One batch of units, all their variants."""
        ascent = self.ascent
        # Each variant begins with the start that excites the unit most: where nothing does, no gradient leads away.
        shares = self._answers[:, units].reshape(_CANDIDATES, ascent.variants, len(units))
        first = shares.argmax(0).T * ascent.variants + torch.arange(ascent.variants)
        points = Points(self.look, self.size, ascent.method, self._starts[first.flatten()])
        channel = torch.tensor(units).repeat_interleave(ascent.variants)
        adam = torch.optim.Adam([points.free], lr=points.rate)
        random = torch.Generator().manual_seed(ascent.seed)
        jitter = max(1.0, 0.05 * max(self.size))
        best = torch.full((len(channel),), -torch.inf)
        kept, places = points.pictures().detach(), torch.zeros(len(channel), dtype=torch.int64)
        for step in range(ascent.steps):
            seen = transformed(points.pictures(), random, jitter)
            with torch.enable_grad():
                maps = self._maps(seen, gradients=True)
                loss = -self._score(maps, channel)
            (gradient,) = torch.autograd.grad(loss, points.free)
            points.free.grad = torch.nan_to_num(gradient)
            adam.step()
            adam.zero_grad()
            if step + 1 in (ascent.steps // 2, 3 * ascent.steps // 4, ascent.steps):
                pictures = points.pictures().detach()
                values, where = self._strongest(pictures)
                value = values.gather(1, channel[:, None])[:, 0]
                better = value > best
                best = torch.where(better, value, best)
                kept = torch.where(better[:, None, None, None], pictures, kept)
                places = torch.where(better, where.gather(1, channel[:, None])[:, 0], places)
            watch(step + 1)
        if not bool(torch.isfinite(best).any()):
            raise MethodError(
                f"Layer '{self.sight.layer.name}' answers with NaN or infinity to every picture that was made."
            )
        shape = (len(units), ascent.variants)
        boxes = [self._box(int(place)) for place in places]
        return Made(
            kept.reshape(*shape, *kept.shape[1:]).numpy(),
            best.reshape(shape).numpy(),
            tuple(tuple(boxes[at * ascent.variants : (at + 1) * ascent.variants]) for at in range(len(units))),
        )

    def _maps(self, pictures: Tensor, *, gradients: bool) -> Tensor:
        """float[batch unit position] of the layer."""
        black, white = (
            torch.tensor(values).view(1, -1, 1, 1) for values in (self.lightness.black, self.lightness.white)
        )
        name = self.sight.layer.name
        output = (
            until(self.session, pictures * (white - black) + black, [name], gradients=gradients)[name].cpu().float()
        )
        if self.sight.layer.layout == "tokens":
            return output.transpose(1, 2)
        return output.flatten(2) if output.ndim > 2 else output[:, :, None]

    def _strongest(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """The strongest response to each picture and its place: two [batch unit]."""
        found, a_time = [], max(1, _PIXELS // (self.size[0] * self.size[1]))
        for part in torch.split(pictures, a_time):
            found.append(torch.nan_to_num(self._maps(part, gradients=False), nan=-torch.inf).max(2))
        return torch.cat([one.values for one in found]), torch.cat([one.indices for one in found])

    def _score(self, maps: Tensor, channel: Tensor) -> Tensor:
        """What is climbed, over the batch: responses in shares of their size, less the likeness of a unit's variants."""
        own = maps[torch.arange(len(maps)), channel]
        value = own.amax(1) + 0.1 * own.mean(1)
        score = (value / value.detach().abs().clamp(min=1e-3)).sum()
        variants = self.ascent.variants
        if variants > 1:
            some = maps[:, :: max(1, maps.shape[1] // _GRAM_UNITS)]
            gram = torch.nn.functional.normalize((some @ some.transpose(1, 2)).flatten(1), dim=1)
            groups = gram.reshape(-1, variants, gram.shape[1])
            alike = (groups @ groups.transpose(1, 2)).sum() - len(gram)
            score = score - _UNLIKE * alike
        return score

    def _box(self, place: int) -> Box:
        whole = Box(0, 0, *self.size)
        if min(self.sight.stride) < 1:
            return whole
        shape = self.sight.layer.shape
        # The map of a part of the input is narrower than that of the whole.
        box, (down, right) = self.sight.box, self.sight.stride
        width = -(-self.size[1] // right)
        middle, asked = divmod(self.sight.position, width), divmod(place, width)
        if shape[2] < width:
            return whole
        return Box(
            box.top + (asked[0] - middle[0]) * down, box.left + (asked[1] - middle[1]) * right, box.height, box.width
        )

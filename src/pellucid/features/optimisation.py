"""Pictures that excite a unit more than anything in the data: gradient ascent, many channels at once, up to their layer only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pellucid.capture import Session, on_device, to_device, unwrapped, whole_graph
from pellucid.capture.memory import for_memory
from pellucid.errors import DataError, OptionError
from pellucid.features.ascent import Aim, Ascent, Climb, Made
from pellucid.features.fields import Box
from pellucid.features.look import Look, middle
from pellucid.features.parameterisation import Method, way_named
from pellucid.features.probing import Lightness, Sight, framed, sight_of
from pellucid.features.responses import units_of
from pellucid.graph import Graph
from pellucid.mapping import receptive_field
from pellucid.types import Layer, Passes

PIXELS = 400_000  # of a batch, whatever its pictures' size
FIELDS = 3.0  # sides of the field that a picture has, so that a pattern that repeats is seen to
LEAST_SIDE = 32  # pixels, where the model's input has as many
LIKE = 64  # examples that say how pictures look


@dataclass(frozen=True)
class Maximised:
    """Pictures made to excite channels of one layer.

    Attributes:
        layer: which.
        channels: of it, in the order asked for.
        ascent: how they were made.
        pictures: float32[channel variant channel height width], between black (0) and white (1).
        weight: float32[channel variant height width], between 0 and 1: how much the response hung on each pixel along the way
            (the transparency of Fel et al. 2023), as a share of the picture's largest.
        responses: float32[channel variant], strongest anywhere in the map, to each picture as it is.
        size: height and width of the model's input; the pictures show the part that matters where that is smaller.
        look: examples that colours and magnitudes were measured on; 0: those of photographs.
        steps: how many were done of each picture.
        passes: what was spent.
        notes: in words, what was done about memory.
    """

    layer: Layer
    channels: tuple[int, ...]
    ascent: Ascent
    pictures: NDArray[np.float32]
    weight: NDArray[np.float32]
    responses: NDArray[np.float32]
    size: tuple[int, int]
    look: int
    steps: int
    passes: Passes
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rising:
    """How far pictures are.

    Attributes:
        done, total: steps, over all batches of channels.
        channels: those that `so_far` has pictures of.
        so_far: makes them, which takes a forward.
    """

    done: int
    total: int
    channels: tuple[int, ...]
    so_far: Callable[[], Maximised]


Watch = Callable[[Rising], bool | None]
"""Called after every step; returning False ends it with what there is."""


def maximise(
    model: nn.Module,
    layer: str,
    channels: int | Sequence[int],
    examples: Tensor | tuple[int, int, int],
    *,
    method: Method = "fourier",
    variants: int = 1,
    steps: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    ascent: Ascent | None = None,
    seed: int = 0,
    device: str | None = None,
    graph: Graph | None = None,
    watch: Watch = lambda rising: None,
) -> Maximised:
    """Pictures that make channels of a layer respond as strongly as pictures can.

        made = maximise(model, "layer3", [0, 5, 9], images, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
        made.pictures[0, 0]   # float[channel height width], between black (0) and white (1)

    Args:
        model: any module that takes one batch of images; left as it was.
        layer: name of a layer.
        channels: of it; all in one batch, as far as memory allows.
        examples: float[batch channel height width] as the model takes them, from which the pictures' colours and spectrum are
            measured (64 do); or the size alone, (channels, height, width), for those of photographs.
        method: "fourier" moves the whole spectrum, "maco" its phases under the magnitudes of the examples.
        variants: pictures of each channel, made unlike.
        steps: of Adam.
        mean: what the model's preprocessing subtracts from pictures between 0 and 1, a number a channel.
        std: what it divides them by. Where neither is given, black and white are the least and largest values of the
            examples, or 0 and 1.
        ascent: method, variants, seed and more in one, in their stead.
        seed: of everything random.
        device: where to run; where the model is if None. It is moved back afterwards.
        graph: of the model, where it is traced already.
        watch: hears how far it is.

    Raises:
        LayerError: no such layer, or one without channels. OptionError: a number that cannot be right.
        DataError: the examples are no images. MethodError: no gradient arrives at the input. ForwardError.
    """
    if ascent is not None and (method, variants, seed) != ("fourier", 1, 0):
        raise OptionError("An ascent says the method, the variants and the seed: give those in it, not beside it.")
    chosen = ascent or Ascent(method=method, variants=variants, seed=seed)
    chosen = replace(chosen, steps=steps) if steps is not None else chosen
    inner, images = unwrapped(model), _images(examples)
    lightness = _lightness(images, isinstance(examples, Tensor), mean, std)
    wanted = (channels,) if isinstance(channels, int) else tuple(channels)
    black, white = (torch.tensor(values).view(-1, 1, 1) for values in (lightness.black, lightness.white))
    pictures = [(image.cpu() - black) / (white - black) for image in images[:LIKE]] if len(images) > 1 else []
    size = (int(images.shape[2]), int(images.shape[3]))
    with on_device(inner, device) as place:
        if graph is None:
            graph = whole_graph(inner, to_device(images[:1], torch.device(place)))
        found = graph.layer(layer)
        sight = sight_of(found, receptive_field(graph, found.name))
        with Session(inner, [found], device=place) as session:
            return optimise(session, sight, wanted, size, lightness, pictures, chosen, watch=watch, dtype=images.dtype)


def optimise(
    session: Session,
    sight: Sight,
    channels: Sequence[int],
    size: tuple[int, int],
    lightness: Lightness,
    pictures: Sequence[Tensor],
    ascent: Ascent,
    *,
    watch: Watch = lambda rising: None,
    pixels: int = PIXELS,
    dtype: torch.dtype = torch.float32,
) -> Maximised:
    """Pictures for channels of one layer of an open session.

    Args:
        session: holds the model open, with the layer.
        sight: where the layer's middle unit looks.
        channels: of the layer.
        size: height and width of the model's input.
        lightness: what black and white are to the model.
        pictures: of the data, float[channel height width] between 0 and 1; those of photographs are meant where there are none.
        ascent: how to climb.
        watch: hears how far it is.
        pixels: of a batch; a batch that memory does not suffice for is halved.
        dtype: of the model's input.

    Raises: as `maximise`.
    """
    refuse(sight.layer, channels, ascent)
    inputs = len(lightness.black)
    before = replace(session.passes)
    window = frame(session, sight, size, lightness, ascent.seed)
    look = Look.of(pictures, window) if len(pictures) > 1 else Look.usual(inputs, window)
    shown = torch.stack([middle(picture.detach().float().cpu(), window) for picture in pictures]) if pictures else None
    climb = Climb(session, sight.layer, window, lightness, look, ascent, dtype, shown)
    work = _Work(climb, sight.layer, size, look.count, before, watch, len(channels))
    a_time = max(1, pixels // (window[0] * window[1] * ascent.variants * ascent.shown))
    waiting = list(channels)
    while waiting and not work.ended:
        group = waiting[:a_time]
        try:
            work.add(group)
        except Exception as error:
            if not for_memory(error) or len(group) == 1:
                raise
            a_time = max(1, len(group) // 2)
            work.notes = (f"Memory did not suffice for {len(group)} channels at a time: {a_time} were used.",)
            continue
        waiting = waiting[len(group) :]
    return work.answer()


class _Work:
    """The batches of channels that are done, and the one that is being climbed."""

    def __init__(
        self, climb: Climb, layer: Layer, size: tuple[int, int], look: int, before: Passes, watch: Watch, channels: int
    ) -> None:
        self._climb, self._layer, self._size, self._look = climb, layer, size, look
        self._before, self._watch, self._all = before, watch, channels
        self._channels: list[int] = []
        self._made: list[Made] = []
        self._step = 0
        self.ended = False
        self.notes: tuple[str, ...] = ()

    def add(self, group: list[int]) -> None:
        """Climbs for some channels."""
        steps = self._climb.ascent.steps

        def heard(step: int, made: Callable[[], Made]) -> bool:
            self._step = step
            done = round(steps * (len(self._channels) + len(group) * step / steps))
            known = tuple(self._channels + group)
            more = self._watch(
                Rising(done, steps * self._all, known, lambda: self._answer(known, [*self._made, made()]))
            )
            self.ended = more is False
            return not self.ended

        made = self._climb.run(group, heard)
        self._channels += group
        self._made.append(made)

    def answer(self) -> Maximised:
        """All that was made."""
        return self._answer(tuple(self._channels), self._made)

    def _answer(self, channels: tuple[int, ...], made: Sequence[Made]) -> Maximised:
        pictures = torch.cat([one.pictures for one in made])
        owners = torch.tensor(channels).repeat_interleave(pictures.shape[1])
        flat, values = pictures.flatten(0, 1), []
        for part, own in zip(torch.split(flat, self._a_time()), torch.split(owners, self._a_time()), strict=True):
            values.append(self._climb.strongest(part).gather(1, own[:, None])[:, 0])
        spent = replace(self._climb.passes)
        for name in ("forward", "backward", "forward_examples", "backward_examples"):
            setattr(spent, name, getattr(spent, name) - getattr(self._before, name))
        return Maximised(
            layer=self._layer,
            channels=channels,
            ascent=self._climb.ascent,
            pictures=pictures.float().numpy(),
            weight=torch.cat([one.weight for one in made]).numpy(),
            responses=torch.cat(values).reshape(pictures.shape[:2]).float().numpy(),
            size=self._size,
            look=self._look,
            steps=self._step,
            passes=spent,
            notes=self.notes,
        )

    def _a_time(self) -> int:
        return max(1, PIXELS // (self._climb.size[0] * self._climb.size[1]))


def frame(
    session: Session, sight: Sight, size: tuple[int, int], lightness: Lightness, seed: int = 0
) -> tuple[int, int]:
    """Height and width of the pictures: three fields a side where that is less than the input.

    A part of the input is shown only where the model gives the layer's middle the same answer on it as on the whole.
    """
    fields = (sight.box.height, sight.box.width)
    side = [min(whole, max(LEAST_SIDE, round(FIELDS * of))) for whole, of in zip(size, fields, strict=True)]
    if tuple(side) == tuple(size):
        return size
    middle = sight.box.centre
    wide = Box(round(middle[0] - (side[0] - 1) / 2), round(middle[1] - (side[1] - 1) / 2), side[0], side[1])
    window, _ = framed(session, [Sight(sight.layer, wide, sight.position, sight.stride)], size, lightness, seed)
    return window.height, window.width


def refuse(layer: Layer, channels: Sequence[int], ascent: Ascent) -> None:
    """Raises: OptionError: a number that cannot be right."""
    units = units_of(layer)
    beyond = [channel for channel in channels if not 0 <= channel < units]
    if beyond or not channels:
        named = f"there is no {beyond[0]}" if beyond else "none was named"
        raise OptionError(f"Layer '{layer.name}' has {units} channels, 0 to {units - 1}; {named}.")
    way_named(ascent.method)
    if ascent.aim not in get_args(Aim):
        raise OptionError(f"The aim must be channel or middle; got {ascent.aim!r}.")
    for name, least, most in (("steps", 1, 4096), ("variants", 1, 16), ("crops", 1, 64)):
        given = getattr(ascent, name)
        if not least <= given <= most:
            raise OptionError(f"The number of {name} must be {least} to {most}; got {given}.")


def _images(examples: Tensor | tuple[int, int, int]) -> Tensor:
    """Examples as a batch; zeros of one example where a size alone is given. Raises: DataError."""
    if isinstance(examples, Tensor):
        if (
            examples.ndim == 4
            and examples.is_floating_point()
            and min(examples.shape) >= 1
            and min(examples.shape[2:]) > 1
        ):
            return examples
        found = f"a tensor of {str(examples.dtype).removeprefix('torch.')} and shape {tuple(examples.shape)}"
    elif len(examples) == 3 and min(examples) >= 1 and min(examples[1:]) > 1:
        return torch.zeros((1, *examples))
    else:
        found = f"the size {tuple(examples)}"
    raise DataError(
        "Pictures are made for models of images: give examples, float[batch channel height width], or (channels, height, "
        f"width) of at least 2 x 2 pixels; got {found}."
    )


def _lightness(images: Tensor, seen: bool, mean: Sequence[float] | None, std: Sequence[float] | None) -> Lightness:
    """What black and white are. Raises: OptionError: a mean or deviation of another number of channels."""
    channels = images.shape[1]
    if mean is None and std is None and seen:
        plain = images.float().transpose(0, 1).flatten(1)
        low, high = plain.amin(1), plain.amax(1)
        return Lightness(tuple(low.tolist()), tuple(torch.where(high > low, high, low + 1).tolist()))
    pairs = []
    for name, given, plain_value in (("mean", mean, 0.0), ("std", std, 1.0)):
        values = [plain_value] * channels if given is None else [float(one) for one in given]
        if len(values) != channels or (name == "std" and min(values) <= 0):
            raise OptionError(
                f"The {name} must be {channels} numbers, one a channel{', above 0' if name == 'std' else ''}; got {values}."
            )
        pairs.append(values)
    return Lightness(
        tuple(-m / s for m, s in zip(*pairs, strict=True)), tuple((1 - m) / s for m, s in zip(*pairs, strict=True))
    )

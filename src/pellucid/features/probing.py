"""Shows stimuli to the units of many layers: layers of one field of view see the same pictures in the same forwards."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pellucid.capture import Session
from pellucid.capture.memory import Batches
from pellucid.capture.until import until
from pellucid.errors import ForwardError, LayerError
from pellucid.features.controls import LEAST_WEIGHTS, Controls
from pellucid.features.fields import Box
from pellucid.features.labels import NO_CHANCE, Chance, Labels, label
from pellucid.features.stimuli import Stimuli
from pellucid.features.tuning import Floats, Tuning
from pellucid.mapping import ReceptiveField
from pellucid.types import Layer

# Layers whose fields differ by less are shown the same pictures, drawn at the largest of them.
_ALIKE = 1.15
_PIXELS = 600_000  # of a batch
_MOST_ALIKE = 0.04  # share of the conditions
_MOST = 128  # pictures of a batch
# Around middle grey; a lower one where a layer has units that answer to everything with all that they have.
CONTRASTS = (1.0, 0.3, 0.1, 0.03)

Watch = Callable[[int, int], None]


@dataclass(frozen=True)
class Sight:
    """Where a layer's middle unit looks.

    Attributes:
        layer: the layer.
        box: its field in input pixels.
        position: flattened position of the middle unit in the layer's map.
        stride: input pixels from one position of the map to the next, (rows, columns); 0 where that is not known.
    """

    layer: Layer
    box: Box
    position: int
    stride: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Probed:
    """What one layer's units answered.

    Attributes:
        box: the field that the stimuli were drawn at.
        shown: number of pictures.
        chance: selectivity below which a label is withdrawn, unless the best answer stands out of those to noise.
        note: that memory did not suffice for as many pictures at a time as were meant, in words; empty where it did.
    """

    layer: Layer
    box: Box
    shown: int
    chance: float
    tuning: Tuning
    labels: Labels
    note: str = ""


@dataclass(frozen=True)
class Lightness:
    """What black and white are to the model, one number a channel: preprocessing, as far as drawn pictures need it."""

    black: tuple[float, ...]
    white: tuple[float, ...]

    def inputs(self, pictures: np.ndarray) -> Tensor:
        """From float[batch channel height width] between 0 and 1 to what the model takes."""
        black, white = (torch.tensor(values).reshape(1, -1, 1, 1) for values in (self.black, self.white))
        return torch.from_numpy(pictures).float() * (white - black) + black


def probe(
    session: Session,
    sights: Sequence[Sight],
    size: tuple[int, int],
    lightness: Lightness,
    *,
    seed: int = 0,
    watch: Watch = lambda done, total: None,
) -> list[Probed]:
    """Tuning and labels of every layer, in the order given; arguments as of `probing`."""
    groups = probing(session, grouped(sights), size, lightness, seed=seed, watch=watch)
    found = {one.layer.name: one for group in groups for one in group}
    return [found[sight.layer.name] for sight in sights if sight.layer.name in found]


def probing(
    session: Session,
    groups: Sequence[Sequence[Sight]],
    size: tuple[int, int],
    lightness: Lightness,
    *,
    seed: int = 0,
    watch: Watch = lambda done, total: None,
    refused: dict[str, str] | None = None,
) -> Iterator[list[Probed]]:
    """Tuning and labels of one group of layers after the other, each as soon as it is known.

    Args:
        session: holds the model open, with these layers.
        groups: where each layer's middle unit looks, as `grouped` has them.
        size: height and width of the model's input.
        lightness: what black and white are to the model.
        seed: of the noise, the controls and the random halves.
        watch: hears how many pictures of how many were shown; raise to cancel.
        refused: is told, by name and in words, of layers that do not answer every picture, as experts that a gate chooses.
    """
    channels = len(lightness.black)
    windows = [framed(session, group, size, lightness, seed) for group in groups]
    sets = [Stimuli((window.height, window.width), moved[-1].box, channels, seed) for window, moved in windows]
    total, done = sum(len(stimuli) for stimuli in sets), 0
    for (window, group), stimuli in zip(windows, sets, strict=True):
        controls = Controls(stimuli, seed)
        answers: dict[str, Floats] = {}
        asked = list(group)
        together = max(1, min(_MOST, _PIXELS // (window.height * window.width)))
        looked = Looked(session, together)
        for contrast in CONTRASTS:
            seen: dict[str, list[Floats]] = {sight.layer.name: [] for sight in asked}
            for pictures in stimuli.batches(together):
                if contrast == 1:
                    controls.observe(pictures)
                shown = lightness.inputs(0.5 + contrast * (pictures - 0.5))
                for found in looked.at(shown, asked):
                    for name, values in found.items():
                        seen[name].append(values)
                done += len(pictures)
                watch(done, max(total, done))
            asked = [sight for sight in asked if sight.layer.name not in looked.partial]
            for sight in asked:
                name = sight.layer.name
                fresh = np.concatenate(seen[name])
                answers[name] = (
                    np.where(saturated(stimuli, answers[name]), fresh, answers[name]) if name in answers else fresh
                )
            asked = [sight for sight in asked if saturated(stimuli, answers[sight.layer.name]).any()]
            if not asked:
                break
            total += len(stimuli) if contrast != CONTRASTS[-1] else 0
        told = controls.weights >= LEAST_WEIGHTS
        chance = Chance.of(Tuning.of(stimuli, controls.responses())) if told else NO_CHANCE
        (refused if refused is not None else {}).update(looked.partial)
        yield [
            replace(_probed(sight, stimuli, answers[sight.layer.name], chance, seed), note=looked.note)
            for sight in group
            if sight.layer.name not in looked.partial
        ]


@dataclass
class Looked:
    """Forwards up to the layers that are asked, of fewer pictures at a time once memory did not suffice for more.

    Attributes:
        session: holds the model open.
        size: pictures at a time, at most.
        note: that memory did not suffice, in words; empty where it did.
        partial: layers that did not answer every picture, and what they did, in words.
    """

    session: Session
    size: int
    note: str = ""
    partial: dict[str, str] = field(default_factory=dict)

    def at(self, shown: Tensor, asked: Sequence[Sight]) -> Iterator[dict[str, Floats]]:
        """What the middle units of each layer answer to each part of the pictures. Raises: MethodError: not even one fits."""

        def look(start: int, stop: int) -> dict[str, Floats]:
            left = [sight for sight in asked if sight.layer.name not in self.partial]
            outputs = until(self.session, shown[start:stop], [sight.layer.name for sight in left], some=True)
            found: dict[str, Floats] = {}
            for sight in left:
                name, output = sight.layer.name, outputs.get(sight.layer.name)
                if output is None or len(output) != stop - start:
                    rows = 0 if output is None else len(output)
                    self.partial[name] = (
                        f"It answered {rows} of {stop - start} pictures: a unit's tuning is told from all."
                    )
                else:
                    found[name] = _middle(output, sight)
            return found

        batches = Batches(len(shown), self.size)
        yield from batches.run(look)
        if batches.note:
            self.size, self.note = batches.size, batches.note


def sight_of(layer: Layer, field: ReceptiveField) -> Sight:
    """Where the unit in the middle of a layer's map looks."""
    grid = field.grid
    position = (grid[0] // 2) * grid[1] + grid[1] // 2 if len(grid) == 2 else int(np.prod(grid)) // 2
    top, left, bottom, right = field.box(position)
    stride = (0, 0)
    if (layer.layout == "maps" or layer.is_plane) and min(grid) > 2:
        down, across = (field.box(position + step) for step in (grid[1], 1))
        stride = (down[0] - top, across[1] - left)
    return Sight(layer, Box(top, left, max(1, bottom - top), max(1, right - left)), position, stride)


def grouped(sights: Sequence[Sight]) -> list[list[Sight]]:
    """Layers whose fields are about the same, in one group; each in ascending order of extent."""
    groups: list[list[Sight]] = []
    for sight in sorted(sights, key=lambda one: (one.box.extent, one.layer.index)):
        first = groups[-1][0] if groups else None
        near = first is not None and (
            first.box == sight.box
            or (
                sight.box.extent <= _ALIKE * first.box.extent
                and max(abs(a - b) for a, b in zip(first.box.centre, sight.box.centre, strict=True))
                <= 0.05 * sight.box.extent
            )
        )
        if near:
            groups[-1].append(sight)
        else:
            groups.append([sight])
    return groups


def framed(
    session: Session, group: Sequence[Sight], size: tuple[int, int], lightness: Lightness, seed: int
) -> tuple[Box, list[Sight]]:
    """The part of the input that the middle units and their neighbours see, and where they are then.

    A picture of that part costs a fraction of the whole. It is taken only where the model gives the middle units the same
    answers to noise as to the same noise on the whole input; a model that looks at its input's size, or at all of it, gets
    the whole.
    """
    whole = Box(0, 0, *size)
    strides = [sight.stride for sight in group]
    if any(min(stride) < 1 for stride in strides):
        return whole, list(group)
    steps = tuple(math.lcm(*(stride[axis] for stride in strides)) for axis in (0, 1))
    box = group[-1].box
    before = [max(0, (start - step) // step) * step for start, step in zip((box.top, box.left), steps, strict=True)]
    ends = (size[0] - box.top - box.height, size[1] - box.left - box.width)
    after = [max(0, (end - step) // step) * step for end, step in zip(ends, steps, strict=True)]
    window = Box(before[0], before[1], size[0] - before[0] - after[0], size[1] - before[1] - after[1])
    if window.height * window.width > 0.8 * size[0] * size[1]:
        return whole, list(group)
    moved = [_moved(sight, window, size) for sight in group]
    names = [sight.layer.name for sight in group]
    noise = np.random.default_rng(seed).random((2, len(lightness.black), *size), np.float32)
    part = noise[:, :, window.top : window.top + window.height, window.left : window.left + window.width]
    try:
        expected = until(session, lightness.inputs(noise), names)
        found = until(session, lightness.inputs(np.ascontiguousarray(part)), names)
    except (ForwardError, LayerError):
        return whole, list(group)
    for sight, shifted in zip(group, moved, strict=True):
        full, small = _middle(expected[sight.layer.name], sight), _middle(found[sight.layer.name], shifted)
        if full.shape != small.shape or not np.allclose(
            full, small, rtol=1e-3, atol=1e-4 * max(1e-9, np.abs(full).max())
        ):
            return whole, list(group)
    return window, moved


def _moved(sight: Sight, window: Box, size: tuple[int, int]) -> Sight:
    """The same unit on a picture of the window alone."""
    shape = sight.layer.shape
    row, column = divmod(sight.position, shape[2])
    down, right = sight.stride
    width = shape[2] - (size[1] - window.width) // right
    position = (row - window.top // down) * width + column - window.left // right
    box = Box(sight.box.top - window.top, sight.box.left - window.left, sight.box.height, sight.box.width)
    return Sight(sight.layer, box, position, sight.stride)


def saturated(stimuli: Stimuli, responses: Floats) -> NDArray[np.bool_]:
    """bool[unit]: whether many unlike conditions draw the same strongest answer, as a bound of the activation does."""
    tuning = Tuning.of(stimuli, responses)
    strongest = tuning.responses.max(axis=0)
    alike = (tuning.responses >= strongest - 1e-3 * np.abs(strongest)).mean(axis=0)
    return np.asarray((alike > _MOST_ALIKE) & (strongest > 0))


def _probed(sight: Sight, stimuli: Stimuli, responses: Floats, chance: Chance, seed: int) -> Probed:
    return Probed(
        layer=sight.layer,
        box=stimuli.box,
        shown=len(stimuli),
        chance=chance.selectivity,
        tuning=Tuning.of(stimuli, responses),
        labels=label(stimuli, responses, chance=chance, seed=seed),
    )


def _middle(output: Tensor, sight: Sight) -> Floats:
    """The strongest answer at the middle and the eight places around it: float64[batch unit]."""
    values = output.detach().float()
    if sight.layer.layout == "tokens":
        values = values.transpose(1, 2)[:, :, sight.position, None, None]
    elif sight.layer.layout == "maps" or sight.layer.is_plane:
        values = values.permute(0, 3, 1, 2) if sight.layer.is_plane else values
        row, column = divmod(sight.position, values.shape[3])
        values = values[:, :, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
    elif sight.layer.layout == "channels":
        values = values.flatten(2)[:, :, sight.position, None, None]
    else:
        values = values.reshape(len(values), -1, 1, 1)
    return np.asarray(torch.nan_to_num(values.amax((2, 3))).cpu().numpy(), np.float64)

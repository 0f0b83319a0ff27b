"""Shows stimuli to the units of many layers: layers of one field of view see the same pictures in the same forwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pellucid.capture import Session
from pellucid.capture.until import until
from pellucid.features.controls import Controls
from pellucid.features.fields import Box
from pellucid.features.labels import Labels, label, selectivity_of
from pellucid.features.stimuli import Stimuli
from pellucid.features.tuning import Floats, Tuning
from pellucid.types import Layer

# Layers whose fields differ by less are shown the same pictures, drawn at the largest of them.
_ALIKE = 1.15
_BATCH = 64
CHANCE = 0.95  # a unit must be more selective than this share of the controls

Watch = Callable[[int, int], None]


@dataclass(frozen=True)
class Sight:
    """Where a layer's middle unit looks.

    Attributes:
        layer: the layer.
        box: its field in input pixels.
        position: flattened position of the middle unit in the layer's map.
    """

    layer: Layer
    box: Box
    position: int


@dataclass(frozen=True)
class Probed:
    """What one layer's units answered.

    Attributes:
        box: the field that the stimuli were drawn at.
        shown: number of pictures.
        chance: selectivity below which a label is withdrawn.
    """

    layer: Layer
    box: Box
    shown: int
    chance: float
    tuning: Tuning
    labels: Labels


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
    """Tuning and labels of every layer, in the order given.

    Args:
        session: holds the model open, with these layers.
        sights: where each layer's middle unit looks.
        size: height and width of the model's input.
        lightness: what black and white are to the model.
        seed: of the noise, the controls and the random halves.
        watch: hears how many pictures of how many were shown; raise to cancel.
    """
    groups = grouped(sights)
    sets = [Stimuli(size, group[-1].box, len(lightness.black), seed) for group in groups]
    total, done = sum(len(stimuli) for stimuli in sets), 0
    found: dict[str, Probed] = {}
    for group, stimuli in zip(groups, sets, strict=True):
        controls = Controls(stimuli, seed)
        answers: dict[str, list[Floats]] = {sight.layer.name: [] for sight in group}
        for pictures in stimuli.batches(_BATCH):
            controls.observe(pictures)
            outputs = until(session, lightness.inputs(pictures), [sight.layer.name for sight in group])
            for sight in group:
                answers[sight.layer.name].append(_middle(outputs[sight.layer.name], sight))
            done += len(pictures)
            watch(done, total)
        chance = float(np.quantile(selectivity_of(Tuning.of(stimuli, controls.responses())), CHANCE))
        for sight in group:
            found[sight.layer.name] = _probed(sight, stimuli, answers, chance, seed)
    return [found[sight.layer.name] for sight in sights]


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


def _probed(
    sight: Sight, stimuli: Stimuli, answers: Mapping[str, Sequence[Floats]], chance: float, seed: int
) -> Probed:
    responses = np.concatenate(answers[sight.layer.name]).astype(np.float64)
    return Probed(
        layer=sight.layer,
        box=stimuli.box,
        shown=len(stimuli),
        chance=chance,
        tuning=Tuning.of(stimuli, responses),
        labels=label(stimuli, responses, chance=chance, seed=seed),
    )


def _middle(output: Tensor, sight: Sight) -> Floats:
    """The strongest answer at the middle and the eight places around it: float64[batch unit]."""
    values = output.detach().float()
    if sight.layer.layout == "tokens":
        values = values.transpose(1, 2)[:, :, sight.position, None, None]
    elif sight.layer.layout == "maps":
        row, column = divmod(sight.position, values.shape[3])
        values = values[:, :, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
    else:
        values = values.reshape(len(values), -1, 1, 1)
    return np.asarray(torch.nan_to_num(values.amax((2, 3))).cpu().numpy(), np.float64)

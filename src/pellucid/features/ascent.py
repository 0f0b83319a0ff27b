"""The climb itself: a batch of pictures, each to its own channel's response, all in one forward and backward a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from pellucid.capture import Session, unfused
from pellucid.capture.until import until
from pellucid.features.look import Look
from pellucid.features.parameterisation import Method, parameterisation
from pellucid.features.probing import Lightness
from pellucid.features.responses import laid_out, middle_of
from pellucid.features.starts import drawings
from pellucid.features.transformations import cropped, robust
from pellucid.types import Layer, Passes

Aim: TypeAlias = Literal["channel", "middle"]
_CONTRASTS = (0.01, 0.1, 0.5, 1.0, 2.0)
_STARTS = 4  # of each contrast and variant
_GIVEN = 8  # examples and drawings that are tried of a unit
_PIXELS = 500_000  # of a batch without gradients
_GRAM_CHANNELS = 64
FAINT = 0.3  # share of the mean gradient below which a parameter moves less: what matters to nothing stays as it is
QUICKEN, STEADY = 0.1, 0.25  # how soon a picture goes faster, and at what likeness of two gradients
FASTEST, FAR = 6.0, 576.0  # times the pace, and steps at it: a long climb gets as far without haste
CALM = 0.8  # share of the pace that is lost on the way, so that the end is no flicker


@dataclass(frozen=True)
class Ascent:
    """How to climb.

    Attributes:
        method: "fourier" or "maco".
        steps: of Adam.
        variants: pictures of each channel, pushed apart where there are more than one.
        aim: "channel" climbs the response over the whole map (`over_the_map`), "middle" that of its middle place.
        crops: of each picture and step (maco).
        unlike: weight of the likeness of a channel's variants against its response.
        seed: of starts and transformations.
    """

    method: Method = "fourier"
    steps: int = 96
    variants: int = 1
    aim: Aim = "channel"
    crops: int = 4
    unlike: float = 0.3
    seed: int = 0

    @property
    def shown(self) -> int:
        """Pictures that the network sees of each variant and step."""
        return self.crops if self.method == "maco" else 1

    @property
    def fastest(self) -> float:
        """How many times its pace a picture may go."""
        return min(FASTEST, max(1.0, FAR / self.steps))


@dataclass(frozen=True)
class Made:
    """What a climb has reached.

    Attributes:
        pictures: float32[channel variant channel height width], between black (0) and white (1).
        weight: float32[channel variant height width], between 0 and 1: how much the response hung on each pixel along the whole
            way, the size of its gradient summed over steps and colours, as a share of the largest. MACO's transparency.
    """

    pictures: Tensor
    weight: Tensor


class Climb:
    """Pictures of one size for channels of one layer.

    Args:
        session: holds the model open, with the layer.
        layer: which.
        size: height and width of the pictures.
        lightness: what black and white are to the model.
        look: of the data, at this size.
        ascent: how to climb.
        dtype: of the model's input.
        examples: float[example channel height width] between 0 and 1 of this size, to begin from where no noise excites a unit.
    """

    def __init__(
        self,
        session: Session,
        layer: Layer,
        size: tuple[int, int],
        lightness: Lightness,
        look: Look,
        ascent: Ascent,
        dtype: torch.dtype = torch.float32,
        examples: Tensor | None = None,
    ) -> None:
        self.ascent = ascent
        self.size = size
        self._session = session
        self._layer = layer
        self._dtype = dtype
        self._black, self._white = (
            torch.tensor(values, device=session.device).view(1, -1, 1, 1)
            for values in (lightness.black, lightness.white)
        )
        self._form = parameterisation(ascent.method, look, size)
        self._examples = examples
        self._starts: dict[int, tuple[Tensor, Tensor]] = {}
        self._given: tuple[Tensor, Tensor] | None = None

    @property
    def passes(self) -> Passes:
        """What the session has spent."""
        return self._session.passes

    def run(self, channels: Sequence[int], watch: Callable[[int, Callable[[], Made]], bool]) -> Made:
        """Pictures, all climbed at once.

        Args:
            channels: of the layer, all in one batch.
            watch: hears the steps done and what makes the pictures so far; False ends the climb with those.

        Raises: MethodError: the layer has no gradient by the inputs. ForwardError, LayerError.
        """
        with unfused(self._session.model.modules()):
            return self._climbed(channels, watch)

    def _climbed(self, channels: Sequence[int], watch: Callable[[int, Callable[[], Made]], bool]) -> Made:
        ascent, form = self.ascent, self._form
        variants = ascent.variants
        owners = torch.tensor(channels, device=self._session.device).repeat_interleave(variants)
        random = [_generator(ascent.seed, channel, variant) for channel in channels for variant in range(variants)]
        waiting = [self._begin(channel, variant) for channel in channels for variant in range(variants)]
        free = torch.stack([next(starts) for starts in waiting])
        free = free.to(self._session.device).requires_grad_()
        adam = torch.optim.Adam([free], lr=form.rate, eps=FAINT)

        weight = torch.zeros(len(free), *self.size, device=free.device)

        def made() -> Made:
            with torch.no_grad():
                pictures = form.pictures(free.detach()).cpu()
            share = weight / weight.amax((1, 2), keepdim=True).clamp(min=1e-20)
            apart = (len(channels), variants)
            return Made(pictures.view(*apart, *pictures.shape[1:]), share.cpu().view(*apart, *self.size))

        before = torch.zeros(len(free), free[0].numel(), device=free.device)
        pace = torch.ones(len(free), device=free.device)
        for step in range(ascent.steps):
            with torch.enable_grad():
                pictures = form.pictures(free)
                if ascent.method == "maco":
                    seen = cropped(pictures, random, step / max(1, ascent.steps - 1), ascent.crops)
                else:
                    seen = robust(pictures, random)
                maps = self.maps(seen, gradients=True)
                score = self._score(maps, owners.repeat_interleave(ascent.shown))
            gradient, by_pixel = torch.autograd.grad(-score, (free, pictures))
            weight += torch.nan_to_num(by_pixel).abs().sum(1).float()
            self._session.passes.backward += 1
            self._session.passes.backward_examples += len(seen)
            # Of one length for every picture: Adam's smallest step is no larger for a layer of small responses.
            flat = torch.nan_to_num(gradient).flatten(1)
            length = flat.square().mean(1, keepdim=True).sqrt()
            # What excites the unit does not as it is turned and moved: another start, while there is one.
            for stuck in ((length[:, 0] == 0) & (weight.amax((1, 2)) == 0)).nonzero()[:, 0].tolist():
                if (another := next(waiting[stuck], None)) is not None:
                    free.data[stuck] = another.to(free)
            adam.param_groups[0]["lr"] = form.rate * (1 - CALM * step / ascent.steps)
            direction = flat / length.clamp(min=1e-20)
            pace = pace_after(pace, direction, before, ascent.fastest)
            before, stood = direction, free.detach().clone()
            free.grad = direction.view_as(free)
            adam.step()
            with torch.no_grad():
                free.copy_(torch.lerp(stood, free, pace.view(-1, *[1] * (free.ndim - 1))))
            if not watch(step + 1, made):
                break
        return made()

    def strongest(self, pictures: Tensor) -> Tensor:
        """Strongest response anywhere in the map to pictures as they are, float[batch unit]; NaN counts as none."""
        return torch.nan_to_num(self.maps(pictures, gradients=False), nan=-torch.inf).amax(2).cpu()

    def maps(self, pictures: Tensor, *, gradients: bool) -> Tensor:
        """float[batch unit position] of the layer, for pictures between 0 and 1."""
        inputs = (pictures.to(self._session.device) * (self._white - self._black) + self._black).to(self._dtype)
        name = self._layer.name
        return laid_out(until(self._session, inputs, [name], gradients=gradients)[name], self._layer).float()

    # --- how --------------------------------------------------------------------------------------------------

    def _score(self, maps: Tensor, owners: Tensor) -> Tensor:
        """What is climbed, over the batch: each picture's own response, less how alike the variants of a channel are."""
        own = maps[torch.arange(len(maps), device=maps.device), owners]
        value = over_the_map(own) if self.ascent.aim == "channel" else own[:, middle_of(maps.shape[2])]
        if self.ascent.variants == 1:
            return value.sum()
        shown, variants = self.ascent.shown, self.ascent.variants
        # In shares of what it is, so that responses of any size stand against likeness, which is at most 1.
        value = value / own.detach().abs().amax(1).clamp(min=1e-6)
        some = maps[:, :: max(1, maps.shape[1] // _GRAM_CHANNELS)]
        gram = functional.normalize((some @ some.transpose(1, 2)).flatten(1), dim=1)
        group = gram.reshape(-1, variants, shown, gram.shape[1]).mean(2)
        alike = (group @ group.transpose(1, 2)).sum((1, 2)) - group.square().sum((1, 2))
        return value.sum() - self.ascent.unlike * shown * alike.sum()

    def _begin(self, channel: int, variant: int) -> Iterator[Tensor]:
        """Starts that excite the channel: the faintest noise first; then examples and drawings, what excites it most first.

        Where nothing does, no gradient leads away, and it is noise.
        """
        some = False
        for at in range(len(_CONTRASTS)):
            starts, alive = self._candidates(at)
            own = torch.arange(variant, len(starts), self.ascent.variants)
            for place in own[alive[own, channel]][:1].tolist():
                some = True
                yield starts[place]
        given, leads = self._pictures_given()
        order = leads[:, channel].argsort(descending=True, stable=True)
        order = order[leads[order, channel] > 0].roll(-variant)
        for place in order[:_GIVEN].tolist():
            some = True
            yield given[place]
        if not some:
            yield starts[own[-1]]

    def _pictures_given(self) -> tuple[Tensor, Tensor]:
        """Examples and drawings as starts, and how much each excites each channel, float[start unit]; 0: not at all."""
        if self._given is None:
            drawn = drawings(self._form.look.channels, self.size)
            pictures = drawn if self._examples is None else torch.cat([self._examples.to(drawn), drawn])
            starts = self._form.of(pictures)
            parts = torch.split(starts, max(1, _PIXELS // (self.size[0] * self.size[1])))
            self._given = starts, torch.cat([self._leads(part) for part in parts])
        return self._given

    def _leads(self, starts: Tensor) -> Tensor:
        """float[start unit]: how far each channel rises, where it is climbed, above the least of its map; 0 where it does not.

        At the floor of a rectifier there is no gradient: what is above the least response of the map has one.
        """
        maps = self.maps(self._form.pictures(starts), gradients=False)
        if maps.shape[2] == 1:
            leads = maps[:, :, 0].abs()
        elif self.ascent.aim == "middle":
            leads = maps[:, :, middle_of(maps.shape[2])] - maps.amin(2)
        else:
            leads = maps.amax(2) - maps.amin(2)
        risen = (leads > 1e-6 * maps.abs().amax(2).clamp(min=1e-12)) & torch.isfinite(leads)
        return torch.where(risen, leads, 0.0).cpu()

    def _candidates(self, at: int) -> tuple[Tensor, Tensor]:
        """Starts of one contrast, and whether each excites each channel where it is climbed: float[...], bool[start unit]."""
        if at not in self._starts:
            each = _STARTS * self.ascent.variants
            starts = torch.stack(
                [
                    self._form.begin(_generator(self.ascent.seed, -1, at * each + number), _CONTRASTS[at])
                    for number in range(each)
                ]
            )
            parts = torch.split(starts, max(1, _PIXELS // (self.size[0] * self.size[1])))
            self._starts[at] = starts, torch.cat([self._leads(part) for part in parts]) > 0
        return self._starts[at]


def pace_after(pace: Tensor, direction: Tensor, before: Tensor, fastest: float) -> Tensor:
    """How much farther each picture goes in a step, float[picture]: more while its gradient keeps its direction.

    Args:
        pace: float[picture], so far.
        direction: float[picture parameter], its gradient now.
        before: the same of the step before.
        fastest: the most.

    Source: after Baydin et al. 2018, arXiv:1703.04782, who let a learning rate follow the product of successive gradients.
    """
    kept = functional.cosine_similarity(direction, before, dim=1)
    return (pace * torch.exp(QUICKEN * (kept - STEADY))).clamp(1.0, fastest)


def over_the_map(responses: Tensor) -> Tensor:
    """Mean of all places and of the stronger half of them, float[batch] from float[batch position].

    Before a rectifier a pattern excites one half of the places as much as it inhibits the other: the mean of all would say
    nothing but whether the picture is light or dark, and that of a half alone would leave the other half to anything.
    """
    half = responses.topk((responses.shape[1] + 1) // 2, dim=1).values
    return (responses.mean(1) + half.mean(1)) / 2


def _generator(seed: int, channel: int, number: int) -> torch.Generator:
    """Of its own for each picture: what is made beside it changes nothing."""
    return torch.Generator().manual_seed((seed * 1_000_003 + channel + 1) * 1_000_003 + number)

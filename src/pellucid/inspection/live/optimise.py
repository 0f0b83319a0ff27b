"""The live question "optimise": pictures made to excite channels of a layer, as they become clear."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal
from weakref import WeakKeyDictionary

from pellucid.errors import OptionError
from pellucid.inspection.live.questions import Answer, Question, Tell, question
from pellucid.record.schema import OptimisedAnswer

if TYPE_CHECKING:
    from torch import Tensor

    from pellucid.features import Maximised
    from pellucid.features.probing import Lightness
    from pellucid.inspection.live.model import LiveModel

MOST_CHANNELS = 64

# How the data looks is read once for each model at hand.
_SEEN: WeakKeyDictionary[LiveModel, tuple[Lightness, list[Tensor]]] = WeakKeyDictionary()


@question
class Optimise(Question, frozen=True):
    """Pictures for channels of one layer, all in one batch.

    Attributes:
        layer: name of a layer.
        channel: of it, one or several.
        method: "fourier" moves the whole spectrum of a picture, "maco" its phases under the magnitudes of the data.
        aim: "channel" is the response over the map, "middle" that of its middle place.
        steps: of Adam, each a forward and a backward up to the layer.
        variants: pictures of each channel, pushed apart.
        seed: of starts and transformations.
    """

    name: ClassVar[str] = "optimise"

    layer: str
    channel: tuple[int, ...]
    method: Literal["fourier", "maco"] = "fourier"
    aim: Literal["channel", "middle"] = "channel"
    steps: int = 96
    variants: int = 1
    seed: int = 0

    def answer(self, live: LiveModel, tell: Tell) -> Answer:
        """One forward and one backward a step, with the pictures so far on the way; it ends where nobody waits."""
        from pellucid.capture import Session, unwrapped
        from pellucid.features import Ascent
        from pellucid.features.optimisation import optimise
        from pellucid.features.probing import sight_of
        from pellucid.inspection.optimised import size_of
        from pellucid.mapping import receptive_field

        if not 1 <= len(self.channel) <= MOST_CHANNELS:
            raise OptionError(
                f"The parameter 'channel' must be given 1 to {MOST_CHANNELS} times; got {len(self.channel)}."
            )
        channels = tuple(dict.fromkeys(self.channel))
        extent = size_of(live.source)
        graph = live.graph(live.batch(0).inputs)
        layer = graph.layer(self.layer)
        lightness, pictures = _seen(live, extent[0])
        ascent = Ascent(self.method, self.steps, self.variants, self.aim, seed=self.seed)
        with Session(unwrapped(live.model), [layer]) as session:
            made = optimise(
                session,
                sight_of(layer, receptive_field(graph, layer.name)),
                channels,
                extent[1:],
                lightness,
                pictures,
                ascent,
                watch=lambda rising: tell(
                    lambda: self.packed(self._said(live, rising.so_far(), rising.done, rising.total, partial=True))
                ),
            )
        total = self.steps * len(channels)
        return self._said(live, made, total, total)

    def _said(self, live: LiveModel, made: Maximised, done: int, total: int, *, partial: bool = False) -> Answer:
        from pellucid.inspection.optimised import number, opacity, pixels, strongest

        said = OptimisedAnswer(
            layer=made.layer.name,
            channels=list(made.channels),
            method=self.method,
            aim=self.aim,
            variants=self.variants,
            steps=self.steps,
            seed=self.seed,
            done=done,
            total=total,
            height=made.pictures.shape[3],
            width=made.pictures.shape[4],
            input_height=made.size[0],
            input_width=made.size[1],
            responses=[[number(value) for value in row] for row in made.responses.tolist()],
            strongest=strongest(live.record, made.layer.name, made.channels),
            examples=len(live.record.examples()),
            like=made.look,
            forward_examples=made.passes.forward_examples,
            backward_examples=made.passes.backward_examples,
            notes=list(made.notes),
            partial=partial,
        )
        return Answer(said, {"pictures": pixels(made), "opacity": opacity(made)})


def _seen(live: LiveModel, channels: int) -> tuple[Lightness, list[Tensor]]:
    """What black and white are, and some examples."""
    from pellucid.inspection.crops import lightness_of
    from pellucid.inspection.optimised import some_pictures

    if live not in _SEEN:
        lightness = lightness_of(live.source, channels)
        _SEEN[live] = lightness, some_pictures(live.source, len(live.record.examples()), lightness)
    return _SEEN[live]

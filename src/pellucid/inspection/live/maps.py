"""The live questions "maps" and "effective_field": channels at full size, and what a middle sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pellucid.errors import MethodError, OptionError, RecordError
from pellucid.inspection.live.questions import Answer, Question, Tell, question
from pellucid.record.schema import EffectiveFieldAnswer, MapsAnswer

if TYPE_CHECKING:
    from pellucid.graph import Graph
    from pellucid.inspection.live.model import LiveModel
    from pellucid.mapping import EffectiveField

MOST_CHANNELS = 64
MOST_ROWS = 64
STRONGEST = 12
BATCH = 8
SHARES = (0.5, 0.6827, 0.9545)


@question
class Maps(Question, frozen=True):
    """Channels of one layer for some examples, at full size.

    Attributes:
        row: of the examples table, one or several.
        layer: name of a captured layer, or of any other call of the graph.
        channel: numbers of channels; those with the strongest response of the first example where none is named.
    """

    name: ClassVar[str] = "maps"

    row: tuple[int, ...]
    layer: str
    channel: tuple[int, ...] = ()

    def answer(self, live: LiveModel, tell: Tell) -> Answer:
        """One forward, without gradients."""
        import torch

        from pellucid.attribution.cam import as_maps, no_cam
        from pellucid.capture import Session, unwrapped
        from pellucid.capture.reached import row_each
        from pellucid.lenses.focus import Packed

        _check_few("row", self.row, MOST_ROWS)
        _check_few("channel", self.channel or (0,), MOST_CHANNELS)
        batch = live.batch(*self.row)
        layer = live.graph(live.batch(self.row[0]).inputs).layer(self.layer)
        if layer.layout != "maps" and no_cam(layer) is not None:
            raise MethodError(f"Layer '{layer.name}' has no maps: its output is {layer.shape} for each example.")
        with Session(unwrapped(live.model), [layer]) as session:
            seen = session.forward(batch.inputs, {"whole": lambda output, _: {"output": output.detach().clone()}})
        output = seen.summaries[layer.name]["whole"]["output"] if layer.name in seen.summaries else None
        maps = as_maps(row_each(layer.name, output, len(self.row)).float(), layer)
        units = maps.shape[1]
        beyond = [channel for channel in self.channel if not 0 <= channel < units]
        if beyond:
            raise OptionError(f"Layer '{layer.name}' has {units} channels, 0 to {units - 1}; there is no {beyond[0]}.")
        strongest = torch.argsort(
            torch.nan_to_num(maps[0].flatten(1), nan=-torch.inf).amax(1), descending=True, stable=True
        )
        channels = list(self.channel) or strongest[:STRONGEST].tolist()
        packed = Packed()
        packed.add("maps", maps[:, channels])
        return Answer(MapsAnswer(layer.name, list(self.row), channels, units, packed.scales), packed.tensors)


@question
class EffectiveFieldOf(Question, frozen=True):
    """How much each input pixel moves the middle of a layer, averaged over examples.

    Attributes:
        layer: name of a layer with maps.
        examples: so many, spread evenly over the record.
    """

    name: ClassVar[str] = "effective_field"

    layer: str
    examples: int = 32

    def answer(self, live: LiveModel, tell: Tell) -> Answer:
        """One forward and one backward for each 8 examples, fewer where memory makes it so, and what there is after each."""
        from pellucid.capture import Session, unwrapped
        from pellucid.capture.memory import Batches
        from pellucid.mapping import effective_field
        from pellucid.mapping.effective import merged, middle_of

        if not 1 <= self.examples <= 4096:
            raise OptionError(f"The number of examples must be 1 to 4096; got {self.examples}.")
        count = len(live.record.examples())
        rows = sorted({place * count // min(self.examples, count) for place in range(min(self.examples, count))})
        if not rows:
            raise RecordError("The record holds no examples to measure on.")
        graph = live.graph(live.batch(rows[0]).inputs)
        layer = graph.layer(self.layer)
        position = middle_of(layer)
        found: EffectiveField | None = None
        batches = Batches(len(rows), BATCH)
        with Session(unwrapped(live.model), [layer]) as session:

            def measured(start: int, stop: int) -> EffectiveField:
                return effective_field(session, layer, live.batch(*rows[start:stop]).inputs, position)

            for part in batches.run(measured):
                found = part if found is None else merged([found, part])
                sofar = self._said(graph, found, len(rows), batches.note)
                if not tell(lambda sofar=sofar: self.packed(sofar)):  # type: ignore[misc]
                    break
        if found is None:
            raise RecordError("The record holds no examples to measure on.")
        return self._said(graph, found, len(rows), batches.note)

    def _said(self, graph: Graph, found: EffectiveField, total: int, note: str) -> Answer:
        import torch

        from pellucid.lenses.focus import Packed
        from pellucid.mapping import receptive_field

        box = receptive_field(graph, found.layer).box(found.position)
        packed = Packed()
        packed.add("field", torch.from_numpy(found.mean))
        said = EffectiveFieldAnswer(
            layer=found.layer,
            position=found.position,
            count=found.count,
            total=total,
            box=list(box),
            inside=found.inside(box),
            shares=list(SHARES),
            pixels=[found.pixels(share) for share in SHARES],
            scales=packed.scales,
            partial=found.count < total,
            warnings=[note] if note else [],
        )
        return Answer(said, packed.tensors)


def _check_few(name: str, given: tuple[int, ...], most: int) -> None:
    if not 1 <= len(given) <= most:
        raise OptionError(f"The parameter '{name}' must be given 1 to {most} times; got {len(given)}.")

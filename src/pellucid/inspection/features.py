"""What each unit looks for, added to a record that is there: crops, stimuli, concepts and made pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pellucid.data import Source, collate
from pellucid.errors import DataError, LayerError, RecordError
from pellucid.features import Ascent
from pellucid.features.concepts import ConceptSet, LabelSet
from pellucid.features.probing import Sight, grouped, probing, sight_of
from pellucid.inspection.again import check_again
from pellucid.inspection.concepts import concepts_named, concepts_of, write_concepts
from pellucid.inspection.crops import image_size, lightness_of, write_crops
from pellucid.inspection.live.preparation import recipe_of
from pellucid.inspection.optimised import spread, write_optimised
from pellucid.inspection.separated import separation_of, write_separation
from pellucid.inspection.tuned import shown_before, tuned_already, write_tuned
from pellucid.record import Record, Writer, schema
from pellucid.types import Layer, Passes

if TYPE_CHECKING:
    from torch import nn

    from pellucid.capture import Session
    from pellucid.graph import Graph

Name = Literal["features", "stimuli", "concepts", "separation", "optimise"]
Progress = Callable[[str, int, int | None], None]
MOST_UNITS = 65_536  # of a layer; what is wider is no layer of detectors


@dataclass(frozen=True)
class Asked:
    """What to add to a record.

    Attributes:
        stimuli: tuning of all units to drawn stimuli.
        concepts: agreement with "generated" concepts, or with those of a folder of images and masks; or how well the labels of
            whole pictures, of a folder or a table, are told apart; not where empty.
        pictures: how many generated ones, where it is not the usual number.
        ascent: how pictures are made that excite units; none are where it is None.
        channels: those that pictures are made of; a few of each layer where empty.
        layers: names of the layers; all where empty. Crops are always of all.
        seed: of everything random.
    """

    stimuli: bool = False
    concepts: str = ""
    pictures: int | None = None
    ascent: Ascent | None = None
    channels: tuple[int, ...] = ()
    layers: tuple[str, ...] = ()
    seed: int = 0


def add_features(
    record: str | Path,
    model: nn.Module,
    source: Source,
    asked: Asked,
    *,
    device: str | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Record:
    """Adds panels to a complete record; what was there stays, an earlier answer on the same layer is replaced.

    Args:
        record: its folder.
        model: the inspected model; left as it was.
        source: the inspected data.
        asked: what to add.
        device: where to run; where the model is if None.
        progress: hears how far each part has come; raise to cancel: what was finished is kept.

    Raises: RecordError: the record is not complete, or of another model or other data. LayerError: no such layer.
        DataError: the inputs are no images. OptionError, ForwardError.
    """
    from pellucid.capture import Session, on_device, to_device, unwrapped, whole_graph

    check_again(Record(record), model, source, "features")
    if "activations" not in Record(record).panels:
        raise RecordError(f"{record} was made without the activations lens, which says what excites each unit most.")
    extent = image_size(source)
    if extent is None:
        raise DataError(
            "Features are of units that look at images, float[channel height width]; the examples of "
            f"{source.source} are {_shape(source)}. Nothing was added."
        )
    recipe = recipe_of(source.preprocessing)
    concepts = concepts_named(asked.concepts, extent, recipe, asked.pictures, asked.seed) if asked.concepts else None
    inner = unwrapped(model)
    with on_device(model, device) as place:
        import torch

        graph = whole_graph(inner, to_device(collate([source.example(0)], 0).inputs, torch.device(place)))
        chosen = _chosen(graph, asked.layers)
        with Writer.open(record) as writer, Session(inner, graph.layers, device=place) as session:
            adding = _Adding(writer, session, source, graph, extent, asked, progress)
            adding.crops()
            if asked.stimuli:
                adding.stimuli(chosen)
            if isinstance(concepts, LabelSet):
                adding.separation(chosen, concepts)
            elif concepts is not None:
                adding.concepts(chosen, concepts)
            if asked.ascent is not None:
                adding.optimised(chosen, asked.ascent)
    return Record(record)


@dataclass
class _Adding:
    """One record, one model, and what is added."""

    writer: Writer
    session: Session
    source: Source
    graph: Graph
    extent: tuple[int, int, int]
    asked: Asked
    progress: Progress

    def crops(self) -> None:
        """The strongest examples at their fields, from what the sweep kept."""
        with self._stage("features") as stage:
            write_crops(
                self.writer, self.source, self.graph, lambda done, total: self.progress("features", done, total)
            )
            stage.examples = self.writer.manifest.examples

    def stimuli(self, layers: Sequence[Layer]) -> None:
        """Tuning and labels, each group of layers on disk before the next is shown anything."""
        sights, refused = self._sights(layers)
        channels, height, width = self.extent
        cut_short = any(one.name == "stimuli" and one.state != "complete" for one in self.writer.manifest.stages)
        with self._stage("stimuli") as stage:
            kept = tuned_already(Record(self.writer.path), self.asked.seed) if cut_short else set()
            groups = [group for group in grouped(sights) if not kept.issuperset(one.layer.index for one in group)]
            found = probing(
                self.session,
                groups,
                (height, width),
                lightness_of(self.source, channels),
                seed=self.asked.seed,
                watch=lambda done, total: self.progress("stimuli", done, total),
                refused=refused,
            )
            count = shown_before(Record(self.writer.path), () if cut_short else [layer.index for layer in layers])
            begun = self.session.passes.forward_examples
            for group in found if groups else [[]]:
                stage.examples = self.session.passes.forward_examples - begun
                write_tuned(self.writer, group, count + stage.examples, refused, self.asked.seed)

    def concepts(self, layers: Sequence[Layer], concepts: ConceptSet) -> None:
        """Agreement with the masks of labelled pictures."""
        with self._stage("concepts") as stage:
            stage.examples = len(concepts)
            answer = concepts_of(
                self.session,
                self.graph,
                layers,
                concepts,
                lightness_of(self.source, self.extent[0]),
                seed=self.asked.seed,
                watch=lambda done, total: self.progress("concepts", done, total),
            )
            write_concepts(self.writer, answer)

    def separation(self, layers: Sequence[Layer], concepts: LabelSet) -> None:
        """How well the labels of whole pictures are told apart."""
        with self._stage("separation") as stage:
            stage.examples = len(concepts)
            answer = separation_of(
                self.session,
                layers,
                concepts,
                lightness_of(self.source, self.extent[0]),
                seed=self.asked.seed,
                watch=lambda done, total: self.progress("separation", done, total),
            )
            write_separation(self.writer, answer)

    def optimised(self, layers: Sequence[Layer], ascent: Ascent) -> None:
        """Pictures made to excite units."""
        sights, refused = self._sights(layers)
        if not self.asked.layers:
            sights = spread(sights)
        with self._stage("optimise") as stage:
            stage.examples = write_optimised(
                self.writer,
                self.session,
                self.source,
                sights,
                refused,
                self.extent,
                ascent,
                self.asked.channels,
                lambda done, total: self.progress("optimise", done, total),
            )

    def _sights(self, layers: Sequence[Layer]) -> tuple[list[Sight], dict[str, str]]:
        """Where each layer's middle unit looks; and which layers have no units that can be asked."""
        from pellucid.mapping import receptive_fields

        fields = receptive_fields(self.graph)
        sights, refused = [], {}
        for layer in layers:
            field = fields.get(layer.name)
            if field is None or (layer.layout == "other" and not layer.is_plane) or layer.units > MOST_UNITS:
                refused[layer.name] = (
                    f"Its output, {layer.layout} of shape {layer.shape}, has no units that look at places."
                )
                continue
            sights.append(sight_of(layer, field))
        return sights, refused

    @contextmanager
    def _stage(self, name: Name) -> Iterator[schema.StageInfo]:
        """Counts what a part spends in the manifest, whatever its end."""
        stage = schema.StageInfo(name)
        stages = self.writer.manifest.stages
        stages[:] = [one for one in stages if one.name != name] + [stage]
        begun, before = time.perf_counter(), replace(self.session.passes)
        try:
            yield stage
        except BaseException as error:
            stage.state = "failed" if isinstance(error, Exception) else "interrupted"
            raise
        else:
            stage.state = "complete"
        finally:
            stage.seconds = time.perf_counter() - begun
            _spent(stage, before, self.session.passes)
            self.writer.update()


def _spent(stage: schema.StageInfo, before: Passes, after: Passes) -> None:
    for name in ("forward", "backward", "forward_examples", "backward_examples"):
        setattr(stage, name, getattr(after, name) - getattr(before, name))


def _chosen(graph: Graph, names: Sequence[str]) -> list[Layer]:
    """Layers by name, all where none is named. Raises: LayerError: there is none of that name, with the nearest."""
    from difflib import get_close_matches

    known = {layer.name: layer for layer in graph.layers}
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=3, cutoff=0.4)
            raise LayerError(
                f"There is no layer '{name}'. {'Near: ' if near else 'Layers: '}{', '.join(near or known)}."
            )
    return [known[name] for name in names] or list(graph.layers)


def _shape(source: Source) -> str:
    from pellucid.capture.call import shapes

    return shapes(source.example(0).inputs)

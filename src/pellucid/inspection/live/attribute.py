"""The live question "attribute": what a score of an example depended on, by any methods and at any layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from pellucid.errors import OptionError, PellucidError, TargetError
from pellucid.inspection.live.aims import Aimed, Subject
from pellucid.inspection.live.methods import method_named, refusal, refusing_alone
from pellucid.inspection.live.packing import Drawn
from pellucid.inspection.live.questions import Answer, Tell, question
from pellucid.record.schema import AttributedMethod, AttributionAnswer

if TYPE_CHECKING:
    from pellucid.attribution import Attribution, Method, Progress
    from pellucid.inspection.live.model import LiveModel
    from pellucid.types import Layer

EVERY = "*"


@question
class Attribute(Aimed, frozen=True):
    """Maps by any methods; the plain ones of one question share one forward and one backward.

    Attributes:
        method: names of methods.
        layers: names of layers that are to have maps, "*" for all; without any, CAMs show the deepest layer that they fit,
            other methods the input alone.
        options: of the one method that is asked for, as a JSON object.
    """

    name: ClassVar[str] = "attribute"

    method: tuple[str, ...] = ("saliency", "gradient_x_input", "grad_cam")
    layers: tuple[str, ...] = ()
    options: str = ""

    def answer(self, live: LiveModel, tell: Tell) -> Answer:
        """One forward and one backward for the plain methods together, then each other method's own passes."""
        methods = [method_named(name) for name in dict.fromkeys(self.method)]
        if self.options:
            if len(methods) != 1:
                raise OptionError(f"Options are those of one method; {len(methods)} methods are asked for.")
            methods = [method_named(self.method[0], self.options)]
        subject = self.subject(live)
        work = _Work(self, live, subject, tell)
        for group in _groups(methods):
            work.explain(group)
        return work.answered()


def _groups(methods: Sequence[Method]) -> list[list[Method]]:
    """Methods that are asked together: the plain ones, then each of the others."""
    plain = [each for each in methods if each.cost == "plain"]
    return [*([plain] if plain else []), *([each] for each in methods if each.cost != "plain")]


class _Work:
    """One answer as it grows."""

    def __init__(self, asked: Attribute, live: LiveModel, subject: Subject, tell: Tell) -> None:
        self._asked = asked
        self._live = live
        self._subject = subject
        self._tell = tell
        self._drawn = Drawn(subject.graph.layers)
        self._drawn.inputs(subject.batch.inputs)
        self._found: dict[str, AttributedMethod] = {}
        self._score: float | None = None
        self._forwards = self._backwards = 0

    def explain(self, group: Sequence[Method]) -> None:
        """Adds what some methods say, or why they refuse."""
        from pellucid.attribution import attribute

        layers, fitting = self._layers(), []
        for each in group:
            reason = self._misfit(each, layers)
            if reason:
                self._found[each.name] = AttributedMethod(each.name, refused=reason)
            else:
                fitting.append(each)
        if not fitting:
            return
        refusals: dict[str, str] = {}
        asked = [refusing_alone(each, refusals) if each.cost == "plain" else each for each in fitting]
        try:
            found = attribute(
                self._live.model,
                self._subject.batch.inputs,
                self._subject.target,
                asked,
                layers=self._names(fitting, layers),
                watch=self._watch,
                graph=self._subject.graph,
            )
        except TargetError:
            raise  # nothing can be explained by any method
        except Exception as error:  # also what nobody raises on purpose: the other groups have their maps all the same
            said = refusal(error, ", ".join(each.title for each in fitting))
            refusals, found = dict.fromkeys((each.name for each in fitting), said), {}
        for each in fitting:
            if each.name in refusals:
                self._found[each.name] = AttributedMethod(each.name, refused=refusals[each.name])
            else:
                self._keep(each, found[each.name], layers)
        for one in list(found.values())[:1]:
            self._forwards += one.passes.forward
            self._backwards += one.passes.backward

    def answered(self, *, partial: bool = False) -> Answer:
        """What there is so far."""
        asked, subject = self._asked, self._subject
        said = AttributionAnswer(
            row=asked.row,
            example=subject.batch.ids[0],
            target=subject.known,
            prediction=subject.prediction,
            aim=asked.aim,
            explained=subject.explained,
            layer=asked.layer,
            unit=asked.unit,
            place=asked.place,
            score=self._score,
            methods=list(self._found.values()),
            layers=self._drawn.layers,
            scales=dict(self._drawn.packed.scales),
            forwards=self._forwards,
            backwards=self._backwards,
            partial=partial,
        )
        return Answer(said, dict(self._drawn.packed.tensors))

    # --- layers -----------------------------------------------------------------------------------------------

    def _layers(self) -> tuple[Layer, ...]:
        """The layers that were asked for, each once. Raises: LayerError: one does not exist."""
        graph = self._subject.graph
        if EVERY in self._asked.layers:
            return graph.layers
        return tuple(graph.layer(name) for name in dict.fromkeys(self._asked.layers))

    def _misfit(self, method: Method, layers: Sequence[Layer]) -> str:
        """Why a CAM fits none of the layers, before anything is run for it; empty where it fits one."""
        from pellucid.attribution.cam import no_cam
        from pellucid.attribution.cams import refuse_cam

        offered = layers or self._subject.graph.layers
        if not method.positions or any(no_cam(layer) is None for layer in offered):
            return ""
        try:
            refuse_cam(method.title, tuple(offered), self._subject.graph.layers)
        except PellucidError as error:
            return str(error)
        return ""

    def _names(self, methods: Sequence[Method], layers: Sequence[Layer]) -> list[str] | None:
        """What `attribute` is given: names that all methods fit, or None for every layer."""
        from pellucid.attribution.cam import no_cam
        from pellucid.attribution.masks import of_numbers
        from pellucid.graph.dataflow import tensors_in

        if not any(each.positions for each in methods):
            # Of token ids, with their mask or without, the gradient ends at the layers: without any there would be none.
            numbers = next(tensors_in(of_numbers(self._subject.batch.inputs, self._live.model)), None)
            return [layer.name for layer in layers] if layers or numbers is not None else None
        offered = layers or self._subject.deepest()
        if all(no_cam(layer) is None for layer in offered):
            return [layer.name for layer in offered]
        return None

    # --- what was found ---------------------------------------------------------------------------------------

    def _keep(self, method: Method, found: Attribution, layers: Sequence[Layer]) -> None:
        from pellucid.attribution.batches import relative_error

        total = self._drawn.map(method.name, found.input, self._subject.batch.inputs)
        if found.error is not None:
            self._drawn.error(method.name, found.error, self._subject.batch.inputs)
        shown, refused = [], {}
        for layer in layers or [layer for layer in self._subject.graph.layers if method.positions]:
            values = found.layers.get(layer.name)
            reason = self._drawn.layer(method.name, layer, values)
            if not reason:
                shown.append(layer.index)
            elif layers and method.explains_layers:
                refused[str(layer.index)] = reason
        self._score = _number(found.scores[0])
        residual = None if found.check is None else _number(found.check[0])
        done = self._found.get(method.name)
        self._found[method.name] = AttributedMethod(
            method.name,
            residual=residual,
            difference=None if residual is None or total is None else total - residual,
            error=None if found.error is None else relative_error(found.input, found.error),
            layers=shown,
            layer_refused=refused,
            warnings=list(found.warnings),
            done=done.done if done else 0,
            total=done.total if done else 0,
        )

    def _watch(self, progress: Progress) -> bool:
        reached = AttributedMethod(progress.method, done=progress.done, total=progress.total)
        self._found[progress.method] = reached

        def partial() -> bytes:
            self._drawn.map(progress.method, progress.estimate(), self._subject.batch.inputs)
            self._found[progress.method] = msgspec.structs.replace(reached, error=progress.error())
            return self._asked.packed(self.answered(partial=True))

        return self._tell(partial)


def _number(value: Any) -> float | None:
    found = float(value)
    return found if math.isfinite(found) else None

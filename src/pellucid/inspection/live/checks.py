"""The live questions "sanity" and "curves": whether a map shows the model, and whether what it marks matters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pellucid.errors import MethodError
from pellucid.inspection.live.aims import Aimed, Subject
from pellucid.inspection.live.filling import FILLS, filling
from pellucid.inspection.live.methods import interrupted, method_named
from pellucid.inspection.live.questions import Answer, Tell, question
from pellucid.record.schema import CurvesAnswer, PerturbationCurve, SanityAnswer

if TYPE_CHECKING:
    from torch import Tensor

    from pellucid.attribution import Curve, Method
    from pellucid.inspection.live.model import LiveModel


class _Check(Aimed, frozen=True):
    """A check of the map that one method makes of the input.

    Attributes:
        method: its name.
        layers: as of the question "attribute".
        options: of the method, as a JSON object.
    """

    method: str = "saliency"
    layers: tuple[str, ...] = ()
    options: str = ""

    def layered(self, method: Method, subject: Subject) -> list[str] | None:
        """The layers that the map of the input is made from: of a CAM the deepest that fits, unless one is named."""
        if self.layers:
            return [subject.graph.layer(name).name for name in self.layers]
        if method.positions:
            return [layer.name for layer in subject.deepest()] or None
        return []


@question
class SanityCheck(_Check, frozen=True):
    """How far a map stays the same while the weights are randomised, from the last module to the first."""

    name: ClassVar[str] = "sanity"

    def answer(self, live: LiveModel, tell: Tell) -> Answer:
        """One map for each module with parameters, and some of other random weights; all is put back, also where it is stopped."""
        from pellucid.attribution.sanity import ROUNDS, sanity
        from pellucid.attribution.verdict import FAILS_ABOVE

        method = method_named(self.method, self.options)
        subject = self.subject(live)
        modules = [one for one in live.model.modules() if next(one.parameters(recurse=False), None) is not None]
        maps = 0

        def sofar() -> SanityAnswer:
            total = max(len(modules) + ROUNDS - 1, maps - 1)
            return SanityAnswer(method.name, [], [], False, FAILS_ABOVE, maps - 1, total, partial=True)

        def before() -> None:
            nonlocal maps
            maps += 1
            if not tell(lambda: self.packed(Answer(sofar()))):
                raise MethodError("The check was stopped; the weights are what they were.")

        found = sanity(
            live.model,
            subject.batch.inputs,
            subject.target,
            interrupted(method, before),
            self.layered(method, subject),
        )
        judged = found.judged
        return Answer(
            SanityAnswer(
                method=method.name,
                modules=list(found.modules),
                correlations=_numbers(found.correlations[:, 0]),
                fails=found.fails,
                limit=FAILS_ABOVE,
                done=maps - 1,
                total=maps - 1,
                verdict=judged.verdict,
                random=_numbers(found.random[:, 0]),
                mean=judged.mean,
                low=judged.low,
                high=judged.high,
                chance=judged.chance,
            )
        )


@question
class Curves(_Check, frozen=True):
    """What the score does as the positions that a map ranks first are filled, and as they come back.

    Attributes:
        steps: parts of the positions; a forward for each and curve.
        fill: "zero" (of the prepared input), "mean" (of each channel of the example), or "blur" (a blurred copy of an image).
    """

    name: ClassVar[str] = "curves"

    steps: int = 32
    fill: Literal["zero", "mean", "blur"] = "zero"

    def answer(self, live: LiveModel, tell: Tell) -> Answer:
        """The map, then one forward for each step of both curves, in full batches."""
        from pellucid.attribution import attribute, deletion, insertion
        from pellucid.attribution.perturbed import only_leaf

        method = method_named(self.method, self.options)
        subject = self.subject(live)
        inputs = subject.batch.inputs
        leaf = only_leaf(inputs, "A deletion or insertion curve")
        layers = self.layered(method, subject)
        map_ = attribute(live.model, inputs, subject.target, method, layers, graph=subject.graph).input
        if map_ is None:
            raise MethodError(f"{method.title} gives no map of the input here, so there is no order to delete it in.")
        ranking = only_leaf(map_, "A deletion or insertion curve")
        filled = filling(self.fill, leaf)
        both = [
            curve(live.model, inputs, subject.judged, ranking, self.steps, filled) for curve in (deletion, insertion)
        ]
        said = CurvesAnswer(
            method=method.name,
            fractions=[float(one) for one in both[0].fractions],
            deletion=_curve(both[0]),
            insertion=_curve(both[1]),
            of=subject.judged_by,
            fill=FILLS[self.fill],
            warnings=[*both[0].warnings, *both[1].warnings],
        )
        return Answer(said)


def _curve(found: Curve) -> PerturbationCurve:
    scores = _numbers(found.scores[0])
    area = float(found.area[0])
    return PerturbationCurve(scores, area if math.isfinite(area) else None)


def _numbers(values: Tensor) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.double().tolist()]

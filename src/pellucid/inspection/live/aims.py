"""What a live question about gradients explains, as parameters of an address: an answer, the loss, or a unit of a layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pellucid.errors import MethodError, OptionError, TargetError
from pellucid.inspection.closely import check_explains
from pellucid.inspection.live.questions import Question
from pellucid.measures.labels import multi_hot
from pellucid.measures.losses import default_loss

if TYPE_CHECKING:
    from torch import Tensor

    from pellucid.graph import Graph
    from pellucid.inspection.live.model import LiveModel
    from pellucid.record.schema import Manifest
    from pellucid.types import Batch, Layer

_OF_CLASS_TOKEN = 16  # layers: more than stand behind the last attention of a block
_ITSELF = 1  # of a single output z, `pellucid.attribute` explains -z and z


@dataclass(frozen=True)
class Subject:
    """One example of the record, ready to be explained.

    Attributes:
        batch: with this one example.
        graph: of the model.
        target: as `pellucid.attribute` takes it.
        explained: the class, where one is explained.
        prediction: recorded for this example.
        judged: what curves of deletion and insertion are of, as `pellucid.attribution.deletion` takes it.
        judged_by: in a word: "probability" of a class, "output", "loss" or "unit".
    """

    batch: Batch
    graph: Graph
    target: Any
    explained: int | None
    prediction: int | None
    judged: Any
    judged_by: str

    @property
    def known(self) -> int | None:
        """The example's class; None where it is not known."""
        if self.batch.targets is None or self.batch.targets.is_floating_point() or int(self.batch.targets[0]) < 0:
            return None
        return int(self.batch.targets[0])

    def deepest(self) -> list[Layer]:
        """The deepest layer that a CAM fits; of tokens with a class token the last few, for the head may read that token alone."""
        from pellucid.attribution.cam import no_cam
        from pellucid.attribution.layouts import others_than_patches

        fitting = [layer for layer in self.graph.layers if no_cam(layer) is None]
        return fitting[-_OF_CLASS_TOKEN:] if fitting and others_than_patches(fitting[-1]) else fitting[-1:]


class Aimed(Question, frozen=True):
    """A question about one example and one score of the model.

    Attributes:
        row: of the examples table.
        aim: "class" is the logit of `explained` (of the prediction, or the strongest of several, where that is absent), and of a
            regression its one number; "loss" is that of the example's own target: cross-entropy, binary cross-entropy (its mean
            over the classes) or squared error; "unit" is the response of `unit` of `layer`.
        explained: index of a class; a regression has none.
        layer: name of a layer.
        unit: channel of it.
        place: "mean" over its positions, "max" (the strongest), or a position: "3,4" of maps, "7" of tokens.
    """

    row: int
    aim: Literal["class", "loss", "unit"] = "class"
    explained: int | None = None
    layer: str = ""
    unit: int | None = None
    place: str = "mean"

    def subject(self, live: LiveModel) -> Subject:
        """Raises: RecordError, DataError: no such row. LayerError, TargetError, OptionError: no such target."""
        manifest = live.record.manifest
        batch = live.batch(self.row)
        graph = live.graph(batch.inputs)
        if graph.error is not None:
            raise MethodError(f"The model cannot be traced: {graph.error}.")
        prediction = live.record.examples()["prediction"][self.row].as_py() if manifest.task != "regression" else None
        match self.aim:
            case "class":
                return self._answer(batch, graph, prediction, manifest)
            case "loss":
                loss = _loss_of(batch, manifest)
                return Subject(batch, graph, loss, None, prediction, loss, "loss")
            case "unit":
                unit = self._unit(graph)
                return Subject(batch, graph, unit, None, prediction, unit, "unit")

    def _answer(self, batch: Batch, graph: Graph, prediction: int | None, manifest: Manifest) -> Subject:
        """The score of a class, or the one number of a regression."""
        if manifest.task == "regression":
            check_explains("prediction" if self.explained is None else self.explained, manifest.task)
            return Subject(batch, graph, _ITSELF, None, None, _output, "output")
        explained = prediction if self.explained is None else self.explained
        target: Any = "prediction" if explained is None else explained
        judged = target
        if manifest.task == "multilabel":
            number = len(manifest.data.classes) if manifest.data is not None else 0
            if explained is None:
                raise TargetError(
                    f"The outputs of example {batch.ids[0]!r} hold NaN or infinity: none is the strongest."
                )
            if not 0 <= explained < number:
                raise TargetError(f"There is no class {explained}: the model has {number}, 0 to {number - 1}.")
            judged = _own_probability(explained, manifest)
            target = _ITSELF if number == 1 else explained
        return Subject(batch, graph, target, explained, prediction, judged, "probability")

    def _unit(self, graph: Graph) -> Any:
        from pellucid.attribution import Unit

        if self.unit is None:
            raise OptionError("A unit is named by its layer and its channel: give the parameters 'layer' and 'unit'.")
        graph.layer(self.layer)  # refuses a name that does not exist, with the nearest
        if self.place in ("mean", "max"):
            return Unit(self.layer, self.unit, self.place)  # type: ignore[arg-type]  # narrowed by the line above
        parts = self.place.split(",")
        if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
            raise OptionError(f"A place is 'mean', 'max' or a position like '3,4'; got {self.place[:40]!r}.")
        place = tuple(map(int, parts))
        return Unit(self.layer, self.unit, place if len(place) > 1 else place[0])


def _output(output: Any) -> Tensor:
    """The one number of each example: float[batch]."""
    from pellucid.capture import logits_of

    return logits_of(output).reshape(-1)


def _own_probability(explained: int, manifest: Manifest) -> Callable[[Any], Tensor]:
    """The probability of a class by itself, where several may be true."""
    from pellucid.capture import logits_of

    def probability(output: Any) -> Tensor:
        scores = logits_of(output)[:, explained]
        return scores.sigmoid() if manifest.outputs == "logits" else scores

    return probability


def _loss_of(batch: Batch, manifest: Manifest) -> Callable[[Any], Tensor]:
    """The loss of one example's own target, as a function of the model's output. Raises: TargetError: it is not known."""
    from pellucid.landscape import Objective

    loss, target = default_loss(manifest.task), _target_of(batch, manifest)
    if loss is None or target is None:
        raise TargetError(f"The target of example {batch.ids[0]!r} is not known, so it has no loss to explain.")
    objective = Objective(loss, manifest.task, manifest.outputs)

    def losses(output: Any) -> Tensor:
        outputs = objective.outputs(output)
        return objective.losses(outputs, target.to(outputs.device).expand(len(outputs), *target.shape[1:]))

    return losses


def _target_of(batch: Batch, manifest: Manifest) -> Tensor | None:
    """The target of a batch of one example, as an Objective takes it; None where it is not known."""
    import torch

    if manifest.task == "multilabel":
        number = len(manifest.data.classes) if manifest.data is not None else 0
        return (
            torch.from_numpy(multi_hot(batch.sets, number)[0]) if any(one is not None for one in batch.sets) else None
        )
    targets = batch.targets
    if targets is None or bool(targets.isnan().any()) or (manifest.task == "classification" and int(targets[0]) < 0):
        return None
    return targets.double() if manifest.task == "regression" else targets.long()

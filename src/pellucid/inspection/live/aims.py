"""What a live question about gradients explains, as parameters of an address: a class, the loss, or a unit of a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pellucid.errors import MethodError, OptionError, TargetError
from pellucid.inspection.live.questions import Question

if TYPE_CHECKING:
    from pellucid.graph import Graph
    from pellucid.inspection.live.model import LiveModel
    from pellucid.types import Batch, Layer, OutputKind

_OF_CLASS_TOKEN = 16  # layers: more than stand behind the last attention of a block


@dataclass(frozen=True)
class Subject:
    """One example of the record, ready to be explained.

    Attributes:
        batch: with this one example.
        graph: of the model.
        target: as `pellucid.attribute` takes it.
        explained: the class, where one is explained.
        prediction: recorded for this example.
    """

    batch: Batch
    graph: Graph
    target: Any
    explained: int | None
    prediction: int | None

    @property
    def known(self) -> int | None:
        """The example's class; None where it is not known."""
        if self.batch.targets is None or self.batch.targets.is_floating_point() or int(self.batch.targets[0]) < 0:
            return None
        return int(self.batch.targets[0])

    def deepest(self) -> list[Layer]:
        """The deepest layer that a CAM fits; of tokens with a class token the last few, for the head may read that token alone."""
        from pellucid.attribution.cam import no_cam, token_grid

        fitting = [layer for layer in self.graph.layers if no_cam(layer) is None]
        last = fitting[-1] if fitting else None
        grid = token_grid(last.shape[0]) if last is not None and last.layout == "tokens" else None
        return fitting[-_OF_CLASS_TOKEN:] if grid is not None and grid[1] else fitting[-1:]


class Aimed(Question, frozen=True):
    """A question about one example and one score of the model.

    Attributes:
        row: of the examples table.
        aim: "class" is the logit of `explained` (of the prediction where that is absent), "loss" the cross-entropy of the
            example's own class, "unit" the response of `unit` of `layer`.
        explained: index of a class.
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
        batch = live.batch(self.row)
        graph = live.graph(batch.inputs)
        if graph.error is not None:
            raise MethodError(f"The model cannot be traced: {graph.error}.")
        prediction = live.record.examples()["prediction"][self.row].as_py()
        found = Subject(batch, graph, None, None, prediction)
        match self.aim:
            case "class":
                explained = prediction if self.explained is None else self.explained
                return Subject(batch, graph, "prediction" if explained is None else explained, explained, prediction)
            case "loss":
                if found.known is None:
                    raise TargetError(
                        f"The class of example {batch.ids[0]!r} is not known, so it has no loss to explain."
                    )
                return Subject(batch, graph, _loss_of(found.known, live.record.manifest.outputs), None, prediction)
            case "unit":
                return Subject(batch, graph, self._unit(graph), None, prediction)

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


def _loss_of(label: int, kind: OutputKind) -> Any:
    def loss(output: Any) -> Any:
        import torch

        from pellucid.capture import log_scores, logits_of

        logits = log_scores(logits_of(output), kind, "classification")
        wanted = torch.full((len(logits),), label, device=logits.device)
        return torch.nn.functional.cross_entropy(logits, wanted, reduction="none")

    return loss

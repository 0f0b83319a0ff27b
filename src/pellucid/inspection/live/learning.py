"""The live question "learning": which layers chosen examples would change, and with which classes they pull."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import OptionError, RecordError, TargetError
from pellucid.inspection.live.questions import Answer, Question, Tell, question
from pellucid.lenses.learning import PLAIN
from pellucid.measures.losses import NAMES, Loss, loss_named
from pellucid.record.schema import LearningAnswer, LearningPanel

if TYPE_CHECKING:
    from pellucid.inspection.live.model import LiveModel
    from pellucid.record import Record
    from pellucid.types import Batch, Observation

MOST_ROWS = 64

Floats = NDArray[np.float64]


@question
class LearningOf(Question, frozen=True):
    """Gradients of some examples' losses by the parameters.

    Attributes:
        row: of the examples table, one or several, each with a known target.
    """

    name: ClassVar[str] = "learning"

    row: tuple[int, ...]

    def answer(self, live: LiveModel, tell: Tell) -> Answer:
        """One forward and one backward an example, with what there is so far after each chunk."""
        from pellucid.capture.per_example import PerExample
        from pellucid.inspection.learning import Learner, loss_of

        if not 1 <= len(self.row) <= MOST_ROWS:
            raise OptionError(f"The parameter 'row' must be given 1 to {MOST_ROWS} times; got {len(self.row)}.")
        sample = _Stored.of(live.record)
        batch = live.batch(*self.row)
        _check_targets(batch)
        found: list[Observation] = []
        manifest = live.record.manifest
        loss = loss_of(manifest.task, _loss_in(live.record, sample.panel), manifest.outputs)
        with PerExample(live.model, loss) as capture:
            learner = Learner(capture, live.graph(batch.inputs), {}, sample.panel.seed)
            if [(layer.name, layer.kept) for layer in sample.panel.layers] != list(learner.kept.items()):
                raise RecordError(
                    "The record's gradients by the parameters are of other layers than the model's: it was made by another "
                    "version. Inspect the model again."
                )
            for seen in learner.observe(batch):
                found.append(seen)
                done = sum(len(one.batch or ()) for one in found) == len(self.row)
                if not tell(lambda done=done: self.packed(sample.answer(found, partial=not done))):  # type: ignore[misc]
                    break
        return sample.answer(found, partial=sum(len(one.batch or ()) for one in found) < len(self.row))


def _loss_in(record: Record, panel: LearningPanel) -> Loss | None:
    """The loss that the record's gradients are of; None for the cross-entropy. A record names a loss, never code to run."""
    spec = str(record.manifest.options.get("loss") or "")
    return None if panel.loss == PLAIN or spec.partition(":")[0] not in NAMES else loss_named(spec)


@dataclass(frozen=True)
class _Stored:
    """What the record keeps of its sample.

    Attributes:
        panel: its layers and classes.
        means: float64[class kept], mean directions, the layers one after the other.
        rows, places: int[example], of the sample.
    """

    panel: LearningPanel
    means: Floats
    rows: NDArray[np.int64]
    places: NDArray[np.int32]
    ends: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, record: Record) -> _Stored:
        """Raises: RecordError: the record has no such sample."""
        panel = record.panel("learning") if "learning" in record.panels else None
        if not isinstance(panel, LearningPanel) or not panel.layers:
            said = f": {panel.refusal}" if isinstance(panel, LearningPanel) and panel.refusal else "."
            raise RecordError(f"The record keeps no gradients by the parameters to compare with{said}")
        ends = np.cumsum([layer.kept for layer in panel.layers]).tolist()
        scales = np.asarray(record.array("learning", "scales"), np.float64)
        means = np.asarray(record.array("learning", "means"), np.float64)
        means = means * np.repeat(scales, [layer.kept for layer in panel.layers], axis=1)
        return cls(panel, means, record.array("learning", "rows"), record.array("learning", "places"), ends)

    def answer(self, found: list[Observation], *, partial: bool) -> Answer:
        """Norms, and cosines with one another and with the classes."""
        rows: list[int] = []
        squares, sketches, losses = [], [], []
        way, why = "", ""
        for seen in found:
            if seen.batch is None or seen.learning is None or seen.losses is None:
                continue
            layers = list(seen.learning.layers.values())
            rows += [seen.batch.row(place) for place in range(len(seen.batch))]
            squares.append(np.stack([layer.squares.numpy() for layer in layers], axis=1))
            sketches.append(np.concatenate([layer.sketch.numpy() for layer in layers], axis=1))
            losses.append(seen.losses.numpy())
            way, why = seen.learning.way, seen.learning.why
        sketch = np.concatenate(sketches).astype(np.float64)
        unit = _divided(sketch, np.linalg.norm(sketch, axis=1))
        said = LearningAnswer(
            rows=rows,
            layers=[layer.name for layer in self.panel.layers],
            classes=[one.index for one in self.panel.classes],
            way=way,
            why=why,
            partial=partial,
        )
        tensors = {
            "norms": np.sqrt(np.concatenate(squares)),
            "losses": np.concatenate(losses),
            "between": np.clip(unit @ unit.T, -1, 1),
            "toward": np.stack([self._toward(row, unit[place]) for place, row in enumerate(rows)]),
        }
        return Answer(said, {name: values.astype(np.float32) for name, values in tensors.items()})

    def _toward(self, row: int, unit: Floats) -> Floats:
        """Cosines with each class, layer by layer and of all together: float64[class layer+1]; NaN where one has no length."""
        means = self.means.copy()
        held = np.flatnonzero(self.rows == row)
        if len(held):
            # An example agrees with a mean that it is part of: it is taken out of it.
            place = int(self.places[held[0]])
            count = self.panel.classes[place].count
            means[place] = (count * means[place] - unit) / (count - 1)
        starts = [0, *self.ends[:-1]]
        parts = [slice(start, end) for start, end in zip(starts, self.ends, strict=True)]
        return np.stack([_cosines(means[:, part], unit[part]) for part in (*parts, slice(None))], axis=1)


def _cosines(means: Floats, unit: Floats) -> Floats:
    length = np.linalg.norm(means, axis=1) * np.linalg.norm(unit)
    found = np.divide(means @ unit, length, out=np.full(len(means), np.nan), where=length > 0)
    clipped: Floats = np.clip(found, -1, 1)
    return clipped


def _divided(values: Floats, length: Floats) -> Floats:
    found: Floats = np.divide(values, length[:, None], out=np.zeros_like(values), where=length[:, None] > 0)
    return found


def _check_targets(batch: Batch) -> None:
    targets = batch.targets
    numbers = targets is not None and targets.is_floating_point()
    for place, name in enumerate(batch.ids):
        if targets is None or bool(targets[place].isnan() if numbers else targets[place] < 0):
            raise TargetError(f"The target of example {name!r} is not known, so it has no loss to learn from.")

"""Lenses: each asks one question of a model, streaming over examples, mergeable across shards.

A lens is a dataclass whose first field is its context and whose other fields are its state: sums, counts and bounded
heaps. A fresh one (`LensType(context)`) is the identity of `merge`. Lenses come by entry point, ours by the same door
as anyone else's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, ClassVar, Protocol, Self, runtime_checkable

from pellucid.errors import OptionError
from pellucid.types import Needs, Observation, OutputKind, Task

if TYPE_CHECKING:
    import numpy as np

    from pellucid.measures.losses import Loss
    from pellucid.record.schema import Panel

GROUP = "pellucid.lenses"

OF_ANSWERS = ("accuracy", "confusion", "loss", "predictions")
"""Our lenses that need nothing but answers."""


@dataclass(frozen=True, slots=True)
class LensContext:
    """What every lens may know before it sees the first example.

    Attributes:
        loss: that was asked for; the task's own where None.
        target_loss: that the user wants to reach, or None.
        kind: what a model's outputs were taken for; None where nobody had to guess.
        changing_inputs: how many of some examples are another input when they are read again.
        changing_outputs: by how much of its largest number an output changes from forward to forward; 0 where it does not.
        batch_dependence: the same, beside another example in its batch.
        taken_from: which of several outputs the scores are, where nothing says so.
        unscored: why the model's outputs are no scores, in words, where it gives some.
        examples: how many there are, where it is known beforehand.
        scored: whether scores are behind the predicted classes; where none were saved, an example without one has no answer.
    """

    classes: tuple[str, ...] = ()
    task: Task = "classification"
    seed: int = 0
    loss: Loss | None = None
    target_loss: float | None = None
    scored: bool = True
    kind: OutputKind | None = None
    changing_inputs: int = 0
    changing_outputs: float = 0.0
    batch_dependence: float = 0.0
    taken_from: str = ""
    unscored: str = ""
    examples: int | None = None


@runtime_checkable
class Lens(Protocol):
    """One question; see the module."""

    name: ClassVar[str]
    needs: ClassVar[Needs]
    context: LensContext

    def observe(self, seen: Observation) -> None:
        """Takes in what was captured for one batch."""

    def merge(self, other: Self) -> None:
        """Takes in what another saw; any order and split gives the same answer."""

    def report(self) -> Panel:
        """The answer."""


@runtime_checkable
class ArrayLens(Lens, Protocol):
    """A lens with answers too large for JSON."""

    def arrays(self) -> Mapping[str, np.ndarray]:
        """The large answers by name."""


@cache
def available() -> dict[str, type[Lens]]:
    """Every installed lens by name, sorted; a broken one of someone else's raises when it is loaded."""
    return {entry.name: entry.load() for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)}


def without_model(context: LensContext) -> list[Lens]:
    """Fresh lenses that need nothing but answers, as saved predictions have them: ours, and those of others that do.

    Ours that need more are not loaded: they would bring torch along, and saved predictions need none.
    """
    found = {
        entry.name: entry.load()
        for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
        if entry.name in OF_ANSWERS or not entry.value.startswith("pellucid.")
    }
    return [lens for lens in (kind(context) for kind in found.values()) if needs_answers_only(lens)]


def needs_answers_only(lens: Lens) -> bool:
    """Whether a lens looks at nothing but a sweep's outputs and the columns that follow from them."""
    needs = lens.needs
    return needs.stages == {"sweep"} and not needs.reductions and not needs.activations and not needs.gradients


def build(names: tuple[str, ...], context: LensContext) -> list[Lens]:
    """Fresh lenses by name. Raises: OptionError: no such lens, with the names that there are."""
    known = available()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise OptionError(f"There is no lens '{unknown[0]}'. Installed lenses: {', '.join(known)}.")
    return [known[name](context) for name in names]  # type: ignore[call-arg]

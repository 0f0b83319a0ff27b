"""What an inspection is asked for, and who hears how far it has come."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, get_args

from pellucid.errors import OptionError
from pellucid.types import Outputs, Stage

Explains: TypeAlias = Literal["prediction", "label"] | int
OUTPUTS: tuple[Outputs, ...] = get_args(Outputs)


class Progress(Protocol):
    """Hears how far each stage has come; `total` is None where it is not known."""

    def __call__(self, stage: Stage, done: int, total: int | None, /) -> None:
        """Called after every batch."""


def silent(stage: Stage, done: int, total: int | None) -> None:
    """The progress that nobody watches."""


@dataclass(frozen=True)
class Options:
    """What an inspection was asked for; a resumed one must have been asked for the same."""

    target: Explains = "prediction"
    lenses: tuple[str, ...] = ()
    batch_size: int = 32
    limit: int | None = None
    seed: int = 0
    chosen: int = 48
    learned: int | None = None
    loss: str | None = None
    target_loss: float | None = None
    outputs: Outputs = "auto"

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise OptionError(f"The batch size must be at least 1; got {self.batch_size}.")
        if self.limit is not None and self.limit < 1:
            raise OptionError(f"The limit must be at least 1 example; got {self.limit}.")
        if self.chosen < 0:
            raise OptionError(f"The number of chosen examples must be 0 or more; got {self.chosen}.")
        if self.learned is not None and self.learned < 0:
            raise OptionError(f"The number of examples to learn from must be 0 or more; got {self.learned}.")
        if self.target_loss is not None and not math.isfinite(self.target_loss):
            raise OptionError(f"The loss to reach must be a number; got {self.target_loss}.")
        if self.outputs not in OUTPUTS:
            raise OptionError(f"outputs must be one of {', '.join(OUTPUTS)}; got {self.outputs!r}.")
        if not (self.target in ("prediction", "label") or (isinstance(self.target, int) and self.target >= 0)):
            raise OptionError(f"target must be 'prediction', 'label' or a class index >= 0; got {self.target!r}.")

    def recorded(self) -> dict[str, str | int | float | bool | list[str] | None]:
        """The options as they stand in the manifest."""
        return {
            "target": self.target,
            "lenses": list(self.lenses),
            "batch_size": self.batch_size,
            "limit": self.limit,
            "chosen": self.chosen,
            "learned": self.learned,
            "loss": self.loss,
            "target_loss": self.target_loss,
            "outputs": self.outputs,
        }

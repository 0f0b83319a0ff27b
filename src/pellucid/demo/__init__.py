"""The demo: train a small network on handwritten digits under a Watch, inspect it on digits it has not seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pellucid.data import Source
    from pellucid.demo.network import DigitsNet
    from pellucid.inspection import Progress
    from pellucid.inspection.live import LiveModel
    from pellucid.record import Record

MODEL_SOURCE = "pellucid.demo.network:DigitsNet"
TITLE = "Handwritten digits"


@dataclass(frozen=True)
class Demo:
    """What the demo leaves: the record, and the network at hand for live questions."""

    record: Record
    model: DigitsNet
    source: Source

    @property
    def live(self) -> LiveModel:
        """The network beside its record, for live questions."""
        from pellucid.inspection.live import LiveModel

        return LiveModel(self.record, self.model, self.source)


def run(
    out: str | Path = "digits.pellucid",
    *,
    seed: int = 0,
    on_epoch: Callable[[int, int], None] = lambda done, total: None,
    progress: Progress | None = None,
) -> Demo:
    """Trains, watches and inspects; an earlier demo's record at `out`, and its weights beside it, are replaced.

    Args:
        out: folder of the record.
        seed: of the training and of the chosen examples.
        on_epoch: hears epochs done and in all.
        progress: hears how far the inspection has come.

    Returns: the sealed record, the network and the held-out digits.
    """
    import shutil

    from safetensors.torch import save_file

    from pellucid.data import open_data
    from pellucid.demo.network import train
    from pellucid.inspection import inspect, silent
    from pellucid.watch import watch

    place = Path(out)
    if (place / "manifest.json").exists():
        shutil.rmtree(place)
    held_out = open_data("digits:test")
    model = train(
        open_data("digits:train"),
        held_out,
        seed=seed,
        watched=lambda model, optimizer: watch(model, optimizer, out=place, title=TITLE),
        progress=on_epoch,
    )
    # So that `pellucid open` and `features` can have the network again later.
    weights = place.with_suffix(".safetensors")
    save_file(model.state_dict(), weights)
    record = inspect(
        model,
        held_out,
        out=place,
        title=TITLE,
        model_source=MODEL_SOURCE,
        weights_source=str(weights),
        seed=seed,
        progress=progress or silent,
    )
    return Demo(record, model, held_out)

"""Are bigger networks more efficient than thinner ones here? A family of widths and depths, trained, inspected, compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.errors import OptionError, RecordError

if TYPE_CHECKING:
    from pellucid.comparison import Comparison
    from pellucid.data import Source

WIDTHS = (8, 16, 32)
DEPTHS = (1, 2, 3)
SEEDS = 3
EPOCHS = 10
COMPARED = "sweep.pellucid"
SUFFIX = ".pellucid"
LENSES = ("graph", "predictions", "loss", "accuracy", "confusion", "similarity")


@dataclass(frozen=True)
class Run:
    """One network of the sweep; its name says what it is, and becomes its record's."""

    width: int
    depth: int
    seed: int

    @property
    def name(self) -> str:
        """As comparisons read it: width8-depth1-seed0."""
        return f"width{self.width}-depth{self.depth}-seed{self.seed}"


def runs_of(widths: Sequence[int], depths: Sequence[int], seeds: int) -> list[Run]:
    """Every network, each seed through the whole family first, so that a slow hour is nobody's alone.

    Raises: OptionError: fewer than two networks to compare, or a size below 1.
    """
    for name, values in (("--widths", widths), ("--depths", depths), ("--seeds", (seeds,))):
        if not values or min(values) < 1:
            raise OptionError(f"{name} takes whole numbers of at least 1; got {', '.join(map(str, values)) or 'none'}.")
    runs = [
        Run(width, depth, seed)
        for seed in range(seeds)
        for depth in sorted(set(depths))
        for width in sorted(set(widths))
    ]
    if len(runs) < 2:
        raise OptionError("A sweep compares at least two networks: give more widths, depths or seeds.")
    return runs


def sweep(
    out: str | Path,
    *,
    widths: Sequence[int] = WIDTHS,
    depths: Sequence[int] = DEPTHS,
    seeds: int = SEEDS,
    epochs: int = EPOCHS,
    to_accuracy: float | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Comparison:
    """Trains every network on the demo's digits under a Watch, inspects it on held-out ones, and compares them all.

    What is finished in the folder is kept: the same sweep goes on where it was cut short, and a larger one adds to it.

    Args:
        out: folder of the records; the comparison is in it as "sweep.pellucid".
        widths: channels of every layer.
        depths: layers after the first.
        seeds: networks of each size.
        epochs: of each training.
        to_accuracy: accuracy to which steps and seconds are counted; see `pellucid.compare`.
        progress: hears networks done and in all.

    Returns: the comparison of the largest with the smallest, and of all of them by size.
    Raises: OptionError: sizes that cannot be. RecordError: something else lies in the folder under a name of the sweep.
    """
    import torch

    from pellucid.comparison import compare
    from pellucid.comparison.costs import check_reach
    from pellucid.data import open_data

    if epochs < 1:
        raise OptionError(f"--epochs is a whole number of at least 1; got {epochs}.")
    check_reach(to_accuracy)  # before hours of training
    runs = runs_of(widths, depths, seeds)
    folder = Path(out)
    if folder.is_file():
        raise OptionError(f"--out is a folder for the records of the sweep; {folder} is a file.")
    learned, held_out = open_data("digits:train"), open_data("digits:test")
    with _one_thread(), torch.random.fork_rng(devices=[]):
        for done, run in enumerate(runs):
            progress(done, len(runs))
            place = folder / f"{run.name}{SUFFIX}"
            if not finished(place, len(held_out), steps_of(learned, epochs)):
                make(run, place, learned, held_out, epochs)
    progress(len(runs), len(runs))
    return compare(
        *[folder / f"{run.name}{SUFFIX}" for run in in_order(runs)],
        out=folder / COMPARED,
        to_accuracy=to_accuracy,
        overwrite=True,
    )


def in_order(runs: Sequence[Run]) -> list[Run]:
    """The smallest network, then the largest, each of the first seed; then all others, smaller before larger.

    Of one size alone the second is its second seed.
    """

    def size(run: Run) -> tuple[int, int]:
        return run.width**2 * run.depth, run.width

    found = sorted(runs, key=lambda run: (size(run), run.seed))
    largest = next(run for run in found if size(run) == size(found[-1]))
    first, rest = found[0], found[1:]
    second = largest if largest in rest else rest[0]
    return [first, second, *(run for run in rest if run != second)]


def make(run: Run, place: Path, learned: Source, held_out: Source, epochs: int) -> None:
    """Trains and inspects one network; an unfinished one of the same name is replaced."""
    from pellucid.demo.family import train_family
    from pellucid.inspection import inspect
    from pellucid.watch import watch

    model = train_family(
        run.width,
        run.depth,
        learned,
        held_out,
        seed=run.seed,
        epochs=epochs,
        watched=lambda model, optimizer: watch(model, optimizer, out=place, title=run.name, overwrite=True),
    )
    inspect(model, held_out, out=place, lenses=LENSES, title=run.name, batch_size=64, chosen=0, learned=0)


def finished(place: Path, examples: int, steps: int) -> bool:
    """Whether a record holds this training and its inspection, whole."""
    from pellucid.record import Record, schema

    try:
        record = Record(place)
        if record.state != "complete" or record.manifest.examples != examples:
            return False
        panel = record.panel("training")
        return isinstance(panel, schema.TrainingPanel) and panel.steps == steps
    except RecordError:
        return False


def steps_of(learned: Source, epochs: int) -> int:
    """Steps of a training."""
    from pellucid.demo.family import BATCH_SIZE

    return epochs * (len(learned) // BATCH_SIZE)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Networks this small are slower on two threads than on one, and their times depend on what else runs."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

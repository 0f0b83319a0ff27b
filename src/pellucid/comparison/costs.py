"""What a model costs, as its record knows it: parameters, FLOPs, time, and what its training took."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from pellucid.errors import OptionError
from pellucid.record import Record, schema
from pellucid.record.schema import LearningPoint

WHOLE_MODEL = ""
ACCURACIES = ("validation_accuracy", "accuracy")
REPLICATE = "seed"
_SEED = re.compile(rf"(?<![a-z]){REPLICATE}[-_]?\d+(?:\.\d+)?", re.IGNORECASE)
_FACTOR = re.compile(r"([a-z]+)[-_]?(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Learned:
    """How the accuracy rose in training.

    Attributes:
        points: steps at which it rose above all before.
        of: the quantity of the training table, "" where none was watched.
        steps, seconds: of the whole training.
    """

    points: list[LearningPoint]
    of: str
    steps: int | None
    seconds: float | None


def learned(record: Record) -> Learned:
    """The rise of the validation accuracy, else that of the training batches, as a Watch saw it."""
    if not record.manifest.watched:
        return Learned([], "", None, None)
    table, _ = record.training()
    layers = table["layer"].to_pylist()
    quantities = table["quantity"].to_pylist()
    steps, seconds = table["step"].to_pylist(), table["seconds"].to_pylist()
    values = table["value"].to_pylist()
    if not steps:
        return Learned([], "", None, None)
    whole = [place for place, layer in enumerate(layers) if layer == WHOLE_MODEL]
    for name in ACCURACIES:
        points: list[LearningPoint] = []
        for place in whole:
            value = values[place]
            if quantities[place] == name and value is not None and (not points or value > points[-1].accuracy):
                points.append(LearningPoint(steps[place], seconds[place], value))
        if points:
            return Learned(points, name, max(steps), max(seconds))
    return Learned([], "", max(steps), max(seconds))


def reached(points: list[LearningPoint], accuracy: float) -> LearningPoint | None:
    """The first step at which training had this accuracy; None where it never had."""
    return next((point for point in points if point.accuracy >= accuracy), None)


def check_reach(accuracy: float | None) -> None:
    """Whether an accuracy can be reached. Raises: OptionError: it is no share."""
    if accuracy is not None and not 0 < accuracy <= 1:
        raise OptionError(f"The accuracy to reach is a share between 0 and 1; got {accuracy!r}.")


def target_accuracy(models: list[schema.ComparedModel]) -> float | None:
    """The highest whole percent that three in four of the watched trainings reached; None where none was watched."""
    best = sorted(model.learned[-1].accuracy for model in models if model.learned)
    if not best:
        return None
    return float(np.floor(100 * best[len(best) // 4]) / 100)


def factors_of(name: str) -> dict[str, float]:
    """Numbers in a name by what stands before them.

    >>> factors_of("width8-depth2-seed0")
    {'width': 8.0, 'depth': 2.0, 'seed': 0.0}
    >>> factors_of("width1.25-seed1")
    {'width': 1.25, 'seed': 1.0}
    """
    return {word: float(number) for word, number in _FACTOR.findall(name.lower())}


def without_seed(name: str) -> str | None:
    """What a name is without its seed; None where it has none.

    >>> without_seed("adam-width8-seed0")
    'adam-width8'
    """
    parts = _SEED.split(name)
    return "-".join(kept for part in parts if (kept := part.strip("-_. "))) if len(parts) > 1 else None


def flops_of(record: Record) -> int | None:
    """FLOPs of one forward of one example, where the graph was traced."""
    if "graph" not in record.panels:
        return None
    panel = record.panel("graph")
    return panel.flops if isinstance(panel, schema.GraphPanel) else None


def seconds_of(record: Record) -> float | None:
    """Measured time of one forward of one example: the calls that nothing encloses, together."""
    times = record.manifest.call_seconds
    if not times or "graph" not in record.panels:
        return None
    panel = record.panel("graph")
    if not isinstance(panel, schema.GraphPanel) or len(panel.nodes) != len(times):
        return None
    outer = [times[node.id] for node in panel.nodes if node.parent is None and node.kind in ("module", "function")]
    known = [one for one in outer if one is not None]
    return sum(known) if known else None

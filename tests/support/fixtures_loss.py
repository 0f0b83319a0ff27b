"""Parts of a loss and disputed labels that Python and TypeScript must agree on: `python tests/support/fixtures_loss.py`.

Writes tests/fixtures/measures/loss.json, which a test of either language reads.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.measures.decomposition import Cells, bin_of, contributions, entropy_of_rows, parts, terms
from pellucid.measures.label_errors import ConfidentJoint, Thresholds, confident_class
from pellucid.measures.labels import labelled_columns
from pellucid.measures.part_intervals import part_intervals, products_of
from pellucid.measures.saved import labelled_columns_of_probabilities

PLACE = Path(__file__).parents[1] / "fixtures" / "measures" / "loss.json"


def made() -> dict[str, Any]:
    """The fixture as JSON values."""
    cases = ((0, 60, 3, False), (1, 40, 8, False), (2, 40, 4, True), (3, 1, 2, False), (4, 30, 2, False))
    infinite = [_case(5, 50, 5, soft, infinite=True) for soft in (False, True)]
    two = [_case(7, 50, 2, soft, sharp=4) for soft in (False, True)]
    return {"cases": [*(_case(*one) for one in cases), *infinite, _case(6, 50, 3, False, sharp=1e4), *two]}


def _case(
    seed: int, number: int, classes: int, soft: bool, *, infinite: bool = False, sharp: float = 1.0
) -> dict[str, Any]:
    """One case.

    Args:
        seed: of all that is drawn.
        number: of examples.
        classes: of the model.
        soft: whether labels are.
        infinite: the model gives its two most probable classes all of the probability, so that labels have none.
        sharp: factor of the logits; every confidence is 1 where it is large.
    """
    generator = np.random.default_rng(seed)
    logits = (generator.normal(size=(number, classes)) * 3 * sharp).astype(np.float32)
    labels = np.where(generator.random(number) < 0.7, logits.argmax(axis=1), generator.integers(classes, size=number))
    labels[::17] = -1
    if number > 5:
        logits[5] = np.nan
    votes = None
    if soft:
        votes = generator.dirichlet(np.full(classes, 0.5), size=number).round(3)
        votes /= votes.sum(axis=1, keepdims=True)
        votes[labels < 0] = np.nan
        labels = np.where(labels < 0, -1, np.nan_to_num(votes).argmax(axis=1))
    columns = labelled_columns(logits, labels, task="classification", soft=votes)
    if infinite:
        columns = _of_two(logits, labels, votes)
    kept = np.flatnonzero(~np.isnan(columns["loss"]) & np.isfinite(columns["confidence"]))
    answer = {name: _written(columns[name]) for name in ("target", "prediction", "loss", "confidence", "brier")}
    answer |= {name: _written(columns[name]) for name in ("top_classes", "top_probabilities")}
    answer |= {"classes": classes, "soft_target": None if votes is None else _written(votes)}
    cells = _cells(columns, kept)
    for score in ("log", "brier"):
        whole = parts(cells, score, soft=soft)
        answer[f"{score}_parts"] = None if whole is None else asdict(whole)
        answer[f"{score}_intervals"] = _intervals(columns, kept, score) if whole and whole.count > 1 else None
        answer[f"{score}_by_class"] = [asdict(one) for one in contributions(cells, score)]
    answer |= _disputed(columns, kept, classes) if not soft else {}
    return answer


def _of_two(logits: np.ndarray, labels: np.ndarray, votes: np.ndarray | None) -> dict[str, Any]:
    """The columns of a model that leaves nothing but its two most probable classes."""
    weights = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    weights[weights < np.sort(weights, axis=1)[:, -2:-1]] = 0.0
    return labelled_columns_of_probabilities(weights / weights.sum(axis=1, keepdims=True), labels, soft=votes)


def _cells(columns: dict[str, Any], kept: np.ndarray) -> Cells:
    return Cells.of(columns["target"][kept], bin_of(columns["confidence"][kept]), _added(columns, kept))


def _intervals(columns: dict[str, Any], kept: np.ndarray, score: Any) -> dict[str, list[float]]:
    products = products_of(bin_of(columns["confidence"][kept]), _added(columns, kept))
    found = part_intervals(_cells(columns, kept), products, score)
    return {name: [one.low, one.high] for name, one in vars(found).items()}


def _added(columns: dict[str, Any], kept: np.ndarray) -> np.ndarray:
    confidence, prediction, target = (columns[name][kept] for name in ("confidence", "prediction", "target"))
    hits, spread = (prediction == target).astype(float), ()
    if "soft_target" in columns:
        q = columns["soft_target"][kept]
        hits, spread = q[np.arange(len(q)), prediction], (entropy_of_rows(q), (q * (1 - q)).sum(axis=1))  # type: ignore[assignment]
    two = columns["top_classes"].shape[1] == 2
    return terms(confidence, hits, columns["loss"][kept], columns["brier"][kept], *spread, two_classes=two)


def _disputed(columns: dict[str, Any], kept: np.ndarray, classes: int) -> dict[str, Any]:
    target, own = columns["target"][kept], np.exp(-columns["loss"][kept])
    counts = np.bincount(target, minlength=classes)
    thresholds = Thresholds.of(counts, np.bincount(target, own, minlength=classes))
    top = columns["top_classes"][kept].astype(np.int64), columns["top_probabilities"][kept].astype(np.float64)
    confident = confident_class(*top, thresholds, classes)
    joint = ConfidentJoint.of(target, confident)
    return {
        "thresholds": _written(thresholds.values),
        "confident": {str(row): int(one) for row, one in zip(kept, confident.classes, strict=True)},
        "undecided": joint.undecided,
        "unplaced": joint.unplaced,
        "disputed": joint.disputed(),
        "estimated": joint.estimated_errors(counts),
    }


def _written(values: np.ndarray) -> Any:
    """Lists, with None for what is not defined; float32 is written as the float64 that it is."""
    if values.dtype.kind == "f":
        wide = values.astype(np.float64)
        return np.where(np.isfinite(wide), wide.astype(object), None).tolist()
    return values.tolist()


def text() -> str:
    """The fixture as it stands in the file."""
    return json.dumps(made(), allow_nan=False, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    PLACE.write_text(text(), encoding="utf-8")

"""What was saved beside predicted classes, held against what its name says: a confidence is a probability, ranks begin at 0."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import DataError
from pellucid.predictions.numbers import NO_CLASS, bounded, floats_of

Values = NDArray[np.floating] | NDArray[np.integer]

# What half floats round: what lies beyond an end by less is at the end.
ROUNDING = 1e-3

_MEANING = {
    "confidence": "the probability of the predicted class",
    "rank": "how many classes are more probable than the label",
    "loss": "the cross-entropy in nats",
    "entropy": "that of the probabilities in nats",
    "margin": "the highest probability less the second highest",
}


def given_of(column: Any, name: str, classes: int, start: int) -> Values:
    """A column beside predicted classes, float[example] or int[example]; NaN or -1 where it is missing.

    Args:
        column: as it was saved.
        name: of measures.saved.GIVEN.
        classes: how many there are.
        start: row of the first example, for the error's words.

    Raises: DataError: a value that the name does not allow, with its row.
    """
    whole = bounded(column) if name == "rank" else None
    values = floats_of(column) if whole is None else whole
    low, high = _ends(name, classes)
    least, most = np.fmin.reduce(values), np.fmax.reduce(values)
    slack = 0.0 if name == "rank" else ROUNDING
    if least < low - slack or most > high + slack:
        _refuse(values, name, classes, start, slack)
    if name == "rank" and values.dtype.kind == "f":
        fractions = np.flatnonzero(np.isfinite(values) & (values != np.trunc(values)))
        if len(fractions):
            row = int(fractions[0])
            raise DataError(
                f"The rank of row {start + row:,} is {values[row]:.6g}: ranks are whole numbers, 0 for the first place."
            )
    inside = name == "rank" or (least >= low and most <= high)
    return values if inside else np.clip(values, low, high)


def _ends(name: str, classes: int) -> tuple[float, float]:
    if name == "rank":
        return NO_CLASS, classes - 1
    return 0.0, {"loss": math.inf, "entropy": math.log(max(classes, 1))}.get(name, 1.0)


def _refuse(values: Values, name: str, classes: int, start: int, slack: float) -> None:
    low, high = _ends(name, classes)
    wrong = np.flatnonzero((values < low - slack) | (values > high + slack))
    least, most = float(np.fmin.reduce(values)), float(np.fmax.reduce(values))
    hint = ""
    if name in ("confidence", "margin") and least >= 0 and 1 < most <= 100:
        hint = " Are these percentages? Divide them by 100."
    elif name == "entropy" and least >= 0 and most <= math.log2(max(classes, 1)) + slack:
        hint = " Are these bits? Multiply them by ln 2."
    elif name == "rank" and most == classes:
        hint = " Do these begin at 1? The first place is 0: subtract 1."
    elif name in ("rank", "entropy") and most > high:
        hint = f" If there are more than {classes:,} classes, name them all (--classes FILE)."
    if name == "rank":
        ends = f"0 to {classes - 1:,}, one of {classes:,} classes, or -1 where it is not known"
    else:
        ends = "at least 0" if high == math.inf else f"0 to {high:.4g}"
    raise DataError(
        f"The {name} of row {start + int(wrong[0]):,} is {values[wrong[0]]:.6g} ({len(wrong):,} such rows among {len(values):,}). "
        f"Expected {_MEANING[name]}: {ends}.{hint} A column that means something else needs another name."
    )


def check_ranks(ranks: Values, called: NDArray[np.integer], targets: NDArray[np.integer], start: int) -> None:
    """Refuses ranks that contradict the predictions: the first place is the label's where the prediction is right, only there.

    Args:
        ranks: as `given_of` gives them.
        called: int[example], predicted classes, -1 where there is none.
        targets: int[example], likewise.
        start: row of the first example, for the error's words.

    Raises: DataError: the first row that does.
    """
    wrong = (ranks == 0) != (called == targets)
    if not wrong.any():
        return
    with np.errstate(invalid="ignore"):
        places = np.flatnonzero(wrong & (called >= 0) & (targets >= 0) & (ranks >= 0))
    if not len(places):
        return
    row = int(places[0])
    right = called[row] == targets[row]
    known = ranks[(called >= 0) & (targets >= 0) & (ranks >= 0)]
    if known.min() >= 1:
        hint = "Do these begin at 1? Subtract 1."
    elif right:
        hint = "Of classes as probable as the label only those with a lower index stand before it."
    else:
        hint = "Of classes as probable as the label those with a lower index stand before it."
    raise DataError(
        f"The rank of the label of row {start + row:,} is {int(ranks[row])}, but the prediction is {'right' if right else 'wrong'} "
        f"({len(places):,} such rows among {len(ranks):,}). The label has rank 0 where it is the predicted class, and only there. "
        f"{hint} A column that means something else needs another name."
    )

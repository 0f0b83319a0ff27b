"""What is called in place of what, where an example may have several classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.confusion import SparseCounts


def set_confusion(true: NDArray[np.bool_], called: NDArray[np.bool_]) -> SparseCounts:
    """Counts of true by called class; row and column `classes`, one past the last, stand for nothing.

    A class that is true and called counts on the diagonal. One that is true and not called counts beside each class that is
    called and not true, or beside nothing where there is none; so do, as columns, classes that are called without one that was
    missed. Every true class of an example with one mistake at most stands in one cell.

    Args:
        true: bool[example class].
        called: bool[example class].

    Source: Heydarian, Doyle & Samavi 2022, IEEE Access 10:19083, without its division of a mistake among several.
    """
    classes = true.shape[1]
    missed, invented = true & ~called, called & ~true
    none = np.zeros((len(true), 1), bool)
    missed = np.hstack([missed, none])
    invented = np.hstack([invented, none])
    missed[:, -1] = ~missed[:, :-1].any(axis=1) & invented[:, :-1].any(axis=1)
    invented[:, -1] = ~invented[:, :-1].any(axis=1) & missed[:, :-1].any(axis=1)
    beside = missed.astype(np.int64).T @ invented.astype(np.int64)
    beside[np.arange(classes), np.arange(classes)] += (true & called).sum(axis=0)
    rows, columns = np.nonzero(beside)
    return SparseCounts(rows.astype(np.int64), columns.astype(np.int64), beside[rows, columns])

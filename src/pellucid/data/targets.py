"""What a target may be: a class, a number, a soft label, or the set of all classes that are true."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import DataError
from pellucid.types import Example

Target: TypeAlias = tuple[int | float | None, tuple[float, ...] | None, frozenset[int] | None]
"""(class or number, soft label, set of classes); the first is the most probable class of a soft label."""

# How far the sum of a soft label may be from 1: float16 probabilities of a thousand classes lie within it.
_SLACK = 1e-2


def target_of(target: Any, name: str) -> Target:
    """A target as data give it.

    Args:
        target: a class index or number; a set of class indices, or one boolean a class; one probability a class, which sum to
            1; one count a class, whole numbers; None.
        name: of the example, for errors.

    Raises: DataError: it is something else, or cannot be told apart.
    """
    values = target.detach().cpu().numpy() if hasattr(target, "detach") else target
    if isinstance(values, set | frozenset):
        return None, None, _classes(values, name)
    if isinstance(values, np.ndarray | np.generic) and values.shape in ((), (1,)):
        values = values.item()
    if values is None or isinstance(values, int | float):
        return values, None, None
    if isinstance(values, np.ndarray) and values.ndim == 1:
        if values.dtype.kind == "b":
            return None, None, frozenset(np.flatnonzero(values).tolist())
        if values.dtype.kind in "iuf":
            soft = soft_label(values, name)
            return int(np.argmax(soft)), soft, None
    kind = type(target).__name__
    shape = f" of shape {values.shape}" if isinstance(values, np.ndarray) else ""
    raise DataError(
        f"The target of {name} is a {kind}{shape}; expected a class index, a number or None, a set of classes, or an array of "
        "one boolean, probability or count a class. With None in the place of other targets (masks, images, sequences) all is "
        "shown but loss and accuracy."
    )


def soft_label(values: NDArray[Any], name: str) -> tuple[float, ...]:
    """Probabilities, or counts divided by their sum. Raises: DataError: they are neither, or could be a set of classes."""
    wide = np.asarray(values, np.float64)
    total = float(wide.sum())
    whole = values.dtype.kind in "iu"
    if not np.isfinite(wide).all() or wide.min(initial=0.0) < 0 or not total > 0:
        raise DataError(f"The soft label of {name} must hold numbers of at least 0, not all 0; got {_shown(wide)}.")
    if whole and wide.max() == 1 and total > 1:
        raise DataError(
            f"The target of {name}, {_shown(wide)}, may be counts or a set of classes. Give a set of classes as booleans or as "
            "a Python set, and counts divided by their sum."
        )
    if not whole and abs(total - 1) > _SLACK:
        raise DataError(
            f"The soft label of {name} sums to {total:.4g}; probabilities sum to 1. Give counts as whole numbers, and several "
            "true classes as booleans or as a Python set."
        )
    return tuple((wide / total).tolist())


def written(example: Example) -> str:
    """An example's target as text, for fingerprints: the same for the same target."""
    if example.classes is not None:
        return str(sorted(example.classes))
    return str(example.target if example.soft is None else example.soft)


def _classes(values: set[Any] | frozenset[Any], name: str) -> frozenset[int]:
    wrong = [one for one in values if not isinstance(one, int | np.integer) or one < 0]
    if wrong:
        raise DataError(f"The classes of {name} must be indices of at least 0; got {wrong[0]!r}.")
    return frozenset(int(one) for one in values)


def _shown(values: NDArray[np.float64]) -> str:
    few = ", ".join(f"{one:.4g}" for one in values[:6])
    return f"[{few}{', ...' if len(values) > 6 else ''}]"

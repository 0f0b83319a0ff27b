"""What a target may be: a class, a number, a soft label, or the set of all classes that are true."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import DataError
from pellucid.types import Batch, Example, Task

Target: TypeAlias = tuple[int | float | None, tuple[float, ...] | None, frozenset[int] | None]
"""(class or number, soft label, set of classes); the first is the most probable class of a soft label."""

# How far the sum of a soft label may be from 1: float16 probabilities of a thousand classes lie within it.
_SLACK = 1e-2
# What losses of torch take for no label; of a number it may be one.
NO_LABEL = -100
_NONE_OF_THEM = "give None in their place, and all is shown but loss and accuracy."
_NUMBERS = (
    "If they are several numbers that the model predicts, there is no loss or accuracy of them yet: give None in their place, and "
    "say --outputs numbers."
)


def target_of(target: Any, name: str) -> Target:
    """A target as data give it.

    Args:
        target: a class index or number; a set of class indices, or one boolean, 0 or 1 a class; one probability a class, which
            sum to 1; one count a class, whole numbers, as an array; None. Of zeros and a single 1 other targets say whether it is a
            set: it is read as a soft label, see `pellucid.data.several`.
        name: of the example, for errors.

    Raises: DataError: it is something else, or cannot be told apart.
    """
    values = target.detach().cpu().numpy() if hasattr(target, "detach") else target
    if isinstance(values, set | frozenset):
        return None, None, _classes(values, name)
    if isinstance(values, list | tuple) and values and all(isinstance(one, int | float) for one in values):
        values = _array(values, name)
    if isinstance(values, np.ndarray | np.generic) and values.shape in ((), (1,)):
        values = values.item()
    if values is None or isinstance(values, int | float):
        return values, None, None
    if isinstance(values, np.ndarray) and values.ndim == 1:
        if values.dtype.kind == "b":
            return None, None, frozenset(np.flatnonzero(values).tolist())
        if values.dtype.kind in "iuf" and is_set(values):
            return None, None, frozenset(np.flatnonzero(values).tolist())
        if values.dtype.kind in "iuf":
            soft = soft_label(values, name)
            return int(np.argmax(soft)), soft, None
    if isinstance(values, str):
        raise DataError(
            f"The target of {name} is {values!r}, and no names of classes are known. Give them in order of index (classes=[...]; "
            "`.classes` of the data set; --classes FILE), or indices as targets."
        )
    kind = type(target).__name__
    shape = f" of shape {values.shape}" if isinstance(values, np.ndarray) else ""
    raise DataError(
        f"The target of {name} is a {kind}{shape}; expected a class index, a number or None, a set of classes, or an array of "
        "one boolean, 0 or 1, probability or count a class. With None in the place of other targets (masks, images, sequences) "
        "all is shown but loss and accuracy."
    )


def _array(values: list[Any] | tuple[Any, ...], name: str) -> NDArray[Any]:
    """A list of numbers as an array. Raises: DataError: of whole ones nobody knows what they are."""
    if all(isinstance(one, int) and not isinstance(one, bool) for one in values):
        if NO_LABEL in values:
            raise _of_tokens(name)
        raise DataError(
            f"The target of {name} is a list of whole numbers, {_shown(np.asarray(values, np.float64))}. If they are the classes "
            "that are true, give a Python set; if they are one 0 or 1, or one count, a class, an array or tensor. Labels of tokens "
            f"have no loss or accuracy yet: {_NONE_OF_THEM}"
        )
    return np.asarray(values)


def _of_tokens(name: str) -> DataError:
    return DataError(
        f"The target of {name} holds {NO_LABEL}, which stands for no label in a row of labels, as of tokens. Such have no loss or "
        f"accuracy yet: {_NONE_OF_THEM}"
    )


def check_scores(labels: Batch, shape: tuple[int, ...], task: Task, source: str) -> None:
    """Refuses several numbers a target where the outputs are not one score for each: they would be read as what they are not.

    Args:
        labels: targets of some examples.
        shape: of the output for one example, with the batch axis.
        task: what the model answers.
        source: of the examples, by name.

    Raises: DataError.
    """
    if task != "none" or (labels.soft is None and all(one is None for one in labels.sets)):
        return
    raise DataError(
        f"The targets of {source} are several numbers or classes an example, and the model's output for one has the shape {shape}: "
        "not one score a class, float[batch class]. Labels of tokens and places, and several numbers, have no loss or accuracy "
        f"yet: {_NONE_OF_THEM}"
    )


def is_set(values: NDArray[Any]) -> bool:
    """Whether zeros and ones can only be a set of classes: of one class a soft label looks the same."""
    return bool(((values == 0) | (values == 1)).all()) and float(values.sum()) != 1


def soft_label(values: NDArray[Any], name: str) -> tuple[float, ...]:
    """Probabilities, or counts divided by their sum. Raises: DataError: they are neither."""
    wide = np.asarray(values, np.float64)
    total = float(wide.sum())
    whole = values.dtype.kind in "iu"
    if whole and (values == NO_LABEL).any():
        raise _of_tokens(name)
    if not np.isfinite(wide).all() or wide.min(initial=0.0) < 0 or not total > 0:
        raise DataError(
            f"The target of {name}, {_shown(wide)}, is no soft label, which holds numbers of at least 0, not all 0. {_NUMBERS}"
        )
    if not whole and abs(total - 1) > _SLACK:
        raise DataError(
            f"The target of {name}, {_shown(wide)}, is no soft label: it sums to {total:.4g}, and probabilities sum to 1. Give "
            f"counts as whole numbers, and several true classes as 0 and 1, booleans or a Python set. {_NUMBERS}"
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

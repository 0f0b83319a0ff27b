"""The classes of data among those of a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pellucid.data.naming import plain_name
from pellucid.record.schema import LabelPlace


def places(
    data: Sequence[str] | None, model: Sequence[str] | None, outputs: int, targets: NDArray[np.int64]
) -> list[LabelPlace]:
    """Where each class of the data stands among the model's; empty where the data has no classes.

    Args:
        data: names of the data's classes; None where they are numbers alone.
        model: names of the model's; None where they are numbers alone.
        outputs: of the model.
        targets: int64[example], classes of the data.
    """
    number = len(data) if data is not None else int(targets.max(initial=-1)) + 1
    counts = np.bincount(targets[targets >= 0], minlength=number)
    if number == 0:
        return []
    if data is None or model is None:
        # Numbers alone: they are taken for the model's where there are as many, and cannot be told where there are not.
        same = number == outputs
        names = data or [str(index) for index in range(number)]
        return [
            LabelPlace(name, index if same else None, "order" if same else "none", int(counts[index]))
            for index, name in enumerate(names)
        ]
    exact = {name: index for index, name in reversed(list(enumerate(model)))}
    loose = {plain_name(part): index for name, index in exact.items() for part in [*name.split(","), name]}
    loose.pop("", None)
    found = []
    for index, name in enumerate(data):
        by_name, by_synonym = exact.get(name), loose.get(plain_name(name))
        if by_name is not None:
            found.append(LabelPlace(name, by_name, "name", int(counts[index])))
        elif by_synonym is not None:
            found.append(LabelPlace(name, by_synonym, "synonym", int(counts[index])))
        else:
            found.append(LabelPlace(name, None, "none", int(counts[index])))
    return found


def moved(targets: NDArray[np.int64], found: Sequence[LabelPlace]) -> NDArray[np.int64]:
    """The model's class of each target, -1 where there is none: int64[example]."""
    table = np.array([-1 if place.index is None else place.index for place in found] + [-1], np.int64)
    return np.where((targets >= 0) & (targets < len(found)), table[np.clip(targets, 0, len(found))], -1)

"""What the model zoos have in common."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pellucid.errors import ModelError
from pellucid.models.weights import unprefixed

if TYPE_CHECKING:
    from torch import Tensor, nn


def classes_of(state: Mapping[str, Tensor] | None, model: nn.Module, classes: int) -> int:
    """How many classes the weights were trained for.

    The head is what has a row a class in the zoo's model and another number of rows in the weights.

    Args:
        state: the weights; None where there are none.
        model: as the zoo builds it.
        classes: how many it has then; the answer where the weights do not say otherwise.
    """
    if state is None:
        return classes
    wanted = model.state_dict()
    rows = {
        int(tensor.shape[0])
        for name, tensor in unprefixed(state, set(wanted)).items()
        if name in wanted
        and tensor.ndim > 0
        and wanted[name].shape[:1] == (classes,)
        and tensor.shape[0] != classes
        and tensor.shape[1:] == wanted[name].shape[1:]
    }
    return rows.pop() if len(rows) == 1 else classes


def unknown_name(zoo: str, name: str, known: Sequence[str]) -> ModelError:
    """The error for a name that a zoo does not have, with the nearest that it has."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    told = f"Nearest: {', '.join(near)}" if near else f"None of its {len(known):,} names is like it"
    return ModelError(f"{zoo} has no model '{name}'. {told}.")

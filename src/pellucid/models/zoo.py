"""What the model zoos have in common."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pellucid.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

_HEADS = ("fc.weight", "classifier.weight", "head.weight", "head.fc.weight", "classifier.1.weight", "classifier.3.weight",
          "classifier.6.weight", "heads.head.weight", "head.l.weight")  # fmt: skip


def classes_of(state: Mapping[str, Tensor] | None) -> int | None:
    """How many classes the head in a state dict has; None where it is not to be seen."""
    if state is None:
        return None
    names = {name.removeprefix("module.").removeprefix("_orig_mod."): tensor for name, tensor in state.items()}
    for head in _HEADS:
        if head in names and names[head].ndim >= 2:
            return int(names[head].shape[0])
    return None


def unknown_name(zoo: str, name: str, known: Sequence[str]) -> ModelError:
    """The error for a name that a zoo does not have, with the nearest that it has."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or list(known[:3])
    return ModelError(f"{zoo} has no model '{name}'. Nearest: {', '.join(near)}.")

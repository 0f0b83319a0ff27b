"""How an oddity is written down: a function that builds its case; its name is the entry's."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from torch import nn

from bench.coverage.cases import Case

ODDITIES: dict[str, Callable[[], Case]] = {}


def oddity(build: Callable[[], Case]) -> Callable[[], Case]:
    """Puts the function on the list, under its name in plain words."""
    ODDITIES[build.__name__.replace("_", " ")] = build
    return build


class Net(nn.Module):
    """A module whose forward stands where the case does."""

    def __init__(self, forward: Callable[..., Any], **members: nn.Module | nn.Parameter) -> None:
        super().__init__()
        for name, member in members.items():
            setattr(self, name, member)
        self.forward = types.MethodType(forward, self)

"""The settings of a call, which a graph holds as text, as values again."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Settings:
    """Reads what is asked for; whoever asks says what stands where a setting was not given."""

    texts: Mapping[str, str]

    def __contains__(self, name: str) -> bool:
        return name in self.texts

    def word(self, name: str, otherwise: str = "") -> str:
        """A setting that is a word, without quotes."""
        return self.texts.get(name, otherwise).strip("'\"")

    def value(self, *names: str, otherwise: Any = None) -> Any:
        """The first of these that was given, as a number, a truth, or a tuple or list of them; `otherwise` if it is none."""
        for name in names:
            if name in self.texts:
                try:
                    return ast.literal_eval(self.texts[name])
                except (ValueError, SyntaxError):
                    return otherwise
        return otherwise

    def whole(self, *names: str, otherwise: int) -> int:
        """An integer."""
        found = self.value(*names, otherwise=otherwise)
        return found if isinstance(found, int) else otherwise

    def each(self, axes: int, *names: str, otherwise: int) -> list[int]:
        """One integer an axis; a single one stands for all."""
        found = self.value(*names, otherwise=None)
        if isinstance(found, int) and not isinstance(found, bool):
            return [found] * axes
        if isinstance(found, tuple | list) and found and all(isinstance(one, int) for one in found):
            return list(found) * axes if len(found) == 1 else list(found)[-axes:]
        return [otherwise] * axes

    def axes(self, *names: str, rank: int) -> list[int] | None:
        """Axes of a tensor, as places from the front; all where none was given; None where they cannot be read."""
        if not any(name in self.texts for name in names):
            return list(range(rank))
        found = self.value(*names)
        if isinstance(found, int) and not isinstance(found, bool):
            return [found % rank]
        if isinstance(found, tuple | list) and all(isinstance(one, int) for one in found):
            return [one % rank for one in found] or list(range(rank))
        return None


_PART = re.compile(r"\s*(?:(\.\.\.)|(None)|(-?\d*)\s*:\s*(-?\d*)\s*(?::\s*(-?\d*))?|(-?\d+))\s*")


def index_of(text: str) -> tuple[Any, ...] | None:
    """An index as in `x[:, 1:]` from its text; None where a tensor or a list is part of it."""
    inside = text.strip()
    if inside.startswith("("):
        inside = inside[1:-1].rstrip(",")
    parts: list[Any] = []
    for part in inside.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            return None
        dots, none, start, stop, step, place = match.groups()
        if dots:
            parts.append(Ellipsis)
        elif none:
            parts.append(None)
        elif place is not None:
            parts.append(int(place))
        else:
            parts.append(slice(*(int(end) if end else None for end in (start, stop, step))))
    return tuple(parts)

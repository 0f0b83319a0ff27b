"""Layers that did not give one row an example: refused where somebody named them, else left out and said so."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pellucid.capture.reached import row_each
from pellucid.errors import LayerError

if TYPE_CHECKING:
    from pellucid.capture import Captured
    from pellucid.types import Layer

_NAMED = 5


def by_example(seen: Captured, layers: Sequence[Layer], examples: int, named: Collection[str] | None) -> Captured:
    """What was seen, without those of some layers that did not give one row an example; its warnings name them.

    Args:
        seen: of one forward and one backward.
        layers: that must have one row an example; what else was captured stays.
        examples: how many there were.
        named: layers that somebody asked for; None for nobody.

    Raises: LayerError: one of these is to be left out.
    """
    refusals: dict[str, str] = {}
    for layer in layers:
        try:
            if layer.name in seen.without:
                raise LayerError(seen.without[layer.name])
            row_each(layer.name, seen.activations.get(layer.name), examples)
        except LayerError as error:
            if layer.name in (named or ()):
                raise
            refusals[layer.name] = str(error)
    if not refusals:
        return seen
    return replace(
        seen,
        activations={name: one for name, one in seen.activations.items() if name not in refusals},
        gradients={name: one for name, one in seen.gradients.items() if name not in refusals},
        warnings=(*seen.warnings, left_out(refusals)),
    )


def left_out(refusals: dict[str, str]) -> str:
    """Which layers were left out, and why the first was: from names to what refuses them."""
    names = list(refusals)
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"Layers left out: {', '.join(names[:_NAMED])}{more}. {refusals[names[0]]}"

"""Which questions there are: a module a line, each with its `@question`."""

from __future__ import annotations

from importlib import import_module

MODULES = ("attribute", "checks", "learning", "maps", "methods", "optimise", "places")
"""Modules of this package that hold questions. None needs torch to be imported; they import it where they ask."""


def load() -> None:
    """Imports them, so that their questions are registered."""
    for name in MODULES:
        import_module(f"{__package__}.{name}")

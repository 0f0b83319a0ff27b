"""Python's table of modules: a user's files go out of it after a test, all others stay."""

from __future__ import annotations

import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def forget(folder: Path) -> None:
    """Lets go of the modules that lie in a folder, so that another test's file of the same name is imported.

    The project's own and what is installed stay, also where the folder holds them: a library that is imported anew
    beside what others still have of it goes wrong (pydantic, say, loses the ranges of numbers).
    """
    for name, module in [*sys.modules.items()]:
        place = Path(getattr(module, "__file__", None) or "/")
        if place.is_relative_to(folder) and not any(map(place.is_relative_to, (PROJECT, sys.prefix))):
            del sys.modules[name]

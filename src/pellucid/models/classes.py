"""Class names from a file."""

from __future__ import annotations

import json
from pathlib import Path

from pellucid.errors import ModelError


def read_classes(path: Path) -> tuple[str, ...]:
    """Names in order of index: one a line, a JSON list, or a JSON object from index to name.

    Raises: ModelError: no such file, or it is neither.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"The class names in {path} cannot be read: {error}.") from error
    if path.suffix == ".json":
        try:
            held = json.loads(text)
        except ValueError as error:
            raise ModelError(f"{path} is no JSON: {error}.") from error
        if isinstance(held, dict) and set(held) == {str(index) for index in range(len(held))}:
            held = [held[str(index)] for index in range(len(held))]
        if not isinstance(held, list) or not held:
            raise ModelError(f"{path} must hold a list of names, or an object from '0', '1', ... to names.")
        return tuple(map(_name, held))
    names = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not names:
        raise ModelError(f"{path} holds no class names: expected one a line.")
    return names


def _name(entry: object) -> str:
    """The name itself, or the last of several: ImageNet's usual file lists [WordNet id, name]."""
    return str(entry[-1]) if isinstance(entry, list) and entry else str(entry)

"""Six pictures of three kinds of pets, and how to read what people said of them."""

from __future__ import annotations

from pathlib import Path

from pellucid.record import Record, schema

PETS = ("cat", "dog", "bird")
IMAGES = [f"{PETS[row // 2]}{row}.png" for row in range(6)]
TRUE = [PETS[row // 2] for row in range(6)]


def observer(panel: schema.HumanPanel, name: str) -> schema.HumanObserver:
    return next(one for one in panel.observers if one.name == name)


def panel_of(record: Path) -> schema.HumanPanel:
    found = Record(record).panel("human")
    assert isinstance(found, schema.HumanPanel)
    return found

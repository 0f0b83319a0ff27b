"""The numbers that the app is held to are those of the code as it is now: each `support/fixtures_*.py` has PLACE and text()."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

SUPPORT = Path(__file__).parents[1] / "support"
WRITERS = sorted(path.stem for path in SUPPORT.glob("fixtures_*.py"))


def flat(value: Any, at: str = "") -> dict[str, Any]:
    """Every number by the way to it."""
    if isinstance(value, dict):
        return {key: one for name, part in value.items() for key, one in flat(part, f"{at}.{name}").items()}
    if isinstance(value, list):
        return {key: one for place, part in enumerate(value) for key, one in flat(part, f"{at}[{place}]").items()}
    return {at: value}


@pytest.mark.parametrize("name", WRITERS)
def test_a_fixture_is_fresh(name: str) -> None:
    writer = importlib.import_module(f"support.{name}")
    stored = flat(json.loads(writer.PLACE.read_text(encoding="utf-8")))
    made = flat(json.loads(writer.text()))
    assert stored.keys() == made.keys()
    for key, value in made.items():
        assert stored[key] == (value if value is None else pytest.approx(value, abs=1e-12)), key

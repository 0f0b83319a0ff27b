"""The numbers that the app is held to are those of the code as it is now."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support import fixtures_compare


def flat(value: Any, at: str = "") -> dict[str, Any]:
    """Every number by the way to it."""
    if isinstance(value, dict):
        return {key: one for name, part in value.items() for key, one in flat(part, f"{at}.{name}").items()}
    if isinstance(value, list):
        return {key: one for place, part in enumerate(value) for key, one in flat(part, f"{at}[{place}]").items()}
    return {at: value}


def test_the_fixture_is_fresh() -> None:
    stored = flat(json.loads(fixtures_compare.PLACE.read_text(encoding="utf-8")))
    made = flat(json.loads(fixtures_compare.text()))
    assert stored.keys() == made.keys()
    for key, value in made.items():
        assert stored[key] == (value if value is None else pytest.approx(value, abs=1e-12)), key

"""The fixture that TypeScript reads is what Python computes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.fixtures_loss import PLACE, made


def same(one: Any, other: Any, where: str = "") -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list):
        assert len(one) == len(other), where
        for place, (left, right) in enumerate(zip(one, other, strict=True)):
            same(left, right, f"{where}[{place}]")
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-9, abs=1e-12), where
    else:
        assert one == other, where


def test_the_fixture_is_fresh() -> None:
    same(json.loads(json.dumps(made())), json.loads(PLACE.read_text(encoding="utf-8")))

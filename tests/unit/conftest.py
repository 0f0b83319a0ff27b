"""What several tests of single parts begin with: a file of the user's code, a process that knows no calls."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pellucid.graph.recalled import Recall
from support.coded import CODE
from support.modules import forget


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file of the user's, in a folder of its own; what it imports is forgotten afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    place = tmp_path / "users_net.py"
    place.write_text(CODE)
    yield place
    forget(tmp_path)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[Any, Any]:
    """The calls that traces recognise: none at the beginning of a test, and afterwards none of it."""
    remembered: dict[Any, Any] = {}
    monkeypatch.setattr(Recall, "known", remembered)
    return remembered

"""A file of the user's code, as several tests open it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.coded import CODE


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file of the user's, in a folder of its own; what it imports is forgotten afterwards."""
    modules = dict(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    place = tmp_path / "users_net.py"
    place.write_text(CODE)
    yield place
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]

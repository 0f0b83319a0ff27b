"""The record that people answered about."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.answered import answered
from support.pets import PETS


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Six examples of three classes; the model is wrong on the second and the last."""
    return answered(
        tmp_path / "net.pellucid",
        [0, 0, 1, 1, 2, 2],
        [0, 1, 1, 1, 2, 0],
        ids=[f"{PETS[row // 2]}/{PETS[row // 2]}{row}.png" for row in range(6)],
        pictures=range(6),
    )

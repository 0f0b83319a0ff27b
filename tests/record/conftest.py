"""One synthetic record for all tests of this folder to read, and a copy for those that alter it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.synthetic import synthetic_record


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic_record(tmp_path_factory.mktemp("records") / "whole.pellucid", examples=300, focus=4)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic_record(tmp_path_factory.mktemp("records") / "hostile.pellucid", examples=60, focus=2, hostile=True)


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "copy.pellucid")

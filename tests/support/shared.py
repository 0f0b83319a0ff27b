"""Where the shared folder of real data lies on a machine that has one."""

from __future__ import annotations

import os
from pathlib import Path


def _found() -> Path | None:
    named = os.environ.get("PELLUCID_SHARED")
    candidates = [Path(named)] if named else [parent / "shared" for parent in Path(__file__).resolve().parents[2:4]]
    return next((path for path in candidates if (path / "data").is_dir()), None)


SHARED: Path | None = _found()
"""The folder that holds `data/`, from PELLUCID_SHARED or beside the checkout; None where there is none."""

REASON = "needs the shared data folder: set PELLUCID_SHARED to the folder that holds data/"

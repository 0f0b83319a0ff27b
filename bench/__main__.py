"""Runs every benchmark in a process of its own and writes docs/benchmarks.md.

python -m bench               all of them
python -m bench sweep watch   some
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
ROWS = HERE / "rows.json"
BENCHES = ("attribution", "sweep", "watch", "app")


def measure(name: str) -> list[dict[str, object]]:
    """Rows of one benchmark: what, ours, limit, peer (name and figure), note."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.json"
        subprocess.run([sys.executable, "-m", f"bench.{name}", "--out", str(out)], cwd=HERE.parent, check=True)
        rows: list[dict[str, object]] = json.loads(out.read_text())
        return rows


def page(rows: dict[str, list[dict[str, object]]], machine: str) -> str:
    """The page as Markdown: one table a benchmark, its columns those of its rows."""
    lines = [
        "# Benchmarks",
        "",
        "Ratios, measured in one run on one machine, ours and the peer interleaved. `make bench` writes this page;",
        "`bench/` holds the code. Timings on another machine differ; the ratios are what to compare.",
        "",
        machine,
    ]
    for name, measured in rows.items():
        columns = list(dict.fromkeys(key for row in measured for key in row))
        lines += ["", f"## {name}", "", f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
        lines += [f"| {' | '.join(_cell(row.get(key)) for key in columns)} |" for row in measured]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value).replace("|", "\\|")


def main() -> None:
    """Measures what was asked for, keeps the other tables as they were."""
    import torch

    names = [name for name in sys.argv[1:] if not name.startswith("-")] or list(BENCHES)
    kept = json.loads(ROWS.read_text()) if ROWS.exists() else {}
    for name in names:
        kept[name] = measure(name)
    ROWS.write_text(json.dumps(kept, indent=1) + "\n")
    machine = (
        f"Last run {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} CPU cores ({platform.machine()}), "
        f"Python {platform.python_version()}, PyTorch {torch.__version__}."
    )
    PAGE.write_text(page({name: kept[name] for name in BENCHES if name in kept}, machine))
    print(PAGE.read_text())


if __name__ == "__main__":
    main()

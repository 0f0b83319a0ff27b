"""What the confusion matrix of 21,841 classes and a million examples costs the hand in a real Chromium without a graphics card."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import pellucid
from bench.browsing import not_measured, programs
from bench.ratios import begin, finish

DRIVER = Path(__file__).with_name("confusion.mjs")
CLASSES, EXAMPLES, FAMILY = 21_841, 1_000_000, 9
PATIENCE = 300


def record(out: Path) -> None:
    """Four in five right, most mistakes within families of nine classes, the others anywhere."""
    import pyarrow as pa

    rng = np.random.default_rng(0)
    targets = rng.integers(0, CLASSES, EXAMPLES)
    near = np.minimum(targets // FAMILY * FAMILY + rng.integers(0, FAMILY, EXAMPLES), CLASSES - 1)
    slips = np.where(rng.random(EXAMPLES) < 0.8, near, rng.integers(0, CLASSES, EXAMPLES))
    predictions = np.where(rng.random(EXAMPLES) < 0.8, targets, slips)
    table = pa.table({"prediction": predictions.astype(np.int32), "label": targets.astype(np.int32)})
    pellucid.import_predictions(table, out=out, classes=[f"class {index}" for index in range(CLASSES)], kind="classes")


def row(what: str, spent: list[float], limit: str, note: str) -> dict[str, object]:
    taken = sorted(spent)
    return {
        "what": f"{what}, {CLASSES:,} classes, {EXAMPLES:,} examples",
        "ours": f"{statistics.median(taken):.1f} ms",
        "range": f"95% within {taken[int(0.95 * (len(taken) - 1))]:.1f} ms, worst {taken[-1]:.1f} ms",
        "limit": limit,
        "note": note,
    }


def main() -> None:
    options = begin(__doc__)
    browser, node = programs()
    if not browser or not node:
        finish([not_measured("the confusion matrix of many classes", browser)], options.out)
        return
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "many.pellucid"
        record(out)
        command = [sys.executable, "-c", "from pellucid.cli import main; main()", "open", str(out), "--no-open"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            address = server.stdout.readline().strip() if server.stdout else ""
            done = subprocess.run(
                [node, str(DRIVER), browser, address], check=True, capture_output=True, text=True, timeout=PATIENCE
            )
            server.terminate()
    found = json.loads(done.stdout)
    finish(
        [
            row("zooming, script a frame", found["zoom"], "16.7 ms", f"{len(found['zoom'])} turns of the wheel"),
            row("panning, script a frame", found["pan"], "16.7 ms", f"{len(found['pan'])} turns of the wheel"),
            row(
                "from a click on a cell to its counted examples", found["clicks"], "100 ms",
                f"{len(found['clicks'])} clicks, to the frame after",
            ),
        ],
        options.out,
    )  # fmt: skip


if __name__ == "__main__":
    main()

"""What a frame of a graph of 60,000 visible calls costs in a real Chromium without a graphics card, by either renderer."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TypedDict

from torch import Tensor, nn

from bench.browsing import not_measured, programs
from bench.ratios import begin, finish

DRIVER = Path(__file__).with_name("frames.mjs")
BLOCKS, BRANCHES, WIDTH = 1560, 8, 8
RENDERERS = {"webgl": "WebGL in software", "canvas": "Canvas2D"}
HANDS = {
    "pan": "moving along at a size that can be read",
    "point": "pointing at box after box",
    "zoom": "coming nearer and going away",
    "whole": "moving with all of it in view",
}


class Frame(TypedDict):
    """Milliseconds of script in one frame, of the processor and of the clock."""

    cpu: float
    clock: float


class Block(nn.Module):
    """Branches side by side, each added to the stream."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Linear(WIDTH, hidden), nn.ReLU(), nn.Linear(hidden, WIDTH)) for _ in range(BRANCHES)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        out = inputs
        for branch in self.branches:
            out = out + branch(inputs)
        return out


def network() -> nn.Module:
    """Blocks of which no two neighbours are equal, so that none is drawn for several."""
    return nn.Sequential(*(Block(WIDTH + at % 2) for at in range(BLOCKS)))


def row(renderer: str, hand: str, boxes: int, frames: list[Frame], draws: int) -> dict[str, object]:
    spent = sorted(frame["cpu"] for frame in frames)
    clock = sorted(frame["clock"] for frame in frames)
    return {
        "what": f"{RENDERERS[renderer]}, {boxes:,} boxes, {HANDS[hand]}: script a frame",
        "ours": f"{statistics.median(spent):.2f} ms",
        "range": f"95% within {spent[int(0.95 * len(spent))]:.2f} ms, worst {spent[-1]:.2f} ms",
        "limit": "4 ms, 10 draw calls",
        "note": f"{len(frames)} frames, at most {draws} draw calls; by the clock {statistics.median(clock):.2f} ms, "
        f"worst {clock[-1]:.2f} ms",
    }


def main() -> None:
    options = begin(__doc__)
    browser, node = programs()
    if not browser or not node:
        finish([not_measured("frames of a large graph", browser)], options.out)
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "wide.html"
        command = [sys.executable, "-c", "from pellucid.cli import main; main()", "graph", f"{__file__}:network"]
        subprocess.run([*command, "--input", f"1,{WIDTH}", "--html", str(page)], check=True, stdout=subprocess.DEVNULL)
        for renderer in RENDERERS:
            done = subprocess.run(
                [node, str(DRIVER), browser, page.as_uri(), renderer], check=True, stdout=subprocess.PIPE, text=True
            )
            found = json.loads(done.stdout)
            rows += [row(renderer, hand, found["boxes"], found[hand]["frames"], found[hand]["draws"]) for hand in HANDS]
    finish(rows, options.out)


if __name__ == "__main__":
    main()

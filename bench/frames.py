"""What a graph of 60,000 visible calls costs in a real Chromium without a graphics card: frames, clicks, first paint, search."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, TypedDict

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
    "fold": "folding a module",
    "unfold": "unfolding it again",
}
TURNING = ("fold", "unfold")
PATIENCE = 90  # seconds for one renderer; where the processor plays a card, what is not done by then is left out


CARD = "card"  # WebGL where a graphics card draws


class Frame(TypedDict):
    """Milliseconds of script in one frame, of the processor and of the clock."""

    cpu: float
    clock: float


class Answer(TypedDict):
    """Milliseconds from a click until the page shows that it is at work, and until what was asked for stands."""

    shown: float
    done: float


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
    """One row of what the frames of one hand cost."""
    spent = sorted(frame["cpu"] for frame in frames)
    clock = sorted(frame["clock"] for frame in frames)
    return {
        "what": f"{RENDERERS[renderer]}, {boxes:,} boxes, {HANDS[hand]}: script a frame",
        "ours": f"{statistics.median(spent):.2f} ms",
        "range": f"99% within {spent[int(0.99 * (len(spent) - 1))]:.2f} ms, worst {spent[-1]:.2f} ms",
        "limit": "4 ms, 10 draw calls",
        "note": f"{len(frames)} frames, at most {draws} draw calls; by the clock {statistics.median(clock):.2f} ms, "
        f"worst {clock[-1]:.2f} ms",
    }


def shown(found: dict[str, Any], hand: str) -> dict[str, object]:
    """One row of how fast frames follow each other on a graphics card."""
    apart, script = sorted(found[hand]["apart"]), sorted(frame["cpu"] for frame in found[hand]["frames"])
    return {
        "what": f"WebGL on a graphics card, {found['boxes']:,} boxes, {HANDS[hand]}: frames a second",
        "ours": f"{1000 * len(apart) / sum(apart):.1f}",
        "range": f"99% within {apart[int(0.99 * (len(apart) - 1))]:.1f} ms of each other, worst {apart[-1]:.1f} ms",
        "limit": "60",
        "note": f"{len(apart)} frames, at most {found[hand]['draws']} draw calls, script {statistics.median(script):.2f} ms; "
        f"{found['card']}",
    }


def on_a_card(node: str, browser: str) -> list[dict[str, object]]:
    """The rows of frames that a graphics card draws; none where there is no card."""
    with tempfile.TemporaryDirectory() as folder:
        done = driven(node, browser, page_of(Path(folder)), CARD)
    found = json.loads(done.stdout) if done.stdout else {}
    return [shown(found, hand) for hand in HANDS if found.get(hand, {}).get("frames")]


def page_of(folder: Path) -> str:
    """The address of one file with the network's graph."""
    page = folder / "wide.html"
    command = [sys.executable, "-c", "from pellucid.cli import main; main()", "graph", f"{__file__}:network"]
    subprocess.run([*command, "--input", f"1,{WIDTH}", "--html", str(page)], check=True, stdout=subprocess.DEVNULL)
    return page.as_uri()


def driven(node: str, browser: str, address: str, renderer: str) -> subprocess.CompletedProcess[str]:
    command = [node, str(DRIVER), browser, address, renderer, str(PATIENCE)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE + 30)


def answered(renderer: str, hand: str, boxes: int, answers: list[Answer]) -> dict[str, object]:
    """One row of how soon a click is answered."""
    shown = sorted(answer["shown"] for answer in answers)
    done = sorted(answer["done"] for answer in answers)
    return {
        "what": f"{RENDERERS[renderer]}, {boxes:,} boxes, {HANDS[hand]}: from the click to its first sign",
        "ours": f"{statistics.median(shown):.0f} ms",
        "range": f"{shown[0]:.0f} to {shown[-1]:.0f} ms",
        "limit": "100 ms",
        "note": f"{len(answers)} clicks; it moves after {statistics.median(done):.0f} ms "
        f"({done[0]:.0f} to {done[-1]:.0f} ms)",
    }


def within(what: str, milliseconds: list[float], limit: str, note: str) -> dict[str, object]:
    return {
        "what": what,
        "ours": f"{statistics.median(milliseconds):.0f} ms",
        "range": f"{min(milliseconds):.0f} to {max(milliseconds):.0f} ms",
        "limit": limit,
        "note": note,
    }


def measured(node: str, browser: str, address: str, renderer: str) -> list[dict[str, object]]:
    """The rows of one renderer: of the hands that were measured in time, and what kept the others from it."""
    done = driven(node, browser, address, renderer)
    found = json.loads(done.stdout) if done.stdout else {}
    # Played by the processor, a card takes a second for a frame of all these boxes: there, only moving is measured.
    hands = [hand for hand in HANDS if hand not in TURNING or renderer != "webgl"]
    reached = [hand for hand in hands if found.get(hand, {}).get("frames")]
    rows = [row(renderer, hand, found["boxes"], found[hand]["frames"], found[hand]["draws"]) for hand in reached]
    rows += [answered(renderer, hand, found["boxes"], found[hand]["answers"]) for hand in TURNING if hand in reached]
    boxes = found.get("boxes", 0)
    if "first" in found:
        what = f"first paint of that graph, {boxes:,} calls, folded"
        rows.append(
            within(what, found["first"], "1000 ms", f"{len(found['first'])} loads, from the navigation's start")
        )
    if "search" in found:
        note = f"{len(found['search'])} letters, from the key until what was found is lit and listed"
        rows.append(
            within(f"search among {boxes:,} calls on the page, letter by letter", found["search"], "50 ms", note)
        )
    if len(reached) < len(hands):
        missing = ", ".join(HANDS[hand] for hand in hands if hand not in reached)
        why = (done.stderr.strip().splitlines() or [f"not reached within {PATIENCE} s"])[-1]
        rows.append({"what": f"{RENDERERS[renderer]}: {missing}", "ours": None, "note": f"not measured: {why}"})
    return rows


def main() -> None:
    options = begin(__doc__)
    browser, node = programs()
    if not browser or not node:
        finish([not_measured("frames of a large graph", browser)], options.out)
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        address = page_of(Path(folder))
        for renderer in RENDERERS:
            rows += measured(node, browser, address, renderer)
    finish(rows, options.out)


if __name__ == "__main__":
    main()

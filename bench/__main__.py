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
import textwrap
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
ROWS = HERE / "rows.json"
COLUMNS = ("what", "ours", "range", "limit", "peer", "note")
PACKAGES = (
    "torch", "torchvision", "timm", "captum", "tensorboard", "transformers", "torchview", "torchinfo", "netron",
    "scikit-learn", "torchmetrics",
)  # fmt: skip
# Packages that are imported by another name.
MODULES = {"scikit-learn": "sklearn"}
# What each benchmark's numbers mean, in the order of the page.
BENCHES = {
    "attribution": (
        "One call of `pellucid.attribute`, all that it takes included. The note has what cannot be had for less with one "
        "backward: torch's own gradient of the input, and of the input and the 20 outputs, whose gradients have to be kept. "
        "That floor alone is near the limit. Runs in November 2026 gave 2.34 to 2.61 on an idle machine."
    ),
    "sweep": (
        "The bare model runs on each batch just before the inspection has it. Ours is everything from the first batch to "
        "the lenses' last report, examples' pictures and the record on disk included; its range is over batches. The "
        "first batches are the dearest, for all their examples are among the strongest so far: a longer sweep costs less."
    ),
    "features": (
        "What `inspect` adds to the sweep: each example that is among the strongest of a unit is prepared once again, and cut at "
        "that unit's field, for up to 32 units of every layer. Stimuli are shown on request only."
    ),
    "watch": (
        "Two equal models train in turns, step by step, one of them watched; the Watch's clock stands still for the other. "
        "It gives itself 0.8% of the time for norms, 0.7% for histograms and 0.4% for writing. The difference of two "
        "trainings, which is what stands here, varies by more than that. Of TensorBoard's histograms only the call is "
        "counted, not its thread's work."
    ),
    "graph": (
        "Everyone gets the same model and image in turns with a bare forward. torchview draws what it saw as Graphviz source, "
        "which is timed, not its rendering; it knows module and function calls, neither operators, FLOPs nor source lines. "
        "torchinfo makes a table without edges. torch.fx runs nothing, and fails where control flow depends on a value. The Llama "
        "configuration is traced in a process that does nothing else; its model has no weights."
    ),
    "viewers": (
        "Both viewers open the same file in the same headless Chromium without a GPU, 1280 x 800 pixels, a fresh context each "
        "time, from the beginning of the navigation to the second frame after the graph is in the page. Netron reads the file in "
        "the browser and draws every operation; pellucid reads it once, writes one HTML file, and that opens folded."
    ),
    "layout": (
        "A network made by rule, the same every time: residual blocks of branches side by side, a mask and two rotary embeddings "
        "that every block reads, long lines from the first half to the second. One core in Node, the first run of a fresh "
        "process included, nothing cached. dagre lays out the same graph with its longest-path ranks, once."
    ),
    "frames": (
        "A network of blocks of eight branches, none equal to its neighbour, with everything unfolded, in a headless Chromium of "
        "1280 x 800 pixels without a graphics card; one step of the hand a frame, at most 300 frames each. Script is all that the "
        "page's main thread runs for a frame, in processor time from the browser's own trace; words are set in slices. Folding, "
        "layout and colours are a worker's: what a click waits for is its time, and is shown by the module's frame at once."
    ),
    "difference": (
        "Two graphs of the same network, one of them with edits; ours matches calls by structure and tells what changed, the "
        "peer is what one would write first: difflib on the lists of the calls' signatures, which aligns and explains nothing."
    ),
    "optimisation": (
        "The same pictures, by the same parameterisation and transformations, of as many channels, in turns. The peer is what one "
        "would write first, and what libraries for it do: one channel at a time, a whole forward and a whole backward each step. "
        "Time is saved by batching, by what is not run behind the layer, and by no gradients of the parameters."
    ),
    "predictions": (
        "Processor seconds, and the peak of memory of a process that does nothing else, from before the file is opened to the last "
        "answer; libraries are imported before, here and there. Peers have all their data in memory already, ours reads its file; "
        "peers are timed on a part, in proportion. Each row's note says what they are asked: the same numbers, which they give "
        "without intervals (scikit-learn no ECE and no top-k from ranks), or the same question, intervals and every k too. "
        "torchmetrics pays for every batch, and least in very large ones, where it counts as ours does, by one bincount."
    ),
    "app": (
        "The record that `make demo` makes, served from this machine to a headless Chromium of 1280 x 800 pixels without "
        "a GPU. A click counts from the input to the second frame after the page is complete."
    ),
    "million": (
        "Records of saved predictions: logits of 10 classes, and of 1,000 classes what was called, how surely, and the rank of the "
        "label; two columns came along. In a headless Chromium of 1280 x 800 pixels without a GPU. Script is all that the page's "
        "main thread runs for a change, in its own processor time; 14 selections from one class to three quarters of the examples, "
        "on eight views. Of five million examples the browser has none: DuckDB answers on the server. On a machine of which every "
        "core was twice as slow the first two rows were 41 and 51 ms; in turns with them, those of a later revision 45 and 45 ms."
    ),
    "gpu": (
        "With the model on a GPU, beside bare passes of the same model there, waited for to their end; torch as that machine has "
        "it. Frames are those of a headless Chromium of 1280 x 800 pixels whose WebGL the card draws (ANGLE on OpenGL ES), one "
        "step of the hand a frame, 60 frames a second being the most that it asks for. These rows are of a machine with a card, "
        "and stay where `make bench` runs without one."
    ),
    "maps": (
        "The Gradients page with the model at hand, in a headless Chromium of 1280 x 800 pixels without a GPU; a click on an "
        "example that nobody has asked for. Its first map is Grad-CAM of the deepest layer that has positions, which needs the "
        "shortest backward; the other plain methods follow. EfficientNet-Lite0 has drawn photographs of 500 x 375 pixels as JPEG "
        "files and random weights, which take the same time as trained ones."
    ),
    "confusion": (
        "The Confusion page over a record of predicted classes, in a headless Chromium of 1280 x 800 pixels without a GPU, all "
        "classes in the order of their confusions. A step is one turn of the wheel; its script is all that the page does for it "
        "until it has drawn. A click takes a cell's examples, filtered from all of them, to the frame after the one that says "
        "how many."
    ),
}


def measure(name: str) -> list[dict[str, object]]:
    """Rows of one benchmark: what, ours, its range over repeats, the limit, a peer (name and figure), a note."""
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
        "Ratios, measured in one run on one machine, ours and the peer in turns: the median, and the range over repeats.",
        "`make bench` writes this page; `bench/` holds the code. Timings on another machine differ; the ratios are what to",
        "compare. Anything else that runs beside it widens the ranges.",
        "",
        machine,
    ]
    for name, measured in rows.items():
        columns = [key for key in COLUMNS if any(row.get(key) is not None for row in measured)]
        lines += ["", f"## {name}", "", *textwrap.wrap(BENCHES[name], 120), ""]
        lines += [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
        lines += [f"| {' | '.join(_cell(row.get(key)) for key in columns)} |" for row in measured]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value).replace("|", "\\|")


def main() -> None:
    """Measures what was asked for, keeps the other tables as they were."""
    if unknown := sorted(set(sys.argv[1:]) - set(BENCHES)):
        raise SystemExit(f"No benchmark is called {', '.join(unknown)}. Benchmarks: {', '.join(BENCHES)}.")
    names = sys.argv[1:] or list(BENCHES)
    kept = json.loads(ROWS.read_text()) if ROWS.exists() else {}
    for name in names:
        # What this machine cannot measure stays as another has found it.
        kept[name] = measure(name) or kept.get(name, [])
    ROWS.write_text(json.dumps(kept, indent=1) + "\n")
    versions = ", ".join(
        f"{package} {version(package)}" for package in PACKAGES if find_spec(MODULES.get(package, package))
    )
    machine = (
        f"Last run {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} CPU cores ({platform.machine()}), no GPU, 2 threads; "
        f"Python {platform.python_version()}, {versions}."
    )
    PAGE.write_text(page({name: kept[name] for name in BENCHES if name in kept}, machine))
    print(PAGE.read_text())


if __name__ == "__main__":
    main()

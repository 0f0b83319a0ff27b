"""From a click on an example that nobody has asked for to its first map, and what that costs the model, on two networks."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image

import pellucid
from bench.browsing import not_measured, programs
from bench.ratios import Ratio, begin, finish, seconds
from pellucid import demo, server
from pellucid.data import open_data
from pellucid.inspection.live import LiveModel
from pellucid.models import open_model

DRIVER = Path(__file__).with_name("maps.mjs")
CLICKS = 15
PHOTOGRAPHS = 40  # some are chosen and looked at on the way to the page; the clicks go to those behind
SIZE = (500, 375)
CLASSES = 1000
LENSES = ["graph", "predictions", "loss", "accuracy", "gradients"]  # what the page needs
FIRST_MAP = "100 ms"
FORWARDS = 1.5


def digits(folder: Path) -> tuple[LiveModel, int]:
    """The demo's network beside its record, and the first row that its pages do not ask for."""
    return demo.run(folder / "digits.pellucid").live, 200


def lite0(folder: Path) -> tuple[LiveModel, int]:
    """EfficientNet-Lite0 at 224 pixels beside a record of drawn photographs, JPEG on disk: they are decoded at each click."""
    for number in range(PHOTOGRAPHS):
        place = folder / "photographs" / f"class {number % 4}" / f"{number:03d}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        coarse = torch.randint(0, 256, (20, 20, 3), generator=torch.Generator().manual_seed(number), dtype=torch.uint8)
        Image.fromarray(coarse.numpy()).resize(SIZE, Image.Resampling.BICUBIC).save(place, quality=90)
    opened = open_model("timm:efficientnet_lite0")
    source = open_data(str(folder / "photographs"), recipe=opened.recipe)
    names = [f"class {number}" for number in range(CLASSES)]
    record = pellucid.inspect(
        opened.model, source, out=folder / "lite0.pellucid", chosen=4, classes=names, lenses=LENSES
    )
    # Opened anew, as after a start of the server: it knows of none of the files whether it can be read.
    return LiveModel(
        record, opened.model, open_data(str(folder / "photographs"), recipe=opened.recipe)
    ), PHOTOGRAPHS - CLICKS


def forwards(live: LiveModel, first: int) -> tuple[Ratio, Ratio]:
    """What the first map's question costs, decoding and packing included, in bare forwards in turns: by the clock, and by the
    processor's time, which other programs of the machine disturb less.
    """
    inputs = live.batch(0).inputs

    def bare() -> None:
        with torch.no_grad():
            live.model(inputs)

    def asked(row: int) -> Callable[[], object]:
        _, answer = live.inquiry("attribute", {"row": [str(row)], "method": ["grad_cam"]})
        return lambda: answer(lambda _: True)

    live.model.eval()
    for _ in range(3):
        bare()
        asked(0)()
    rounds = [(*both(asked(row)), *both(bare)) for row in range(first, first + CLICKS)]
    clock, processor, bare_clock, bare_processor = zip(*rounds, strict=True)
    return Ratio.of(clock, bare_clock), Ratio.of(processor, bare_processor)


def both(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of the processor, all threads together."""
    begun = time.process_time()
    taken = seconds(run)
    return taken, time.process_time() - begun


def rows(
    what: str, make: Callable[[Path], tuple[LiveModel, int]], browser: str, node: str, limit: float | None = None
) -> list[dict[str, object]]:
    """Click to paint, and the question's cost in forwards."""
    with tempfile.TemporaryDirectory() as name:
        live, first = make(Path(name))
        found: dict[str, list[float]] | None = None
        if browser and node:
            with server.start(live.record.path, live=live) as running:
                done = subprocess.run(
                    [node, str(DRIVER), browser, running.url, str(first), str(first + CLICKS)],
                    check=True, stdout=subprocess.PIPE, text=True, timeout=180,
                )  # fmt: skip
            found = json.loads(done.stdout)
        cost = None if limit is None else forwards(live, first)
    clicked: dict[str, object] = not_measured("a click", browser)
    if found is not None:
        maps, answers = found["maps"], [one for one in found["answers"] if one is not None]
        clicked = {
            "ours": f"{statistics.median(maps):.0f} ms",
            "range": f"{min(maps):.0f} to {max(maps):.0f} ms",
            "note": f"{len(maps)} clicks on Gradients, to the second frame after the map; the server's part of it "
            f"{statistics.median(answers):.0f} ms ({min(answers):.0f} to {max(answers):.0f})",
        }
    click = {**clicked, "what": f"a click on an example never asked for to its first map, {what}", "limit": FIRST_MAP}
    if cost is None:
        return [click]  # a network so small that its forward takes less than what is around it
    clock, processor = cost
    return [
        click,
        {
            "what": f"the question of the first map, {what}, in bare forwards of the same example",
            "ours": clock.median,
            "range": clock.range,
            "limit": limit,
            "note": "from its parameters to its file: reading and preparing the example, a forward, a backward to the deepest "
            "layer with positions, the map, packing",
        },
        {
            "what": f"the same in the processor's time, {what}",
            "ours": processor.median,
            "range": processor.range,
            "note": "of all threads; what it does beside the forward runs on one of them",
        },
    ]


def main() -> None:
    options = begin(__doc__)
    browser, node = programs()
    finish(
        [
            *rows("the demo's digits", digits, browser, node),
            *rows("EfficientNet-Lite0, photographs at 224 px", lite0, browser, node, FORWARDS),
        ],
        options.out,
    )


if __name__ == "__main__":
    main()

"""A million examples in a real Chromium: changes of the selection, the exported file; and five million behind the server."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import pellucid
from bench.browsing import not_measured, programs
from bench.ratios import begin, finish
from pellucid import server
from pellucid.export import export

DRIVER = Path(__file__).with_name("million.mjs")
MILLION = 1_000_000
MANY = 5_000_000
COUNTRIES = np.array(["AT", "BE", "CH", "DE", "ES", "FR", "IT", "JP", "NL", "US"])
DEVICES = np.array(["phone", "camera", "scanner"])


def along(count: int, generator: np.random.Generator) -> dict[str, object]:
    """Ids and two columns that come along."""
    return {
        "id": [f"img{row:07d}" for row in range(count)],
        "country": COUNTRIES[generator.integers(0, len(COUNTRIES), count)],
        "device": DEVICES[generator.choice(3, count, p=[0.6, 0.3, 0.1])],
    }


def classified(count: int, classes: int, out: Path) -> None:
    """Predicted classes, their confidence and the rest that can be saved beside them; about three in four are right."""
    generator = np.random.default_rng(0)
    target = generator.integers(0, classes, count)
    right = generator.random(count) < 0.76
    wrong = (target + generator.geometric(0.3, count) * generator.choice([-1, 1], count)) % classes
    prediction = np.where(right, target, wrong)
    right = prediction == target
    confidence = np.clip(generator.beta(6, 1.2, count) * np.where(right, 1, 0.75), 1 / classes, 0.99999).astype(
        np.float32
    )
    rest = np.clip((1 - confidence) * generator.random(count), 1e-7, 1)
    saved = {
        "prediction": prediction.astype(np.int32),
        "label": target.astype(np.int32),
        "confidence": confidence,
        "loss": -np.log(np.where(right, confidence.astype(float), rest)),
        "rank": np.where(right, 0, np.minimum(classes - 1, generator.geometric(0.4, count))).astype(np.int32),
    }
    table = pa.table({**saved, **along(count, generator)})
    pellucid.import_predictions(table, out=out, classes=[f"class {index}" for index in range(classes)])


def scored(count: int, out: Path) -> None:
    """Logits of ten classes, so that everything that probabilities alone can answer is there."""
    generator = np.random.default_rng(1)
    target = generator.integers(0, 10, count)
    logits = generator.normal(size=(count, 10)).astype(np.float32) * 1.5
    logits[np.arange(count), target] += 3
    rows = pa.FixedSizeListArray.from_arrays(pa.array(logits.ravel()), 10)
    table = pa.table({"logits": rows, "label": target.astype(np.int32), **along(count, generator)})
    pellucid.import_predictions(table, out=out, classes=[f"class {index}" for index in range(10)])


def driven(browser: str, node: str, how: str, *addresses: str) -> Any:
    """What the driver found at each address, from its JSON."""
    done = subprocess.run(
        [node, str(DRIVER), browser, how, *addresses], check=True, stdout=subprocess.PIPE, text=True, timeout=900
    )
    return json.loads(done.stdout)


def at_95(milliseconds: list[float]) -> float:
    return float(np.quantile(milliseconds, 0.95, method="higher"))


def together(by_page: dict[str, list[float]]) -> list[float]:
    return [one for times in by_page.values() for one in times]


def row(what: str, milliseconds: list[float], limit: str, note: str) -> dict[str, object]:
    return {
        "what": what,
        "ours": f"{at_95(milliseconds):.0f} ms",
        "range": f"median {np.median(milliseconds):.0f} ms, at most {max(milliseconds):.0f} ms",
        "limit": limit,
        "note": note,
    }


def measured(browser: str, node: str, folder: Path) -> list[dict[str, object]]:
    few, many, large = (folder / f"{name}.pellucid" for name in ("few", "many", "large"))
    scored(MILLION, few)
    classified(MILLION, 1000, many)
    classified(MANY, 1000, large)
    with server.start(few) as one, server.start(many) as other:
        held: list[dict[str, dict[str, list[float]]]] = driven(browser, node, "held", one.url, other.url)
    with server.start(large) as one:
        (asked,) = driven(browser, node, "asked", one.url)
    files = [export(path, path.with_suffix(".html")) for path in (few, many)]
    opened: list[dict[str, list[float]]] = driven(
        browser, node, "file", *(report.path.resolve().as_uri() for report in files)
    )
    rows = []
    for classes, found in zip(("10", "1,000"), held, strict=True):
        script, clock, first = (
            {name: times[kind] for name, times in found.items()} for kind in ("script", "clock", "first")
        )
        worst = max(script, key=lambda name: at_95(script[name]))
        every = together(script)
        rows.append(
            row(
                f"1,000,000 examples of {classes} classes: selection p95, all pages", every, "33 ms",
                f"script in processor time, {len(every)} changes; slowest page: {worst}, {at_95(script[worst]):.0f} ms; "
                f"by the clock, until the second frame and all of it, {at_95(together(clock)):.0f} ms; "
                f"with what is made once for a record, {at_95(together(first)):.0f} ms",
            )
        )  # fmt: skip
    rows += [
        row(f"5,000,000 examples, which the server answers about: selection p95, {name}", times, "300 ms",
            f"by the clock, {len(times)} selections that nobody asked for before")
        for name, times in asked.items()
    ]  # fmt: skip
    for classes, report, found in zip(("10", "1,000"), files, opened, strict=True):
        rows.append(
            row(f"1,000,000 examples of {classes} classes as one file: until it can be used", found["opened"], "2000 ms",
                f"{report.bytes / 1e6:.1f} MB (limit 10 MB); {' '.join(report.left_out)}")
        )  # fmt: skip
    return rows


def main() -> None:
    options = begin(__doc__)
    browser, node = programs()
    if not browser or not node:
        finish([not_measured("a million examples in the app", browser)], options.out)
        return
    with tempfile.TemporaryDirectory() as folder:
        finish(measured(browser, node, Path(folder)), options.out)


if __name__ == "__main__":
    main()

"""docs/coverage.md: what was traced, what was not and why, at what cost."""

from __future__ import annotations

import itertools
import os
import platform
import statistics
import textwrap
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from bench.coverage.checking import DEFINITION
from bench.coverage.measuring import Result
from bench.coverage.zoos import TIMED_TOKENS

LIMIT = 3.0
PACKAGES = ("torch", "torchvision", "timm", "transformers")
ABOUT = {
    "torchvision": (
        "Every builder of `torchvision.models.list_models()` with random weights; classification and segmentation "
        "at the size of its published weights, detection of an image of 224 pixels (which detectors resize), clips of 16 frames, "
        "flow between two frames of 360 by 640 pixels."
    ),
    "timm": (
        "The smallest model of each family, random weights, 10 classes, one image of the size it is configured for. A family "
        "is a module of `timm.models` or, in modules that hold several, an architecture with a paper of its own."
    ),
    "transformers": (
        "Types of model with random weights. They are checked as cuts that run here in seconds: two layers a stack, "
        "narrower where that is still more than 200 million parameters; the example is the one that "
        f"`pellucid graph transformers:CONFIG` makes. They are timed at the widths that were published, the defaults of their "
        f"type, with {TIMED_TOKENS} tokens where they take any (rows older than 2026-11-29 with 16, which can only make the ratio "
        "larger), one or two layers deep: a layer more adds as much to the forward as to the trace. Rows with `cut` behind the "
        "ratio were timed as they were checked, narrower than published: 4 bytes a value at the published width do not fit here, "
        "or they have not been timed since that is done. "
        "Rows that end in 'without values' are configurations in full size on the meta device: nothing can be run, so there is "
        "no forward to compare with, and time is all there is."
    ),
    "oddities": (
        "Small modules, each named after what breaks other tracers, each with facts of its own. They compute next to "
        "nothing: their trace in forwards is Python against Python and says how much work the tracer does a call."
    ),
}
COST = (
    "Times are CPU time on one thread, medians of up to five runs after one that is not counted; a trace in bare forwards is "
    "the time of `pellucid.graph(model, example)`, all it does included, by the time of `model(example)` without gradients on "
    f"the same example. The limit of {LIMIT:g} forwards speaks of real models, those of torchvision, timm and transformers at "
    "the sizes at which they were published; it does not speak of oddities, which are test pieces that compute next to nothing, "
    "nor of rows marked `cut`. timm's models are at the size of their configuration; five take a smaller image so as not to take "
    "minutes, which can only make the ratio larger. Above the limit a ratio is in bold. Runs after the first find calls that the "
    "process knows already; the very first trace of a model takes up to twice as long. A ratio varies by a tenth from run to run: "
    "that of ssdlite320 was 2.83 to 3.08 in six, that of mobilenetv3 2.71 to 3.02 in five; on a machine with a faster "
    "processor, before calls of a forward with values were recognised, ssdlite320 took 5.5, and three networks for telephones 3.4 "
    "to 3.7."
)
FLOOR = (
    "A node costs the tracer about the same whatever it computes, so a trace takes nodes times that cost, and a model lies "
    "above the limit where its forward takes less than a third of that a node: networks for telephones, of a few million "
    "multiply-adds a layer, on a processor that does those in microseconds. Half of the cost of a node is the call: what it "
    "depends on, who made what it reads, its name and its line, the tensor that stands for its output. The other half is "
    "looking at each module before and putting it back after the forward, and making the graph. What asks for values runs "
    "twice, once until it asks and once with values, where the operators of a call that is not known yet are watched."
)
REAL = ("torchvision", "timm", "transformers")


def page(results: dict[str, list[Result]]) -> str:
    """The page as Markdown."""
    every = [result for listed in results.values() for result in listed]
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    lines = [
        "# Coverage of the graph tracer",
        "",
        "A frozen list of models, traced one by one. `make coverage` runs it and writes this page; `bench/coverage/` holds the",
        'lists and the code. `make coverage ARGS=timm` runs one list, `make coverage ARGS="resnet50 t5"` some entries.',
        "",
        f"**{_share(every)}.** Last run {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} CPU cores ({platform.machine()}),",
        f"two processes of one thread each; Python {platform.python_version()}, {versions}.",
        "",
        "| list | entries | traced | backends | trace in forwards, median | within 3 forwards |",
        "| --- | --- | --- | --- | --- | --- |",
        *(_total(name, listed) for name, listed in results.items()),
        "",
        "## What counts as traced",
        "",
        *textwrap.wrap(DEFINITION, 120, break_on_hyphens=False),
        "",
        "## What it costs",
        "",
        *textwrap.wrap(COST, 120, break_on_hyphens=False),
        "",
        *_slow([result for result in every if result.listed in REAL and not result.cut]),
        *_above([result for result in every if result.listed in REAL]),
        "## What was not traced, and why",
        "",
        *(_failures(every) or ["Nothing."]),
    ]
    for name, listed in results.items():
        lines += ["", f"## {name}", "", *textwrap.wrap(ABOUT[name], 120, break_on_hyphens=False), "", *_table(listed)]
    return "\n".join(lines) + "\n"


def _share(results: Sequence[Result]) -> str:
    traced = sum(not result.reasons for result in results)
    return f"{traced} of {len(results)} traced ({traced / max(1, len(results)):.1%})"


def _total(name: str, results: Sequence[Result]) -> str:
    traced = sum(not result.reasons for result in results)
    backends = Counter(result.backend for result in results if result.backend)
    ratios = [result.ratio for result in results if result.ratio is not None and not result.cut]
    said = ", ".join(f"{backend} {count}" for backend, count in backends.most_common())
    median = f"{statistics.median(ratios):.2f}" if ratios else ""
    within = f"{sum(ratio <= LIMIT for ratio in ratios)} of {len(ratios)}"
    return f"| {name} | {len(results)} | {traced} ({traced / len(results):.1%}) | {said} | {median} | {within} |"


def _slow(results: Sequence[Result]) -> list[str]:
    """How many real models lie above the limit, by how long the bare forward takes: the longer, the more of a real model it is."""
    bounds = (0, 10, 30, 100, 300, float("inf"))
    lines = [
        "| bare forward | models | trace in forwards, median | largest | above 3 |",
        "| --- | --- | --- | --- | --- |",
    ]
    timed = [(result.forward, result.ratio) for result in results if result.forward and result.ratio is not None]
    for low, high in itertools.pairwise(bounds):
        ratios = [ratio for forward, ratio in timed if low <= forward < high]
        if ratios:
            words = f"{low} to {high} ms" if high < float("inf") else f"{low} ms and more"
            lines.append(
                f"| {words} | {len(ratios)} | {statistics.median(ratios):.2f} | {max(ratios):.2f} | "
                f"{sum(ratio > LIMIT for ratio in ratios)} |"
            )
    return [*lines, ""]


def _above(results: Sequence[Result]) -> list[str]:
    """What lies above the limit, with what a node of it costs traced and run."""
    above = [one for one in results if one.ratio is not None and one.ratio > LIMIT and one.forward and one.trace]
    lines = ["## Above the limit, and why", ""]
    if not above:
        return [*lines, "Nothing.", ""]
    rows = [
        f"| {one.listed} | {_cell(one.name)} | {one.nodes:,} | {one.trace / one.nodes * 1000:.0f} | "
        f"{one.forward / one.nodes * 1000:.1f} | {one.ratio:.2f}{' cut' if one.cut else ''} |"
        for one in sorted(above, key=lambda one: -(one.ratio or 0))
        if one.trace and one.forward
    ]
    return [
        *lines,
        *textwrap.wrap(FLOOR, 120, break_on_hyphens=False),
        "",
        "| list | entry | nodes | trace, microseconds a node | forward, microseconds a node | in forwards |",
        "| --- | --- | --- | --- | --- | --- |",
        *rows,
        "",
    ]


def _failures(results: Sequence[Result]) -> list[str]:
    failed = [result for result in results if result.reasons]
    if not failed:
        return []
    rows = [f"| {result.listed} | {_cell(result.name)} | {_cell('; '.join(result.reasons))} |" for result in failed]
    return ["| list | entry | reason |", "| --- | --- | --- |", *rows]


def _table(results: Sequence[Result]) -> list[str]:
    head = (
        "| entry | traced | backend | nodes | edges | operators | parameters | trace, ms | forward, ms | in forwards |"
    )
    return [head, f"|{' --- |' * head.count(' | ')} --- |", *(_row(result) for result in results)]


def _row(result: Result) -> str:
    ratio = "" if result.ratio is None else f"{result.ratio:.2f}"
    if result.ratio is not None and result.ratio > LIMIT:
        ratio = f"**{ratio}**"
    if result.cut and ratio:
        ratio += " cut"
    cells = [
        result.name,
        "no" if result.reasons else "yes",
        result.backend,
        *(f"{number:,}" for number in (result.nodes, result.edges, result.operators, result.parameters)),
        "" if result.trace is None else f"{result.trace:,.3g}" if result.trace < 1000 else f"{result.trace:,.0f}",
        ""
        if result.forward is None
        else f"{result.forward:,.3g}"
        if result.forward < 1000
        else f"{result.forward:,.0f}",
        ratio,
    ]
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")[:400]

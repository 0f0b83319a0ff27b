"""Opening an ONNX file of 1,000 and of 8,000 operations: Netron, and the file that pellucid makes of it, in one Chromium."""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bench.browsing import not_measured, programs
from bench.ratios import begin, finish, seconds

DRIVER = Path(__file__).with_name("viewers.mjs")
SIZES = (1_000, 8_000)
LOADS, PATIENCE = 5, 120
CHANNELS, BLOCK = 8, 5
# What is in the page once the graph is there.
NETRON, OURS = "body.default", "[role=application][data-boxes]"


def residual(operations: int, path: Path) -> None:
    """A network of residual blocks, five operations each, as an ONNX file."""
    random = np.random.default_rng(0)
    nodes, weights, last = [], [], "image"
    for block in range(operations // BLOCK):
        skip, name = last, f"block{block}"
        for step in ("first", "second"):
            kernel = random.standard_normal((CHANNELS, CHANNELS, 3, 3)).astype("float32")
            weights.append(numpy_helper.from_array(kernel, f"{name}.{step}.weight"))
            nodes.append(_node("Conv", [last, weights[-1].name], f"{name}.{step}", kernel_shape=[3, 3], pads=[1] * 4))
            last = nodes[-1].output[0]
            if step == "first":
                nodes.append(_node("Relu", [last], f"{name}.relu"))
                last = nodes[-1].output[0]
        nodes += [_node("Add", [last, skip], f"{name}.add"), _node("Relu", [f"{name}.add"], f"{name}.out")]
        last = nodes[-1].output[0]
    shape = [1, CHANNELS, 32, 32]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("image", last)]
    graph = helper.make_graph(nodes, "blocks", ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def _node(operation: str, inputs: list[str], name: str, **settings: list[int]) -> onnx.NodeProto:
    return helper.make_node(operation, inputs, [name], name=name, **settings)


def opened(browser: str, node: str, address: str, ready: str) -> list[float | None]:
    """Milliseconds of each load until the graph stands; None where it did not within the time."""
    command = [node, str(DRIVER), browser, address, ready, str(LOADS), str(PATIENCE)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    taken: list[float | None] = json.loads(done.stdout)
    return taken


@contextmanager
def netron(path: Path) -> Iterator[str]:
    """The address of a Netron that serves the file, as long as this lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = f"import netron; netron.start({str(path)!r}, address=('127.0.0.1', {port}), browse=False); netron.wait()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as serving:
        try:
            _answers(port)
            yield f"http://127.0.0.1:{port}/"
        finally:
            serving.terminate()


def _answers(port: int) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


def _said(taken: list[float | None]) -> str:
    there = [one for one in taken if one is not None]
    return f"{statistics.median(there):.0f} ms" if len(there) == len(taken) else f"not within {PATIENCE} s"


def _range(taken: list[float | None]) -> str | None:
    there = [one for one in taken if one is not None]
    return f"{min(there):.0f} to {max(there):.0f} ms" if there else None


def row(operations: int, browser: str, node: str) -> dict[str, object]:
    """One row: Netron on the file, and the page that `pellucid graph FILE --html` makes of it."""
    with tempfile.TemporaryDirectory() as folder:
        path, page = Path(folder) / "blocks.onnx", Path(folder) / "blocks.html"
        residual(operations, path)
        with netron(path) as address:
            theirs = opened(browser, node, address, NETRON)
        command = [
            sys.executable,
            "-c",
            "from pellucid.cli import main; main()",
            "graph",
            str(path),
            "--html",
            str(page),
        ]
        making = seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
        ours = opened(browser, node, f"{page.as_uri()}#/graph", OURS)
        size = page.stat().st_size / 1e6
    return {
        "what": f"an ONNX file of {operations:,} operations, until its graph stands",
        "ours": _said(ours),
        "range": _range(ours),
        "limit": "1000 ms",
        "peer": f"Netron: {_said(theirs)}" + (f" ({_range(theirs)})" if _range(theirs) else ""),
        "note": f"median of {LOADS} loads; the page of {size:.1f} MB was made in {making:.1f} s before that",
    }


def main() -> None:
    options = begin(__doc__)
    browser, node = programs()
    if not browser or not node:
        finish([not_measured("ONNX files in a browser", browser)], options.out)
        return
    finish([row(operations, browser, node) for operations in SIZES], options.out)


if __name__ == "__main__":
    main()

"""The trace in bare forwards beside what users would pick instead, and a 405B configuration without weights."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
import torchinfo
import torchview
import torchvision
from torch import Tensor, nn

from bench.coverage.oddities import ODDITIES
from bench.ratios import Ratio, begin, finish, in_turns
from bench.tracers import through
from pellucid.graph import trace

NETWORKS = (
    ("ResNet-50", "resnet50"),
    ("ViT-B/16", "vit_b_16"),
    ("EfficientNet-B0", "efficientnet_b0"),
    ("Swin-T", "swin_t"),
)
REPEATS = 7
LIMIT, SECONDS, GIGABYTES = 3.0, 10.0, 1.5
# Llama 3.1 405B, as its configuration was published.
LLAMA = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 16384,
    "intermediate_size": 53248,
    "num_hidden_layers": 126,
    "num_attention_heads": 128,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "rope_theta": 500000.0,
}


def traced(title: str, name: str) -> dict[str, object]:
    """One row: a network of torchvision, traced by everyone in turns with its bare forward."""
    model = torchvision.models.get_model(name).eval()
    image = torch.randn(1, 3, 224, 224)
    graph = trace(model, image)
    peers = _peers(model, image)
    with torch.no_grad():
        bare, ours, *others = in_turns(
            lambda: model(image), lambda: trace(model, image), *(run for run, _ in peers.values()), repeats=REPEATS
        )
    ratio = Ratio.of(ours, bare)
    said = [f"{peer}: {Ratio.of(taken, bare).median:.3g}" for peer, taken in zip(peers, others, strict=True)]
    found = [f"{peer} {size(run())}" for peer, (run, size) in peers.items()]
    return {
        "what": f"trace of {title}, one image of 224 px, in bare forwards",
        "ours": ratio.median,
        "range": ratio.range,
        "limit": LIMIT,
        "peer": ", ".join(said),
        "note": f"a forward takes {1000 * min(bare):.0f} ms; pellucid finds {len(graph.nodes)} nodes and {len(graph.edges)} edges, "
        f"{', '.join(found)}",
    }


def _peers(model: nn.Module, image: Tensor) -> dict[str, tuple[Callable[[], object], Callable[[object], str]]]:
    """What else makes a graph of a model, each with what it calls the size of its graph."""
    return {
        "torchview": (
            lambda: torchview.draw_graph(model, input_data=image, expand_nested=True, depth=100, device="cpu"),
            lambda drawn: f"{len({id(end) for edge in drawn.edge_list for end in edge})} and {len(drawn.edge_list)}",
        ),
        "torchinfo": (
            lambda: torchinfo.summary(model, input_data=image, verbose=0, depth=100),
            lambda table: f"{len(table.summary_list)} rows and none",
        ),
        "torch.fx": (
            lambda: torch.fx.symbolic_trace(model),
            lambda symbolic: _size(symbolic.graph),
        ),
        "torch.export": (
            lambda: torch.export.export(model, (image,)),
            lambda program: _size(program.graph),
        ),
    }


def _size(graph: torch.fx.Graph) -> str:
    return f"{len(graph.nodes)} and {sum(len(node.all_input_nodes) for node in graph.nodes)}"


def llama() -> list[dict[str, object]]:
    """Two rows: seconds and memory of the largest Llama's configuration, in a process that does nothing else."""
    run = subprocess.run([sys.executable, "-m", "bench.graph", "--llama"], capture_output=True, text=True, check=True)
    said = json.loads(run.stdout.splitlines()[-1])
    note = (
        f"{said['parameters']:,} parameters, {said['nodes']:,} nodes, {said['operators']:,} operators, {said['backend']}; "
        f"building the model on the meta device took {said['building']:.1f} s before that"
    )
    return [
        {
            "what": "trace of a 405B-parameter Llama configuration, no weights, in seconds",
            "ours": said["seconds"],
            "range": f"CPU time {said['cpu']:.3g}",
            "limit": SECONDS,
            "note": note,
        },
        {
            "what": "peak memory of that process, imports and all, in GB",
            "ours": said["peak"],
            "limit": GIGABYTES,
            "note": f"{said['imported']:.2f} GB of it once the model was built and before it was traced",
        },
    ]


def _llama() -> None:
    """Measures it and prints it; the process's own peak counts, so nothing else may run in it."""
    from pellucid.models import open_model

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(LLAMA))
        begun = time.perf_counter()
        opened = open_model(f"transformers:{folder}", values=False)
    building, before = time.perf_counter() - begun, _peak()
    if opened.example is None:
        raise RuntimeError("The configuration was opened without an example.")
    begun, cpu = time.perf_counter(), time.process_time()
    graph = trace(opened.model, *opened.example.args, **opened.example.kwargs)
    taken, cpu = time.perf_counter() - begun, time.process_time() - cpu
    if graph.error:
        raise RuntimeError(graph.error)
    said = {
        "seconds": taken,
        "cpu": cpu,
        "building": building,
        "peak": _peak(),
        "imported": before,
        "backend": graph.backend,
    }
    print(json.dumps(said | {"parameters": graph.parameters, "nodes": len(graph.nodes), "operators": graph.operators}))


def _peak() -> float:
    """The largest that this process has been, in GB; not its parent, which the system's own count would take over."""
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if found:
            return int(found[1]) * 1024 / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def oddities() -> dict[str, object]:
    """One row: how many of the small modules that break tracers each tracer gets through."""
    found = through()
    return {
        "what": f"of {len(ODDITIES)} small modules that break tracers, those that come through",
        "ours": str(found.pop("pellucid")),
        "peer": ", ".join(f"{tracer}: {count}" for tracer, count in found.items()),
        "note": "ours by its facts, operators and ways; torchview if every output that it draws is joined to something; the others "
        "if they do not raise, though torch.jit.trace freezes the way that was taken",
    }


def main() -> None:
    """All rows, or the part that needs a process of its own."""
    if "--llama" in sys.argv:
        _llama()
        return
    options = begin(__doc__)
    warnings.simplefilter("ignore")  # torch.export's about itself
    finish([*(traced(*network) for network in NETWORKS), *llama(), oddities()], options.out)


if __name__ == "__main__":
    main()

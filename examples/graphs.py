"""The graphs of seven well-known architectures, their figures beside the published ones, as a table in Markdown.

    pip install torchvision transformers
    python examples/graphs.py

No weights are needed and none are fetched: the three from torchvision are random, those from transformers have no values
at all. docs/trials.md says what to read from it.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import pellucid
from pellucid.graph import Graph
from pellucid.models import open_model

TOKENS = 16  # of the example that comes with a configuration


@dataclass(frozen=True)
class Trial:
    """One architecture.

    Attributes:
        traced: its graph, and the seconds that the trace took.
        parameters: as published.
        operations: multiply-adds counted twice, as published or as its formula says, and where that is from.
    """

    name: str
    traced: Callable[[], tuple[Graph, float]]
    parameters: int
    operations: float
    origin: str


def of_torchvision(name: str) -> Callable[[], tuple[Graph, float]]:
    def traced() -> tuple[Graph, float]:
        return timed(open_model(f"torchvision:{name}").model, torch.randn(1, 3, 224, 224))

    return traced


def of_configuration(**settings: Any) -> Callable[[], tuple[Graph, float]]:
    def traced() -> tuple[Graph, float]:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "config.json").write_text(json.dumps(settings))
            opened = open_model(f"transformers:{folder}", values=False)
        if opened.example is None:
            raise RuntimeError(f"There is no example for {settings['model_type']}.")
        return timed(opened.model, *opened.example.args, **opened.example.kwargs)

    return traced


class Reader(nn.Module):
    """Two layers of LSTM over embedded tokens, and a head on the last state."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10_000, 256)
        self.lstm = nn.LSTM(256, 512, num_layers=2, batch_first=True)
        self.head = nn.Linear(512, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        states, _ = self.lstm(self.embedding(tokens))
        logits: Tensor = self.head(states[:, -1])
        return logits


def reader() -> tuple[Graph, float]:
    return timed(Reader().eval(), torch.zeros(1, 32, dtype=torch.long))


def timed(model: nn.Module, *args: Any, **kwargs: Any) -> tuple[Graph, float]:
    begun = time.perf_counter()
    graph = pellucid.graph(model, *args, **kwargs)
    return graph, time.perf_counter() - begun


def lstm_operations(steps: int) -> int:
    gates = 4 * 512 * (256 + 512) + 4 * 512 * (512 + 512)
    return 2 * (steps * gates + 512 * 2)


def attention(queries: int, keys: int, width: int) -> int:
    """Both products of attention, with every query against every key."""
    return 4 * queries * keys * width


def t5_operations(encoder: int = TOKENS, decoder: int = TOKENS) -> int:
    projection, hidden = 1024 * 128 * 128, 2 * 1024 * 65536
    layer = 2 * encoder * (4 * projection + hidden) + attention(encoder, encoder, 128 * 128)
    crossed = 2 * (2 * decoder + 2 * encoder) * projection + attention(decoder, encoder, 128 * 128)
    other = 2 * decoder * (4 * projection + hidden) + attention(decoder, decoder, 128 * 128) + crossed
    return 24 * (layer + other) + 2 * decoder * 1024 * 32128


def mixtral_operations() -> int:
    chosen = 2 * 3 * 4096 * 14336
    layer = 2 * TOKENS * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 4096 * 8 + chosen) + attention(TOKENS, TOKENS, 4096)
    return 32 * layer + 2 * TOKENS * 4096 * 32000


def llama_operations() -> int:
    weights = 2 * 16384 * 16384 + 2 * 16384 * 1024 + 3 * 16384 * 53248
    layer = 2 * TOKENS * weights + attention(TOKENS, TOKENS, 16384)
    return 126 * layer + 2 * TOKENS * 16384 * 128256


TRIALS = (
    Trial("VGG-16", of_torchvision("vgg16"), 138_357_544, 2 * 15.47e9, "torchvision"),
    Trial("ResNet-50", of_torchvision("resnet50"), 25_557_032, 2 * 4.089e9, "torchvision"),
    Trial("ViT-B/16", of_torchvision("vit_b_16"), 86_567_656, 2 * 17.564e9, "torchvision"),
    Trial(
        "LSTM, 2 layers, 32 steps",
        reader,
        10_000 * 256 + 4 * 512 * (256 + 512 + 2) + 4 * 512 * (512 + 512 + 2) + 512 * 2 + 2,
        lstm_operations(32),
        "formula",
    ),
    Trial(
        "T5 11B",
        of_configuration(
            model_type="t5", architectures=["T5ForConditionalGeneration"],
            d_model=1024, d_kv=128, d_ff=65536, num_layers=24, num_heads=128, vocab_size=32128,
        ),
        11_307_321_344,
        t5_operations(),
        "formula",
    ),
    Trial(
        "Mixtral 8x7B",
        of_configuration(
            model_type="mixtral", architectures=["MixtralForCausalLM"],
            hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
            num_key_value_heads=8, vocab_size=32000, num_local_experts=8, num_experts_per_tok=2,
        ),
        46_702_792_704,
        mixtral_operations(),
        "formula, 2 experts a token",
    ),
    Trial(
        "Llama 3.1 405B",
        of_configuration(
            model_type="llama", architectures=["LlamaForCausalLM"],
            hidden_size=16384, intermediate_size=53248, num_hidden_layers=126, num_attention_heads=128,
            num_key_value_heads=8, vocab_size=128256, max_position_embeddings=131072, rope_theta=500000.0,
        ),
        405_853_388_800,
        llama_operations(),
        "formula",
    ),
)  # fmt: skip


def row(trial: Trial) -> str:
    graph, seconds = trial.traced()
    if graph.error:
        raise RuntimeError(f"{trial.name}: {graph.error}")
    folds = sorted({len(run) for run in graph.to_panel().repeats}, reverse=True)
    loops = [f"{loop.steps} steps" for loop in graph.loops] + [
        f"{node.steps} steps" for node in graph.nodes if node.steps is not None
    ]
    cells = [
        trial.name,
        graph.backend,
        f"{len(graph.nodes):,}",
        f"{graph.operators:,}",
        f"{graph.parameters:,}",
        "as published" if graph.parameters == trial.parameters else f"{trial.parameters:,}",
        f"{(graph.flops or 0) / 1e9:,.2f}",
        f"{trial.operations / 1e9:,.2f} ({trial.origin})",
        ", ".join([*(f"x{fold}" for fold in folds if fold > 1), *loops]) or "none",
        f"{seconds:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    torch.set_num_threads(1)
    head = (
        "| model | backend | nodes | operators | parameters | expected | GFLOP | expected | folded, loops | seconds |"
    )
    print(head)
    print("|" + " --- |" * (head.count("|") - 1))
    for trial in TRIALS:
        print(row(trial), flush=True)


if __name__ == "__main__":
    main()

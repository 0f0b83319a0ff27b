"""The difference of two graphs of 20,000 calls, beside difflib on the lists of the calls' signatures."""

from __future__ import annotations

import copy
import difflib
import statistics

import torch
from torch import nn

from bench.frames import WIDTH, Block
from bench.ratios import begin, finish, seconds
from pellucid.graph import trace
from pellucid.graph.structure import Graph

BLOCKS, REPEATS = 486, 5


def edited(blocks: nn.Sequential) -> nn.Sequential:
    """The same network with a block less, a block more, and ten branches that are wider."""
    layers = list(copy.deepcopy(blocks))
    del layers[100]
    layers.insert(300, Block(5 * WIDTH))
    for at in range(10):
        layers[20 + 40 * at] = Block(3 * WIDTH + at)
    return nn.Sequential(*layers)


def signatures(graph: Graph) -> list[tuple[object, ...]]:
    """What a call is, without its name."""
    return [
        (node.operation, node.kind, str(node.inputs), str(node.outputs), node.parameters, str(node.arguments))
        for node in graph.nodes
    ]


def main() -> None:
    options = begin(__doc__)
    before = nn.Sequential(*(Block(WIDTH + at % 2) for at in range(BLOCKS))).eval()
    inputs = torch.zeros(1, WIDTH)
    old, new = trace(before, inputs), trace(edited(before).eval(), inputs)
    ours = [seconds(lambda: new.against(old)) for _ in range(REPEATS)]
    changes = len(new.against(old).changes)
    peer = difflib.SequenceMatcher(None, signatures(old), signatures(new), autojunk=False)
    theirs = seconds(peer.get_opcodes)
    stretches = sum(code[0] != "equal" for code in peer.get_opcodes())
    finish(
        [
            {
                "what": f"the difference of graphs of {len(old.nodes):,} and {len(new.nodes):,} calls",
                "ours": f"{statistics.median(ours):.2f} s",
                "range": f"{min(ours):.2f} to {max(ours):.2f} s",
                "limit": "2 s",
                "peer": f"difflib: {theirs:.2f} s, once",
                "note": f"{changes} changes told; difflib: {stretches} stretches that differ",
            }
        ],
        options.out,
    )


if __name__ == "__main__":
    main()

"""VGG-16 from torchvision, looked at from every side: its architecture, what each view costs, and how long it takes.

    pip install torchvision scikit-image scikit-learn
    python examples/photographs.py photographs
    python examples/vgg16.py photographs

Prints the tables of docs/vgg16.md, which says how to read them. The weights are random, from one seed; nothing is fetched.
With `--weights FILE` a state dict is loaded instead: vgg16-397923af.pth, say, which `vgg16(weights="DEFAULT")` leaves in
torch's cache.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor, nn

import pellucid
from pellucid.capture import Session
from pellucid.data import open_data
from pellucid.graph import Graph, Node
from pellucid.mapping import effective_field, geometry_of, pooled, receptive_fields
from pellucid.models import OpenedModel, open_model
from pellucid.types import Passes

MIB = 2**20
CAMS = ["grad_cam", "grad_cam_plus_plus", "hires_cam", "layer_cam", "xgrad_cam", "eigen_cam"]
PLAIN = ["saliency", "gradient_x_input", *CAMS]
MODIFIED = ["guided_backprop", "deconvnet", "lrp_epsilon", "lrp_gamma", "lrp_z_plus"]


@dataclass(frozen=True)
class View:
    """One question of the instrument: which methods answer it, and how many forwards and backwards it may cost."""

    words: str
    methods: tuple[str, ...]
    forwards: int
    backwards: int


VIEWS = (
    View("Grad-CAM", ("grad_cam",), 1, 1),
    View("all 8 plain views", tuple(PLAIN), 1, 1),
    *(View(name.replace("_", " "), (name,), 1, 1) for name in MODIFIED),
    View("all 8 plain and all 5 modified views", (*PLAIN, *MODIFIED), 6, 6),
)


def table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    """Lines of a table in Markdown."""
    yield f"| {' | '.join(head)} |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def architecture(graph: Graph) -> Iterator[list[str]]:
    """A row a layer: a convolution or linear layer with the activation behind it is one layer, as it is in a record."""
    fields = receptive_fields(graph)
    made: list[Node] = []
    for node in graph.nodes:
        if node.kind in ("module", "function") and node.name not in fields:
            made += [node] if node.role == "compute" else []
            continue
        if node.name not in fields:
            continue
        whole = [*made, node] if node.role != "compute" else [node]
        made = []
        height, width = fields[node.name].size
        flops = sum(one.flops or 0 for one in whole)
        yield [
            f"`{node.name}`",
            ", ".join(one.operation for one in whole),
            " x ".join(map(str, node.outputs[0][1:])),
            f"{sum(one.own_parameters for one in whole):,}",
            f"{flops / 1e9:.2f}" if flops else "",
            f"{node.memory / MIB:.2f}",  # the activation works in place
            f"{height} x {width}",
        ]


def totals(graph: Graph) -> str:
    """Parameters, operations and memory of the whole, and where they are."""
    leaves = [node for node in graph.nodes if node.role != "other" or node.activation]
    by_part = {
        part: [
            sum(getattr(node, key) or 0 for node in leaves if node.name.startswith(part))
            for key in ("own_parameters", "flops")
        ]
        for part in ("features", "classifier")
    }
    shares = "; ".join(
        f"{part} {parameters / graph.parameters:.1%} of the parameters, {flops / (graph.flops or 1):.1%} of the operations"
        for part, (parameters, flops) in by_part.items()
    )
    outputs = sum(graph.by_name[layer.name].memory for layer in graph.layers) / MIB
    return (
        f"{graph.parameters:,} parameters ({graph.parameters * 4 / MIB:,.0f} MiB), {(graph.flops or 0) / 1e9:.2f} GFLOP, "
        f"{outputs:.0f} MiB of outputs of its layers. {shares}."
    )


def spent(model: nn.Module, image: Tensor, view: View) -> Passes:
    """What a view of every layer of one example costs, as pellucid counted it. Raises: RuntimeError: more than it may."""
    found = pellucid.attribute(model, image, "prediction", list(view.methods))
    passes = next(iter(found.values())).passes
    if (passes.forward_examples, passes.backward_examples) != (view.forwards, view.backwards):
        raise RuntimeError(f"{view.words} cost {passes}; expected {view.forwards} and {view.backwards}.")
    return passes


def costs(model: nn.Module, image: Tensor, repeats: int) -> Iterator[list[str]]:
    """A row a view: passes, and time in bare forwards, taken in turns."""
    graph = pellucid.graph(model, image)  # once, as an open app has it

    def bare() -> None:
        with torch.no_grad():
            model(image)

    def raw() -> None:
        leaf = image.clone().requires_grad_()
        torch.autograd.grad(model(leaf).amax(1).sum(), [leaf])

    yield ["a bare forward", "1 + 0", "1"]
    yield ["a bare forward and backward to the input", "1 + 1", in_forwards(raw, bare, repeats)]
    yield ["the graph, no weights touched", "0 + 0", in_forwards(lambda: pellucid.graph(model, image), bare, repeats)]
    for view in VIEWS:
        passes = spent(model, image, view)

        def looked(view: View = view) -> None:
            pellucid.attribute(model, image, "prediction", list(view.methods), graph=graph)

        yield [view.words, f"{passes.forward} + {passes.backward}", in_forwards(looked, bare, repeats)]


def in_forwards(run: Callable[[], object], bare: Callable[[], object], repeats: int) -> str:
    ratios = []
    for _ in range(repeats):
        beside, taken = seconds(bare), seconds(run)
        ratios.append(taken / min(beside, seconds(bare)))
    return f"{median(ratios):.3g}"


def seconds(run: Callable[[], object]) -> float:
    """CPU time, which other programs on the machine do not lengthen much."""
    begun = time.process_time()
    run()
    return time.process_time() - begun


def pools(model: nn.Module, image: Tensor) -> Iterator[list[str]]:
    """A row a maximum: how much of what comes in survives, and how much would of an average over the same windows."""
    graph = pellucid.graph(model, image)
    nodes = [node for node in graph.nodes if node.pool is not None and node.operation == "MaxPool2d"]
    before = {node.name: next(edge.source for edge in graph.edges if edge.target == node.id) for node in nodes}
    layers = {name: graph.layer(graph.nodes[source].name) for name, source in before.items()}
    with Session(model, list(layers.values())) as session:
        seen = session.forward(image, {"whole": lambda output, _: {"maps": output.detach().clone()}})
    for node in nodes:
        geometry = geometry_of(node)
        maps = seen.summaries[layers[node.name].name]["whole"]["maps"][0].numpy()
        most, mean = pooled(maps, geometry), pooled(maps, geometry, "average")
        yield [f"`{node.name}`", f"{maps.shape[1]} x {maps.shape[2]}", f"{most.l2 or 0:.0%}", f"{mean.l2 or 0:.0%}"]


def fields(model: nn.Module, images: Tensor, names: Sequence[str]) -> Iterator[list[str]]:
    """A row a layer: the box that its middle can depend on, and the pixels that it does depend on, by gradients."""
    graph = pellucid.graph(model, images[:1])
    boxes = receptive_fields(graph)
    for name in names:
        layer = graph.layer(name)
        with Session(model, [layer]) as session:
            found = effective_field(session, layer, images)
        top, left, bottom, right = boxes[name].box(found.position)
        area = (bottom - top) * (right - left)
        counts = [found.pixels(share) for share in (0.5, 0.6827, 0.9545)]
        shares = [f"{count:,} ({count / area:.0%})" for count in counts]
        yield [
            f"`{name}`",
            f"{bottom - top} x {right - left}",
            *shares,
            f"{found.inside((top, left, bottom, right)):.0%}",
        ]


def agreement(models: Sequence[nn.Module], image: Tensor, methods: Sequence[str]) -> Iterator[list[str]]:
    """A row a method: how like its maps of two unlike networks are. What agrees shows the photograph, not the network."""
    first, second = (pellucid.attribute(model, image, 0, list(methods)) for model in models)
    for name in methods:
        one, other = (np.abs(found[name].input.numpy()).sum(1).reshape(-1) for found in (first, second))
        yield [name, f"{np.corrcoef(rankdata(one), rankdata(other))[0, 1]:.2f}"]


def make() -> tuple[nn.Module, dict[str, object]]:
    """For the commands of docs/vgg16.md: the network of seed 0, the same each time, with ImageNet's names and recipe."""
    opened = network(0)
    return opened.model, {"classes": opened.classes, "recipe": opened.recipe}


def network(seed: int, weights: Path | None = None) -> OpenedModel:
    """VGG-16 with random weights of that seed, or with those of a file, and how it wants its images prepared."""
    torch.manual_seed(seed)
    return open_model("torchvision:vgg16", weights=weights)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", help="folder that examples/photographs.py wrote")
    parser.add_argument("--weights", type=Path, help="a state dict; random weights without")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()

    torch.set_num_threads(asked.threads)
    opened = network(0, asked.weights)
    model = opened.model
    source = open_data(asked.photographs, recipe=opened.recipe)
    images = next(source.batches(32)).inputs
    image = images[:1]
    graph = pellucid.graph(model, image)

    shown = [
        (("layer", "operations", "output", "parameters", "GFLOP", "MiB", "receptive field"), architecture(graph)),
        (("view of all layers", "forward + backward", "in forwards"), costs(model, image, asked.repeats)),
        (("pooling", "comes in", "squares kept by the maximum", "by an average"), pools(model, image)),
        (
            ("layer", "box", "50% in", "68% in", "95% in", "inside"),
            fields(model, images[:2], ["features.8", "features.15", "features.22", "features.29"]),
        ),
        (
            ("method", "rank correlation"),
            agreement([model, network(1).model], image, ["saliency", "gradient_x_input", "grad_cam", *MODIFIED]),
        ),
    ]
    print(totals(graph))
    for head, rows in shown:
        print()
        for line in table(head, rows):
            print(line, flush=True)


if __name__ == "__main__":
    main()

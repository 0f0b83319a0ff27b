"""What the units of a network trained on CIFAR-10 look for, and what its pooling keeps: the tables of docs/trials.md.

    python examples/features.py cifar10/ cifar10.pellucid     # trains examples/cifar10.py first where its weights are not here
    pellucid open cifar10.pellucid --model examples/cifar10.py:trained --data cifar10/test.parquet

With weights that are here: half a minute on two cores for the 10,000 test images and the stimuli.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from cifar10 import CLASSES, RECIPE, WEIGHTS, SmallVgg, train, trained
from numpy.typing import NDArray
from torch import Tensor, nn
from vgg16 import pools, table

import pellucid
from pellucid.data import open_data
from pellucid.inspection.features import Asked, add_features
from pellucid.record import Record
from pellucid.record.schema import ActivationsPanel, FeaturesPanel, TuningPanel


def purity(record: Record, layer: int, targets: NDArray[np.integer]) -> NDArray[np.float64]:
    """Of each unit that fires: the share of its strongest examples that are of one class, float64[unit]."""
    rows, values = (record.array("activations", f"{layer}.{name}") for name in ("top_rows", "top_values"))
    alive = (rows[:, 0] >= 0) & (values[:, 0] > 0)
    return np.array([np.bincount(targets[one[one >= 0]]).max() / (one >= 0).sum() for one in rows[alive]])


def units(record: Record) -> Iterator[list[str]]:
    """A row a layer with maps: how wide it looks, how many of its units have a clear label, how much they are of one class."""
    seen, shown, active = (record.panel(name) for name in ("features", "tuning", "activations"))
    if (
        not isinstance(seen, FeaturesPanel)
        or not isinstance(shown, TuningPanel)
        or not isinstance(active, ActivationsPanel)
    ):
        raise SystemExit("The record has no features: run this program without --no-stimuli.")
    targets = record.examples()["target"].to_numpy()
    tuned = {layer.index: layer for layer in shown.layers}
    for layer in seen.layers:
        one = tuned.get(layer.index)
        named: Counter[str] = Counter()
        if one is not None:
            labels = record.array("tuning", f"{layer.index}.label")
            named.update(one.labels[index] for index in labels.tolist())
        shares = purity(record, layer.index, targets)
        clear = [f"{label} ({count})" for label, count in named.most_common() if not label.startswith(NOTHING)]
        yield [
            f"`{layer.name}`",
            f"{layer.field_height} x {layer.field_width}",
            "" if one is None else f"{one.clear} of {layer.units}",
            "; ".join(clear[:4]),
            f"{np.mean(shares):.0%}" if len(shares) else "",
            f"{np.mean(shares == 1):.0%}" if len(shares) else "",
        ]


NOTHING = ("no clear", "does not", "nothing")


def weighed(model: SmallVgg, images: Tensor) -> float:
    """How far the mean of the maps, weighed by the head, is from the logits: the class activation map adds up to them."""
    with torch.no_grad():
        maps = model.features(images)
        cams = torch.einsum("bkyx,ck->bcyx", maps, model.head.weight)
        return float((cams.mean((2, 3)) + model.head.bias - model(images)).abs().max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with train.parquet and test.parquet")
    parser.add_argument("out", type=Path, help="record to write")
    parser.add_argument("--epochs", type=int, default=5, help="of the training, where it is needed")
    asked = parser.parse_args()

    if not WEIGHTS.exists():
        train(asked.data, asked.out, asked.epochs)
    model, _ = trained()
    test = open_data(str(asked.data / "test.parquet"), recipe=RECIPE)
    pellucid.inspect(model, test, out=asked.out, classes=CLASSES, title="Small VGG on CIFAR-10", overwrite=True)
    record = add_features(asked.out, model, test, Asked(stimuli=True))

    head = ("layer", "field", "clear labels", "the most frequent", "strongest of one class", "all nine")
    print("\n".join(table(head, units(record))))
    image = test.example(0).inputs[None]
    torch.manual_seed(1)
    untrained: nn.Module = SmallVgg().eval()
    for name, network in (("trained", model), ("random weights", untrained)):
        print(f"\n{name}")
        print("\n".join(table(("pooling", "comes in", "kept by the maximum", "by an average"), pools(network, image))))
    images = torch.stack([test.example(row).inputs for row in range(64)])
    print(f"\nmaps weighed by the head, averaged, against the logits: {weighed(model, images):.1e} at most")


if __name__ == "__main__":
    main()

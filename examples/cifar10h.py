"""A network trained on CIFAR-10 beside the people of CIFAR-10H, on all 10,000 test images.

    python examples/cifar10.py cifar10/ cifar10.pellucid       # trains it, and leaves cifar10.pt
    python examples/cifar10h.py cifar10/test.parquet cifar10h.pellucid
    pellucid open cifar10h.pellucid

test.parquet holds the images, their labels, and `human_counts`: how many of about 50 people chose each class. The inspection keeps
the five most probable classes; the probabilities of all ten go along, for the cross-entropy under people's answers needs them.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from cifar10 import CLASSES, RECIPE, trained
from torch import nn

import pellucid
from pellucid.data import Source, open_data
from pellucid.human import import_people
from pellucid.record.schema import HumanPanel

# What needs answers alone: gradients and activations of 10,000 images are another question.
LENSES = ["graph", "predictions", "loss", "accuracy", "confusion"]


def probabilities(model: nn.Module, source: Source) -> np.ndarray:
    """float32[example class], in the order of the data."""
    with torch.no_grad():
        parts = [model(batch.inputs).softmax(dim=1) for batch in source.batches(500)]
    return torch.cat(parts).numpy()


def beside_people(model: nn.Module, data: Path, out: Path, *, limit: int | None = None) -> HumanPanel:
    """Inspects the network and sets the people's answers beside its own."""
    source = open_data(str(data), recipe=RECIPE, limit=limit)
    pellucid.inspect(
        model, source, out=out, classes=CLASSES, lenses=LENSES, chosen=0, batch_size=250, overwrite=True,
        title="Small VGG beside CIFAR-10H",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "probabilities.npy"
        np.save(file, probabilities(model, source))
        return import_people(data, out, probabilities=file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="test.parquet")
    parser.add_argument("out", type=Path, help="record to write")
    asked = parser.parse_args()
    panel = beside_people(trained()[0], asked.data, asked.out)
    print(panel.answer)
    for finding in panel.findings:
        print(f"  [{finding.severity}] {finding.sentence}")
    soft = panel.soft
    if soft is not None and soft.cross_entropy is not None:
        print(
            f"  cross-entropy under people's answers {soft.cross_entropy:.3f} nats; people's own entropy {soft.entropy:.3f}"
        )
        print(f"  same second choice on {soft.seconds_same:,} of {soft.seconds_compared:,} images")


if __name__ == "__main__":
    main()

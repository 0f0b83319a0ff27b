"""A network that knows six animals of CIFAR-10, asked about vehicles, about animals prepared wrongly, and about digits.

    python examples/fit.py cifar10/                # train.parquet and test.parquet, Hugging Face layout

About two minutes on two cores.
"""

import argparse
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

import pellucid
from pellucid.data import open_data
from pellucid.recipe import Recipe

ANIMALS = {2: "bird", 3: "cat", 4: "deer", 5: "dog", 6: "frog", 7: "horse"}
VEHICLES = {0: "airplane", 1: "automobile", 8: "ship", 9: "truck"}
MEAN, DEVIATION = (0.491, 0.482, 0.447), (0.247, 0.243, 0.262)
RECIPE = Recipe(mean=MEAN, std=DEVIATION, origin="model")

Pairs = list[tuple[Tensor, int]]


def network(classes: int) -> nn.Module:
    """Four convolutions with batch normalisation, and a linear layer on the mean of each map."""
    layers: list[nn.Module] = []
    for before, after in ((3, 32), (32, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        if after > before or before == 32:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, classes))


def chosen(path: Path, kinds: dict[int, str], most: int) -> Pairs:
    """Images of some classes, normalised, with their place among these classes."""
    places = {label: place for place, label in enumerate(kinds)}
    found: Pairs = []
    for batch in open_data(str(path), recipe=RECIPE).batches(500):
        for image, label in zip(batch.inputs, batch.targets.tolist(), strict=True):
            if label in places:
                found.append((image, places[label]))
        if len(found) >= most:
            break
    return found[:most]


def train(images: Pairs, classes: int, epochs: int) -> nn.Module:
    """Trains for a few epochs."""
    torch.manual_seed(0)
    inputs, targets = torch.stack([image for image, _ in images]), torch.tensor([label for _, label in images])
    model = network(classes)
    steps = epochs * (len(inputs) // 64)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3, weight_decay=5e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(inputs))[: len(inputs) // 64 * 64].split(64):
            loss = functional.cross_entropy(model(inputs[rows]), targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def digits(most: int) -> Pairs:
    """Handwritten digits, as large and normalised as the photographs."""
    held = load_digits()
    images = functional.interpolate(torch.tensor(held.images[:most, None] / 16, dtype=torch.float32), (32, 32))
    coloured = images.expand(-1, 3, -1, -1)
    normalised = (coloured - torch.tensor(MEAN).reshape(3, 1, 1)) / torch.tensor(DEVIATION).reshape(3, 1, 1)
    return list(zip(normalised, held.target[:most].tolist(), strict=True))


def unnormalised(images: Pairs) -> Pairs:
    """The same images in 0..1, where the network expects them normalised."""
    mean, deviation = torch.tensor(MEAN).reshape(3, 1, 1), torch.tensor(DEVIATION).reshape(3, 1, 1)
    return [(image * deviation + mean, label) for image, label in images]


def main(data: Path, most: int = 9000, epochs: int = 6, sample: int = 1000) -> dict[str, pellucid.Fit]:
    """Trains on the animals and asks about everything; prints each verdict with its reasons."""
    seen = chosen(data / "train.parquet", ANIMALS, most)
    model = train(seen, len(ANIMALS), epochs)
    animals = chosen(data / "test.parquet", ANIMALS, sample)
    tasks = {
        "unseen animals": animals,
        "vehicles": chosen(data / "test.parquet", VEHICLES, sample),
        "animals, not normalised": unnormalised(animals),
        "animals, red and blue exchanged": [(image.flip(0), label) for image, label in animals],
        "digits": digits(sample),
    }
    found = {}
    for name, examples in tasks.items():
        # The labels of animals are the model's classes, in its order; those of the others are not.
        classes = list(ANIMALS.values())
        found[name] = pellucid.fit(model, examples, trained_on=seen[:sample], classes=classes, limit=sample)
        print(f"\n{name}: {found[name].verdict}")
        for reason in found[name].panel.reasons:
            print(f"  - {reason.sentence}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, help="folder of train.parquet and test.parquet")
    main(parser.parse_args().data)

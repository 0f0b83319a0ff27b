"""A VGG-style network on CIFAR-10, trained under a Watch and inspected on the test images.

    python examples/cifar10.py cifar10/ cifar10.pellucid      # train.parquet and test.parquet, Hugging Face layout
    pellucid open cifar10.pellucid --model examples/cifar10.py:trained --data cifar10/test.parquet --classes ...

About 12 minutes on two cores for six epochs of 25,000 images.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

import pellucid
from pellucid.data import open_data
from pellucid.recipe import Recipe

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
RECIPE = Recipe(mean=(0.491, 0.482, 0.447), std=(0.247, 0.243, 0.262), origin="model")
WEIGHTS = Path("cifar10.pt")


class SmallVgg(nn.Module):
    """Three blocks of two 3x3 convolutions with batch normalisation, then one linear layer on the mean of each map."""

    classes = CLASSES

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        widths = [3, width, width, 2 * width, 2 * width, 4 * width, 4 * width]
        layers: list[nn.Module] = []
        for index, (before, after) in enumerate(pairwise(widths)):
            layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
            if index % 2:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(4 * width, len(CLASSES))

    def forward(self, images: Tensor) -> Tensor:
        """Logits, float[batch 10], of normalised images, float[batch 3 32 32]."""
        return self.head(self.features(images).mean(dim=(2, 3)))


def trained() -> tuple[nn.Module, dict[str, object]]:
    """The network with the weights that `main` left here."""
    model = SmallVgg()
    model.load_state_dict(torch.load(WEIGHTS, weights_only=True))
    return model.eval(), {"classes": CLASSES, "recipe": RECIPE}


def whole(path: Path) -> tuple[Tensor, Tensor]:
    """All images and labels of a Parquet file as tensors."""
    source = open_data(str(path), recipe=RECIPE)
    batches = list(source.batches(1000))
    return torch.cat([batch.inputs for batch in batches]), torch.cat([batch.targets for batch in batches])


def train(data: Path, out: Path, epochs: int, width: int = 32, title: str = "Small VGG on CIFAR-10") -> SmallVgg:
    """Trains under a Watch that writes to `out`, prints the held-out accuracy of every epoch."""
    torch.manual_seed(0)
    images, labels = whole(data / "train.parquet")
    held_out, truth = images[-2500:], labels[-2500:]
    images, labels = images[:-2500], labels[:-2500]
    model = SmallVgg(width)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=5e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=epochs * (len(images) // 128))
    with pellucid.watch(model, optimizer, out=out, title=title) as watch:
        for epoch in range(epochs):
            model.train()
            for chosen in torch.randperm(len(images))[: len(images) // 128 * 128].split(128):
                batch = images[chosen]
                batch = torch.where(torch.rand(len(batch), 1, 1, 1) < 0.5, batch.flip(3), batch)
                logits = model(batch)
                loss = nn.functional.cross_entropy(logits, labels[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                watch.observe(logits, labels[chosen], loss)
            model.eval()
            with torch.no_grad():
                logits = torch.cat([model(part) for part in held_out.split(500)])
            right = (logits.argmax(1) == truth).double().mean()
            watch.log(validation_loss=nn.functional.cross_entropy(logits, truth), validation_accuracy=right)
            print(f"epoch {epoch + 1}: {right:.1%} of the held-out images are right")
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with train.parquet and test.parquet")
    parser.add_argument("out", type=Path, help="record to write")
    parser.add_argument("--epochs", type=int, default=6)
    asked = parser.parse_args()

    model = train(asked.data, asked.out, asked.epochs)
    torch.save(model.state_dict(), WEIGHTS)
    test = open_data(str(asked.data / "test.parquet"), recipe=RECIPE)
    record = pellucid.inspect(model, test, out=asked.out, classes=CLASSES, title="Small VGG on CIFAR-10")
    for finding in record.findings:
        print(finding.severity, finding.sentence)


if __name__ == "__main__":
    main()

"""A family of small convolutional networks for 8 x 8 digits, of any width and depth, and how each of them is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from pellucid.demo.network import whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from pellucid.data import Source
    from pellucid.watch import Watch

BATCH_SIZE = 64
LEARNING_RATE = 4e-3
VALIDATE_EVERY = 4
"""Steps between two looks at the validation set: how finely it is known when an accuracy was reached."""


class FamilyNet(nn.Module):
    """A convolution onto `width` channels, `depth` more, the mean over places, a linear layer.

    All convolutions are 3 x 3 and normalised over the batch; half-way the picture is halved. Only width and depth differ
    between two of the family, so that what they bring can be told.
    """

    def __init__(self, width: int, depth: int, classes: int = 10) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for place in range(1 + depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
            if place == depth // 2:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of handwritten digits: float[batch 1 8 8], 0 to 1, to float[batch class]."""
        logits: Tensor = self.head(self.features(images).mean((2, 3)))
        return logits


def train_family(
    width: int,
    depth: int,
    train_source: Source,
    validation_source: Source,
    *,
    seed: int,
    epochs: int,
    watched: Callable[[nn.Module, torch.optim.Optimizer], Watch],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FamilyNet:
    """Trains one of the family with Adam at one learning rate, all of them alike, under a Watch.

    Args:
        width: channels of every convolution.
        depth: convolutions after the first.
        train_source: digits to learn from.
        validation_source: digits on which the accuracy is taken as it learns; nothing is chosen by it.
        seed: of the weights and of the order of examples.
        epochs: times that every example is seen.
        watched: makes the Watch from model and optimizer.
        progress: hears epochs done and in all.

    Returns: the trained network, in evaluation mode.
    """
    torch.manual_seed(seed)
    model = FamilyNet(width, depth)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    images, labels = whole(train_source)
    held_out, held_labels = whole(validation_source)
    with watched(model, optimizer) as watch:
        for epoch in range(epochs):
            order = torch.randperm(len(images))
            for start in range(0, len(images) - BATCH_SIZE + 1, BATCH_SIZE):
                chosen = order[start : start + BATCH_SIZE]
                logits = model(images[chosen])
                loss = nn.functional.cross_entropy(logits, labels[chosen])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                watch.observe(logits, labels[chosen], loss)
                if watch.step % VALIDATE_EVERY == 0:
                    watch.log(validation_accuracy=accuracy(model, held_out, held_labels))
            progress(epoch + 1, epochs)
    return model.eval()


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of the images that are recognised; the model learns on afterwards."""
    model.eval()
    with torch.no_grad():
        right = (model(images).argmax(dim=1) == labels).double().mean()
    model.train()
    return float(right)

"""A small VGG-style network for 8 x 8 handwritten digits, and its training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from pellucid.data import Source
    from pellucid.watch import Watch

EPOCHS = 24
BATCH_SIZE = 64


class DigitsNet(nn.Module):
    """Two blocks of two 3x3 convolutions each, max pooling after each, and a classifier of two linear layers.

    After Simonyan & Zisserman 2015, arXiv:1409.1556, at a thousandth of the size.
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.block1 = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1), nn.ReLU(), nn.Conv2d(24, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.block2 = nn.Sequential(
            nn.Conv2d(24, 48, 3, padding=1), nn.ReLU(), nn.Conv2d(48, 48, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(48 * 2 * 2, 96), nn.ReLU(), nn.Dropout(0.3), nn.Linear(96, classes)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits of handwritten digits: float[batch 1 8 8], 0 to 1, to float[batch class]."""
        logits: Tensor = self.classifier(self.block2(self.block1(images)))
        return logits


def train(
    train_source: Source,
    validation_source: Source,
    *,
    seed: int = 0,
    epochs: int = EPOCHS,
    watched: Callable[[nn.Module, torch.optim.Optimizer], Watch] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> DigitsNet:
    """Trains the network with Adam and cross-entropy, under a Watch where one is given.

    Args:
        train_source: digits with labels to learn from.
        validation_source: digits with labels to be judged on after each epoch.
        seed: of the initial weights and of the order of examples.
        epochs: times that every example is seen.
        watched: makes the Watch from model and optimizer.
        progress: hears epochs done and in all.

    Returns: the trained network, in evaluation mode.
    """
    from contextlib import nullcontext

    torch.manual_seed(seed)
    model = DigitsNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
    images, labels = whole(train_source)
    validation_images, validation_labels = whole(validation_source)
    steps = epochs * (len(images) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=6e-3, total_steps=steps)
    with watched(model, optimizer) if watched else nullcontext() as watch:
        for epoch in range(epochs):
            order = torch.randperm(len(images))
            for start in range(0, len(images) - BATCH_SIZE + 1, BATCH_SIZE):
                chosen = order[start : start + BATCH_SIZE]
                logits = model(images[chosen])
                loss = nn.functional.cross_entropy(logits, labels[chosen])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                if watch is not None:
                    watch.observe(logits, labels[chosen], loss)
            if watch is not None:
                watch.log(**_validation(model, validation_images, validation_labels))
            progress(epoch + 1, epochs)
    return model.eval()


def _validation(model: DigitsNet, images: Tensor, labels: Tensor) -> dict[str, float]:
    model.eval()
    with torch.no_grad():
        logits = model(images)
    model.train()
    return {
        "validation_loss": float(nn.functional.cross_entropy(logits, labels)),
        "validation_accuracy": float((logits.argmax(dim=1) == labels).double().mean()),
    }


def whole(source: Source) -> tuple[Tensor, Tensor]:
    """All inputs and targets of a source that fits into one batch."""
    batch = next(iter(source.batches(len(source))))
    return batch.inputs, batch.targets  # type: ignore[return-value]

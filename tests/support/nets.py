"""Small networks for digits, trained in half a second, and healthy: no unit is dead, confidence is earned."""

from __future__ import annotations

from functools import cache
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from pellucid.data import Source, open_data

EPOCHS, BATCH = 10, 64
_SEEN: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()


class TinyNet(nn.Module):
    """Two convolutions and two linear layers, normalised so that every unit fires.

    Attributes:
        seen: on how many examples it ran; counted outside of it, for what it keeps of a forward is put back.
    """

    def __init__(self, activation: type[nn.Module] = nn.ReLU, width: int = 8) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), activation(), nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1), nn.BatchNorm2d(2 * width), activation(),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(2 * width * 16, 32), nn.BatchNorm1d(32), activation(), nn.Linear(32, 10)
        )

    @property
    def seen(self) -> int:
        return _SEEN.get(self, 0)

    def forward(self, images: Tensor) -> Tensor:
        _SEEN[self] = self.seen + len(images)
        logits: Tensor = self.classifier(self.features(images))
        return logits


def untrained(seed: int = 0) -> TinyNet:
    """The network with random weights."""
    torch.manual_seed(seed)
    return TinyNet().eval()


def whole(source: Source) -> tuple[Tensor, Tensor]:
    """All inputs and targets of a source, as two tensors."""
    batch = next(iter(source.batches(len(source))))
    assert isinstance(batch.inputs, Tensor)
    assert batch.targets is not None
    return batch.inputs, batch.targets


@cache
def digits(split: str) -> tuple[Tensor, Tensor]:
    """Images and labels of "train" or "test"."""
    return whole(open_data(f"digits:{split}"))


@cache
def _weights(activation: type[nn.Module]) -> dict[str, Tensor]:
    state = torch.get_rng_state()
    torch.manual_seed(5)
    model = TinyNet(activation)
    images, labels = digits("train")
    steps = EPOCHS * (len(images) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=steps)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(images))[: len(images) // BATCH * BATCH].split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[chosen]), labels[chosen]).backward()
            optimizer.step()
            schedule.step()
    torch.set_rng_state(state)
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def trained(activation: type[nn.Module] = nn.ReLU) -> TinyNet:
    """A fresh copy of the trained network, in evaluation mode; right on more than 95% of held-out digits."""
    model = TinyNet(activation)
    model.load_state_dict(_weights(activation))
    return model.eval()

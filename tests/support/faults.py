"""Networks and data with one fault each, and what a lens must say of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.types import Example
from support.nets import TinyNet, digits, trained

Fault = tuple[nn.Module, Any]


def items(images: Tensor, labels: Tensor) -> list[tuple[Tensor, int]]:
    return [(image, int(label)) for image, label in zip(images, labels, strict=True)]


def held_out(count: int = 540) -> list[tuple[Tensor, int]]:
    return items(*(part[:count] for part in digits("test")))


def noisy(amount: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Digits that are hard to read."""
    images, labels = digits("test")
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed))
    return (images + amount * noise), labels


class Changed(nn.Module):
    """The trained network with something done to its logits."""

    def __init__(self, change: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.net, self.change = trained(), change

    def forward(self, images: Tensor) -> Tensor:
        return self.change(self.net(images), images)


# --- faults ---------------------------------------------------------------------------------------------------


def dead_layer() -> Fault:
    model = trained()
    nn.init.constant_(model.classifier[2].bias, -100.0)
    return model, held_out(200)


def dead_units() -> Fault:
    model = trained()
    with torch.no_grad():
        model.features[5].bias[:5] = -100.0
    return model, held_out(200)


def saturated_layer() -> Fault:
    model = trained(nn.Tanh)
    with torch.no_grad():
        model.classifier[2].weight *= 1000
    return model, held_out(200)


def saturated_sigmoid() -> Fault:
    model = trained(nn.Sigmoid)
    nn.init.constant_(model.features[1].bias, 60.0)
    return model, held_out(200)


def swapped_labels() -> Fault:
    images, labels = digits("test")
    swap = torch.arange(10)
    swap[3], swap[8] = 8, 3
    return trained(), items(images, swap[labels])


def wrong_labels() -> Fault:
    images, labels = digits("test")
    wrong = labels.clone()
    rows = torch.randperm(540, generator=torch.Generator().manual_seed(1))[:27]
    wrong[rows] = (labels[rows] + 1 + rows % 9) % 10
    return trained(), items(images, wrong)


def overconfident() -> Fault:
    return Changed(lambda logits, images: logits * 6), items(*noisy(0.35))


def underconfident() -> Fault:
    return Changed(lambda logits, images: logits * 0.25), held_out()


def _threes_look_like_eights(logits: Tensor, images: Tensor) -> Tensor:
    changed = logits.clone()
    half = images.sum(dim=(1, 2, 3)) * 1000 % 2 < 1
    changed[half, 8] = torch.maximum(logits[half, 8], logits[half, 3] + 1)
    return changed


def confused_pair() -> Fault:
    return Changed(_threes_look_like_eights), held_out()


def weak_slice() -> Fault:
    """Every fourth picture came from a scanner that turns it upside down."""
    images, labels = digits("test")
    turned = torch.arange(len(images)) % 4 == 1
    images = torch.where(turned[:, None, None, None], images.flip(-1, -2), images)
    return trained(), [
        Example(str(row), image, label, columns={"scanner": "b" if turned[row] else "a"})
        for row, (image, label) in enumerate(items(images, labels))
    ]


def never_predicted() -> Fault:
    shift = torch.zeros(10)
    shift[4] = -1000
    return Changed(lambda logits, images: logits + shift), held_out()


def worse_than_prior() -> Fault:
    return Changed(lambda logits, images: logits.roll(1, dims=1)), held_out(200)


def unused_parameters() -> Fault:
    model = trained()
    model.register_module("spare", nn.Linear(7, 3))
    return model, held_out(100)


def zero_weights() -> Fault:
    model = trained()
    nn.init.zeros_(model.features[4].weight)
    return model, held_out(100)


def nonfinite_weights() -> Fault:
    model = trained()
    with torch.no_grad():
        model.classifier[4].weight[3, 5] = float("nan")
    return model, held_out(100)


def nonfinite_output() -> Fault:
    return Changed(lambda logits, images: torch.where(logits > 7, float("inf"), logits)), held_out(100)


def probability_outputs() -> Fault:
    return Changed(lambda logits, images: logits.softmax(1)), held_out(100)


def unit_outputs() -> Fault:
    """Sigmoids of every class, of which one is the label: neither logits nor probabilities that add up to one."""
    return Changed(lambda logits, images: logits.sigmoid()), held_out(100)


class Augmented(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """Digits that are noisy in another way each time that they are read."""

    def __init__(self, count: int) -> None:
        self.items = held_out(count)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        if row >= len(self):
            raise IndexError(row)
        image, label = self.items[row]
        return image + 0.01 * torch.randn_like(image), label


def changing_inputs() -> Fault:
    return trained(), Augmented(100)


def changing_outputs() -> Fault:
    """The dropout that nobody switches off."""
    return Changed(lambda logits, images: nn.functional.dropout(logits, 0.2)), held_out(100)


def batch_dependence() -> Fault:
    """Normalised by the examples that happen to be beside it."""
    return Changed(lambda logits, images: nn.functional.batch_norm(logits, None, None, training=True)
                   if len(logits) > 1 else logits), held_out(100)  # fmt: skip


def several_outputs() -> Fault:
    """Scores beside something else."""
    return Changed(lambda logits, images: {"told": logits, "pixels": images.flatten(1)}), held_out(100)  # type: ignore[arg-type,return-value]


def unscored_outputs() -> Fault:
    """Classes in the place of their scores."""
    return Changed(lambda logits, images: logits.argmax(1)), held_out(100)


class Dividing(nn.Module):
    """Divides by what may be zero, half-way."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.act, self.last = nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.act(self.first(images.flatten(1)))
        logits: Tensor = self.last(hidden / hidden)
        return logits


def nonfinite_activations() -> Fault:
    torch.manual_seed(0)
    return Dividing(), held_out(40)


class Rooted(nn.Module):
    """Takes a root whose slope at zero is infinite."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.act, self.last = nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.act(self.first(images.flatten(1)))
        logits: Tensor = self.last(torch.sqrt(hidden) + hidden)
        return logits


def nonfinite_gradients() -> Fault:
    torch.manual_seed(0)
    return Rooted(), held_out(40)


class Hiding(TinyNet):
    """Answers without a gradient."""

    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            return super().forward(images)


def no_gradients() -> Fault:
    model = Hiding()
    model.load_state_dict(trained().state_dict())
    return model, held_out(60)


class Undefined(TinyNet):
    """Takes the length of a difference that is always zero, whose slope there is not defined."""

    def forward(self, images: Tensor) -> Tensor:
        features = self.features(images)
        still = torch.sqrt((features - features.detach()).square().sum((1, 2, 3), keepdim=True))
        logits: Tensor = self.classifier(features + still)
        return logits


def undefined_step() -> Fault:
    model = Undefined()
    model.load_state_dict(trained().state_dict())
    return model, held_out(100)


class CutOff(TinyNet):
    """Its middle is detached from the loss, though it takes part."""

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(images).detach())
        return logits


def cut_off() -> Fault:
    model = CutOff()
    model.load_state_dict(trained().state_dict())
    return model, held_out(100)


def deep(gain: float, activation: type[nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Flatten(), nn.Linear(64, 16), activation()]
    for _ in range(10):
        layers += [nn.Linear(16, 16), activation()]
    model = nn.Sequential(*layers, nn.Linear(16, 10))
    for module in model:
        if isinstance(module, nn.Linear):
            nn.init.orthogonal_(module.weight, gain)
    return model


class Frames(nn.Module):
    """Looks at the two halves of a picture as if they were pictures of their own, and answers by both."""

    def __init__(self) -> None:
        super().__init__()
        self.look, self.answer = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU()), nn.Linear(4, 10)

    def forward(self, images: Tensor) -> Tensor:
        halves = self.look(torch.cat(images.chunk(2, 2))).mean((2, 3))
        logits: Tensor = self.answer(halves[: len(images)] + halves[len(images) :])
        return logits


def folded_batch() -> Fault:
    torch.manual_seed(0)
    return Frames(), held_out(60)


class Written(nn.Module):
    """One product with a parameter, which no module holds."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(64, 10) / 8)

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weight


def without_layers() -> Fault:
    torch.manual_seed(0)
    return Written(), held_out(60)


class Experts(nn.Module):
    """Asks one expert about dark pictures and another about the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.dark, self.light = (nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10)) for _ in range(2))

    def forward(self, images: Tensor) -> Tensor:
        flat = images.flatten(1)
        dark = flat.mean(1) > flat.mean(1).median()
        logits = flat.new_zeros(len(flat), 10)
        for chosen, expert in ((dark, self.dark), (~dark, self.light)):
            if chosen.any():
                logits[chosen] = expert(flat[chosen])
        return logits


def experts() -> Fault:
    torch.manual_seed(0)
    return Experts(), held_out(60)


def vanishing_gradient() -> Fault:
    return deep(1.0, nn.Sigmoid), held_out(60)


def exploding_gradient() -> Fault:
    return deep(12.0, nn.LeakyReLU), held_out(60)


# Kind, the fault, what its worst finding is about, and whether it is grave.
PLANTED: list[tuple[str, Callable[[], Fault], dict[str, str], str]] = [
    ("dead-layer", dead_layer, {"layer": "classifier.3"}, "high"),
    ("dead-layer", dead_units, {"layer": "features.6"}, "medium"),
    ("saturated-layer", saturated_layer, {"layer": "classifier.3"}, "high"),
    ("saturated-layer", saturated_sigmoid, {"layer": "features.2"}, "high"),
    ("label-errors", swapped_labels, {}, "high"),
    ("label-errors", wrong_labels, {}, "high"),
    ("overconfident", overconfident, {}, "high"),
    ("underconfident", underconfident, {}, "high"),
    ("confused-pair", confused_pair, {"true": "3", "predicted": "8"}, "high"),
    ("confused-pair", swapped_labels, {"true": "3", "predicted": "8"}, "high"),
    ("weak-class", confused_pair, {"true": "3"}, "high"),
    ("never-predicted", never_predicted, {"true": "4"}, "high"),
    ("weak-slice", weak_slice, {"column.scanner": "b"}, "high"),
    ("worse-than-prior", worse_than_prior, {}, "high"),
    ("unused-parameters", unused_parameters, {}, "low"),
    ("layers-left-out", folded_batch, {}, "low"),
    ("no-layers", without_layers, {}, "medium"),
    ("unlike-batch", experts, {}, "low"),
    ("zero-weights", zero_weights, {"layer": "features.4"}, "medium"),
    ("nonfinite-weights", nonfinite_weights, {"layer": "classifier.4"}, "high"),
    ("nonfinite-output", nonfinite_output, {}, "high"),
    ("changing-inputs", changing_inputs, {}, "high"),
    ("changing-outputs", changing_outputs, {}, "high"),
    ("batch-dependence", batch_dependence, {}, "high"),
    ("several-outputs", several_outputs, {}, "info"),
    ("unscored-outputs", unscored_outputs, {}, "medium"),
    ("probability-outputs", probability_outputs, {}, "info"),
    ("unit-outputs", unit_outputs, {}, "medium"),
    ("nonfinite-activations", nonfinite_activations, {"layer": "last"}, "high"),
    ("nonfinite-gradients", nonfinite_gradients, {"layer": "act"}, "high"),
    ("no-gradients", no_gradients, {}, "info"),
    ("nonfinite-parameter-gradients", undefined_step, {"layer": "features.5"}, "high"),
    ("no-parameter-gradient", cut_off, {"layer": "features.0"}, "medium"),
    ("vanishing-gradient", vanishing_gradient, {}, "high"),
    ("exploding-gradient", exploding_gradient, {}, "high"),
]

"""Models to plant edits in.

Every module carries a tag that copies keep, so that which call of an edited model is which of the first is known without looking
at structure.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from torch import Tensor, nn

FRESH = count()


class Chain(nn.Module):
    """Named parts, one after the other."""

    def __init__(self, **parts: nn.Module) -> None:
        super().__init__()
        self.parts = list(parts)
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, values: Tensor) -> Tensor:
        for name in self.parts:
            values = self.get_submodule(name)(values)
        return values


class Residual(nn.Module):
    """What goes in, added to what an inner module makes of it; without, where `skips` is off."""

    def __init__(self, inner: nn.Module, *, skips: bool = True) -> None:
        super().__init__()
        self.inner, self.skips = inner, skips

    def forward(self, values: Tensor) -> Tensor:
        made: Tensor = self.inner(values)
        return values + made if self.skips else made


class Wrapper(nn.Module):
    """A module inside another."""

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside = inside

    def forward(self, values: Tensor) -> Tensor:
        made: Tensor = self.inside(values)
        return made


class Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.project = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        scores = self.query(tokens) @ self.key(tokens).transpose(1, 2)
        mixed: Tensor = self.project(scores.softmax(-1) @ self.value(tokens))
        return mixed


def perceptron() -> tuple[nn.Module, tuple[int, ...]]:
    layers: list[nn.Module] = []
    for width, following in ((16, 32), (32, 32), (32, 32), (32, 24), (24, 24), (24, 10)):
        layers += [nn.Linear(width, following), nn.BatchNorm1d(following), nn.ReLU(), nn.Dropout(0.2)]
    return nn.Sequential(*layers), (2, 16)


def convolutional() -> tuple[nn.Module, tuple[int, ...]]:
    layers: list[nn.Module] = []
    for width, following in ((3, 8), (8, 8), (8, 16), (16, 16), (16, 32), (32, 32)):
        layers += [nn.Conv2d(width, following, 3, padding=1), nn.BatchNorm2d(following), nn.ReLU()]
        if following > width:
            layers.append(nn.MaxPool2d(2))
    head = Chain(pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), drop=nn.Dropout(0.5), classify=nn.Linear(32, 10))
    return Chain(features=nn.Sequential(*layers), head=head), (1, 3, 32, 32)


def residual() -> tuple[nn.Module, tuple[int, ...]]:
    def block(width: int) -> nn.Module:
        inner = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width),
        )  # fmt: skip
        return nn.Sequential(Residual(inner), nn.ReLU())

    stages = [nn.Sequential(*(block(width) for _ in range(3))) for width in (8, 16)]
    down = Chain(conv=nn.Conv2d(8, 16, 3, stride=2, padding=1), norm=nn.BatchNorm2d(16), act=nn.ReLU())
    stem = nn.Conv2d(3, 8, 3, padding=1)
    return Chain(stem=stem, first=stages[0], down=down, second=stages[1], classify=nn.Conv2d(16, 10, 1)), (1, 3, 16, 16)


def transformer() -> tuple[nn.Module, tuple[int, ...]]:
    def block() -> nn.Module:
        wide = Chain(expand=nn.Linear(16, 64), act=nn.GELU(), drop=nn.Dropout(0.1), reduce=nn.Linear(64, 16))
        return nn.Sequential(
            Residual(Chain(norm=nn.LayerNorm(16), attend=Attention(16))),
            Residual(Chain(norm=nn.LayerNorm(16), mlp=wide)),
        )

    return Chain(embed=nn.Linear(8, 16), blocks=nn.Sequential(*(block() for _ in range(5))), norm=nn.LayerNorm(16)), (
        1,
        6,
        8,
    )


def library(name: str) -> Callable[[], tuple[nn.Module, tuple[int, ...]]]:
    """A network of torchvision's."""

    def make() -> tuple[nn.Module, tuple[int, ...]]:
        from torchvision import models

        return models.get_model(name, weights=None), (1, 3, 64, 64)

    make.__name__ = name
    return make


MODELS = (
    perceptron, convolutional, residual, transformer, library("resnet18"), library("vgg11_bn"), library("mobilenet_v2"),
)  # fmt: skip


def tagged(model: nn.Module) -> nn.Module:
    """The model, with a tag on every module."""
    for name, module in model.named_modules():
        module.tag = name  # type: ignore[assignment]
    return model


def tag_of(module: nn.Module) -> str:
    """Its tag; a new one where it has none yet."""
    if not isinstance(getattr(module, "tag", None), str):
        module.tag = f"new {next(FRESH)}"  # type: ignore[assignment]
    return str(module.tag)


def fresh(module: nn.Module) -> nn.Module:
    """The module with new tags all through."""
    for inside in module.modules():
        if hasattr(inside, "tag"):
            del inside.tag
        tag_of(inside)
    return module

"""Miniatures of the architectures of the field, each written in four styles that compute the same function of the same weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Style = Literal["functional", "module", "in place", "reused"]
STYLES: tuple[Style, ...] = ("module", "functional", "in place", "reused")

_FUNCTIONS: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.ReLU: F.relu,
    nn.ReLU6: F.relu6,
    nn.SiLU: F.silu,
    nn.GELU: F.gelu,
    nn.Tanh: torch.tanh,
}


class Family(nn.Module):
    """A network whose activations and sums are written in a style.

    In place: the activation overwrites what it is given where torch has such a form, and a sum its first summand.
    Reused: one module for all activations of the network.
    """

    activation: type[nn.Module] = nn.ReLU

    def __init__(self, style: Style) -> None:
        super().__init__()
        self.style = style
        self.acts = nn.ModuleList(self._made() for _ in range({"functional": 0, "reused": 1}.get(style, 6)))

    def _made(self) -> nn.Module:
        return self.activation(inplace=True) if self.style == "in place" and self._overwrites() else self.activation()

    def _overwrites(self) -> bool:
        return self.activation not in (nn.GELU, nn.Tanh)

    def act(self, number: int, values: Tensor) -> Tensor:
        """The activation of that number."""
        if self.style == "functional":
            return _FUNCTIONS[self.activation](values)
        if self.style == "in place" and self.activation is nn.Tanh:
            return values.tanh_()
        return self.acts[0 if self.style == "reused" else number](values)

    def added(self, values: Tensor, more: Tensor) -> Tensor:
        """Their sum."""
        if self.style == "in place":
            values += more
            return values
        return torch.add(values, more) if self.style == "functional" else values + more


class Vgg(Family):
    def __init__(self, style: Style) -> None:
        super().__init__(style)
        self.first, self.second = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 8, 3, padding=1)
        self.hidden, self.drop, self.head = nn.Linear(128, 10), nn.Dropout(), nn.Linear(10, 3)

    def forward(self, images: Tensor) -> Tensor:
        maps = F.max_pool2d(self.act(0, self.first(images)), 2)
        maps = F.max_pool2d(self.act(1, self.second(maps)), 2)
        return self.head(self.drop(self.act(2, self.hidden(maps.flatten(1)))))


class ResNet(Family):
    def __init__(self, style: Style) -> None:
        super().__init__(style)
        self.stem, self.norm = nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.first, self.norm1 = nn.Conv2d(6, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8)
        self.second, self.norm2 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.down, self.norm3 = nn.Conv2d(6, 8, 1, 2, bias=False), nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.act(0, self.norm(self.stem(images)))
        side = self.norm3(self.down(maps))
        maps = self.norm2(self.second(self.act(1, self.norm1(self.first(maps)))))
        return self.head(self.act(2, self.added(maps, side)).mean((2, 3)))


class DenseNet(Family):
    def __init__(self, style: Style) -> None:
        super().__init__(style)
        self.stem, self.norm1 = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.first, self.norm2 = nn.Conv2d(6, 4, 3, padding=1), nn.BatchNorm2d(10)
        self.second, self.norm3 = nn.Conv2d(10, 4, 3, padding=1), nn.BatchNorm2d(14)
        self.head = nn.Linear(14, 3)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.stem(images)
        maps = torch.cat([maps, self.first(self.act(0, self.norm1(maps)))], 1)
        maps = torch.cat([maps, self.second(self.act(1, self.norm2(maps)))], 1)
        return self.head(self.act(2, self.norm3(F.avg_pool2d(maps, 2))).mean((2, 3)))


class MobileNet(Family):
    activation = nn.ReLU6

    def __init__(self, style: Style) -> None:
        super().__init__(style)
        self.stem, self.norm1 = nn.Conv2d(3, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6)
        self.depth, self.norm2 = nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False), nn.BatchNorm2d(6)
        self.point, self.norm3 = nn.Conv2d(6, 6, 1, bias=False), nn.BatchNorm2d(6)
        self.last, self.head = nn.Conv2d(6, 8, 1), nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.act(0, 4 * self.norm1(self.stem(images)))  # some beyond 6
        inner = self.act(1, self.norm2(self.depth(maps)))
        maps = self.added(self.norm3(self.point(inner)), maps)
        return self.head(F.adaptive_avg_pool2d(self.act(2, self.last(maps)), 1).flatten(1))


class EfficientNet(Family):
    activation = nn.SiLU

    def __init__(self, style: Style) -> None:
        super().__init__(style)
        self.stem, self.norm1 = nn.Conv2d(3, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6)
        self.depth, self.norm2 = nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False), nn.BatchNorm2d(6)
        self.less, self.more = nn.Conv2d(6, 2, 1), nn.Conv2d(2, 6, 1)
        self.point, self.norm3, self.head = nn.Conv2d(6, 6, 1, bias=False), nn.BatchNorm2d(6), nn.Linear(6, 3)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.act(0, self.norm1(self.stem(images)))
        inner = self.act(1, self.norm2(self.depth(maps)))
        gate = torch.sigmoid(self.more(self.act(2, self.less(inner.mean((2, 3), keepdim=True)))))
        inner = inner.mul_(gate) if self.style == "in place" else inner * gate
        return self.head(self.added(self.norm3(self.point(inner)), maps).mean((2, 3)))


class ConvNeXt(Family):
    activation = nn.GELU

    def __init__(self, style: Style) -> None:
        super().__init__(style)
        self.stem, self.depth = nn.Conv2d(3, 6, 4, 4), nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.norm, self.wide, self.narrow = nn.LayerNorm(6), nn.Linear(6, 12), nn.Linear(12, 6)
        self.scale = nn.Parameter(torch.full((6,), 0.5))
        self.last, self.head = nn.LayerNorm(6), nn.Linear(6, 3)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.stem(images)
        inner = self.norm(self.depth(maps).permute(0, 2, 3, 1))
        inner = self.narrow(self.act(0, self.wide(inner)))
        inner = inner.mul_(self.scale) if self.style == "in place" else inner * self.scale
        maps = self.added(inner.permute(0, 3, 1, 2), maps)
        return self.head(self.last(maps.mean((2, 3))))


class Transformer(Family):
    """Blocks for pictures and text: attention by the module or by the fused operator, whatever the style."""

    activation = nn.GELU

    def __init__(self, style: Style) -> None:
        super().__init__(style)
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.wide, self.narrow = nn.Linear(8, 12), nn.Linear(12, 8)
        self.last, self.head = nn.LayerNorm(8), nn.Linear(8, 3)

    def block(self, tokens: Tensor) -> Tensor:
        normed = self.norm1(tokens)
        tokens = self.added(self.attention(normed, normed, normed, need_weights=False)[0], tokens)
        return self.added(self.narrow(self.act(0, self.wide(self.norm2(tokens)))), tokens)


class Vit(Transformer):
    def __init__(self, style: Style) -> None:
        super().__init__(style)
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.token, self.places = nn.Parameter(torch.randn(1, 1, 8)), nn.Parameter(torch.randn(1, 17, 8))

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(tokens), -1, -1), tokens], 1)
        return self.head(self.last(self.block(self.added(tokens, self.places)))[:, 0])


class Swin(Transformer):
    def __init__(self, style: Style) -> None:
        super().__init__(style)
        self.patches, self.bias = nn.Conv2d(3, 8, 4, 4), nn.Parameter(torch.randn(2, 4, 4))

    def block(self, tokens: Tensor) -> Tensor:
        moved = self.norm1(tokens).roll((-1, -1), (1, 2)).unflatten(1, (2, 2)).unflatten(3, (2, 2))
        windows = moved.transpose(2, 3).reshape(-1, 4, 8)
        joined = F.linear(windows, self.attention.in_proj_weight, self.attention.in_proj_bias)
        query, key, value = (part.unflatten(-1, (2, 4)).transpose(1, 2) for part in joined.chunk(3, -1))
        mixed = ((query @ key.mT / 2 + self.bias).softmax(-1) @ value).transpose(1, 2).flatten(2)
        mixed = self.attention.out_proj(mixed).reshape(-1, 2, 2, 2, 2, 8).transpose(2, 3).reshape(-1, 4, 4, 8)
        tokens = self.added(mixed.roll((1, 1), (1, 2)), tokens)
        return self.added(self.narrow(self.act(0, self.wide(self.norm2(tokens)))), tokens)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.last(self.block(self.patches(images).permute(0, 2, 3, 1))).mean((1, 2)))


class Text(Transformer):
    def __init__(self, style: Style) -> None:
        super().__init__(style)
        self.words, self.places = nn.Embedding(20, 8), nn.Embedding(5, 8)

    def forward(self, ids: Tensor) -> Tensor:
        tokens = self.added(self.words(ids), self.places(torch.arange(ids.shape[1], device=ids.device)))
        return self.head(self.last(self.block(tokens)).mean(1))


class Lstm(Family):
    kind: type[nn.RNNBase] = nn.LSTM

    def __init__(self, style: Style) -> None:
        super().__init__(style)
        self.recurrent = self.kind(5, 6, batch_first=True)
        self.hidden, self.head = nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, series: Tensor) -> Tensor:
        return self.head(self.act(1, self.hidden(self.act(0, self.recurrent(series)[0][:, -1]))))


class Gru(Lstm):
    kind = nn.GRU
    activation = nn.Tanh


class Table(Family):
    def __init__(self, style: Style) -> None:
        super().__init__(style)
        self.first, self.norm = nn.Linear(6, 9), nn.BatchNorm1d(9)
        self.second, self.head = nn.Linear(9, 9), nn.Linear(9, 3)

    def forward(self, table: Tensor) -> Tensor:
        inner = self.act(0, self.norm(self.first(table)))
        return self.head(self.act(1, self.added(self.second(inner), inner)))


@dataclass(frozen=True)
class Row:
    """A row of the matrix.

    Attributes:
        make: the network in a style.
        inputs: two examples.
        refused: methods that cannot be right on it.
    """

    make: Callable[[Style], Family]
    inputs: Tensor
    refused: frozenset[str]


def built(make: Callable[[Style], Family], style: Style) -> Family:
    """The network in float64 with weights and running statistics that depend on its family alone, in training mode."""
    model = make(style).double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in sorted(model.state_dict().items()):
            if tensor.is_floating_point():
                drawn = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
                tensor.copy_(drawn.abs() + 0.5 if name.endswith("running_var") else 0.4 * drawn)
    return model.train()

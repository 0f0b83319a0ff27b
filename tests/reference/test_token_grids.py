"""Where the tokens of an image stand: maps of non-square images, tokens in any order, and tokens that are no patches."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid
from pellucid.graph import trace
from pellucid.types import Grid, Layer


class Mixed(nn.Module):
    """Attention of one head, with a skip connection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)

    def forward(self, tokens: Tensor) -> Tensor:
        queries, keys, values = self.qkv(self.norm(tokens)).chunk(3, dim=-1)
        return tokens + (queries @ keys.transpose(-1, -2)).softmax(-1) @ values


class Patches(nn.Module):
    """A vision transformer with other tokens in front of the patches and behind them, read by its mean or one of them."""

    def __init__(self, front: int = 0, behind: int = 0, *, reads: int | None = None, by_columns: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.cut = nn.Conv2d(3, 8, 4, 4)
        self.front, self.behind = (nn.Parameter(torch.randn(1, many, 8)) for many in (front, behind))
        self.mix = Mixed(8)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 5)
        self.reads, self.by_columns = reads, by_columns

    def forward(self, images: Tensor) -> Tensor:
        maps = self.cut(images)
        if self.by_columns:
            maps = maps.transpose(2, 3)
        tokens = maps.flatten(2).transpose(1, 2)
        others = [part.expand(len(images), -1, -1) for part in (self.front, self.behind)]
        tokens = self.mix(torch.cat([others[0], tokens, others[1]], dim=1))
        tokens = self.norm(tokens)
        return self.head(tokens.mean(1) if self.reads is None else tokens[:, self.reads])


def images(height: int, width: int) -> Tensor:
    return torch.randn(2, 3, 4 * height, 4 * width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("model", "height", "width", "front"),
    [
        (Patches(), 2, 8, 0),  # as many tokens as a square has
        (Patches(front=1, reads=0), 2, 8, 1),
        (Patches(behind=1, reads=-1), 4, 4, 0),
        (Patches(front=5, reads=0), 4, 4, 5),  # a class token and registers
        (Patches(front=2, reads=0), 3, 5, 2),
        (Patches(by_columns=True), 4, 4, 0),
    ],
    ids=["flat", "flat with class token", "class token last", "registers", "distilled", "by columns"],
)
def test_a_cam_lays_patches_out_as_they_were_cut(model: Patches, height: int, width: int, front: int) -> None:
    inputs = images(height, width)
    held: list[Tensor] = []
    hook = model.mix.norm.register_forward_hook(lambda _, __, output: held.append(output))
    score = model.eval()(inputs)[:, 1].sum()
    hook.remove()
    (slope,) = torch.autograd.grad(score, held[0])
    there = slice(front, front + height * width)
    weights = slope[:, there].mean(1, keepdim=True)
    expected = (weights * held[0][:, there]).sum(2).clamp(min=0)
    if model.by_columns:
        expected = expected.reshape(2, width, height).transpose(1, 2)
    found = pellucid.attribute(model, inputs, 1, "grad_cam", layers=["mix.norm"])
    torch.testing.assert_close(found.layers["mix.norm"], expected.detach().reshape(2, height, width))


@pytest.mark.parametrize(
    ("model", "height", "width", "first", "row"),
    [
        (Patches(), 2, 8, 0, None),
        (Patches(front=1, reads=0), 2, 8, 1, 0),
        (Patches(behind=1, reads=-1), 4, 4, 0, 16),
        (Patches(front=5, reads=0), 4, 4, 5, 0),
        (Patches(front=4), 4, 4, 4, None),  # registers, and no class token
    ],
    ids=["flat", "class token", "class token last", "class token and registers", "registers"],
)
def test_rollout_lays_out_the_row_of_the_class_token(
    model: Patches, height: int, width: int, first: int, row: int | None
) -> None:
    inputs = images(height, width)
    found = pellucid.attribute(model.eval(), inputs, 1, "attention_rollout")
    matrix = found.layers["attention"]
    wanted = matrix.mean(1) if row is None else matrix[:, row]
    maps = wanted[:, first : first + height * width].reshape(2, 1, height, width)
    expected = F.interpolate(maps, size=inputs.shape[2:], mode="bilinear", align_corners=False)
    torch.testing.assert_close(found.input, expected.expand_as(inputs))


def grids(model: nn.Module, inputs: Tensor) -> dict[str, Grid | None]:
    return {layer.name: layer.grid for layer in trace(model.eval(), inputs).layers if layer.layout == "tokens"}


class Asked(nn.Module):
    """Nine queries that attend to the patches of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = nn.Conv2d(3, 8, 4, 4)
        self.queries = nn.Parameter(torch.randn(1, 9, 8))
        self.attend = nn.MultiheadAttention(8, 1, batch_first=True)
        self.head = nn.Linear(8, 5)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.cut(images).flatten(2).transpose(1, 2)
        return self.head(self.attend(self.queries.expand(len(images), -1, -1), tokens, tokens)[0]).mean(1)


def test_queries_are_no_patches_though_they_are_a_square_number() -> None:
    found = grids(Asked(), images(4, 4)[:1])
    assert found == {"attend": None, "head": None}


class Mixer(nn.Module):
    """MLP-Mixer's block: along the tokens, then along the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = nn.Conv2d(3, 8, 4, 4)
        self.norm = nn.LayerNorm(8)
        self.along = nn.Sequential(nn.Linear(16, 25), nn.GELU(), nn.Linear(25, 16))
        self.across = nn.Sequential(nn.Linear(8, 12), nn.GELU(), nn.Linear(12, 8))
        self.head = nn.Linear(8, 5)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.cut(images).flatten(2).transpose(1, 2)
        tokens = tokens + self.along(self.norm(tokens).transpose(1, 2)).transpose(1, 2)
        return self.head((tokens + self.across(tokens)).mean(1))


def test_what_is_mixed_along_the_tokens_keeps_its_channels_and_has_no_grid() -> None:
    layers = {layer.name: layer for layer in trace(Mixer().eval(), images(4, 4)[:1]).layers}
    assert {name: (layer.layout, layer.units) for name, layer in layers.items() if name != "cut"} == {
        "norm": ("tokens", 8),
        "along.1": ("tokens", 25),
        "along.2": ("tokens", 16),
        "add()": ("tokens", 8),
        "across.1": ("tokens", 12),
        "across.2": ("tokens", 8),
        "add()#2": ("tokens", 8),
        "head": ("vector", 5),
    }
    assert layers["add()"].grid == Grid(4, 4, tuple(range(16)), 16)
    assert layers["along.1"].grid is None


class Regrouped(nn.Module):
    """Patches cut by reshaping alone, in windows of two by two, one window after another."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(48, 8)

    def forward(self, images: Tensor) -> Tensor:
        batch, _, height, width = images.shape
        parts = images.reshape(batch, 3, height // 8, 2, 4, width // 8, 2, 4)
        return self.embed(parts.permute(0, 2, 5, 3, 6, 1, 4, 7).reshape(batch, -1, 48))


def test_tokens_that_were_cut_by_reshaping_stand_where_they_were_cut() -> None:
    grid = grids(Regrouped(), images(4, 6)[:1])["embed"]
    assert grid is not None
    order = [
        (2 * down + row) * 6 + 2 * right + column
        for down, right, row, column in itertools.product(range(2), range(3), range(2), range(2))
    ]
    assert (grid.height, grid.width, grid.total) == (4, 6, 24)
    assert [order[token] for token in grid.tokens] == list(range(24))


class Picked(nn.Module):
    """Reads some of the patches, or in an order that the graph does not hold."""

    def __init__(self, index: Tensor) -> None:
        super().__init__()
        self.cut = nn.Conv2d(3, 8, 4, 4)
        self.embed = nn.Linear(8, 8)
        self.index = index

    def forward(self, images: Tensor) -> Tensor:
        return self.embed(self.cut(images).flatten(2).transpose(1, 2)[:, self.index])


@pytest.mark.parametrize("index", [torch.arange(16).flip(0), torch.arange(9)], ids=["order", "some"])
def test_tokens_that_cannot_be_followed_have_no_grid(index: Tensor) -> None:
    assert grids(Picked(index), images(4, 4)[:1]) == {"embed": None}


class Permuted(nn.Module):
    """Mixes along the height and the width of a plane, and along its channels."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = nn.Conv2d(3, 8, 4, 4)
        self.rows, self.columns, self.channels = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(8, 8)
        self.head = nn.Linear(8, 5)

    def forward(self, images: Tensor) -> Tensor:
        plane = self.cut(images).permute(0, 2, 3, 1)
        down = self.rows(plane.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        right = self.columns(plane.permute(0, 1, 3, 2)).permute(0, 1, 3, 2)
        return self.head((plane + down + right + self.channels(plane)).mean((1, 2)))


def test_a_linear_layer_along_height_or_width_is_no_map_of_channels() -> None:
    def upright(layer: Layer) -> bool:
        from pellucid.attribution.layouts import channels_of, no_cam

        return no_cam(layer) is None and channels_of(layer)[0] == 8

    layers = trace(Permuted().eval(), images(4, 4)[:1]).layers
    assert {layer.name: upright(layer) for layer in layers} == {
        "cut": True,
        "rows": False,
        "columns": False,
        "add()": True,
        "add()#2": True,
        "channels": True,
        "add()#3": True,
        "head": False,
    }

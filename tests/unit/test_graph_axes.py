"""Where channels are told to be: by torch's own classes, and by what moves axes about; a name alone tells nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid
from pellucid.graph import trace


class LayerNorm(nn.Module):
    """Over the channels on either axis, as ConvNeXt's authors wrote it."""

    def __init__(self, channels: int, data_format: str) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.data_format = data_format

    def forward(self, values: Tensor) -> Tensor:
        if self.data_format == "channels_last":
            return F.layer_norm(values, self.weight.shape, self.weight)
        return (values - values.mean(1, keepdim=True)) * self.weight[:, None, None]


class Turning(nn.LayerNorm):
    """torch's, between two permutations."""

    def forward(self, values: Tensor) -> Tensor:
        return super().forward(values.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Linear(nn.Module):
    """A product along the second axis."""

    def __init__(self, given: int, made: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(made, given))

    def forward(self, values: Tensor) -> Tensor:
        return torch.einsum("bihw,oi->bohw", values, self.weight)


@pytest.mark.parametrize(
    "module", [LayerNorm(8, "channels_first"), Turning(8), Linear(8, 8)], ids=["own", "subclass", "linear"]
)
def test_a_class_that_has_only_the_name_of_torchs_leaves_channels_where_they_were(module: nn.Module) -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 2, 2), module, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))
    layer = trace(model.eval(), torch.zeros(1, 3, 12, 16)).layer("1")
    assert (layer.layout, layer.units) == ("maps", 8)
    found = pellucid.attribute(model, torch.rand(2, 3, 12, 16), 1, "grad_cam", layers=["1"])
    assert found.layers["1"].shape == (2, 6, 8)


def test_the_same_class_with_channels_last_keeps_them_there() -> None:
    class Plane(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cut, self.norm, self.head = nn.Conv2d(3, 8, 2, 2), LayerNorm(8, "channels_last"), nn.Linear(8, 5)

        def forward(self, images: Tensor) -> Tensor:
            return self.head(self.norm(self.cut(images).permute(0, 2, 3, 1)).mean((1, 2)))

    graph = trace(Plane().eval(), torch.zeros(1, 3, 12, 16))
    assert graph.by_name["norm"].channel_last is True


class ReLU(nn.Module):
    """Something else under the name."""

    def forward(self, values: Tensor) -> Tensor:
        return F.relu(values) - F.relu(-values - 1) / 2


class Shifted(nn.Sigmoid):
    """torch's, but for its formula."""

    def forward(self, values: Tensor) -> Tensor:
        return 2 * torch.sigmoid(values) - 1


def test_an_activation_is_named_after_what_it_computes_not_after_its_class() -> None:
    class Inherited(nn.GELU):
        """torch's as it is."""

    model = nn.Sequential(nn.Linear(3, 3), ReLU(), Shifted(), Inherited(), nn.ReLU())
    graph = trace(model.eval(), torch.zeros(1, 3))
    assert [layer.activation for layer in graph.layers] == [None, None, "gelu", "relu"]
    assert {graph.by_name[name].role for name in ("1", "2", "3", "4")} == {"activation"}


def test_a_sum_whose_parts_disagree_is_told_by_its_map_or_not_at_all() -> None:
    class Disagreeing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cut, self.last = nn.Conv2d(3, 4, 2, 2), nn.Linear(4, 4)

        def forward(self, images: Tensor) -> Tensor:
            maps = self.cut(images)
            return maps + self.last(maps.transpose(1, 3))

    graph = trace(Disagreeing().eval(), torch.zeros(1, 3, 8, 8))
    assert graph.by_name["add()"].channel_last is None


def test_a_flattened_map_keeps_its_channels() -> None:
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cut, self.along = nn.Conv2d(3, 5, 2, 2), nn.Linear(24, 7)

        def forward(self, images: Tensor) -> Tensor:
            return self.along(self.cut(images).flatten(2))

    graph = trace(Flat().eval(), torch.zeros(1, 3, 8, 12))
    layer = graph.layer("flatten()")
    assert (layer.layout, layer.units) == ("channels", 5)
    assert graph.by_name["along"].channel_last is None, "it mixes positions"

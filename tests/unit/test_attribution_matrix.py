"""Every method on the architectures as torchvision writes them: finite and of the right shape, or refused by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import Tensor, nn

import pellucid
from pellucid.attribution import METHODS
from pellucid.errors import MethodError
from pellucid.graph.dataflow import tensors_in
from support.cheap import with_options
from support.untouched import Untouched

pytestmark = pytest.mark.usefixtures("one_thread")

IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


class Text(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 8)
        block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(block, 2)
        self.head = nn.Linear(8, 3)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.encoder(self.words(ids)).mean(1))


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.recurrent = kind(5, 6, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, series: Tensor) -> Tensor:
        return self.head(self.recurrent(series)[0][:, -1])


class Small(nn.Module):
    """A VGG in miniature: in-place and functional activations, one of them used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU(inplace=True)
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.second = nn.Conv2d(6, 6, 3, padding=1)
        self.head = nn.Linear(6 * 16, 3)

    def forward(self, images: Tensor) -> Tensor:
        maps = nn.functional.max_pool2d(self.act(self.first(images)), 4)
        maps = nn.functional.max_pool2d(self.act(self.second(maps)), 4)
        return self.head(torch.relu(maps).flatten(1))


ViT, Swin = torchvision.models.VisionTransformer, torchvision.models.SwinTransformer
ResNet, Block = torchvision.models.ResNet, torchvision.models.resnet.BasicBlock
Stage = torchvision.models.convnext.CNBlockConfig
EfficientNet, MBConv = torchvision.models.EfficientNet, torchvision.models.efficientnet.MBConvConfig
MOBILE = [MBConv(1, 3, 2, 32, 8, 1, 1.0, 1.0), MBConv(4, 3, 2, 8, 16, 1, 1.0, 1.0)]
SERIES, TABLE = torch.randn(2, 7, 5), torch.randn(2, 6)
IDS = torch.tensor([[1, 2, 3, 4, 5], [5, 5, 0, 19, 7]])

CONVOLUTIONAL = {"token_gradients", "time_gradients", "attention_rollout", "gradient_rollout"}
CAMS = {name for name in METHODS if name.endswith("cam") or "_cam_" in name}
PICTURES = {*CAMS, "rise"}
INTEGERS = {"smoothgrad", "vargrad", "rise"}
GUIDED = {"guided_backprop", "deconvnet"}  # smooth activations, or none
SERIAL = {*PICTURES, "token_gradients", "attention_rollout", "gradient_rollout"}

# What each refuses; a head that is no mean and one linear layer has no CAM.
NETWORKS: dict[str, tuple[Callable[[], nn.Module], Tensor, set[str]]] = {
    "vgg": (Small, IMAGES, {*CONVOLUTIONAL, "cam"}),
    "resnet": (lambda: ResNet(Block, [1, 1, 1, 1], num_classes=3), IMAGES, CONVOLUTIONAL),
    "densenet": (lambda: torchvision.models.DenseNet(4, (1, 1, 1), 8, num_classes=3), IMAGES, CONVOLUTIONAL),
    "mobilenet_v2": (lambda: torchvision.models.MobileNetV2(3, 0.1), IMAGES, CONVOLUTIONAL),
    "efficientnet": (
        lambda: EfficientNet(MOBILE, 0.2, num_classes=3, last_channel=32),
        IMAGES,
        {*CONVOLUTIONAL, *GUIDED},
    ),
    "convnext": (
        lambda: torchvision.models.ConvNeXt([Stage(8, 16, 1), Stage(16, None, 1)], num_classes=3),
        IMAGES,
        {*CONVOLUTIONAL, "cam", *GUIDED},
    ),
    "vit": (
        lambda: ViT(64, 16, 2, 2, 16, 32, num_classes=3),
        IMAGES,
        {"token_gradients", "time_gradients", "cam", *GUIDED},
    ),
    "swin": (lambda: Swin([4, 4], 8, [1, 1], [2, 2], [4, 4], num_classes=3), IMAGES, {*CONVOLUTIONAL, *GUIDED}),
    "lstm": (lambda: Recurrent(nn.LSTM), SERIES, {*SERIAL, *GUIDED}),
    "gru": (lambda: Recurrent(nn.GRU), SERIES, {*SERIAL, *GUIDED}),
    "text transformer": (Text, IDS, {*INTEGERS, *CAMS, "time_gradients", *GUIDED}),
    "table": (lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)), TABLE, {*SERIAL, "time_gradients"}),
}


@pytest.mark.parametrize("network", NETWORKS)
def test_every_method_is_right_or_refused_by_name(network: str) -> None:
    torch.manual_seed(0)
    make, given, refused = NETWORKS[network]
    model = make()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.1)  # some heads begin as zeros
    model.train()
    before = Untouched(model)
    turned_down = set()
    reasons: list[str] = []
    for name in METHODS:
        try:
            found = pellucid.attribute(model, given, 1, with_options(name, given))
        except MethodError as error:
            reasons.append(str(error))
            turned_down.add(name)
            continue
        assert found.scores.shape == (2,)
        leaves = list(tensors_in(found.input))
        assert leaves or not given.is_floating_point(), name
        for leaf in leaves:
            assert bool(torch.isfinite(leaf).all()), name
            reduced = name in ("token_gradients", "time_gradients") or not given.is_floating_point()
            assert leaf.shape == (given.shape[:2] if reduced else given.shape), name
        for layer, values in found.layers.items():
            assert bool(torch.isfinite(values).all()), (name, layer)
            assert len(values) == 2
    assert turned_down == refused
    assert all(len(reason) > 30 for reason in reasons)
    assert before.differences() == []


def test_every_method_stands_in_the_documentation() -> None:
    from pathlib import Path

    text = (Path(__file__).parents[2] / "docs" / "attribution.md").read_text()
    assert [name for name in METHODS if f"| `{name}` |" not in text] == []

"""Maps of layers whose channels are last: blocks of Swin, the inside of ConvNeXt; windows are refused by name."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import Tensor, nn

import pellucid
from pellucid.errors import LayerError

CAMS = [
    "grad_cam",
    "grad_cam_plus_plus",
    "hires_cam",
    "layer_cam",
    "xgrad_cam",
    "eigen_cam",
    "ablation_cam",
    "score_cam",
]
IMAGES = torch.randn(2, 3, 12, 10, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """The same network with its channels last or second; the mixing is a linear layer or a convolution of one pixel."""

    def __init__(self, last: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.last = last
        self.stem = nn.Conv2d(3, 6, 3)
        linear = nn.Linear(6, 7)
        self.head = nn.Linear(7, 3)
        self.mix: nn.Module = linear
        if not last:
            self.mix = nn.Conv2d(6, 7, 1)
            with torch.no_grad():
                self.mix.weight.copy_(linear.weight[:, :, None, None])
                self.mix.bias.copy_(linear.bias)

    def forward(self, images: Tensor) -> Tensor:
        maps = torch.relu(self.stem(images))
        if self.last:
            return self.head(torch.tanh(self.mix(maps.permute(0, 2, 3, 1))).square().mean((1, 2)))
        return self.head(torch.tanh(self.mix(maps)).square().mean((2, 3)))


@pytest.mark.parametrize("method", CAMS)
def test_a_map_with_channels_last_is_that_of_the_same_network_with_channels_second(method: str) -> None:
    found = pellucid.attribute(Net(True), IMAGES, [1, 2], method, layers=["mix"])
    expected = pellucid.attribute(Net(False), IMAGES, [1, 2], method, layers=["mix"])
    torch.testing.assert_close(found.layers["mix"], expected.layers["mix"], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found.input, expected.input, rtol=1e-4, atol=1e-6)
    assert float(found.layers["mix"].max()) > 0


def swin() -> nn.Module:
    torch.manual_seed(0)
    return torchvision.models.SwinTransformer([4, 4], 8, [1, 1], [2, 2], [4, 4], num_classes=3).eval()


def test_swin_is_explained_at_its_blocks_and_its_last_norm_which_the_head_reads() -> None:
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found = pellucid.attribute(swin(), images, 1, ["grad_cam", "hires_cam", "cam"])
    assert found["grad_cam"].layers["norm"].shape == (2, 8, 8)
    assert {"features.1.0", "features.3.0"} <= set(found["grad_cam"].layers)
    assert list(found["cam"].layers) == ["norm"]
    # The head is a mean and one linear layer: the three are one map, up to the number of positions and the sign.
    torch.testing.assert_close(
        found["cam"].layers["norm"].clamp(min=0), found["hires_cam"].layers["norm"] * 64, rtol=1e-4, atol=1e-5
    )


def test_windows_are_refused_with_the_layers_that_fit() -> None:
    images = torch.randn(2, 3, 64, 64)
    with pytest.raises(LayerError, match="no batch axis of 2 in front"):
        pellucid.attribute(swin(), images, 1, "grad_cam", layers=["features.1.0.attn.softmax()"])
    with pytest.raises(LayerError, match=r"5 axes past the batch, windows of a plane say.*Layers that fit: .*norm"):
        pellucid.attribute(swin(), images, 1, "grad_cam", layers=["features.1.0.attn.permute()#2"])


@pytest.mark.parametrize("library", ["torchvision swin", "timm swin", "convnext"])
def test_real_architectures_have_maps_of_every_stage(library: str) -> None:
    torch.manual_seed(0)
    images = torch.randn(1, 3, 64, 64)
    if library == "torchvision swin":
        model: nn.Module = torchvision.models.swin_t(num_classes=5)
        stages = ["features.1", "features.3", "features.5", "features.7"]
    elif library == "timm swin":
        timm = pytest.importorskip("timm")
        model = timm.create_model("swin_tiny_patch4_window7_224", img_size=64, window_size=4, num_classes=5)
        stages = ["layers.0", "layers.1", "layers.2", "layers.3"]
    else:
        model = torchvision.models.convnext_tiny(num_classes=5)
        stages = ["features.1.0.block.3", "features.3.0.block.3", "features.5.0.block.3", "features.7.0.block.3"]
    found = pellucid.attribute(model.eval(), images, 2, ["grad_cam", "layer_cam"], layers=stages)
    assert [tuple(one.shape[1:]) for one in found["grad_cam"].layers.values()] == [(16, 16), (8, 8), (4, 4), (2, 2)]
    for name in stages:
        assert float(found["layer_cam"].layers[name].max()) > 0

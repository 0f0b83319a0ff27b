"""Receptive fields against brute force: push each input pixel up and see which positions of each layer move."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.capture import Session
from pellucid.errors import ForwardError, LayerError, MethodError
from pellucid.graph import trace
from pellucid.mapping import ReceptiveField, receptive_field, receptive_fields
from pellucid.types import Layer

SIDE = (13, 11)


class Functional(nn.Module):
    """A net whose forward is a function of its first parts."""

    def __init__(self, forward: Callable[..., Tensor], *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self._forward = forward

    def forward(self, images: Tensor) -> Tensor:
        return self._forward(images, *self.parts)


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(2, 4, 3, 3)
        self.token = nn.Parameter(torch.ones(1, 1, 4))
        self.norm = nn.LayerNorm(4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patches(images).flatten(2).transpose(1, 2)
        tokens = self.norm(torch.cat([self.token.expand(len(images), -1, -1), patches], 1))
        return self.head(self.attention(tokens, tokens, tokens)[0][:, 0])


class SameConv(nn.Conv2d):
    """Pads as TensorFlow does: what is odd comes behind."""

    def forward(self, images: Tensor) -> Tensor:
        pads = []
        for size, kernel, stride in zip(images.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            more = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [more // 2, more - more // 2]
        return F.conv2d(F.pad(images, pads), self.weight, self.bias, self.stride)


class Conv2d(SameConv):
    """Under the name of torch's own."""


class Standardised(nn.Conv2d):
    def _conv_forward(self, images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        deviation, mean = torch.std_mean(weight, dim=(1, 2, 3), keepdim=True)
        return super()._conv_forward(images, weight + 0 * mean / deviation, bias)


class Renamed(nn.Conv2d):
    """Torch's own under another name."""


class Frozen(nn.Module):
    """As torchvision's, which is a leaf by its name."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.full((3,), 2.0))

    def forward(self, maps: Tensor) -> Tensor:
        return maps * self.scale.reshape(1, -1, 1, 1) + 1


FrozenBatchNorm2d = type("FrozenBatchNorm2d", (Frozen,), {})


class Unchanged(nn.Module):
    def forward(self, maps: Tensor) -> Tensor:
        return maps


def _shifted(layer: nn.Module) -> nn.Module:
    """A hook gives it another input."""
    layer.register_forward_pre_hook(lambda module, given: F.pad(given[0], (0, 0, 2, 0)))
    return layer


def _pasted(maps: Tensor) -> Tensor:
    whole = torch.zeros(len(maps), 2, 16, 16, dtype=maps.dtype)
    whole[:, :, 2:15, 1:12] = maps
    whole[:, 0, :3] = maps[:, 1:, :3].mean(2)[..., :1]
    return whole


def _swapped(maps: Tensor) -> Tensor:
    whole = torch.empty_like(maps)
    whole[:, ::2] = maps[:, 1::2].roll(2, 2)
    whole[:, 1::2] = maps[:, ::2]
    return whole


def _windows(maps: Tensor) -> Tensor:
    """(batch, channel, 6, 5) as six windows of a row each: (batch, window, position, channel)."""
    return maps.flatten(2).view(len(maps), 3, 6, 5).permute(0, 2, 3, 1) / 1e3


def conv(*args: object, **kwargs: object) -> nn.Conv2d:
    return nn.Conv2d(*args, **kwargs)  # type: ignore[arg-type]


NETS: dict[str, Callable[[], nn.Module]] = {
    "chain": lambda: nn.Sequential(conv(2, 3, 3), nn.ReLU(), conv(3, 3, 3, stride=2, padding=1), nn.BatchNorm2d(3)),
    "dilated": lambda: nn.Sequential(conv(2, 3, 3, dilation=2, padding=2), conv(3, 2, (1, 3), dilation=(1, 3))),
    "same": lambda: nn.Sequential(conv(2, 3, 4, padding="same", dilation=2), conv(3, 2, 2, padding="same")),
    "modes": lambda: nn.Sequential(
        conv(2, 3, 3, padding=2, padding_mode="reflect"),
        conv(3, 2, 3, padding=1, padding_mode="circular"),
        conv(2, 2, 3, padding=1, padding_mode="replicate"),
    ),
    "pools": lambda: nn.Sequential(
        nn.MaxPool2d(3, 2, 1, ceil_mode=True), conv(2, 3, 1), nn.AvgPool2d(2, ceil_mode=True), nn.AdaptiveMaxPool2d((3, 2))
    ),
    "dilated pool": lambda: nn.Sequential(nn.MaxPool2d(2, stride=1, dilation=3), nn.AdaptiveAvgPool2d((5, 3))),
    "unpadded edge": lambda: nn.Sequential(conv(2, 2, 1, padding=2), conv(2, 2, 2, stride=2)),
    "transposed": lambda: nn.Sequential(
        conv(2, 3, 3, stride=2), nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1, output_padding=1), nn.ReLU()
    ),
    "upsampled": lambda: nn.Sequential(
        conv(2, 2, 3, stride=2), nn.Upsample(scale_factor=2, mode="bilinear"), nn.Upsample(size=(9, 17)), conv(2, 2, 2)
    ),
    "factors": lambda: nn.Sequential(
        nn.Upsample(scale_factor=(1.05, 2.05)), conv(2, 2, 2), nn.Upsample(scale_factor=(1.3, 1.01), mode="bilinear")
    ),
    "aligned": lambda: nn.Sequential(conv(2, 2, 3, stride=2), nn.Upsample(size=(11, 9), mode="bilinear", align_corners=True)),
    "padded": lambda: nn.Sequential(nn.ZeroPad2d((1, 2, 0, 1)), conv(2, 2, 3), nn.ReflectionPad2d(2), conv(2, 2, 2)),
    "grouped": lambda: Functional(
        lambda x, one, two, both: both(torch.cat([one(x), two(x)], 1)),
        conv(2, 2, 1), conv(2, 2, 5, padding=2), conv(4, 4, 3, groups=2),
    ),
    "branches": lambda: Functional(
        lambda x, one, two: F.relu(torch.cat([one(x), two(x)], 1)) + x[:, :1],
        conv(2, 2, (1, 5), padding=(0, 2)), conv(2, 2, (3, 1), padding=(1, 0)),
    ),
    "residual": lambda: Functional(
        lambda x, one, two: F.relu(two(F.relu(one(x))) + x), conv(2, 3, 3, padding=1), conv(3, 2, 3, padding=1)
    ),
    "squeeze": lambda: Functional(
        lambda x, one, two: one(x) * two(x.mean((2, 3), keepdim=True)).sigmoid(), conv(2, 2, 3), conv(2, 2, 1)
    ),
    "sliced": lambda: Functional(
        lambda x, one: one(torch.roll(x[:, :, 1:, ::2], (1, -1), (2, 3))[..., 1:]), conv(2, 3, 2)
    ),
    "chunks": lambda: Functional(
        lambda x, one, two: F.max_pool2d(torch.add(*one(x).chunk(2, 1)), 2) * F.avg_pool2d(two(x[:, 1:]), 2),
        conv(2, 4, 3), conv(1, 2, 3),
    ),
    "shuffled": lambda: Functional(
        lambda x, one: one(x.view(len(x), 1, 2, *x.shape[2:]).transpose(1, 2).reshape(x.shape)), conv(2, 2, 3)
    ),
    "channels last": lambda: Functional(
        lambda x, one, norm: norm(one(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2), conv(2, 3, 3, stride=2), nn.LayerNorm(3)
    ),
    "group norm": lambda: nn.Sequential(conv(2, 4, 3), nn.GroupNorm(2, 4)),
    "unfolded": lambda: Functional(lambda x, one: F.linear(one(x).flatten(1), torch.ones(2, 99, dtype=x.dtype)), conv(2, 1, 3)),
    "windows": lambda: Functional(
        lambda x, one: torch.einsum("B W I C, B W J C -> B W I J", *(2 * [_windows(one(x))])).softmax(-1) @ _windows(one(x)),
        conv(2, 3, 2, 2),
    ),
    "tokens": Tokens,
    "same as elsewhere": lambda: nn.Sequential(SameConv(2, 3, 3, 2), Conv2d(3, 2, (2, 4)), nn.MaxPool2d(2)),
    "standardised": lambda: nn.Sequential(Standardised(2, 3, 3, 2, 1), Renamed(3, 2, 2)),
    "frozen": lambda: nn.Sequential(conv(2, 3, 3), FrozenBatchNorm2d(), nn.Sequential(), Unchanged(), conv(3, 2, 3)),
    "hooked": lambda: nn.Sequential(_shifted(conv(2, 3, 3)), nn.utils.parametrizations.weight_norm(conv(3, 2, 2))),
    "gated": lambda: nn.Sequential(conv(2, 4, 3), nn.GLU(1), conv(2, 4, (2, 1)), nn.GLU(2)),
    "pixels": lambda: nn.Sequential(
        conv(2, 8, 2, 2), nn.PixelShuffle(2), conv(2, 2, (1, 3), stride=(1, 1)), nn.ZeroPad2d((0, 0, 0, 0)), nn.PixelUnshuffle(2)
    ),
    "columns": lambda: Functional(lambda x, one, unfold: unfold(one(x)).view(len(x), 12, -1, 6).mean(1, keepdim=True),
                                  conv(2, 2, 2), nn.Unfold((2, 3), dilation=(2, 1), padding=(1, 1), stride=(2, 2))),
    "summed up": lambda: Functional(lambda x, one: one(x.cumsum(2)), conv(2, 2, 2)),
    "swapped": lambda: Functional(lambda x, one: one(_swapped(x)), conv(2, 2, 2, groups=2)),
    "folded": lambda: Functional(
        lambda x, one: F.fold(one(F.unfold(x, (2, 3), (1, 2), (0, 1), (2, 2)).view(len(x), 12, 6, 5)).flatten(2), (6, 7),
                              (2, 1), (2, 1), (1, 0), (1, 2)), conv(12, 4, (1, 2))
    ),
    "strips": lambda: Functional(lambda x, one: one(x).unfold(2, 3, 2).flatten(-2), conv(2, 2, 2)),
    "pasted": lambda: Functional(lambda x, one: one(_pasted(x)), conv(2, 2, 2)),
    "moved": lambda: Functional(
        lambda x, one: one(torch.movedim(x.narrow(2, 1, 10), (2, 3), (3, 2)).repeat(1, 1, 2, 1)[:, :, 3:]
                           + x.select(2, 3)[:, :, :, None].repeat_interleave(2, 2)[:, :, 3:]), conv(2, 2, 2)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_fields_are_what_a_push_of_each_pixel_reaches(name: str) -> None:
    torch.manual_seed(0)
    model = NETS[name]().double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.abs() + 0.1)  # nothing cancels, no rectifier is shut: what can move does
    graph = trace(model, torch.rand(1, 2, *SIDE, dtype=torch.float64))
    layers = {
        node.name: graph.layer(node.name)
        for node in graph.nodes
        if node.kind in ("module", "function")
        and node.operation not in ("setitem", "empty_like")  # which return nothing, and what nobody wrote
        and (node.outputs and node.reached and node.floating and node.outputs[0][:1] == (1,))
    }
    reached = _reached(model, list(layers.values()))
    found = {layer: receptive_field(graph, layer) for layer in layers}
    assert len(found) > 1
    for layer, field in found.items():
        np.testing.assert_array_equal(field.boxes, reached[layer], err_msg=f"{name}: {layer}")
        assert field.exact, layer


def _reached(model: nn.Module, layers: list[Layer]) -> dict[str, np.ndarray]:
    """layer -> int[position 4]: the box of the pixels whose push moved the position in any channel."""
    height, width = SIDE
    images = torch.rand(1, 2, height, width, dtype=torch.float64)
    pushed = images.repeat(height * width, 1, 1, 1)
    for pixel in range(height * width):
        # Two channels pushed apart, so that a norm over channels does not hide it; by more than any neighbour has.
        pushed[pixel, :, pixel // width, pixel % width] += torch.tensor([40.0, 90.0])
    moved: dict[str, np.ndarray] = {}

    def keep(output: Tensor, layer: Layer) -> dict[str, Tensor]:
        # Sums of a batch may round differently for each example; what was pushed moves by far more.
        changed = (~torch.isclose(output[1:], output[:1], rtol=1e-11, atol=0)).any(dim=layer.channel_axis, keepdim=True)
        placed = layer.layout in ("maps", "channels", "tokens") or layer.is_plane
        flat = changed.reshape(len(changed), -1) if placed else changed.reshape(len(changed), -1).any(1, keepdim=True)
        return {"changed": flat}

    with Session(model, layers) as session:
        seen = session.forward(torch.cat([images, pushed]), {"changed": keep})
    for name, summaries in seen.summaries.items():
        changed = summaries["changed"]["changed"].numpy().reshape(height, width, -1)
        moved[name] = np.array([_box(changed[:, :, position]) for position in range(changed.shape[2])])
    return moved


def _box(changed: np.ndarray) -> list[int]:
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    return [rows[0], columns[0], rows[-1] + 1, columns[-1] + 1] if len(rows) else [0, 0, 0, 0]


def test_an_operation_without_a_rule_is_said_to_see_all() -> None:
    model = Functional(lambda x, one: torch.fft.fft2(one(x)).real, nn.Conv2d(2, 2, 3))
    graph = trace(model, torch.rand(1, 2, *SIDE))
    field = receptive_field(graph, graph.layers[-1].name)
    fields = receptive_fields(graph)
    assert fields["parts.0"].exact
    assert fields["parts.0"].size == (3, 3)
    last: ReceptiveField = list(fields.values())[-1]
    if last.layer != "parts.0":
        assert not last.exact
        assert last.size == SIDE
    assert field.input == SIDE


def test_what_is_no_image_and_no_layer_is_refused() -> None:
    graph = trace(nn.Linear(4, 2), torch.rand(1, 4))
    with pytest.raises(MethodError, match=r"this model takes \(1, 4\)"):
        receptive_fields(graph)
    graph = trace(nn.Sequential(nn.Conv2d(2, 2, 3)), torch.rand(1, 2, *SIDE))
    with pytest.raises(LayerError, match="Nearest names"):
        receptive_field(graph, "1")
    graph = trace(nn.Sequential(nn.Conv2d(2, 2, 3), nn.Conv2d(5, 2, 3)), torch.rand(1, 2, *SIDE))
    for ask in (receptive_fields, lambda one: receptive_field(one, "1")):
        with pytest.raises(ForwardError, match=r"raised in its own forward: RuntimeError.*to have 5 channels"):
            ask(graph)


def test_a_batch_that_is_written_picture_by_picture_may_come_from_anywhere() -> None:
    """As detectors put pictures of several sizes into one: the part that was written comes back as the whole."""

    def padded(images: Tensor, layer: nn.Module) -> Tensor:
        whole = images.new_full((len(images), 2, 16, 16), 0.0)
        for image, place in zip(images, whole, strict=True):
            place[:, : image.shape[1], : image.shape[2]].copy_(image)
        return layer(whole)

    images = torch.zeros(1, 2, *SIDE)
    (found,) = receptive_fields(trace(Functional(padded, conv(2, 3, 3)), images)).values()
    assert not found.exact
    assert found.size == SIDE

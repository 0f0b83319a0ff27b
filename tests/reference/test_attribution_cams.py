"""Class activation maps against formulas as the papers write them, against pytorch-grad-cam, and against each other."""

from __future__ import annotations

import math

import pytest
import pytorch_grad_cam
import torch
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid
from pellucid.attribution import Cam, GradCam, GradCamPlusPlus, HiResCam, LayerCam, Unit, XGradCam, sums
from pellucid.attribution.cam import grad_cam_plus_plus_of, xgrad_cam_of
from pellucid.attribution.principal import projection
from pellucid.attribution.sums import Sums
from pellucid.errors import LayerError, MethodError

CAMS = ["grad_cam", "grad_cam_plus_plus", "hires_cam", "layer_cam", "xgrad_cam", "eigen_cam"]
TARGETS = [2, 0, 4, 1]


def pooled(channels: int = 7) -> nn.Sequential:
    torch.manual_seed(0)
    features = nn.Sequential(nn.Conv2d(3, 6, 3), nn.GELU(), nn.Conv2d(6, channels, 3), nn.ReLU())
    return nn.Sequential(features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 5)).eval()


class Curved(nn.Module):
    """A head that is no mean and no linear layer alone, so that gradients differ from place to place."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3)
        self.second = nn.Conv2d(6, 7, 3, stride=2)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(7 * 16, 20), nn.Tanh(), nn.Linear(20, 5))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(F.relu(self.second(F.gelu(self.first(images)))))


def curved() -> nn.Module:
    torch.manual_seed(0)
    return Curved().eval()


def images(number: int = len(TARGETS)) -> Tensor:
    return torch.randn(number, 3, 12, 12, generator=torch.Generator().manual_seed(1))


def seen(model: nn.Module, given: Tensor, module: nn.Module) -> tuple[Tensor, Tensor]:
    """Activation of a module and the gradient of the target's score by it, from hooks."""
    kept: list[Tensor] = []
    handle = module.register_forward_hook(lambda _, __, output: kept.append(output))
    scores = model(given.clone().requires_grad_()).gather(1, torch.tensor(TARGETS)[:, None]).sum()
    handle.remove()
    (gradient,) = torch.autograd.grad(scores, kept)
    return kept[0].detach(), gradient


def by_hand(name: str, maps: Tensor, slopes: Tensor) -> Tensor:
    """One example's map, written position by position and channel by channel: before the ReLU."""
    channels, height, width = maps.shape
    found = torch.zeros(height, width, dtype=maps.dtype)
    if name == "eigen_cam":
        matrix = maps.reshape(channels, -1).T  # positions by channels, as the paper's O
        _, _, right = torch.linalg.svd(matrix)
        projected = (matrix @ right[0]).reshape(height, width)
        return projected if float(projected.sum()) >= 0 else -projected
    for channel in range(channels):
        area, slope = maps[channel], slopes[channel]
        weights = torch.zeros_like(area)
        total = float(area.sum())
        if name == "grad_cam":
            weights += slope.mean()
        elif name == "hires_cam":
            weights += slope
        elif name == "layer_cam":
            weights += F.relu(slope)
        elif name == "xgrad_cam":
            weights += float((area * slope).sum()) / total if total else 0.0
        else:
            weight = 0.0
            for row in range(height):
                for column in range(width):
                    g = float(slope[row, column])
                    if g > 0:
                        weight += g * g**2 / (2 * g**2 + total * g**3)
            weights += weight
        found += weights * area
    return found


@pytest.mark.parametrize("name", CAMS)
@pytest.mark.parametrize("module", ["first", "second"])
def test_each_map_is_that_of_its_paper_in_float64(name: str, module: str) -> None:
    model, given = curved().double(), images().double()
    found = pellucid.attribute(model, given, TARGETS, name, layers=[module]).layers[module]
    maps, slopes = seen(model, given, model.get_submodule(module))
    expected = torch.stack([by_hand(name, area, slope) for area, slope in zip(maps, slopes, strict=True)])
    torch.testing.assert_close(found, F.relu(expected), rtol=1e-9, atol=1e-12)
    assert float(found.max()) > 1e-4


def test_eigen_cam_has_no_target_and_fits_layers_with_more_channels_than_positions() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 40, 9), nn.ReLU(), nn.Flatten(), nn.Linear(40 * 16, 5)).double()
    given = images().double()
    found = pellucid.attribute(model, given, TARGETS, "eigen_cam", layers=["1"]).layers["1"]
    maps = model[1](model[0](given)).detach()
    expected = torch.stack([by_hand("eigen_cam", area, area) for area in maps])
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    assert torch.equal(found, pellucid.attribute(model, given, 0, "eigen_cam", layers=["1"]).layers["1"])


@pytest.mark.parametrize(
    ("name", "peer"), [("hires_cam", "HiResCAM"), ("layer_cam", "LayerCAM"), ("xgrad_cam", "XGradCAM")]
)
def test_maps_are_those_of_pytorch_grad_cam(name: str, peer: str) -> None:
    model, given = curved(), images()
    found = pellucid.attribute(model, given, TARGETS, name, layers=["second"]).layers["second"]
    with getattr(pytorch_grad_cam, peer)(model=model, target_layers=[model.second]) as theirs:
        targets = [ClassifierOutputTarget(target) for target in TARGETS]
        theirs(given.clone().requires_grad_(), targets)
        maps, slopes = (
            part[0].detach()
            for part in (theirs.activations_and_grads.activations, theirs.activations_and_grads.gradients)
        )
        expected = theirs.get_cam_image(given, model.second, targets, maps.numpy(), slopes.numpy(), False)
    torch.testing.assert_close(found, F.relu(torch.as_tensor(expected)), rtol=1e-4, atol=1e-5)


def test_on_a_pooled_linear_head_hires_cam_is_grad_cam_is_cam_up_to_the_number_of_positions() -> None:
    model, given = pooled(), images()
    asked = [Cam(), GradCam(relu=False), HiResCam(relu=False)]
    found = pellucid.attribute(model, given, TARGETS, asked, layers=["0.3"])
    maps = model[0](given).detach()
    positions = maps.shape[2] * maps.shape[3]
    expected = torch.einsum("bchw,bc->bhw", maps, model[3].weight.detach()[TARGETS])
    torch.testing.assert_close(found["cam"].layers["0.3"], expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found["grad_cam"].layers["0.3"] * positions, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found["hires_cam"].layers["0.3"] * positions, expected, rtol=1e-5, atol=1e-5)
    assert float(found["cam"].layers["0.3"].min()) < 0, "CAM keeps both signs"
    # The map's mean and the head's offset are the score: that is why CAM is exact.
    score = expected.mean(dim=(1, 2)) + model[3].bias.detach()[TARGETS]
    torch.testing.assert_close(score, found["cam"].scores, rtol=1e-4, atol=1e-5)


def test_cam_finds_the_layers_that_the_head_reads_and_refuses_others() -> None:
    model, given = pooled(), images()
    assert list(pellucid.attribute(model, given, TARGETS, "cam").layers) == ["0.3"]
    with pytest.raises(LayerError, match=r"'0\.0' is not\. Layers that fit: 0\.3"):
        pellucid.attribute(model, given, TARGETS, "cam", layers=["0.0"])
    with pytest.raises(MethodError, match="head of global average pooling and one linear layer"):
        pellucid.attribute(curved(), given, TARGETS, "cam")
    with pytest.raises(MethodError, match="CAM explains a class"):
        pellucid.attribute(model, given, lambda output: output[:, 0], "cam")


def test_a_layer_that_no_map_needs_is_not_said_to_be_left_out() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    assert pellucid.attribute(model, torch.randn(2, 3, 6, 6), 0, "cam").warnings == ()


def test_all_plain_maps_of_all_layers_cost_one_forward_and_one_backward() -> None:
    model, given = pooled(), images()
    forwards: list[int] = []
    backwards: list[int] = []
    model[0][0].register_forward_hook(lambda _, __, out: forwards.append(len(out)) if torch.is_grad_enabled() else None)
    model[0][2].register_full_backward_hook(lambda _, __, slopes: backwards.append(len(slopes[0])))
    asked = ["saliency", "gradient_x_input", *CAMS, "cam"]
    found = pellucid.attribute(model, given, TARGETS, asked)
    assert list(found) == asked
    assert (forwards, backwards) == ([4], [4])
    assert {(one.passes.forward, one.passes.backward) for one in found.values()} == {(1, 1)}


class Residual(nn.Module):
    """Layers whose output is written into: by a sum, through a view, by an activation in place."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.third = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.head = nn.Linear(4, 3)

    def forward(self, given: Tensor) -> Tensor:
        maps = self.first(given)
        out = self.second(maps)
        out += maps
        last = self.third(torch.tanh(out))
        last[:, :2].mul_(2)
        return self.head(nn.functional.relu(last * 1, True).mean((2, 3)))


@pytest.mark.parametrize("target", [1, Unit("second", 2)])
def test_layers_that_the_model_writes_into_cost_no_further_forward(target: int | Unit) -> None:
    model, given = Residual().double().eval(), torch.randn(2, 3, 6, 6, dtype=torch.float64)
    kept = [model.first(given)]
    kept.append(model.second(kept[0]))
    kept.append(model.third(torch.tanh(kept[1] + kept[0])))
    scale = torch.tensor([2.0, 2.0, 1.0, 1.0], dtype=torch.float64)[:, None, None]
    logits = model.head((kept[2] * scale).relu().mean((2, 3)))
    score = logits[:, 1] if target == 1 else kept[1][:, 2].mean((1, 2))
    slopes = torch.autograd.grad(score.sum(), kept, allow_unused=True)
    found = pellucid.attribute(
        model, given, target, ["saliency", "gradient_x_input"], layers=["first", "second", "third"]
    )
    assert (found["saliency"].passes.forward, found["saliency"].passes.backward) == (1, 1)
    for name, values, slope in zip(("first", "second", "third"), kept, slopes, strict=True):
        slope = torch.zeros_like(values) if slope is None else slope
        torch.testing.assert_close(found["saliency"].layers[name], slope.abs())
        torch.testing.assert_close(found["gradient_x_input"].layers[name], (slope * values).detach())


def test_asking_for_many_methods_changes_none_of_them() -> None:
    model, given = curved(), images()
    asked = ["saliency", "gradient_x_input", *CAMS]
    together = pellucid.attribute(model, given, TARGETS, asked)
    for name in asked:
        alone = pellucid.attribute(model, given, TARGETS, name)
        torch.testing.assert_close(alone.input, together[name].input)
        for layer, values in alone.layers.items():
            torch.testing.assert_close(values, together[name].layers[layer])


def test_the_backward_of_a_late_map_ends_at_its_layer() -> None:
    model, given = pooled(), images()
    early: list[int] = []
    model[0][0].register_full_backward_hook(lambda *_: early.append(1))
    late = pellucid.attribute(model, given, TARGETS, "grad_cam", layers=["0.2"])
    assert early == []
    both = pellucid.attribute(model, given, TARGETS, ["saliency", "grad_cam"], layers=["0.2"])
    assert early == [1]
    torch.testing.assert_close(late.layers["0.2"], both["grad_cam"].layers["0.2"])
    torch.testing.assert_close(late.input, both["grad_cam"].input)


def test_maps_without_the_relu_have_both_signs_and_agree_where_they_are_positive() -> None:
    model, given = curved(), images()
    for kind in (GradCam, GradCamPlusPlus, HiResCam, LayerCam, XGradCam):
        raw = pellucid.attribute(model, given, TARGETS, kind(relu=False), layers=["first"]).layers["first"]
        kept = pellucid.attribute(model, given, TARGETS, kind(), layers=["first"]).layers["first"]
        assert float(raw.min()) < 0
        torch.testing.assert_close(F.relu(raw), kept)


def test_planted_quadrants_every_map_points_at_the_one_that_decides() -> None:
    """Images of four quadrants with bright blobs; only those of one colour count: a closed form, no training."""
    features = nn.Conv2d(3, 2, 3, padding=1, bias=False)
    with torch.no_grad():
        features.weight.zero_()
        features.weight[0, 0] = 1 / 9  # red decides class 0
        features.weight[1, 1] = 1 / 9  # green decides class 1
    head = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.eye(2))
    model = nn.Sequential(features, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    generator = torch.Generator().manual_seed(0)
    given = torch.zeros(32, 3, 16, 16)
    places = []
    for example in range(32):
        red, green, blue = torch.randperm(4, generator=generator)[:3].tolist()
        for channel, quadrant in ((0, red), (1, green), (2, blue)):
            row, column = 8 * (quadrant // 2), 8 * (quadrant % 2)
            given[example, channel, row + 2 : row + 6, column + 2 : column + 6] = 1 + 0.1 * example
        places.append((red, green))
    for target in (0, 1):
        for name in ("saliency", "gradient_x_input", *CAMS[:-1], "cam"):
            found = pellucid.attribute(model, given, target, name, layers=["1"])
            if name == "saliency":
                continue  # a linear model's gradient is the same everywhere: it points nowhere
            flat = found.input.sum(1).flatten(1).argmax(1)
            for example, place in enumerate(flat.tolist()):
                row, column = divmod(place, 16)
                assert 2 * (row // 8) + column // 8 == places[example][target], (name, example)


def test_a_divisor_of_zero_weighs_nothing() -> None:
    maps = torch.tensor([[[[1.0, -1.0]]]])
    assert torch.equal(xgrad_cam_of(Sums.of(maps, torch.ones_like(maps), {"product"})), torch.zeros(1, 1, 2))
    against = torch.tensor([[[[-1.0, -1.0]]]])
    level = Sums.of(against, torch.ones_like(against), {"weights"})
    assert torch.equal(grad_cam_plus_plus_of(level), -torch.zeros(1, 1, 2))
    assert math.isfinite(float(grad_cam_plus_plus_of(Sums.of(against, torch.zeros_like(against), {"weights"})).sum()))


@pytest.mark.parametrize("block", [1, 50, 300, 10**6])
def test_sums_do_not_depend_on_the_blocks_they_are_made_in(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "BLOCK", block)
    generator = torch.Generator().manual_seed(0)
    maps, slopes = (torch.randn(3, 5, 7, 6, generator=generator, dtype=torch.float64) for _ in range(2))
    made = Sums.of(maps, slopes, {"slopes", "product", "rising", "weights", "channels"})
    total = maps.sum((2, 3))
    torch.testing.assert_close(made.slope_means, slopes.mean((2, 3)))
    torch.testing.assert_close(made.map_sums, total)
    torch.testing.assert_close(made.product_sums, (maps * slopes).sum((2, 3)))
    torch.testing.assert_close(made.product_map, (maps * slopes).sum(1))
    torch.testing.assert_close(made.rising_map, (maps * F.relu(slopes)).sum(1))
    torch.testing.assert_close(made.shares, (F.relu(slopes) / (2 + slopes * total[:, :, None, None])).sum((2, 3)))


@pytest.mark.parametrize(("channels", "positions"), [(90, 400), (400, 90), (30, 400), (100, 40), (1, 5), (5, 1)])
@pytest.mark.parametrize("spectrum", ["dominant", "flat", "close"])
def test_the_first_direction_is_that_of_the_singular_values_also_where_two_are_close(
    channels: int, positions: int, spectrum: str
) -> None:
    size = min(channels, positions)
    generator = torch.Generator().manual_seed(2)
    sizes = {
        "dominant": 0.3 ** torch.arange(size),
        "flat": torch.linspace(1, 0.7, size),
        "close": torch.cat([torch.tensor([1.0, 0.9995]), torch.linspace(0.9, 0.1, max(size - 2, 0))])[:size],
    }[spectrum].double()
    left, right = (
        torch.linalg.qr(torch.randn(2, extent, size, generator=generator, dtype=torch.float64))[0]
        for extent in (channels, positions)
    )
    right += 1 / positions  # no map whose sum, which gives the sign, is about 0
    maps = ((left * sizes) @ right.transpose(1, 2)).float()
    _, _, directions = torch.linalg.svd(maps.double().transpose(1, 2), full_matrices=False)
    expected = (maps.double().transpose(1, 2) @ directions[:, 0, :, None])[:, :, 0]
    expected = expected * expected.sum(1, keepdim=True).sign()
    found = projection(maps).double()
    error = (found - expected).abs().amax(1) / expected.abs().amax(1)
    assert float(error.max()) < 1e-5


def test_an_example_that_is_not_finite_has_no_direction_and_takes_no_others() -> None:
    maps = torch.randn(3, 40, 60, generator=torch.Generator().manual_seed(0)) + 1
    alone = projection(maps)
    maps[1, 3, 4] = torch.nan
    found = projection(maps)
    assert bool(found[1].isnan().all())
    torch.testing.assert_close(found[[0, 2]], alone[[0, 2]])
    assert torch.equal(projection(torch.zeros(2, 30, 50)), torch.zeros(2, 50))

"""Score-CAM and Ablation-CAM against brute force and the closed form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid
from pellucid.attribution import AblationCam, ScoreCam, Unit
from pellucid.errors import LayerError, MethodError

TARGETS = [2, 0, 1]


def net(pooled: bool = False) -> nn.Sequential:
    torch.manual_seed(0)
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3)] if pooled else [nn.Flatten(), nn.Linear(80, 3)]
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.GELU(), nn.Conv2d(4, 5, 3), nn.ReLU(), *head).eval()


def images() -> Tensor:
    return torch.randn(3, 2, 8, 8, generator=torch.Generator().manual_seed(1))


def scores(model: nn.Module, given: Tensor) -> Tensor:
    return model(given).gather(1, torch.tensor(TARGETS)[:, None])[:, 0]


@pytest.mark.parametrize("layer", ["0", "3"])
def test_ablation_cam_weighs_channels_by_the_fall_of_the_score_without_them(layer: str) -> None:
    model, given = net().double(), images().double()
    found = pellucid.attribute(model, given, TARGETS, AblationCam(relu=False, batch_size=6), layers=[layer])
    at = int(layer) + 1
    with torch.no_grad():
        maps = model[:at](given)
        whole = scores(model, given)
        expected = torch.zeros(3, *maps.shape[2:]).double()
        for channel in range(maps.shape[1]):
            without = maps.clone()
            without[:, channel] = 0
            fall = (whole - scores(model[at:], without)) / whole.abs()
            expected += fall[:, None, None] * maps[:, channel]
    torch.testing.assert_close(found.layers[layer], expected)
    assert found.passes.forward_examples == 3 * (maps.shape[1] + 2 + 1)  # a channel's copy is scored alone, too


def test_on_a_pooled_linear_head_the_closed_form_is_the_brute_force_at_the_cost_of_two_forwards() -> None:
    model, given = net(pooled=True).double(), images().double()
    short = pellucid.attribute(model, given, TARGETS, "ablation_cam")
    index = torch.tensor(TARGETS)[:, None]
    long = pellucid.attribute(model, given, lambda output: output.gather(1, index)[:, 0], "ablation_cam")
    assert list(short.layers) == list(long.layers) == ["3"]
    torch.testing.assert_close(short.layers["3"], long.layers["3"])
    assert (short.passes.forward, long.passes.forward_examples) == (2, 3 * 8)


def test_score_cam_is_its_algorithm_channel_by_channel() -> None:
    model, given = net(), images()
    found = pellucid.attribute(model, given, TARGETS, ScoreCam(batch_size=6), layers=["3"])
    with torch.no_grad():
        maps = model[:4](given)
        wide = F.interpolate(maps, size=(8, 8), mode="bilinear", align_corners=False)
        low, high = wide.amin(dim=(2, 3), keepdim=True), wide.amax(dim=(2, 3), keepdim=True)
        masks = (wide - low) / (high - low)
        table = torch.stack([scores(model, given * masks[:, channel, None]) for channel in range(5)], dim=1)
        expected = F.relu(torch.einsum("bchw,bc->bhw", maps, table.softmax(1)))
    torch.testing.assert_close(found.layers["3"], expected, rtol=1e-4, atol=1e-6)


def test_a_unit_can_be_the_target_and_the_model_is_left_as_it_was() -> None:
    model, given = net(), images()
    before = {name: one.clone() for name, one in model.state_dict().items()}
    found = pellucid.attribute(model, given, Unit("3", 2), ["score_cam", "ablation_cam"], layers=["0"])
    with torch.no_grad():
        torch.testing.assert_close(found["score_cam"].scores, model[:4](given)[:, 2].mean(dim=(1, 2)))
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    assert not any(one._forward_hooks for one in model.modules())


def test_layers_without_positions_are_refused_by_name() -> None:
    with pytest.raises(LayerError, match="Ablation-CAM needs an activation with a height and a width"):
        pellucid.attribute(net(), images(), 0, "ablation_cam", layers=["5"])
    table = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))
    with pytest.raises(MethodError, match="Score-CAM needs a layer"):
        pellucid.attribute(table, torch.randn(2, 4), 0, "score_cam")


@pytest.mark.parametrize("method", [ScoreCam(batch_size=3), AblationCam(batch_size=3)], ids=lambda method: method.name)
def test_what_is_told_on_the_way_is_the_map_of_the_channels_so_far(method: ScoreCam | AblationCam) -> None:
    told: list[tuple[int, Tensor]] = []

    def watch(progress: pellucid.attribution.Progress) -> None:
        told.append((progress.done, progress.estimate()))

    found = pellucid.attribute(net(), images(), TARGETS, method, layers=["3"], watch=watch)
    assert [done for done, _ in told] == [1, 2, 3, 4, 5]
    assert all(map_.shape == found.input.shape and bool(map_.isfinite().all()) for _, map_ in told)
    torch.testing.assert_close(told[-1][1], found.input)
    stopped = pellucid.attribute(
        net(), images(), TARGETS, method, layers=["3"], watch=lambda progress: progress.done < 3
    )
    torch.testing.assert_close(stopped.input, told[2][1])

"""What pooling lets through, against torch's own pooling and its indices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.errors import MethodError
from pellucid.graph import trace
from pellucid.mapping import Geometry, geometry_of, pooled

MAXIMA: dict[str, dict[str, object]] = {
    "plain": {"kernel_size": 2},
    "overlapping": {"kernel_size": 3, "stride": 2},
    "padded": {"kernel_size": 3, "stride": 2, "padding": 1},
    "dilated": {"kernel_size": 2, "stride": 1, "dilation": 3},
    "ceiled": {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    "all at once": {"kernel_size": (3, 2), "stride": (2, 3), "padding": 1, "dilation": (2, 1), "ceil_mode": True},
}
AVERAGES: dict[str, dict[str, object]] = {
    "plain": {"kernel_size": 2},
    "padded": {"kernel_size": 3, "stride": 2, "padding": 1},
    "padding left out": {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False},
    "ceiled over padding": {"kernel_size": 4, "stride": 3, "padding": 2, "ceil_mode": True},
    "divided": {"kernel_size": 2, "divisor_override": 3},
}
SIZE = (11, 9)


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._function = function

    def forward(self, maps: Tensor) -> Tensor:
        return self._function(maps)


def maps(channels: int = 3) -> Tensor:
    torch.manual_seed(0)
    return torch.randn(1, channels, *SIZE, dtype=torch.float64)


def geometry(model: nn.Module) -> Geometry:
    nodes = [node for node in trace(model, maps()).nodes if node.pool is not None]
    return geometry_of(nodes[0])


@pytest.mark.parametrize("name", MAXIMA)
def test_a_maximum_unpools_to_the_input_at_its_switches_and_zero_elsewhere(name: str) -> None:
    settings = MAXIMA[name]
    found = pooled(maps()[0].numpy(), geometry(nn.MaxPool2d(**settings)))  # type: ignore[arg-type]
    values, switches = F.max_pool2d(maps(), **settings, return_indices=True)  # type: ignore[arg-type]
    np.testing.assert_array_equal(found.values, values[0].numpy())
    np.testing.assert_array_equal(found.switches, switches[0].numpy())
    flat = maps()[0].flatten(1).numpy()
    there = np.zeros_like(flat, bool)
    for channel, chosen in enumerate(switches[0].flatten(1).numpy()):
        there[channel, chosen] = True
    np.testing.assert_array_equal(found.unpooled.reshape(3, -1), np.where(there, flat, 0))
    assert found.l1 == pytest.approx(np.abs(flat[there]).sum() / np.abs(flat).sum())
    assert found.l2 == pytest.approx((flat[there] ** 2).sum() / (flat**2).sum())


@pytest.mark.parametrize("name", AVERAGES)
def test_an_average_is_that_of_torch_and_keeps_the_energy_of_its_means(name: str) -> None:
    found = pooled(maps()[0].numpy(), geometry(nn.AvgPool2d(**AVERAGES[name])))  # type: ignore[arg-type]
    np.testing.assert_allclose(found.values, F.avg_pool2d(maps(), **AVERAGES[name])[0].numpy(), atol=1e-12)  # type: ignore[arg-type]
    assert (found.switches == -1).all()


def test_an_average_of_windows_side_by_side_keeps_what_a_projection_keeps() -> None:
    flat = torch.randn(1, 2, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    node = next(node for node in trace(nn.AvgPool2d(2), flat).nodes if node.pool)
    found = pooled(flat[0].numpy(), geometry_of(node))
    means = F.interpolate(F.avg_pool2d(flat, 2), scale_factor=2)[0].numpy()
    np.testing.assert_allclose(found.unpooled, means, atol=1e-12)
    assert found.l2 == pytest.approx((means**2).sum() / (flat.numpy() ** 2).sum())


@pytest.mark.parametrize(
    "call",
    [nn.AdaptiveMaxPool2d((4, 2)), nn.AdaptiveAvgPool2d((4, 2)), nn.AdaptiveAvgPool2d(1),
     Function(lambda x: x.mean((2, 3))), Function(lambda x: x.amax((2, 3), keepdim=True)),
     Function(lambda x: F.adaptive_avg_pool2d(x, 3)), Function(lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True)),
     Function(lambda x: F.avg_pool2d(x, (2, 3)))],
)  # fmt: skip
def test_adaptive_global_and_functional_pooling_are_followed(call: nn.Module) -> None:
    found = pooled(maps()[0].numpy(), geometry(call))
    made = call(maps())[0]
    np.testing.assert_allclose(found.values.reshape(made.shape), made.numpy(), atol=1e-12)


def test_the_other_kind_over_the_same_windows() -> None:
    where = geometry(nn.MaxPool2d(3, 2, 1))
    other = pooled(maps()[0].numpy(), where, "average")
    expected = F.avg_pool2d(maps(), 3, 2, 1, count_include_pad=False)[0].numpy()
    np.testing.assert_allclose(other.values, expected, atol=1e-12)


def test_silence_has_no_share_and_nan_wins() -> None:
    where = geometry(nn.MaxPool2d(2))
    silent = pooled(np.zeros((1, *SIZE)), where)
    assert silent.l1 is None
    assert silent.l2 is None
    broken = maps()[0].numpy()
    broken[0, 0, 1] = np.nan
    assert pooled(broken, where).switches[0, 0, 0] == 1


def test_what_is_no_window_over_maps_is_refused() -> None:
    graph = trace(nn.LPPool2d(2, 2), maps())
    with pytest.raises(MethodError, match="a maximum"):
        geometry_of(next(node for node in graph.nodes if node.operation == "LPPool2d"))
    with pytest.raises(MethodError, match=r"Expected maps \(channel, 11, 9\)"):
        pooled(np.zeros((1, 3, 3)), geometry(nn.MaxPool2d(2)))

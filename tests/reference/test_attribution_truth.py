"""Methods against truths that need no theory: slopes by finite differences, and planted regions that alone decide."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.attribution import (
    METHODS,
    IntegratedGradients,
    KernelShap,
    Lime,
    Method,
    Occlusion,
    Rise,
    ShapleySampling,
    SmoothGrad,
    Unit,
    VarGrad,
)

pytestmark = pytest.mark.usefixtures("one_thread")


# --- finite differences --------------------------------------------------------------------------------------


class Smooth(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.head = nn.Linear(4, 7), nn.Linear(7, 5), nn.Linear(5, 3)
        self.double()

    def forward(self, table: Tensor) -> Tensor:
        return self.head(torch.sin(self.second(torch.tanh(self.first(table)))))


TABLE = torch.randn(3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def slopes(model: nn.Module, rows: Tensor, target: int) -> Tensor:
    """Central differences of one output by each column: float64, the shape of the rows."""
    found, step = torch.zeros_like(rows), 1e-5
    with torch.no_grad():
        for column in range(rows.shape[1]):
            moved = torch.zeros_like(rows)
            moved[:, column] = step
            found[:, column] = (model(rows + moved) - model(rows - moved))[:, target] / (2 * step)
    return found


def copies(model: nn.Module, method: Method) -> tuple[Tensor, Tensor]:
    """A method's map, and the inputs that it has shown the model with gradients: float64[copy example column]."""
    seen: list[Tensor] = []
    handle = model.first.register_forward_pre_hook(  # type: ignore[union-attr]
        lambda _, given: seen.append(given[0].detach().clone()) if torch.is_grad_enabled() else None
    )
    found = pellucid.attribute(model, TABLE, 2, method).input
    handle.remove()
    if len(seen) > 1:  # the last copy of the first batch is shown alone as well
        torch.testing.assert_close(seen.pop(1), seen[0][-len(TABLE) :], rtol=0, atol=0)
    return found, torch.cat(seen).reshape(-1, *TABLE.shape)


def test_gradients_of_noisy_copies_are_finite_differences_at_those_copies() -> None:
    model = Smooth()
    for method in (SmoothGrad(samples=6), SmoothGrad(samples=6, absolute=False), VarGrad(samples=6)):
        found, noisy = copies(model, method)
        assert len(noisy) == 6
        each = torch.stack([slopes(model, copy, 2) for copy in noisy])
        if isinstance(method, VarGrad):
            torch.testing.assert_close(found, each.var(0, correction=0), rtol=1e-5, atol=1e-9)
        else:
            torch.testing.assert_close(found, (each.abs() if method.absolute else each).mean(0), rtol=1e-6, atol=1e-9)


def test_integrated_gradients_are_finite_differences_summed_along_the_way() -> None:
    model, baseline = Smooth(), torch.tensor([0.5, -1.0, 0.0, 2.0], dtype=torch.float64)
    found = pellucid.attribute(model, TABLE, 2, IntegratedGradients(steps=64, limit=64, baseline=baseline)).input
    parts, weights = (torch.tensor(one) for one in np.polynomial.legendre.leggauss(40))
    mean = sum(
        weight / 2 * slopes(model, baseline + (part + 1) / 2 * (TABLE - baseline), 2)
        for part, weight in zip(parts, weights, strict=True)
    )
    torch.testing.assert_close(found, (TABLE - baseline) * mean, rtol=1e-4, atol=1e-5)


def test_gradients_of_layers_and_by_units_are_finite_differences_of_what_follows() -> None:
    model = Smooth()
    found = pellucid.attribute(model, TABLE, 1, ["saliency", "gradient_x_input"], layers=["first", "second"])
    first = model.first(TABLE).detach()
    rest = nn.Sequential(nn.Tanh(), model.second)
    by_first = slopes(lambda rows: model.head(torch.sin(rest(rows))), first, 1)  # type: ignore[arg-type]
    torch.testing.assert_close(found["saliency"].layers["first"], by_first.abs(), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(found["gradient_x_input"].layers["first"], by_first * first, rtol=1e-6, atol=1e-9)
    second = rest(first).detach()
    by_second = slopes(lambda rows: model.head(torch.sin(rows)), second, 1)  # type: ignore[arg-type]
    torch.testing.assert_close(found["saliency"].layers["second"], by_second.abs(), rtol=1e-6, atol=1e-9)
    unit = pellucid.attribute(model, TABLE, Unit("second", 3)).input
    by_unit = slopes(nn.Sequential(model.first, rest), TABLE, 3)
    torch.testing.assert_close(unit, by_unit.abs(), rtol=1e-6, atol=1e-9)


def test_token_gradients_are_finite_differences_of_the_rows_that_the_ids_look_up() -> None:
    torch.manual_seed(0)
    words = nn.Embedding(8, 3)
    model = nn.Sequential(words, nn.Flatten(), nn.Tanh(), nn.Linear(12, 2)).double()
    ids = torch.tensor([[1, 2, 3, 4]])  # each id once, so that moving its row moves one token
    expected = torch.zeros(1, 4, dtype=torch.float64)
    table = words.weight.detach().clone()
    for place, row in enumerate(ids[0].tolist()):
        for channel in range(3):
            moved = []
            for sign in (1, -1):
                with torch.no_grad():
                    words.weight.copy_(table)
                    words.weight[row, channel] += sign * 1e-5
                    moved.append(float(model(ids)[0, 1]))
            expected[0, place] += (moved[0] - moved[1]) / 2e-5 * float(table[row, channel])
    with torch.no_grad():
        words.weight.copy_(table)
    torch.testing.assert_close(
        pellucid.attribute(model, ids, 1, "token_gradients").input, expected, rtol=1e-6, atol=1e-9
    )


# --- planted regions -----------------------------------------------------------------------------------------

# Why a method may point elsewhere; those of sequences and attention have planted tests of their own.
ELSEWHERE = {
    "deconvnet": "ignores which rectifiers were on, so that the region without any evidence gets as much",
    "vargrad": "shows where the slope changes, at the borders of what decides, and not how much it is",
    "eigen_cam": "knows no target: it points at what the layer holds most of, of any class",
}
OF_SEQUENCES = {"token_gradients", "time_gradients", "attention_rollout", "gradient_rollout"}
OPTIONS: dict[str, Method] = {
    "smoothgrad": SmoothGrad(samples=8, noise=0.05),
    "vargrad": VarGrad(samples=24, noise=0.15),
    "occlusion": Occlusion(window=4, stride=4),
    "rise": Rise(masks=300, cells=4),
    "kernel_shap": KernelShap(samples=200, cells=4),
    "lime": Lime(samples=200, cells=4, penalty=1e-4),
    "shapley_sampling": ShapleySampling(samples=4, cells=4),
}


def planted(side: int) -> tuple[nn.Module, Tensor, Tensor]:
    """Images of side x side regions, three of them with a blob: red speaks for class 0, green for class 1, blue for none.

    Returns: the network, float[example 3 16 16], and the region of each example's red and green: int64[example 2].
    """
    detect = nn.Conv2d(3, 2, 3, padding=1)
    mix, head = nn.Conv2d(2, 2, 1, bias=False), nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        detect.weight.zero_()
        detect.weight[0, 0], detect.weight[1, 1] = 1 / 9, 1 / 9
        detect.bias.fill_(-0.3)  # background stays below: no evidence, no gradient
        mix.weight.copy_(torch.eye(2)[:, :, None, None])
        head.weight.copy_(40 * torch.eye(2))  # scores as large as networks have them
    model = nn.Sequential(
        detect, nn.ReLU(), mix, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head
    )  # fmt: skip
    generator = torch.Generator().manual_seed(side)
    images, size = 0.1 * torch.rand(10, 3, 16, 16, generator=generator), 16 // side
    places = torch.stack([torch.randperm(side * side, generator=generator)[:3] for _ in images])
    for image, regions in zip(images, places, strict=True):
        for channel, region in enumerate(regions.tolist()):
            row, column = size * (region // side), size * (region % side)
            image[channel, row : row + size, column : column + size] = 1.0
    return model.eval(), images, places[:, :2]


@pytest.mark.parametrize("side", [2, 4], ids=["quadrants", "patches"])
@pytest.mark.parametrize("name", [name for name in METHODS if name not in OF_SEQUENCES])
def test_the_region_that_decides_is_pointed_at_every_time(name: str, side: int) -> None:
    model, images, places = planted(side)
    right = 0
    for target in (0, 1):
        found = pellucid.attribute(model, images, target, OPTIONS.get(name, name)).input
        size = 16 // side
        # The strongest region: a pixel of a map that is the same over a region, or blurred beyond it, says less.
        strength = found.sum(1).reshape(-1, side, size, side, size).sum((2, 4)).flatten(1)
        right += int((strength.argmax(1) == places[:, target]).sum())
    if name in ELSEWHERE:
        assert right < 2 * len(images), f"{name} was to point elsewhere: {ELSEWHERE[name]}"
    else:
        assert right == 2 * len(images)

"""Where memory does not suffice for all examples at once, fewer are taken: the same maps, and a word about it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.attribution import IntegratedGradients, ScoreCam, SmoothGrad, Unit
from pellucid.errors import MethodError, TargetError

ON_CPU = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 400"
ERRORS = [RuntimeError(ON_CPU), torch.OutOfMemoryError("CUDA out of memory"), MemoryError()]
SAID = "Memory did not suffice for 5 examples at a time: 2 were used."


class Narrow(nn.Module):
    """Has memory for so many rows: in every pass, in forwards with gradients alone, or in backwards alone."""

    def __init__(self, rows: int, where: str = "gradients", error: BaseException = ERRORS[1]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 3)
        )  # fmt: skip
        self.rows, self.where, self.error = rows, where, error

    def forward(self, values: Tensor) -> Tensor:
        forward = self.where == "every" or (self.where == "gradients" and torch.is_grad_enabled())
        if forward and len(values) > self.rows:
            raise self.error
        found: Tensor = self.inner(values)
        if self.where == "backward" and found.requires_grad:
            found.register_hook(self.short)
        return found

    def short(self, slopes: Tensor) -> None:
        if len(slopes) > self.rows:
            raise self.error


def images() -> Tensor:
    return torch.randn(5, 2, 6, 6, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("where", ["gradients", "backward"])
@pytest.mark.parametrize("error", ERRORS, ids=["torch on a CPU", "CUDA", "Python"])
def test_plain_and_modified_methods_give_the_same_maps_from_fewer_examples_at_a_time(
    error: BaseException, where: str
) -> None:
    methods = ["saliency", "gradient_x_input", "grad_cam", "guided_backprop", "lrp_epsilon"]
    targets = [0, 2, 1, 1, 0]
    model = Narrow(2, where, error)
    layers = ["inner.1", "inner.3"]
    found = pellucid.attribute(model, images(), targets, methods, layers)
    whole = pellucid.attribute(Narrow(5), images(), targets, methods, layers)
    for name in methods:
        assert SAID in found[name].warnings
        assert not whole[name].warnings
        torch.testing.assert_close(found[name].input, whole[name].input)
        torch.testing.assert_close(found[name].scores, whole[name].scores)
        assert list(found[name].layers) == list(whole[name].layers)
        for layer, map_ in whole[name].layers.items():
            torch.testing.assert_close(found[name].layers[layer], map_)
    torch.testing.assert_close(found["lrp_epsilon"].check, whole["lrp_epsilon"].check, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("target", ["prediction", 1, torch.tensor([0, 2, 1, 1, 0]), Unit("inner.3", 2, "max")])
def test_every_target_that_is_no_function_goes_with_its_example(target: Any) -> None:
    found = pellucid.attribute(Narrow(2), images(), target, ["saliency", "guided_backprop"])
    whole = pellucid.attribute(Narrow(5), images(), target, ["saliency", "guided_backprop"])
    for name, maps in whole.items():
        torch.testing.assert_close(found[name].input, maps.input)


def test_methods_of_many_passes_take_fewer_examples_where_not_even_one_forward_of_all_fits() -> None:
    for method in (IntegratedGradients(steps=8, limit=8), ScoreCam()):
        found = pellucid.attribute(Narrow(2, "every"), images(), 1, method)
        assert SAID in found.warnings
        torch.testing.assert_close(found.input, pellucid.attribute(Narrow(5), images(), 1, method).input)
    noisy = pellucid.attribute(Narrow(2, "every"), images(), 1, SmoothGrad(samples=100))
    other = pellucid.attribute(Narrow(5), images(), 1, SmoothGrad(samples=100, seed=1))
    assert noisy.error.shape == noisy.input.shape
    apart = (noisy.input - other.input).abs() / (noisy.error.square() + other.error.square()).sqrt()
    assert 0.5 < float(apart.median()) < 0.85, "other noise, as far away as the errors say: half within 0.67"


def test_trees_of_inputs_are_taken_apart_and_put_together() -> None:
    class Two(nn.Module):
        def forward(self, first: Tensor, second: dict[str, Tensor]) -> Tensor:
            if len(first) > 2:
                raise MemoryError
            return torch.stack([(first * second["b"]).sum(1), first.sum(1)], 1)

    first, second = torch.randn(5, 3), torch.randn(5, 3)
    found = pellucid.attribute(Two(), (first, {"b": second}), 0).input
    torch.testing.assert_close(found[0], second.abs())
    torch.testing.assert_close(found[1]["b"], first.abs())


def test_what_cannot_be_taken_apart_and_what_does_not_fit_at_all_is_refused() -> None:
    with pytest.raises(
        MethodError, match="for all 5 examples at once, and a target that is a function is asked for whole"
    ):
        pellucid.attribute(Narrow(2), images(), lambda output: output[:, 0])
    with pytest.raises(MethodError, match=r"for a single example\. Give smaller inputs or fewer"):
        pellucid.attribute(Narrow(0), images(), 0)
    with pytest.raises(MethodError, match=r"does not suffice for a single example \(smoothgrad\)"):
        pellucid.attribute(Narrow(0), images(), 0, "smoothgrad")
    with pytest.raises(TargetError, match="got 4 targets for 5 examples"):
        pellucid.attribute(Narrow(2), images(), [0, 1, 1, 2])

    class Shared(nn.Module):
        def forward(self, rows: Tensor, scale: Tensor) -> Tensor:
            if len(rows) > 2:
                raise MemoryError
            return rows * scale

    with pytest.raises(MethodError, match="not all inputs have one entry an example"):
        pellucid.attribute(Shared(), (torch.randn(5, 3), torch.randn(1, 3)), 0)

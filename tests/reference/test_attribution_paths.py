"""Integrated gradients, SmoothGrad and VarGrad against formulas, Captum, and the laws that they promise."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from captum.attr import IntegratedGradients as Captums
from torch import Tensor, nn

import pellucid
from pellucid.attribution import IntegratedGradients, Progress, SmoothGrad, VarGrad
from pellucid.errors import ForwardError, MethodError, OptionError

TARGETS = [2, 0, 1, 2]


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(64, 8), nn.Softplus(), nn.Linear(8, 3)
    ).eval()


def images(number: int = 4) -> Tensor:
    return torch.randn(number, 2, 6, 6, generator=torch.Generator().manual_seed(1))


def gradients(model: nn.Module, given: Tensor, targets: list[int]) -> Tensor:
    leaf = given.clone().requires_grad_()
    scores = model(leaf).gather(1, torch.tensor(targets)[:, None])
    return torch.autograd.grad(scores.sum(), leaf)[0]


def test_integrated_gradients_add_up_and_are_those_of_captum() -> None:
    model, given = net().double(), images().double()
    found = pellucid.attribute(model, given, TARGETS, IntegratedGradients(steps=64, limit=64))
    expected = Captums(model).attribute(given, target=torch.tensor(TARGETS), n_steps=64, method="gausslegendre")
    torch.testing.assert_close(found.input, expected, rtol=1e-6, atol=1e-8)
    with torch.no_grad():
        change = (model(given) - model(torch.zeros_like(given))).gather(1, torch.tensor(TARGETS)[:, None])[:, 0]
    torch.testing.assert_close(found.check, found.input.flatten(1).sum(1) - change)
    assert bool((found.check.abs() <= 0.01 * change.abs()).all())
    assert found.warnings == ()


@pytest.mark.parametrize("baseline", ["tensor", "function"])
def test_any_baseline_with_midpoints_is_the_mean_gradient_along_the_way(baseline: str) -> None:
    model, given = net().double(), images().double()
    start = given.flip(3) * 0.5
    asked = IntegratedGradients(
        steps=5,
        limit=5,
        nodes="midpoint",
        tolerance=9.0,
        baseline=start if baseline == "tensor" else lambda one: one.flip(3) * 0.5,
    )
    found = pellucid.attribute(model, given, TARGETS, asked)
    mean = sum(gradients(model, start + (step + 0.5) / 5 * (given - start), TARGETS) for step in range(5)) / 5
    torch.testing.assert_close(found.input, (given - start) * mean)


def test_steps_are_doubled_until_the_residual_is_small_and_a_limit_is_warned_of() -> None:
    model, given = net(), images()
    few = pellucid.attribute(model, given * 5, TARGETS, IntegratedGradients(steps=1, tolerance=1e-3, limit=1))
    assert "do not add up after 1 steps" in few.warnings[0]
    many = pellucid.attribute(model, given * 5, TARGETS, IntegratedGradients(steps=1, tolerance=1e-3, limit=1024))
    assert many.warnings == ()
    assert many.passes.backward_examples > few.passes.backward_examples == 4
    assert float(many.check.abs().max()) < float(few.check.abs().max())


def test_integrated_gradients_obey_dummy_symmetry_and_implementation_invariance() -> None:
    class Written(nn.Module):
        def __init__(self, other: bool) -> None:
            super().__init__()
            self.other = other

        def forward(self, values: Tensor) -> Tensor:
            a, b, _ = values.unbind(1)
            product = ((a + b).square() - a.square() - b.square()) / 2 if self.other else a * b
            return torch.stack([product + torch.sin(a + b), a], dim=1)

    given = torch.tensor([[0.7, 0.7, 3.0], [1.2, 1.2, -1.0]]).double()
    found = pellucid.attribute(Written(False), given, 0, "integrated_gradients").input
    torch.testing.assert_close(found, pellucid.attribute(Written(True), given, 0, "integrated_gradients").input)
    torch.testing.assert_close(found[:, 0], found[:, 1])
    assert torch.equal(found[:, 2], torch.zeros(2).double())


def test_on_a_linear_model_all_of_them_are_closed_forms() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(72, 3)).double()
    given = images().double()
    weight = model[1].weight.detach()[TARGETS].reshape(4, 2, 6, 6)
    found = pellucid.attribute(
        model, given, TARGETS, [IntegratedGradients(steps=1), SmoothGrad(samples=3), VarGrad(samples=3)]
    )
    torch.testing.assert_close(found["integrated_gradients"].input, weight * given)
    torch.testing.assert_close(found["smoothgrad"].input, weight.abs())
    assert float(found["vargrad"].input.abs().max()) < 1e-25
    assert float(found["smoothgrad"].error.abs().max()) < 1e-12


class Routed(nn.Module):
    """One of two linear models, by the sign of the first number."""

    def forward(self, given: Tensor) -> Tensor:
        return torch.stack([given.sum(1), given.sum(1) + (given[:, 0] > 0.5)], 1)


def test_a_score_that_jumps_on_the_way_is_not_to_be_mended_by_more_steps() -> None:
    found = pellucid.attribute(Routed(), torch.ones(2, 3), 1, "integrated_gradients")
    torch.testing.assert_close(found.check, -torch.ones(2).double())
    assert len(found.warnings) == 1
    assert "25.0% of the difference from the baseline, after 128 steps it was 25.0%" in found.warnings[0]
    assert "More of them are no remedy where the score jumps on the way (hard routing, rounding)" in found.warnings[0]
    few = pellucid.attribute(Routed(), torch.ones(2, 3), 1, IntegratedGradients(steps=1, limit=2))
    assert few.warnings[0].endswith("Raise limit.")


class Difference(nn.Module):
    """The square of the difference of two inputs, whose gradients are its double and what is opposite to it."""

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        return ((one - other) ** 2).reshape(len(one), -1).sum(1, keepdim=True)


@pytest.mark.parametrize("shape", [(2, 64), (4, 8, 8)])
def test_two_inputs_alike_have_noise_of_their_own(shape: tuple[int, ...]) -> None:
    one, other = (torch.randn(shape, generator=torch.Generator().manual_seed(seed)).double() for seed in (1, 2))
    found = pellucid.attribute(Difference(), (one, other), 1, VarGrad(samples=400, noise=0.1))
    ranges = [leaf.flatten(1).amax(1) - leaf.flatten(1).amin(1) for leaf in (one, other)]
    expected = 4 * (0.1**2) * (ranges[0] ** 2 + ranges[1] ** 2)
    for leaf in found.input:
        torch.testing.assert_close(leaf.flatten(1).mean(1), expected, rtol=0.05, atol=0)


def test_smoothgrad_takes_one_number_an_example() -> None:
    one, other = torch.randn(3), torch.randn(3)
    found = pellucid.attribute(Difference(), (one, other), 1, SmoothGrad(samples=4, absolute=False))
    torch.testing.assert_close(found.input[0], 2 * (one - other))


def test_smoothgrad_and_vargrad_are_mean_and_variance_over_the_same_noisy_copies_whatever_the_batches() -> None:
    model, given = net().double(), images().double()
    states = torch.random.get_rng_state()
    asked = [SmoothGrad(samples=12, absolute=False, batch_size=3), VarGrad(samples=12, batch_size=100)]
    found = pellucid.attribute(model, given, "prediction", asked)
    assert torch.equal(torch.random.get_rng_state(), states)
    index = model(given).argmax(1).tolist()
    flat = given.flatten(1)
    scale = 0.15 * (flat.amax(1) - flat.amin(1)).reshape(-1, 1, 1, 1)
    samples = []
    for copy in range(12):
        noise = torch.randn(given.shape, generator=torch.Generator().manual_seed(copy))
        samples.append(gradients(model, given + scale * noise.double(), index))
    stacked = torch.stack(samples)
    torch.testing.assert_close(found["smoothgrad"].input, stacked.mean(0))
    torch.testing.assert_close(found["smoothgrad"].error, stacked.std(0) / 12**0.5)
    torch.testing.assert_close(found["vargrad"].input, stacked.var(0, correction=0))


def test_memory_that_does_not_suffice_halves_the_batch_and_says_so() -> None:
    model, given = net(), images()
    whole = pellucid.attribute(model, given[:3], TARGETS[:3], SmoothGrad(samples=8)).input

    _limit(model, 2)
    with pytest.raises(MethodError, match="target that is a function is asked for whole batches"):
        pellucid.attribute(model, images(3), lambda output: output[:, 0], SmoothGrad(samples=2, batch_size=3))
    _limit(model, 3)
    found = pellucid.attribute(model, given[:3], TARGETS[:3], SmoothGrad(samples=8))
    assert "Memory did not suffice for 30 rows at a time: 3 were used." in found.warnings
    torch.testing.assert_close(found.input, whole[:3])


def _limit(model: nn.Sequential, rows: int) -> bool:
    """From now on the model has memory for so many rows with gradients."""
    model[0]._forward_pre_hooks.clear()

    def short(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if torch.is_grad_enabled() and len(inputs[0]) > rows:
            raise MemoryError

    model[0].register_forward_pre_hook(short)
    return True


ON_CPU = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 400"


@pytest.mark.parametrize("where", ["forward", "backward"])
@pytest.mark.parametrize("error", [RuntimeError(ON_CPU), torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
@pytest.mark.parametrize("method", [SmoothGrad(samples=4), VarGrad(samples=4), IntegratedGradients(steps=4, limit=4)])
def test_every_kind_of_memory_that_fails_halves_the_batch(
    method: SmoothGrad | VarGrad | IntegratedGradients, error: BaseException, where: str
) -> None:
    class Short(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, values: Tensor) -> Tensor:
            if where == "forward" and len(values) > 5:
                raise error
            return values.clone()

        @staticmethod
        def backward(context: Any, slopes: Tensor) -> Tensor:
            if where == "backward" and len(slopes) > 5:
                raise error
            return slopes.clone()

    class Narrow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = net()

        def forward(self, values: Tensor) -> Tensor:
            found: Tensor = self.inner(Short.apply(values))
            return found

    narrow = Narrow()
    found = pellucid.attribute(narrow, images(), TARGETS, method)
    assert any("Memory did not suffice" in warning and "4 were used" in warning for warning in found.warnings)
    torch.testing.assert_close(found.input, pellucid.attribute(narrow.inner, images(), TARGETS, method).input)


def test_an_error_that_is_none_of_memorys_is_tried_with_one_copy_alone_and_no_more() -> None:
    model = net()
    calls: list[int] = []

    def broken(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if torch.is_grad_enabled():
            calls.append(len(inputs[0]))
            raise RuntimeError("broken")

    model[0].register_forward_pre_hook(broken)
    with pytest.raises(ForwardError, match="broken"):
        pellucid.attribute(model, images(), TARGETS, SmoothGrad(samples=4))
    assert calls == [16, 4]


def test_a_watcher_sees_every_batch_and_can_stop() -> None:
    model, given = net(), images()
    seen: list[Progress] = []

    def watch(progress: Progress) -> bool:
        seen.append(progress)
        assert progress.estimate().shape == given.shape
        return len(seen) < 2

    found = pellucid.attribute(model, given, TARGETS, SmoothGrad(samples=20, batch_size=8), watch=watch)
    assert [(one.done, one.total) for one in seen] == [(2, 20), (4, 20)]
    assert found.warnings == ("Stopped after 4 of 20 copies.",)


def test_the_error_of_the_map_so_far_falls_and_ends_as_that_of_the_map() -> None:
    model, given = net(), images()
    errors: list[float | None] = []

    def watch(progress: Progress) -> None:
        errors.append(progress.error())

    found = pellucid.attribute(model, given, TARGETS, SmoothGrad(samples=16, batch_size=5), watch=watch)
    assert errors[0] is None, "one sample says nothing of how far it is off"
    known = [error for error in errors if error is not None]
    assert len(known) == 15
    assert known[-1] == pytest.approx(float(found.error.mean() / found.input.abs().mean()), rel=1e-6)
    assert known[-1] == pytest.approx(known[2] / 2, rel=0.3), "four times the samples, half the error"


def test_integrated_gradients_tell_the_residual_of_the_attempt_before() -> None:
    model, given = net(), images()
    errors: list[float | None] = []

    def watch(progress: Progress) -> None:
        errors.append(progress.error())

    method = IntegratedGradients(steps=1, limit=2, tolerance=0)
    pellucid.attribute(model, given, TARGETS, method, watch=watch)
    once = pellucid.attribute(model, given, TARGETS, IntegratedGradients(steps=1, limit=1)).check
    with torch.no_grad():
        change = (model(given) - model(0 * given)).gather(1, torch.tensor(TARGETS)[:, None])[:, 0]
    assert errors[0] is None
    assert errors[-1] == pytest.approx(float((once / change).abs().max()), rel=1e-4)


def test_what_cannot_be_right_is_refused() -> None:
    text = nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(8, 2))
    for method in ("smoothgrad", "vargrad"):
        with pytest.raises(MethodError, match="integers"):
            pellucid.attribute(text, torch.tensor([[1, 2]]), 0, method)
    with pytest.raises(OptionError, match="2 samples or more"):
        SmoothGrad(samples=1)
    with pytest.raises(OptionError, match="limit no less"):
        IntegratedGradients(steps=9, limit=3)
    with pytest.raises(OptionError, match="baseline must be a tree like the inputs"):
        pellucid.attribute(net(), images(), 0, IntegratedGradients(baseline=torch.zeros(7)))

"""Methods of many passes against two libraries each: Captum and zennit, on the very same noise; RISE against XAITK, on the very
same masks, a twin written from the paper on numpy and scipy, and its expectation.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients as CaptumsIntegrated
from captum.attr import NoiseTunnel
from captum.attr import Occlusion as CaptumsOcclusion
from captum.attr import Saliency as CaptumsSaliency
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from xaitk_saliency.impls.gen_classifier_conf_sal.rise_scoring import RISEScoring
from xaitk_saliency.impls.perturb_image.rise import RISEGrid
from zennit.attribution import IntegratedGradients as ZennitsIntegrated
from zennit.attribution import Occlusion as ZennitsOcclusion
from zennit.attribution import SmoothGrad as ZennitsSmoothGrad
from zennit.attribution import occlude_independent

import pellucid
from pellucid.attribution import IntegratedGradients, Occlusion, Rise, SmoothGrad, VarGrad

CLOSE: dict[str, float] = {"rtol": 1e-5, "atol": 1e-7}
TARGET, SAMPLES = 1, 9


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(64, 8), nn.Softplus(), nn.Linear(8, 3)
    ).double().eval()  # fmt: skip


def images(number: int = 3) -> Tensor:
    return torch.randn(number, 2, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def one_hot(output: Tensor) -> Tensor:
    """The gradient of the explained score by the model's output, as zennit asks for it."""
    return nn.functional.one_hot(torch.full((len(output),), TARGET), output.shape[1]).to(output)


def standard_noise(shape: torch.Size, copy: int) -> Tensor:
    """What our methods add to copy number `copy`, before it is scaled."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(copy), dtype=torch.float32).double()


def test_integrated_gradients_are_those_of_captum_and_of_zennit() -> None:
    model, given, start = net(), images(), images().flip(3) * 0.5
    found = pellucid.attribute(model, given, TARGET, IntegratedGradients(steps=48, limit=48, baseline=start)).input
    captums = CaptumsIntegrated(model).attribute(given, start, target=TARGET, n_steps=48, method="gausslegendre")
    torch.testing.assert_close(found, captums, **CLOSE)
    # zennit's nodes are the right ends of equal steps; there and back again they make the trapezoidal rule.
    there = ZennitsIntegrated(model, baseline_fn=lambda _: start, n_iter=240)(given.clone(), one_hot)[1]
    back = ZennitsIntegrated(model, baseline_fn=lambda _: given, n_iter=240)(start.clone(), one_hot)[1]
    torch.testing.assert_close(found, (there - back) / 2, **CLOSE)
    assert float(found.abs().max()) > 1e-3


@pytest.mark.parametrize("absolute", [False, True])
def test_smoothgrad_is_that_of_captum_and_of_zennit_on_the_same_noise(
    absolute: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, given = net(), images()
    found = pellucid.attribute(model, given, TARGET, SmoothGrad(samples=SAMPLES, absolute=absolute)).input
    torch.testing.assert_close(found, of_captum(model, given, "smoothgrad", absolute, monkeypatch), **CLOSE)
    if absolute:
        return  # zennit averages the gradient itself
    copies = iter(range(SAMPLES))
    monkeypatch.setattr(torch, "randn_like", lambda leaf: standard_noise(leaf.shape, next(copies)))
    whole = ZennitsSmoothGrad(model, noise_level=0.15, n_iter=SAMPLES + 1)(given.clone(), one_hot)[1]
    monkeypatch.undo()
    leaf = given.clone().requires_grad_()
    (plain,) = torch.autograd.grad(model(leaf)[:, TARGET].sum(), leaf)
    # Its last copy has no noise.
    torch.testing.assert_close(found, (whole * (SAMPLES + 1) - plain) / SAMPLES, **CLOSE)


def test_vargrad_is_that_of_captum_and_the_variance_of_gradients_that_functorch_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, given = net(), images()
    found = pellucid.attribute(model, given, TARGET, VarGrad(samples=SAMPLES)).input
    torch.testing.assert_close(found, of_captum(model, given, "vargrad", False, monkeypatch), **CLOSE)
    flat = given.flatten(1)
    scale = 0.15 * (flat.amax(1) - flat.amin(1)).reshape(-1, 1, 1, 1)
    noisy = torch.stack([given + scale * standard_noise(given.shape, copy) for copy in range(SAMPLES)])
    slope = torch.func.grad(lambda image: model(image[None])[0, TARGET])
    slopes = torch.func.vmap(torch.func.vmap(slope))(noisy)
    np.testing.assert_allclose(found.numpy(), np.var(slopes.detach().numpy(), axis=0), rtol=1e-5, atol=1e-12)


def of_captum(model: nn.Module, given: Tensor, kind: str, absolute: bool, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """Captum's noise tunnel, one example after the other, for its deviation is one number."""
    found = []
    for at, image in enumerate(given):
        deviation = 0.15 * float(image.max() - image.min())
        noise = torch.stack([standard_noise(given.shape, copy)[at] for copy in range(SAMPLES)]) * deviation
        monkeypatch.setattr(torch, "normal", lambda *_, noise=noise: noise)
        tunnel = NoiseTunnel(CaptumsSaliency(model))
        found.append(
            tunnel.attribute(
                image[None], nt_type=kind, nt_samples=SAMPLES, stdevs=deviation, target=TARGET, abs=absolute
            ).detach()
        )
        monkeypatch.undo()
    return torch.cat(found)


def test_occlusion_is_that_of_captum_and_of_zennit() -> None:
    model, given = net(), images()
    covered = partial(occlude_independent, fill_fn=torch.zeros_like, invert=True)
    with torch.no_grad():
        scores = model(given)[:, TARGET, None, None, None]

    def zennits(window: int, stride: int) -> Tensor:
        """The sum of the scores with each window covered, at the window's places."""
        explainer = ZennitsOcclusion(model, occlusion_fn=covered, window=(window, window), stride=(stride, stride))
        return explainer(given.clone(), lambda output: output * one_hot(output))[1].detach()

    apart = pellucid.attribute(model, given, TARGET, Occlusion(window=2, stride=2)).input
    captums = CaptumsOcclusion(model).attribute(given, (2, 2, 2), (2, 2, 2), target=TARGET)
    torch.testing.assert_close(apart, captums.double(), rtol=1e-5, atol=1e-6)  # it computes in float32
    torch.testing.assert_close(apart, scores - zennits(2, 2), **CLOSE)
    # zennit's windows go on around the edge: within it the same four cover each place.
    over = pellucid.attribute(model, given, TARGET, Occlusion(window=2, stride=1)).input
    torch.testing.assert_close(over[..., 1:5, 1:5], (scores - zennits(2, 1) / 4)[..., 1:5, 1:5], **CLOSE)


def drawn_as_in_the_paper(cells: NDArray[np.float64], size: int, shift: tuple[int, int]) -> NDArray[np.float64]:
    """A mask of RISE, section 3.2: cells grown bilinearly to (h + 1) C_H, cut out at a random shift; on scipy's interpolation."""
    side = -(-size // len(cells))
    grown = (len(cells) + 1) * side
    places = (np.arange(grown) + 0.5) * len(cells) / grown - 0.5
    whole = ndimage.map_coordinates(cells, np.meshgrid(places, places, indexing="ij"), order=1, mode="mirror")
    return whole[shift[0] : shift[0] + size, shift[1] : shift[1] + size]


def test_rise_is_its_twin_written_from_the_paper() -> None:
    model, given, count, cells = net(), images(), 24, 3
    asked = Rise(masks=count, cells=cells, visible=0.4, seed=2)
    found = pellucid.attribute(model, given, TARGET, asked).input
    total = np.zeros((len(given), 6, 6))
    for number in range(count):
        generator = torch.Generator().manual_seed(2 * 1_000_003 + number)
        on = (torch.rand(1, 1, cells, cells, generator=generator) < 0.4)[0, 0].double().numpy()
        down, right = (int(torch.randint(2, (1,), generator=generator)) for _ in range(2))
        mask = drawn_as_in_the_paper(on, 6, (down, right))
        with torch.no_grad():
            score = model(given * torch.from_numpy(mask))[:, TARGET].numpy()
        total += score[:, None, None] * mask  # equation 6
    expected = total / (0.4 * count)
    np.testing.assert_allclose(found.numpy(), np.broadcast_to(expected[:, None], found.shape), rtol=1e-5, atol=1e-6)


class Shifts:
    """Stands in for the generator that XAITK draws its shifts from."""

    def __init__(self, shifts: list[int]) -> None:
        self._left = iter(shifts)

    def integers(self, low: int, high: int) -> int:
        shift = next(self._left)
        assert low <= shift < high
        return shift


@pytest.mark.parametrize(("size", "cells"), [((6, 6), 3), ((7, 10), 4), ((6, 6), 1), ((9, 5), 2)])
def test_rise_is_that_of_xaitk_on_the_same_cells_and_shifts(
    size: tuple[int, int], cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.LazyLinear(3)).double().eval()
    given = torch.randn(1, 2, *size, dtype=torch.float64)
    model(given)
    count, visible, seed = 20, 0.4, 5
    asked = Rise(masks=count, cells=cells, visible=visible, seed=seed)
    found = pellucid.attribute(model, given, TARGET, asked).input[0]
    peer = RISEGrid(n=count, s=cells, p1=visible, threads=0)
    shifts: list[int] = []
    for number in range(count):
        generator = torch.Generator().manual_seed(seed * 1_000_003 + number)
        peer.grid[number] = (torch.rand(cells, cells, generator=generator) < visible).numpy()
        shifts += [int(torch.randint(-(-side // cells), (1,), generator=generator)) for side in size]
    with monkeypatch.context() as patch:
        patch.setattr(np.random, "default_rng", lambda _: Shifts(shifts))
        masks = peer.perturb(np.zeros((*size, 2)))
    ours = torch.stack([asked.mask(number, size) for number in range(count)])
    np.testing.assert_allclose(ours.numpy(), masks, rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        scores = model(given * torch.from_numpy(masks).double()[:, None]).numpy()
        reference = model(given)[0].numpy()
    # Their map is in shares of its largest.
    expected = RISEScoring().generate(reference, scores, masks)[TARGET]
    for channel in found.numpy():
        np.testing.assert_allclose(channel / np.abs(channel).max(), expected, rtol=1e-5, atol=1e-6)


def test_rise_on_a_linear_model_tends_to_its_expectation_as_fast_as_its_error_says() -> None:
    """F = w x: E[F(x m) m_p] / E[m_p] = sum_q w_q x_q E[m_q m_p] / E[m_p], whose moments many masks give."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(72, 3, bias=False)).double()
    given = images(1)
    found = pellucid.attribute(model, given, TARGET, Rise(masks=600, cells=3))
    masks = torch.stack([Rise(cells=3, seed=77).mask(number, (6, 6)) for number in range(1500)]).double().flatten(1)
    parts = (model[1].weight.detach()[TARGET].reshape(2, 36) * given[0].flatten(1)).sum(0)
    expected = (masks.T @ masks / len(masks) @ parts) / 0.5
    apart = (found.input[0, 0].flatten() - expected).abs() / found.error[0, 0].flatten()
    assert float((apart < 3).double().mean()) > 0.95
    assert float(apart.median()) > 0.05, "an error that were far too large would say nothing"

"""What made pictures are made of: spectra, phases, their inverses and derivatives, and the moves between steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from pellucid.features.look import Look
from pellucid.features.parameterisation import Fourier, Phases
from pellucid.features.transformations import cropped, robust


def random() -> torch.Generator:
    return torch.Generator().manual_seed(3)


# --- parameterisations --------------------------------------------------------------------------------------------


def looked(size: tuple[int, int], channels: int = 3) -> Look:
    base = torch.rand(12, channels, *size, generator=random())
    return Look.of(0.6 * base + 0.4 * base.mean(1, keepdim=True), size)


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (28, 28), (10, 13)])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_a_given_picture_comes_back_from_its_spectrum(size: tuple[int, int], channels: int) -> None:
    form = Fourier(looked(size, channels), size)
    pictures = 0.05 + 0.9 * torch.rand(4, channels, *size, generator=random())
    torch.testing.assert_close(form.pictures(form.of(pictures)), pictures, atol=2e-5, rtol=0)


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (28, 28), (10, 13), (13, 10)])
def test_phases_keep_the_magnitudes_exactly(size: tuple[int, int]) -> None:
    look = looked(size)
    form = Phases(look, size)
    free = 10 * torch.randn(5, 3, size[0], size[1] // 2 + 1, generator=random())
    spectrum = torch.fft.rfft2(form.planes(free), norm="ortho").abs()
    torch.testing.assert_close(spectrum, look.magnitudes.expand_as(spectrum), atol=1e-5, rtol=1e-4)
    # What bounds the pictures undoes nothing of that, as far as a pixel that is nearly black or white can tell.
    pictures = form.pictures(free)
    within = ((pictures > 0.021) & (pictures < 0.979)).all(1, keepdim=True).expand_as(pictures)
    assert within.float().mean() > 0.5
    torch.testing.assert_close(form.planes_of(pictures)[within], form.planes(free)[within], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (10, 13), (13, 10)])
def test_phases_of_a_picture_with_the_datas_magnitudes_give_it_back(size: tuple[int, int]) -> None:
    look = looked(size)
    form = Phases(
        replace(look, mean=torch.zeros(3), colours=0.2 * torch.eye(3)), size
    )  # so that nothing is all but black
    pictures = form.pictures(3 * torch.randn(4, 3, size[0], size[1] // 2 + 1, generator=random()))
    torch.testing.assert_close(form.pictures(form.of(pictures)), pictures, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", [Fourier, Phases])
def test_gradients_of_pictures_by_their_parameters_are_those_of_finite_differences(
    kind: type[Fourier | Phases],
) -> None:
    size = (6, 5)
    look = looked(size)
    double = Look(look.mean.double(), look.colours.double(), look.magnitudes.double(), size, look.count)
    form = kind(double, size)
    free = form.begin(random(), 0.5)[None].double().requires_grad_()
    assert torch.autograd.gradcheck(form.pictures, (free,), eps=1e-6, atol=1e-6)


def test_colours_and_mean_are_those_of_the_pictures() -> None:
    size = (16, 16)
    look = looked(size)
    pictures = 0.6 * (base := torch.rand(12, 3, *size, generator=random())) + 0.4 * base.mean(1, keepdim=True)
    planes = Fourier(look, size).planes_of(pictures)
    across = planes.transpose(0, 1).flatten(1)
    torch.testing.assert_close(across @ across.T / across.shape[1], torch.eye(3), atol=1e-3, rtol=0)
    torch.testing.assert_close(across.mean(1), torch.zeros(3), atol=1e-4, rtol=0)
    plain = Look.usual(3, (32, 33))
    phases = 2 * torch.pi * torch.rand(3, 32, 17, generator=random())
    wave = torch.fft.irfft2(
        torch.polar(plain.magnitudes, phases - phases[:, -torch.arange(32) % 32]), s=(32, 33), norm="ortho"
    )
    assert wave.square().mean() == pytest.approx(1.0, abs=0.02)


# --- transformations ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(8, 8), (28, 20)])
def test_transformations_move_little_and_belong_to_their_picture(shape: tuple[int, int]) -> None:
    pictures = torch.rand(3, 2, *shape, generator=random())

    def several(which: list[int], change: Callable[..., Tensor], *more: float) -> Tensor:
        return change(pictures[which], [torch.Generator().manual_seed(one) for one in which], *more)

    for change, more in ((robust, ()), (cropped, (0.5, 1))):
        alone, together = several([1], change, *more), several([0, 1, 2], change, *more)
        torch.testing.assert_close(together[1:2], alone)
        assert not torch.equal(together[1], pictures[1])
    flat = torch.full((2, 1, *shape), 0.3)
    torch.testing.assert_close(robust(flat, [random(), random()]), flat)  # nothing comes in from beyond the edge
    assert cropped(pictures, [random()] * 3, 0.0, 4).shape == (12, 2, *shape)

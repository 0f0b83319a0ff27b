"""Occlusion and RISE against closed forms, Captum, and brute force; planted quadrants."""

from __future__ import annotations

import pytest
import torch
from captum.attr import Occlusion as Captums
from torch import Tensor, nn

import pellucid
from pellucid.attribution import Occlusion, Rise
from pellucid.errors import MethodError, OptionError


def linear() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(2 * 6 * 6, 3)).double()


def images(number: int = 3) -> Tensor:
    return torch.randn(number, 2, 6, 6, generator=torch.Generator().manual_seed(1)).double()


def test_on_a_linear_model_the_fall_is_weight_times_what_was_covered() -> None:
    model, given = linear(), images()
    found = pellucid.attribute(model, given, 1, Occlusion(window=2, stride=2, fill=0.5))
    weight = model[1].weight.detach()[1].reshape(2, 6, 6)
    parts = (weight * (given - 0.5)).sum(1).reshape(3, 3, 2, 3, 2).sum(dim=(2, 4))
    expected = parts.repeat_interleave(2, 1).repeat_interleave(2, 2)[:, None].expand_as(given)
    torch.testing.assert_close(found.input, expected)
    # The examples, 9 windows, and the last of the first batch alone.
    assert (found.passes.forward_examples, found.passes.backward) == (3 * 11, 0)


def test_overlapping_windows_are_those_of_captum_and_reach_the_edge() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 3)).double()
    given = images()
    found = pellucid.attribute(model, given, [0, 1, 2], Occlusion(window=(3, 2), stride=(1, 2)))
    expected = Captums(model).attribute(given, (2, 3, 2), (2, 1, 2), target=torch.tensor([0, 1, 2])).double()
    torch.testing.assert_close(found.input, expected, rtol=1e-5, atol=1e-6)
    edge = pellucid.attribute(linear(), given, 0, Occlusion(window=4, stride=4))
    assert bool(torch.isfinite(edge.input).all())
    assert bool((edge.input[:, :, -1, -1] != 0).all())


def test_columns_of_a_table_are_covered_one_by_one() -> None:
    torch.manual_seed(0)
    model, given = nn.Linear(5, 2), torch.randn(4, 5)
    found = pellucid.attribute(model, given, 1, Occlusion(window=1, stride=1))
    torch.testing.assert_close(found.input, model.weight.detach()[1] * given)


def test_rise_is_the_mean_over_its_masks_with_its_standard_error_whatever_the_batches() -> None:
    model, given = linear(), images()
    asked = Rise(masks=20, cells=3, batch_size=6)
    states = torch.random.get_rng_state()
    found = pellucid.attribute(model, given, 2, asked)
    assert torch.equal(torch.random.get_rng_state(), states)
    samples = []
    for number in range(20):
        mask = asked.mask(number, (6, 6)).double()
        assert mask.shape == (6, 6)
        assert 0 <= float(mask.min()) <= float(mask.max()) <= 1
        with torch.no_grad():
            samples.append(model(given * mask)[:, 2, None, None] * mask / 0.5)
    stacked = torch.stack(samples)
    torch.testing.assert_close(found.input, stacked.mean(0)[:, None].expand_as(given))
    torch.testing.assert_close(found.error, (stacked.std(0) / 20**0.5)[:, None].expand_as(given))
    torch.testing.assert_close(pellucid.attribute(model, given, 2, Rise(masks=20, cells=3)).input, found.input)
    assert not torch.equal(asked.mask(0, (6, 6)), asked.mask(1, (6, 6)))


def test_the_masks_of_rise_do_not_hang_on_the_programs_default_type() -> None:
    single = Rise().mask(3, (9, 7))
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(Rise().mask(3, (9, 7)), single)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("method", [Occlusion(window=4, stride=2), Rise(masks=400, cells=4)])
def test_planted_quadrants_both_point_at_the_one_that_decides(method: Occlusion | Rise) -> None:
    class Red(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            return torch.stack([torch.relu(values[:, 0] - 0.2).mean(dim=(1, 2)), values[:, 1].mean(dim=(1, 2))], 1)

    generator = torch.Generator().manual_seed(0)
    given = 0.1 * torch.rand(12, 3, 16, 16, generator=generator)
    places = [torch.randperm(4, generator=generator)[:2].tolist() for _ in range(12)]
    for example, (red, green) in enumerate(places):
        for channel, quadrant in ((0, red), (1, green)):
            row, column = 8 * (quadrant // 2), 8 * (quadrant % 2)
            given[example, channel, row + 1 : row + 7, column + 1 : column + 7] = 1
    found = pellucid.attribute(Red(), given, 0, method).input[:, 0]
    for example, place in enumerate(found.flatten(1).argmax(1).tolist()):
        row, column = divmod(place, 16)
        assert 2 * (row // 8) + column // 8 == places[example][0]


def test_memory_that_fails_in_the_models_own_forward_halves_the_batch() -> None:
    model, given = linear(), images()

    def short(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if len(inputs[0]) > 7:
            raise torch.OutOfMemoryError("no memory")

    whole = pellucid.attribute(model, given, 0, Occlusion(window=2))
    model.register_forward_pre_hook(short)
    found = pellucid.attribute(model, given, 0, Occlusion(window=2))
    assert found.warnings == ("Memory did not suffice for 30 rows at a time: 6 were used.",)
    torch.testing.assert_close(found.input, whole.input)


def test_what_cannot_be_right_is_refused() -> None:
    with pytest.raises(OptionError, match="window must fit into the positions"):
        pellucid.attribute(linear(), images(), 0, Occlusion(window=9))
    with pytest.raises(
        OptionError, match=r"stride must not be larger than its window.*\(2, 3\) and a window of \(2, 2\)"
    ):
        pellucid.attribute(linear(), images(), 0, Occlusion(window=2, stride=(2, 3)))
    with pytest.raises(OptionError, match="2 masks or more"):
        Rise(masks=1)
    with pytest.raises(MethodError, match="RISE masks inputs of shape"):
        pellucid.attribute(nn.Linear(3, 2), torch.randn(2, 3), 0, "rise")
    text = nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(8, 2))
    with pytest.raises(MethodError, match="covers one input of numbers"):
        pellucid.attribute(text, torch.tensor([[1, 2]]), 0, "rise")

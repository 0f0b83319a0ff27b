"""Which axis of an input of three counts positions: networks that read few of them, and curves by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.attribution import KernelShap, Occlusion, ShapleySampling, deletion, insertion
from pellucid.errors import MethodError


class Reading(nn.Module):
    """A network that reads few positions of its input: a part of it, arranged, into layers, then one vector, then a head.

    Args:
        part: of the input.
        layers: what reads it.
        ends: from what the layers give to float[batch 5].
    """

    def __init__(self, part: Callable[[Tensor], Tensor], layers: nn.Module, ends: Callable[..., Tensor]) -> None:
        super().__init__()
        self.layers, self.head = layers, nn.Linear(5, 2)
        self.part, self.ends = part, ends

    def forward(self, values: Tensor) -> Tensor:
        return self.head(self.ends(self.layers(self.part(values))))


class Loop(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(6, 5)

    def forward(self, steps: Tensor) -> Tensor:
        state = steps.new_zeros(len(steps), 5)
        for step in range(steps.shape[1]):
            state = self.cell(steps[:, step], state)
        return state


class Packed(nn.Module):
    """An LSTM on a packed sequence, whose examples it may sort."""

    def __init__(self, ordered: bool) -> None:
        super().__init__()
        self.recurrent, self.ordered = nn.LSTM(6, 5, batch_first=True), ordered

    def forward(self, steps: Tensor) -> Tensor:
        lengths = torch.full((len(steps),), steps.shape[1])
        packed = nn.utils.rnn.pack_padded_sequence(steps, lengths, batch_first=True, enforce_sorted=self.ordered)
        return self.recurrent(packed)[1][0][-1]


def encoder() -> nn.Module:
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 8, batch_first=True), 1, enable_nested_tensor=False)


def mean_of(layers: nn.Module, out: int, *, last: bool) -> nn.Module:
    """Layers, the mean over their positions, and a linear layer to 5."""
    pool = nn.AdaptiveAvgPool1d(1)
    turned = nn.Sequential(layers, Turn(), pool, nn.Flatten(), nn.Linear(out, 5), nn.Tanh())
    return turned if last else nn.Sequential(layers, pool, nn.Flatten(), nn.Linear(out, 5), nn.Tanh())


class Turn(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        return values.transpose(1, 2)


def as_it_is(values: Tensor) -> Tensor:
    return values


# Of 9 positions each reads the fourth to the sixth. By name: the axis of positions, and the network.
READING: dict[str, tuple[int, Callable[[], nn.Module]]] = {
    "GRU": (1, lambda: Reading(lambda x: x[:, 3:6], nn.GRU(6, 5, batch_first=True), lambda out: out[0][:, -1])),
    "sequence-first LSTM": (1, lambda: Reading(lambda x: x[:, 3:6].transpose(0, 1), nn.LSTM(6, 5), lambda out: out[0][-1])),
    "LSTM that turns channels": (
        2,
        lambda: Reading(
            lambda x: x[..., 3:6].permute(0, 2, 1), nn.LSTM(6, 5, batch_first=True), lambda out: out[0][:, -1]
        ),
    ),
    "loop of cells": (1, lambda: Reading(lambda x: x[:, 3:6], Loop(), as_it_is)),
    "packed": (1, lambda: Reading(lambda x: x[:, 3:6], Packed(True), as_it_is)),
    "packed and sorted": (1, lambda: Reading(lambda x: x[:, 3:6], Packed(False), as_it_is)),
    "Transformer encoder": (
        1,
        lambda: Reading(lambda x: (x[:, 3:6].float() - 0.1) * 2, mean_of(encoder(), 6, last=True), as_it_is),
    ),
    "embedding of channels first": (
        2,
        lambda: Reading(
            lambda x: x[..., 3:6].transpose(1, 2),
            mean_of(nn.Sequential(nn.Linear(6, 6), encoder()), 6, last=True),
            as_it_is,
        ),
    ),
    "mixer of steps": (
        1,
        lambda: Reading(
            lambda x: x[:, 3:6].transpose(1, 2),
            mean_of(nn.Sequential(nn.Linear(3, 3), Turn(), nn.LayerNorm(6)), 6, last=True),
            as_it_is,
        ),
    ),
    "Conv1d": (2, lambda: Reading(lambda x: x[:, :, 3:6], mean_of(nn.Conv1d(6, 8, 2), 8, last=False), as_it_is)),
    "Conv1d that turns steps": (
        1,
        lambda: Reading(
            lambda x: x[:, 3:6].transpose(1, 2), mean_of(nn.Conv1d(6, 8, 2), 8, last=False), as_it_is
        ),
    ),
    "BatchNorm1d": (2, lambda: Reading(lambda x: x[:, :, 3:6], mean_of(nn.BatchNorm1d(6), 6, last=False), as_it_is)),
    "Linear by step": (1, lambda: Reading(lambda x: x[:, 3:6], mean_of(nn.Linear(6, 8), 8, last=True), as_it_is)),
}  # fmt: skip


def case(name: str) -> tuple[int, nn.Module, Tensor]:
    """The axis of positions, the network, and inputs of 9 positions and 6 channels."""
    axis, make = READING[name]
    torch.manual_seed(0)
    model = make().eval()
    given = torch.randn(2, 9, 6)
    return axis, model, given if axis == 1 else given.transpose(1, 2).contiguous()


def by_position(map_: Tensor, axis: int) -> Tensor:
    """A map as float[batch position channel]."""
    return map_ if axis == 1 else map_.transpose(1, 2)


@pytest.mark.parametrize("name", READING)
def test_positions_that_the_model_does_not_read_get_nothing_and_the_others_what_they_do(name: str) -> None:
    axis, model, given = case(name)
    covered = by_position(pellucid.attribute(model, given, 0, Occlusion(window=1, stride=1)).input, axis)
    for place in range(9):
        without = by_position(given, axis).clone()
        without[:, place] = 0
        with torch.no_grad():
            fall = (model(given) - model(by_position(without, axis)))[:, 0]
        torch.testing.assert_close(covered[:, place], fall[:, None].expand(2, 6), rtol=1e-4, atol=1e-6)
    shares = by_position(pellucid.attribute(model, given, 0, ShapleySampling(samples=2)).input, axis)
    for map_ in (covered, shares):
        assert bool((map_[:, [0, 1, 2, 6, 7, 8]].abs() < 1e-6).all())
        assert bool((map_[:, 3:6].abs().amax(dim=(0, 2)) > 1e-5).all())
        torch.testing.assert_close(map_, map_[..., :1].expand_as(map_))


def test_a_regression_gives_positions_that_a_convolution_reads_nearly_everything() -> None:
    _, model, given = case("Conv1d")
    found = pellucid.attribute(model, given, 0, KernelShap(samples=2000)).input.abs()
    assert float(found[:, :, 3:6].sum() / found.sum()) > 0.9


@pytest.mark.parametrize("insert", [False, True])
@pytest.mark.parametrize("name", READING)
@pytest.mark.parametrize("kind", ["whole", "by position", "by position with an axis"])
def test_curves_rank_positions_and_are_those_by_hand(name: str, insert: bool, kind: str) -> None:
    axis, model, given = case(name)
    ranking = torch.randn(given.shape, generator=torch.Generator().manual_seed(3))
    added = by_position(ranking, axis).sum(2)
    if kind != "whole":
        ranking = added if kind == "by position" else by_position(added[..., None], axis)
    found = (insertion if insert else deletion)(model, given, 0, ranking, steps=9)
    for example in range(2):
        places = added[example].argsort(descending=True)
        for step in range(10):
            one = by_position(given[example : example + 1], axis).clone()
            one[:, places[step:] if insert else places[:step]] = 0
            with torch.no_grad():
                expected = model(by_position(one, axis)).softmax(1)[0, 0].double()
            torch.testing.assert_close(found.scores[example, step], expected, rtol=1e-5, atol=1e-6)


def flat() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(20, 2))


class Both(nn.Module):
    """Reads the same axis as steps and as channels."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent, self.convolution = nn.LSTM(4, 2, batch_first=True), nn.Conv1d(5, 2, 4)

    def forward(self, values: Tensor) -> Tensor:
        return self.recurrent(values)[0][:, -1] + self.convolution(values)[..., 0]


class Swapped(nn.Module):
    """Takes the examples for steps, for its layer is sequence-first and nothing turns the input."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(4, 2)

    def forward(self, values: Tensor) -> Tensor:
        return self.recurrent(values)[0][:, -1]


@pytest.mark.parametrize("make", [flat, Both, Swapped])
def test_where_the_model_does_not_tell_it_is_refused_with_what_decides(make: Callable[[], nn.Module]) -> None:
    model, given = make().eval(), torch.randn(2, 5, 4)
    with pytest.raises(MethodError, match=r"shape \(2, 5, 4\) counts positions.*window as two numbers: \(1, 4\)"):
        pellucid.attribute(model, given, 0, "occlusion")
    for name in ("kernel_shap", "lime", "shapley_sampling"):
        with pytest.raises(MethodError, match=r"features: torch.arange\(5\)\[:, None\] for the second axis"):
            pellucid.attribute(model, given, 0, name)
    with pytest.raises(MethodError, match=r"Give a map \(2, 5, 1\) to rank the second axis"):
        deletion(model, given, 0, torch.randn(2, 5, 4))


def test_what_decides_does_so_on_either_axis() -> None:
    model, given = flat(), torch.randn(2, 5, 4)
    parts = model[1].weight.detach()[0].reshape(5, 4) * given
    for window, features, axis in (((1, 4), torch.arange(5)[:, None], 2), ((5, 1), torch.arange(4), 1)):
        falls = parts.sum(axis, keepdim=True)
        covered = pellucid.attribute(model, given, 0, Occlusion(window=window, stride=(1, 1))).input
        torch.testing.assert_close(covered, falls.expand_as(given))
        shares = pellucid.attribute(model, given, 0, ShapleySampling(samples=1, features=features)).input
        torch.testing.assert_close(shares, (falls / given.shape[axis]).expand_as(given).to(shares))
        found = deletion(model, given, 0, falls, steps=1)
        assert found.scores.shape == (2, 2)
    torch.testing.assert_close(
        pellucid.attribute(model, given, 0, Occlusion(window=(1, 1), stride=(1, 1))).input, parts
    )


def test_of_one_channel_the_other_axis_counts_positions() -> None:
    torch.manual_seed(0)
    model, given = nn.Sequential(nn.Flatten(), nn.Linear(5, 2)), torch.randn(2, 5)
    expected = model[1].weight.detach()[0] * given
    for axis in (1, 2):
        found = pellucid.attribute(model, given.unsqueeze(axis), 0, Occlusion(window=1, stride=1)).input
        torch.testing.assert_close(found, expected.unsqueeze(axis))

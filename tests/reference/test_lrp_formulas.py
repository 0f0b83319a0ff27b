"""Relevance through every kind of layer against the papers' sums over contributions, written out with whole matrices.

A linear operator is its matrix M, found by differentiating the bare operator; contributions are M[j, i] x[i]. Nothing here is
shared with the rules that are tested, which never make a matrix.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid
from pellucid.attribution import LrpEpsilon, LrpGamma, LrpZPlus

EPSILON, GAMMA = 0.05, 0.4
METHODS = {
    "epsilon": LrpEpsilon(EPSILON),
    "gamma": LrpGamma(GAMMA, EPSILON),
    "z_plus": LrpZPlus(EPSILON),
}


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def matrix_of(operator: Callable[[Tensor], Tensor], given: Tensor) -> tuple[Tensor, Tensor]:
    """M and b of z = M x + b for one example, both flat."""
    jacobian = torch.autograd.functional.jacobian(operator, given[None])
    matrix = jacobian.reshape(-1, given.numel())
    return matrix, operator(given[None]).detach().flatten() - matrix @ given.flatten()


def shared_out(given: Tensor, matrix: Tensor, bias: Tensor, relevance: Tensor, rule: str) -> Tensor:
    """R_i = sum over j of (contribution of i to j) / (sum of contributions to j) R_j, by rule; "exact" has no epsilon."""
    parts, total = matrix * given.flatten()[None], matrix @ given.flatten() + bias
    if rule == "exact":
        return (parts / torch.where(total == 0, torch.inf, total)[:, None] * relevance[:, None]).sum(0)

    def over(shares: Tensor, whole: Tensor, of: Tensor) -> Tensor:
        sign = 1 - 2 * (whole < 0).double()
        return (shares / (whole + EPSILON * sign)[:, None] * of[:, None]).sum(0)

    if rule == "epsilon":
        return over(parts, total, relevance)
    if rule == "z_plus":
        positive = parts.clamp(min=0)
        return over(positive, positive.sum(1) + bias.clamp(min=0), relevance)
    found = torch.zeros_like(given.flatten())
    for sign in (1, -1):
        favoured = parts + GAMMA * (sign * parts).clamp(min=0) * sign
        offset = bias + GAMMA * (sign * bias).clamp(min=0) * sign
        chosen = relevance * (sign * total > 0)
        found += over(favoured, favoured.sum(1) + offset, chosen)
    return found


def compare(
    operator: nn.Module, given: Tensor, name: str, own: str, matrix: Callable[[Tensor], Tensor] | None = None
) -> None:
    """A network of the operator and a linear head: by the method, and by the two sums in a row."""
    operator = operator.double().eval()
    width = operator(given).flatten(1).shape[1]
    head = nn.Linear(width, 3).double()
    with torch.no_grad():
        head.weight.copy_(drawn(3, width, seed=5))
    found = pellucid.attribute(nn.Sequential(operator, nn.Flatten(), head), given, 1, METHODS[name]).input
    for example, expected in zip(given, found, strict=True):
        values = operator(example[None]).detach().flatten()
        weight, bias = head.weight.detach()[1:2], head.bias.detach()[1:2]
        relevance = shared_out(values, weight, bias, (weight @ values + bias), name)
        whole, offset = matrix_of(matrix or operator, example)
        mine = shared_out(example, whole, offset, relevance, own)
        torch.testing.assert_close(expected.flatten(), mine, rtol=1e-9, atol=1e-10)


torch.manual_seed(0)
MAPS = drawn(2, 4, 6, 5)
CONVOLUTIONS: dict[str, tuple[nn.Module, Tensor]] = {
    "1d": (nn.Conv1d(4, 6, 3, padding=1), drawn(2, 4, 7)),
    "1d transposed": (nn.ConvTranspose1d(4, 3, 3, stride=2), drawn(2, 4, 5)),
    "2d": (nn.Conv2d(4, 6, 3, padding=1), MAPS),
    "2d without bias": (nn.Conv2d(4, 6, (3, 2), bias=False), MAPS),
    "2d strided": (nn.Conv2d(4, 3, 3, stride=2, padding=2), MAPS),
    "2d dilated": (nn.Conv2d(4, 3, 2, dilation=2), MAPS),
    "2d grouped": (nn.Conv2d(4, 6, 3, groups=2), MAPS),
    "2d by channel": (nn.Conv2d(4, 8, 3, groups=4, padding="same"), MAPS),
    "2d transposed": (nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1), MAPS),
    "2d transposed grouped dilated": (nn.ConvTranspose2d(4, 6, 2, groups=2, dilation=2), MAPS),
    "3d": (nn.Conv3d(2, 3, 2, stride=(1, 2, 1)), drawn(2, 2, 3, 4, 3)),
    "3d transposed": (nn.ConvTranspose3d(2, 2, 2), drawn(2, 2, 2, 3, 2)),
    "linear": (nn.Linear(5, 7), drawn(2, 5)),
    "linear of tokens": (nn.Linear(5, 4), drawn(2, 3, 5)),
    "linear of tokens without bias": (nn.Linear(5, 4, bias=False), drawn(2, 3, 5)),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_layers_with_weights_follow_the_methods_own_rule(kind: str, method: str) -> None:
    compare(*CONVOLUTIONS[kind], method, method)


LINEAR: dict[str, tuple[nn.Module, Tensor]] = {
    "average pool": (nn.AvgPool2d(2), MAPS),
    "average pool, padded": (nn.AvgPool2d(3, stride=2, padding=1), MAPS),
    "average pool 1d": (nn.AvgPool1d(2), drawn(2, 4, 7)),
    "average pool 3d": (nn.AvgPool3d(2), drawn(2, 2, 3, 4, 3)),
    "adaptive average pool": (nn.AdaptiveAvgPool2d((4, 2)), MAPS),
    "adaptive average pool 1d": (nn.AdaptiveAvgPool1d(3), drawn(2, 4, 7)),
    "global average pool": (nn.AdaptiveAvgPool2d(1), MAPS),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", LINEAR)
def test_averages_share_in_proportion_under_every_method(kind: str, method: str) -> None:
    compare(*LINEAR[kind], method, "epsilon")


MOVING: dict[str, tuple[nn.Module, Tensor]] = {
    "max pool": (nn.MaxPool2d(2), MAPS),
    "max pool, padded": (nn.MaxPool2d(3, stride=2, padding=1), MAPS),
    "max pool 1d": (nn.MaxPool1d(2), drawn(2, 4, 7)),
    "max pool 3d": (nn.MaxPool3d(2), drawn(2, 2, 3, 4, 3)),
    "adaptive max pool": (nn.AdaptiveMaxPool2d((4, 2)), MAPS),
    "nearest": (nn.Upsample(scale_factor=2), MAPS),
    "bilinear": (nn.Upsample(size=(9, 7), mode="bilinear"), MAPS),
    "bicubic": (nn.Upsample(scale_factor=2, mode="bicubic", align_corners=True), MAPS),
    "trilinear": (nn.Upsample(scale_factor=2, mode="trilinear"), drawn(2, 2, 2, 2, 3)),
    "mirror": (nn.ReflectionPad2d(2), MAPS),
    "repeated edge": (nn.ReplicationPad2d(2), MAPS),
    "zeros around": (nn.ZeroPad2d(1), MAPS),
    "pixel shuffle": (nn.PixelShuffle(2), MAPS),
    "unfold": (nn.Unfold(2), MAPS),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", MOVING)
def test_what_moves_chooses_or_resamples_shares_exactly(kind: str, method: str) -> None:
    compare(*MOVING[kind], method, "exact")


def affine(module: nn.Module) -> nn.Module:
    with torch.no_grad():
        for number, parameter in enumerate(module.parameters()):
            parameter.copy_(drawn(*parameter.shape, seed=7 + number))
    return module


def fixed(module: nn.Module, given: Tensor, axes: tuple[int, ...], centred: bool) -> Callable[[Tensor], Tensor]:
    """A normalisation whose deviation is a constant, that of this example: (x - mean(x)) / deviation, scaled and shifted."""
    middle = given.mean(axes, keepdim=True) if centred else 0
    deviation = ((given - middle).square().mean(axes, keepdim=True) + module.eps).sqrt()  # type: ignore[operator]

    def linear(values: Tensor) -> Tensor:
        centre = values.mean(axes, keepdim=True) if centred else 0
        return (values - centre) / deviation

    return linear


NORMS = ["layer norm", "layer norm, two axes", "rms norm", "group norm", "instance norm"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", NORMS)
def test_normalisations_are_linear_with_a_constant_deviation(kind: str, method: str) -> None:
    """AttnLRP, proposition 3.4: the identity rule on one over the deviation leaves the centring, scale and shift."""
    given = MAPS[:1]
    module: nn.Module
    if kind == "layer norm":
        module = affine(nn.LayerNorm(5).double())
        steps = fixed(module, given, (-1,), True)
    elif kind == "layer norm, two axes":
        module = affine(nn.LayerNorm((6, 5)).double())
        steps = fixed(module, given, (-2, -1), True)
    elif kind == "rms norm":
        module = affine(nn.RMSNorm(5, eps=1e-5).double())
        steps = fixed(module, given, (-1,), False)
    elif kind == "group norm":
        module = affine(nn.GroupNorm(2, 4).double())
        whole = fixed(module, given.reshape(1, 2, -1), (-1,), True)
        steps = lambda values: whole(values.reshape(1, 2, -1)).reshape(values.shape)  # noqa: E731
    else:
        module = affine(nn.InstanceNorm2d(4, affine=True).double())
        steps = fixed(module, given, (-2, -1), True)
    weight, bias = module.weight.detach(), getattr(module, "bias", None)  # type: ignore[union-attr]
    shape = (-1, 1, 1) if kind in ("group norm", "instance norm") else weight.shape

    def linear(values: Tensor) -> Tensor:
        made = steps(values) * weight.reshape(shape)
        return made if bias is None else made + bias.detach().reshape(shape)

    torch.testing.assert_close(linear(given), module(given).detach())
    compare(module, given, method, "exact" if kind == "rms norm" else "epsilon", linear)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("layer", ["convolution", "transposed", "linear"])
def test_a_batch_norm_after_a_layer_is_one_layer_with_it(layer: str, method: str) -> None:
    made: dict[str, tuple[nn.Module, nn.Module, Tensor]] = {
        "convolution": (nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6), MAPS),
        "transposed": (nn.ConvTranspose2d(4, 6, 2, groups=2), nn.BatchNorm2d(6), MAPS),
        "linear": (nn.Linear(5, 6), nn.BatchNorm1d(6), drawn(2, 5)),
    }
    first, norm, given = made[layer]
    affine(first), affine(norm)
    with torch.no_grad():
        norm.running_mean.copy_(drawn(6, seed=11))  # type: ignore[union-attr]
        norm.running_var.copy_(drawn(6, seed=12).square() + 0.3)  # type: ignore[union-attr]
    compare(nn.Sequential(first, norm), given, method, method)


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_norm_alone_shares_with_its_shift_or_passes_on_what_it_gets(method: str) -> None:
    norm = affine(nn.BatchNorm2d(4))
    with torch.no_grad():
        norm.running_mean.copy_(drawn(4, seed=11))
        norm.running_var.copy_(drawn(4, seed=12).square() + 0.3)
    if method == "epsilon":
        compare(norm, MAPS, method, "epsilon")
    else:  # under gamma and z-plus the identity rule: to its one input all that arrives
        given = MAPS[:1]
        once = norm.double().eval()(given).detach()
        compare(norm, given, method, "exact", lambda values: values / given * once)


class Gated(nn.Module):
    """Two branches of the input joined by a product, then a head; nothing has a bias."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.a, self.b, self.head = (nn.Linear(5, width, bias=False) for width in (6, 6, 3))
        self.head = nn.Linear(6, 3, bias=False)
        for number, one in enumerate((self.a, self.b, self.head)):
            with torch.no_grad():
                one.weight.copy_(drawn(*one.weight.shape, seed=20 + number))

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.a(x), self.b(x)
        joined = {
            "glu": lambda: F.glu(torch.cat([a, b], 1), 1),
            "gate": lambda: a * torch.sigmoid(b),
            "excitation": lambda: torch.sigmoid(b) * a,
            "swiglu": lambda: F.silu(a) * b,
            "geglu": lambda: F.gelu(a) * b,
            "product": lambda: a * b,
            "sum": lambda: a + b,
            "difference": lambda: a - 2 * b,
            "weighed sum": lambda: torch.add(a, b, alpha=3.0),
            "quotient": lambda: a / (1 + b.square()),
            "maximum": lambda: torch.maximum(a, b),
            "own gate": lambda: a * torch.sigmoid(1.7 * a) + 0 * b,
        }[self.kind]()
        return self.head(joined)


# Shares of each branch in the relevance of what they make: from the values of both.
SHARES: dict[str, Callable[[Tensor, Tensor], tuple[Tensor | float, Tensor | float]]] = {
    "glu": lambda a, b: (1.0, 0.0),
    "gate": lambda a, b: (1.0, 0.0),
    "excitation": lambda a, b: (1.0, 0.0),
    "swiglu": lambda a, b: (0.5, 0.5),
    "geglu": lambda a, b: (0.5, 0.5),
    "product": lambda a, b: (0.5, 0.5),
    "sum": lambda a, b: (a / (a + b), b / (a + b)),
    "difference": lambda a, b: (a / (a - 2 * b), -2 * b / (a - 2 * b)),
    "weighed sum": lambda a, b: (a / (a + 3 * b), 3 * b / (a + 3 * b)),
    "quotient": lambda a, b: (1.0, 0.0),
    "maximum": lambda a, b: ((a > b).double(), (b > a).double()),
    "own gate": lambda a, b: (1.0, 0.0),
}


@pytest.mark.parametrize("kind", SHARES)
def test_joins_share_by_their_rule_and_lose_nothing(kind: str) -> None:
    model, x = Gated(kind).double(), drawn(4, 5)
    found = pellucid.attribute(model, x, 2, LrpEpsilon(0.0))
    a, b = model.a(x).detach(), model.b(x).detach()
    hidden: dict[str, Tensor] = {}
    handle = model.head.register_forward_pre_hook(lambda _, given: hidden.update({"joined": given[0].detach()}))
    model(x)
    handle.remove()
    relevance = hidden["joined"] * model.head.weight.detach()[2]
    of_a, of_b = SHARES[kind](a, b)
    expected = torch.zeros_like(x)
    for share, value, layer in ((of_a, a, model.a), (of_b, b, model.b)):
        parts = layer.weight.detach()[None] * x[:, None]  # example, output, input
        expected += (parts / value[:, :, None] * (share * relevance)[:, :, None]).sum(1)
    torch.testing.assert_close(found.input, expected, rtol=1e-8, atol=1e-10)
    assert found.check is not None
    torch.testing.assert_close(found.check, torch.zeros(4).double(), rtol=0, atol=1e-9)


def test_a_layer_and_the_sum_after_it_have_an_epsilon_each() -> None:
    """A bias that is added on its own is a part of its layer; what else is added is not."""
    model, x = Gated("sum").double(), drawn(4, 5)
    found = pellucid.attribute(model, x, 2, LrpEpsilon(EPSILON)).input
    for row, one in zip(x, found, strict=True):
        a, b = model.a.weight.detach(), model.b.weight.detach()
        joined, head = (a @ row) + (b @ row), model.head.weight.detach()[2:3]
        relevance = shared_out(joined, head, torch.zeros(1).double(), head @ joined, "epsilon")
        both = shared_out(
            torch.cat([a @ row, b @ row]), torch.eye(6).double().repeat(1, 2), 0 * joined, relevance, "epsilon"
        )
        expected = sum(
            shared_out(row, weight, 0 * joined, part, "epsilon")
            for weight, part in zip((a, b), both.chunk(2), strict=True)
        )
        torch.testing.assert_close(one, expected, rtol=1e-9, atol=1e-10)

"""Convolutions and linear layers: the epsilon, gamma and z-plus rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.attribution.rules.lrp.attention import bilinear
from pellucid.attribution.rules.lrp.step import Gradients, LrpOptions, Step, proportional, stabilised
from pellucid.attribution.rules.way import Change

MATRIX = frozenset(["addmm", "mm", "bmm", "baddbmm", "mv", "addmv", "linear"])
LINEAR = MATRIX | {"convolution", "convolution_overrideable"}


Terms = Sequence[tuple[float, Tensor]]
"""A weight as a sum of factors times weights: less is written to memory than where it is added up."""


@dataclass(frozen=True)
class Linear:
    """A linear operator of one input: z = apply(x, weight) + bias.

    Attributes:
        back: its transpose: from something of z's shape and the weight to something of x's shape.
        channel: axis of z that the bias runs along.
        scale_weight: the weight when each channel of z is multiplied by a number.
    """

    given: Tensor
    weight: Tensor
    bias: Tensor | None
    apply: Callable[[Tensor, Tensor], Tensor]
    back: Callable[[Tensor, Tensor], Tensor]
    channel: int
    scale_weight: Callable[[Tensor], Tensor] | None


def linear(step: Step) -> Change:
    """The rule of a layer with constant weights; a product of two signals is shared evenly."""
    first, second = _factors(step)
    if first in step.moving and second in step.moving:
        return bilinear(first, second)
    if not follows(step) or not {first, second} & set(step.moving):
        return proportional(step)
    if len(step.moving) > 1:
        step.refuse(" whose bias depends on the input, under the gamma and z-plus rules")
    return ruled(step, step.output, None)


def follows(step: Step) -> bool:
    """Whether a layer follows the method's own rule rather than epsilon."""
    options = step.options
    return options.rule != "epsilon" and not (options.dense == "epsilon" and step.call.operator in MATRIX)


def ruled(
    step: Step,
    output: Tensor,
    relevance: Callable[[], Tensor | None] | None,
    scale: Tensor | None = None,
    shift: Tensor | None = None,
) -> Change:
    """The gamma or z-plus rule of a layer, alone or as one with the scale and shift that follow it.

    Args:
        step: the layer.
        output: what the layer gives, with scale and shift.
        relevance: of that output, where it does not arrive as a coefficient of the layer's own.
        scale: by channel; None: 1.
        shift: by channel; None: 0.
    """
    options = step.options
    whole = operator_of(step)
    weight, bias = whole.weight, whole.bias
    if scale is not None and whole.scale_weight is not None:
        weight = whole.scale_weight(scale)
        bias = None if bias is None else bias * scale
    if shift is not None:
        bias = shift if bias is None else bias + shift
    # A hook that held the step would hold the node that holds the hook: memory that nothing ever frees.
    position, own = step.moving[0], step.output

    def after(plain: Gradients, arriving: Gradients) -> Gradients:
        if arriving[0] is None:
            return plain
        found = relevance() if relevance is not None else arriving[0] * own
        if found is None:
            return plain
        made = redistributed(whole, weight, bias, output, found, options)
        return (*plain[:position], made, *plain[position + 1 :])

    return Change(after=after)


def redistributed(
    whole: Linear, weight: Tensor, bias: Tensor | None, output: Tensor, relevance: Tensor, options: LrpOptions
) -> Tensor:
    """Coefficients of x from the relevance of z.

    z-plus: contributions x w that are positive share by size. Gamma: those of the sign of z count 1 + gamma times; of a
    negative x the negative weights make positive contributions.

    Source: z-plus: Montavon et al. 2017, arXiv:1512.02479, eq. 16 (negative inputs: Bach et al. 2015, alpha 1, beta 0);
        gamma: Montavon et al. 2019, doi:10.1007/978-3-030-28954-6_10; its form for any sign: Andeol et al. 2021.
    """
    x = whole.given
    signed = bool((x < 0).any())
    up, down = (x.clamp(min=0), x.clamp(max=0)) if signed else (x, x)
    positive = weight.clamp(min=0)

    def spread(speaking: Terms, against: Callable[[], Terms], offset: Tensor | None, part: Tensor) -> Tensor:
        opposed = against() if signed else []
        total = _summed(whole.apply, up, speaking)
        if signed:
            total = total + _summed(whole.apply, down, opposed)
        if offset is not None:
            total = total + _along(offset, total.ndim, whole.channel)
        each = part / stabilised(total, options.epsilon)
        made = _summed(whole.back, each, speaking)
        return torch.where(x > 0, made, _summed(whole.back, each, opposed)) if signed else made

    def negative() -> Tensor:
        return weight.clamp(max=0)

    if options.rule == "z_plus":
        shift = None if bias is None else bias.clamp(min=0)
        return spread([(1, positive)], lambda: [(1, negative())], shift, relevance)
    gamma = options.gamma
    more: Terms = [(1, weight), (gamma, positive)]

    def less() -> Terms:
        return [(1, weight), (gamma, negative())]

    raised = None if bias is None else bias + gamma * bias.clamp(min=0)
    for_it = spread(more, less, raised, torch.where(output > 0, relevance, 0))
    against_it = torch.where(output < 0, relevance, 0)
    if not bool(against_it.any()):  # so it is before every ReLU, and half of the work
        return for_it
    lowered = None if bias is None else bias + gamma * bias.clamp(max=0)
    return for_it + spread(less(), lambda: more, lowered, against_it)


def _summed(operator: Callable[[Tensor, Tensor], Tensor], given: Tensor, terms: Terms) -> Tensor:
    parts = [made if factor == 1 else made * factor for factor, made in ((f, operator(given, w)) for f, w in terms)]
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + part
    return whole


def operator_of(step: Step) -> Linear:
    """The layer behind a call: a convolution, or a product with a constant matrix on either side."""
    return _convolution(step) if step.call.operator not in MATRIX else _matrix(step)


def _convolution(step: Step) -> Linear:
    given, weight, bias, stride, padding, dilation, transposed, extra, groups = step.call.arguments[:9]

    def back(each: Tensor, weights: Tensor) -> Tensor:
        made: Tensor = torch.ops.aten.convolution_backward(
            each, given, weights, None, stride, padding, dilation, transposed, extra, groups, [True, False, False]
        )[0]
        return made

    def scale_weight(scale: Tensor) -> Tensor:
        if not transposed:
            plain: Tensor = weight * scale.view(-1, *[1] * (weight.ndim - 1))
            return plain
        parted: Tensor = weight.unflatten(0, (groups, -1)) * scale.view(groups, 1, -1, *[1] * (weight.ndim - 2))
        return parted.flatten(0, 1)

    return Linear(
        given,
        weight,
        bias,
        lambda x, weights: torch.ops.aten.convolution(
            x, weights, None, stride, padding, dilation, transposed, extra, groups
        ),
        back,
        1,
        scale_weight,
    )


def _factors(step: Step) -> tuple[int, int]:
    return (1, 2) if step.call.operator in ("addmm", "baddbmm", "addmv") else (0, 1)


def _matrix(step: Step) -> Linear:
    first, second = _factors(step)
    arguments, named = step.call.arguments, step.call.named or {}
    bias = arguments[0] * named.get("beta", 1) if first else step.call.argument(2, "bias")
    if step.moving == (first,):
        weight = arguments[second] * named.get("alpha", 1)
        if step.call.operator == "linear":
            weight = weight.mT
        if weight.ndim == 1:  # a matrix times a vector
            return Linear(arguments[first], weight, bias, torch.matmul, lambda each, w: each[..., None] * w, -1, None)
        return Linear(
            arguments[first],
            weight,
            bias,
            torch.matmul,
            lambda each, weights: each @ weights.mT,
            -1,
            (lambda scale: weight * scale) if weight.ndim == 2 else None,
        )
    weight = arguments[first] * named.get("alpha", 1)
    return Linear(
        arguments[second],
        weight,
        bias,
        lambda x, weights: weights @ x,
        lambda each, weights: weights.mT @ each,
        -1,
        None,
    )


def _along(bias: Tensor, axes: int, channel: int) -> Tensor:
    if bias.ndim != 1 or channel == -1:
        return bias
    return bias.view(-1, *[1] * (axes - channel - 1))

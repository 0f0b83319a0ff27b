"""The identity rule: what is computed element by element passes its relevance on as it is."""

from __future__ import annotations

import torch
from torch import Tensor

from pellucid.attribution.rules.lrp.step import Gradients, Step
from pellucid.attribution.rules.way import Change

ELEMENTWISE = frozenset(
    [
        "gelu",
        "silu",
        "mish",
        "hardswish",
        "elu",
        "celu",
        "selu",
        "softplus",
        "softshrink",
        "hardshrink",
        "log_sigmoid_forward",
        "tanh",
        "sigmoid",
        "hardsigmoid",
        "erf",
        "hardtanh",
        "clamp",
        "clamp_min",
        "clamp_max",
        "threshold",
        "exp",
        "expm1",
        "log",
        "log1p",
        "sqrt",
        "rsqrt",
        "reciprocal",
        "pow",
        "sin",
        "cos",
        "atan",
    ]
)


def identity(step: Step) -> Change:
    """R(x) = R(f(x)), so that c(x) = c(f(x)) f(x) / x.

    Source: Achtibat et al. 2024, arXiv:2402.05602, section 3.2.
    """
    moving = step.moving
    if len(moving) != 1:
        step.refuse(" of two arguments that both depend on the input")
    return through(step, step.call.arguments[moving[0]], moving[0])


def through(step: Step, given: Tensor, position: int) -> Change:
    """The identity rule from the node's output to one of its inputs."""
    output = step.output

    def after(plain: Gradients, arriving: Gradients) -> Gradients:
        first = arriving[0]
        if first is None:
            return plain
        return (*plain[:position], first * ratio(output, given), *plain[position + 1 :])

    return Change(after=after)


def ratio(output: Tensor, given: Tensor) -> Tensor:
    """f(x) / x; 0 where x is too small to divide by, which has no relevance to carry."""
    least = 1e-4 if output.dtype in (torch.float16, torch.bfloat16) else torch.finfo(output.dtype).tiny ** 0.5
    return torch.where(given.abs() > least, output / given, 0)

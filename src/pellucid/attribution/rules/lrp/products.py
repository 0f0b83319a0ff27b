"""Products of two tensors that both depend on the input: who gets the relevance."""

from __future__ import annotations

from torch import Tensor

from pellucid.attribution.rules.gates import edges, own_gate, weighs
from pellucid.attribution.rules.lrp.elementwise import through
from pellucid.attribution.rules.lrp.step import Gradients, Step, proportional, scaled
from pellucid.attribution.rules.way import PLAIN, Change


def product(step: Step) -> Change:
    """The product a * b: evenly to two signals; a gate (sigmoid), a norm's inverse or a function of the other factor gets nothing.

    Source: signal takes all: Arras et al. 2017, arXiv:1706.07206, section 2.2; even shares: Achtibat et al. 2024,
        arXiv:2402.05602, eq. 14.
    """
    if len(step.moving) < 2:
        return PLAIN
    first, second = edges(step.node)
    weights = weighs(first), weighs(second)
    if weights[0] == weights[1]:
        weights = own_gate(second, first), own_gate(first, second)
    if weights[0] == weights[1]:
        return scaled({0: 0.5, 1: 0.5})
    return scaled({0: 0.0} if weights[0] else {1: 0.0})


def quotient(step: Step) -> Change:
    """The quotient a / b: the denominator is taken as a constant, as in every normalisation."""
    if step.moving == (0, 1):
        return scaled({1: 0.0})
    return PLAIN if step.moving == (0,) else through(step, step.call.arguments[1], 1)


def fused_product(step: Step) -> Change:
    """The sum a + value * b * c: shares of the sum, the product's evenly."""
    rule = proportional(step)
    if not {1, 2} <= set(step.moving):
        return rule
    return Change(before=rule.before, after=scaled({1: 0.5, 2: 0.5}).after)


def fused_quotient(step: Step) -> Change:
    """The sum a + value * b / c, c taken as a constant."""
    rule = proportional(step)
    if 2 not in step.moving:
        return rule
    if 1 not in step.moving:
        step.refuse(" with a denominator only that depends on the input")
    only = scaled({2: 0.0})
    return Change(before=rule.before, after=only.after, closed=only.closed)


def gated(step: Step) -> Change:
    """GLU, a * sigmoid(b): the gate gets nothing."""
    axis = step.call.argument(1, "dim", -1)

    def after(plain: Gradients, _: Gradients) -> Gradients:
        whole: Tensor | None = plain[0]
        if whole is None:
            return plain
        signal = whole.chunk(2, axis)[0]
        return (signal.new_zeros(whole.shape).slice_scatter(signal, axis, 0, signal.shape[axis]), *plain[1:])

    return Change(after=after)

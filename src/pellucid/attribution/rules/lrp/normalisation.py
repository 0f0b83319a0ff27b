"""Normalisation: the statistics of the input are taken as constants (identity rule), what is left is linear.

Source: Achtibat et al. 2024, arXiv:2402.05602, proposition 3.4.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from pellucid.attribution.rules.lrp.elementwise import through
from pellucid.attribution.rules.lrp.step import Gradients, Step, proportional
from pellucid.attribution.rules.way import Change

BATCH_NORM = frozenset(
    [
        "native_batch_norm",
        "_native_batch_norm_legit",
        "_native_batch_norm_legit_no_training",
        "cudnn_batch_norm",
        "miopen_batch_norm",
        "_batch_norm_with_update",
        "_batch_norm_no_update",
        "batch_norm_backward",
    ]
)


def batch_norm(step: Step) -> Change:
    """With running statistics it is linear, channel by channel; with those of the input they are constants."""
    if not in_training(step):
        if step.options.rule == "epsilon":
            return proportional(step)
        return through(step, step.call.arguments[0], 0)
    given, outputs = step.call.arguments[0], step.call.output
    invert = outputs[2]
    shape = (1, -1, *[1] * (given.ndim - 2))
    scale = invert if step.call.arguments[1] is None else invert * step.call.arguments[1]
    axes = [axis for axis in range(given.ndim) if axis != 1]
    return _centred(step, lambda c: c * scale.to(c.dtype).view(shape), axes)


def in_training(step: Step) -> bool:
    """Whether a batch normalisation takes the statistics of its input."""
    operator = step.call.operator
    if operator in ("_native_batch_norm_legit_no_training", "_batch_norm_no_update"):
        return False
    arguments = step.call.arguments
    if operator == "_native_batch_norm_legit" and len(arguments) < 8:
        return bool(arguments[3])  # the form without running statistics
    return operator == "_batch_norm_with_update" or bool(arguments[5])


def layer_norm(step: Step) -> Change:
    """(x - mean) / deviation * weight + bias over the last axes."""
    arguments, outputs = step.call.arguments, step.call.output
    weight, invert = step.call.argument(2, "weight"), outputs[2]
    axes = list(range(-len(arguments[1]), 0))
    return _centred(step, lambda c: (c if weight is None else c * weight) * invert.to(c.dtype), axes)


def group_norm(step: Step) -> Change:
    """The same over groups of channels and all positions."""
    given, weight, _, examples, channels, _, groups = step.call.arguments[:7]
    invert = step.call.output[2]
    channelwise = (1, channels, *[1] * (given.ndim - 2))

    def scale(c: Tensor) -> Tensor:
        weighed = c if weight is None else c * weight.view(channelwise)
        made: Tensor = weighed.reshape(examples, groups, -1) * invert.to(c.dtype)[:, :, None]
        return made

    return _centred(step, scale, [-1])


def rms_norm(step: Step) -> Change:
    """X / root mean square * weight."""
    weight, invert = step.call.argument(2, "weight"), step.call.output[1]

    def after(plain: Gradients, arriving: Gradients) -> Gradients:
        c = arriving[0]
        if c is None:
            return plain
        return ((c if weight is None else c * weight) * invert.to(c.dtype), *plain[1:])

    return Change(after=after)


def _centred(step: Step, scale: Callable[[Tensor], Tensor], axes: list[int]) -> Change:
    given = step.call.arguments[0]
    rule = proportional(step)

    def after(plain: Gradients, arriving: Gradients) -> Gradients:
        c = arriving[0]
        if c is None:
            return plain
        weighed = scale(c)
        return ((weighed - weighed.mean(axes, keepdim=True)).reshape(given.shape), *plain[1:])

    return Change(before=rule.before, after=after)

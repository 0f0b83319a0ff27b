"""Sums of what depends on the input: residual connections, biases, averages. Each summand gets its share."""

from __future__ import annotations

from pellucid.attribution.rules.lrp.step import Step, proportional
from pellucid.attribution.rules.way import Change

SUMS = frozenset(
    [
        "add",
        "sub",
        "rsub",
        "sum",
        "mean",
        "avg_pool1d",
        "avg_pool2d",
        "avg_pool3d",
        "_adaptive_avg_pool2d",
        "_adaptive_avg_pool3d",
        "adaptive_avg_pool1d",
        "cumsum",
        "scatter_add",
        "index_add",
        "nansum",
    ]
)


def lerp(step: Step) -> Change:
    """The sum a + w (b - a) with a constant weight: a sum of shares of both."""
    if 2 in step.moving:
        step.refuse(" whose weight depends on the input")
    return proportional(step)

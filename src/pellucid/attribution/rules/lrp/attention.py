"""Attention: softmax by its first-order expansion, products of matrices evenly to both.

Source: Achtibat et al. 2024, arXiv:2402.05602, eq. 13 and 14.
"""

from __future__ import annotations

from pellucid.attribution.rules.lrp.step import Step, scaled
from pellucid.attribution.rules.way import PLAIN, Change

# R(x_i) = x_i (R_i - s_i sum R_j) is x_i times the derivative: the plain backward.
SOFTMAX = frozenset(["_softmax", "_safe_softmax", "_log_softmax", "softmax", "log_softmax"])

FUSED = frozenset(
    [
        "_scaled_dot_product_flash_attention",
        "_scaled_dot_product_flash_attention_for_cpu",
        "_scaled_dot_product_efficient_attention",
        "_scaled_dot_product_cudnn_attention",
        "_scaled_dot_product_fused_attention_overrideable",
    ]
)


def bilinear(first: int, second: int) -> Change:
    """A product of two matrices that both depend on the input: half to each."""
    return scaled({first: 0.5, second: 0.5})


def fused_attention(step: Step) -> Change:
    """softmax(q k') v in one operator: half to v, a quarter each to q and k; more where one of them is a constant."""
    query, key, value = (number in step.moving for number in range(3))
    scores = (0.5 if value else 1.0) * (0.5 if query and key else 1.0)
    factors = {0: scores, 1: scores, 2: 0.5 if query or key else 1.0}
    return (
        scaled({number: factor for number, factor in factors.items() if factor != 1}) if len(step.moving) > 1 else PLAIN
    )

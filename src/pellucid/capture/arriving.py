"""What is wrong with gradients that have arrived at layers, or have not."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def ends_early(scores: Tensor) -> bool:
    """Whether an operator without a backward has made a part of the scores."""
    waiting, seen = [scores.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        if node.name().endswith("NotImplemented"):
            return True
        seen.add(node)
        waiting += [following for following, _ in node.next_functions]
    return False


def nonfinite(gradients: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Where gradients stop being finite, seen from the output, from where they come."""
    for name, gradient in reversed(list(gradients.items())):
        # A sum that is finite has finite parts only, and costs a tenth of looking at each; one that is not may have run over.
        if not bool(torch.isfinite(gradient.sum())) and not bool(torch.isfinite(gradient).all()):
            return (f"The gradient is NaN or infinite from layer '{name}' on towards the input.",)
    return ()

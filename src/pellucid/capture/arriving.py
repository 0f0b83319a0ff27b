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
    if not gradients:
        return ()
    # A sum that is finite has finite parts only, and costs a tenth of looking at each; one that is not may have run over. All
    # sums are fetched at once: a device is waited for once.
    sums = [torch.isfinite(gradient.sum()) for gradient in gradients.values()]
    finite = torch.stack([one.to(sums[0].device) for one in sums]).tolist()
    for (name, gradient), certain in reversed(list(zip(gradients.items(), finite, strict=True))):
        if not certain and not bool(torch.isfinite(gradient).all()):
            return (f"The gradient is NaN or infinite from layer '{name}' on towards the input.",)
    return ()

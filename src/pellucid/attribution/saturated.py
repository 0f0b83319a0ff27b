"""Scores that hardly move: probabilities near 1, whose gradient nearly vanishes."""

from __future__ import annotations

from torch import Tensor

from pellucid.attribution.methods import Problem
from pellucid.capture import Captured, logits_of, sum_to_one

# Probabilities above this are so near to 1 that their gradient is a hundredth of the logit's, or less.
NEAR = 0.99


def saturated(problem: Problem, seen: Captured) -> tuple[str, ...]:
    """What to warn of where a class is explained whose probability, not logit, the model gives; nothing elsewhere.

    Args:
        problem: of the call.
        seen: its shared forward and backward.
    """
    target = problem.goal.target
    if problem.goal.unit is not None or (callable(target) and not isinstance(target, Tensor)) or seen.scores is None:
        return ()
    if not sum_to_one(logits_of(seen.outputs)):
        return ()
    near = int((seen.scores > NEAR).sum())
    if not near:
        return ()
    return (
        f"The model's outputs are probabilities, and in {near:,} of {len(seen.scores):,} examples that of the explained class is "
        f"above {NEAR:.0%}: there its gradient nearly vanishes, and a map shows rounding more than the model. Explain what goes "
        "into the softmax: target=Unit(layer, class).",
    )

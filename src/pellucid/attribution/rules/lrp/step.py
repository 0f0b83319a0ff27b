"""What each rule of layer-wise relevance propagation is given, and what the rules share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn

import torch
from torch import Tensor

from pellucid.attribution.rules.way import Change, Node, Way
from pellucid.errors import MethodError

if TYPE_CHECKING:
    from pellucid.attribution.rules.recording import Call

Gradients = tuple[Tensor | None, ...]


@dataclass(frozen=True)
class LrpOptions:
    """Which rule convolutions and linear layers follow; all else is the same for the three methods.

    Attributes:
        rule: of convolutions and linear layers.
        epsilon: added to every denominator with its sign, > 0 (0 is LRP-0).
        gamma: how much more positive weights count, for "gamma".
        dense: rule of linear layers where it is another than that of convolutions.
    """

    rule: Literal["epsilon", "gamma", "z_plus"] = "epsilon"
    epsilon: float = 1e-6
    gamma: float = 0.25
    dense: Literal["same", "epsilon"] = "same"


@dataclass(frozen=True)
class Step:
    """One operator on the way back.

    What goes back through the graph is relevance per activation, c = R / x, so that the relevance of any tensor is x * c:
    the sum at branches, reuse, views and constants is then the one of the plain backward, and a rule has to say only how
    an operator differs from its own derivative.
    """

    way: Way
    node: Node
    call: Call
    options: LrpOptions

    @property
    def moving(self) -> tuple[int, ...]:
        """Numbers of the node's inputs that depend on what is explained."""
        return tuple(number for number, (before, _) in enumerate(self.node.next_functions) if before is not None)

    @property
    def output(self) -> Tensor:
        """What the operator gave; the first where it gave several."""
        output = self.call.output
        return output if isinstance(output, Tensor) else output[0]

    def refuse(self, why: str = "") -> NoReturn:
        """Refuses the operator by name and place."""
        if self.call.operator.startswith("_thnn_fused"):
            raise MethodError(
                f"LRP cannot look into a GPU's fused cell (aten {self.call.operator}), called in {self.call.where}: its gates "
                "are hidden. Move the model and its inputs to the processor, or take a method that needs no rules, such as "
                "'gradient_x_input'."
            )
        raise MethodError(
            f"LRP has no rule for aten {self.call.operator}{why}, called in {self.call.where or 'the score'}. Methods that "
            "need no rules, such as 'gradient_x_input', explain this model."
        )


Rule = Callable[[Step], Change]


def share(values: Tensor, epsilon: float) -> Tensor:
    """The share z / (z + epsilon sign z): what of the relevance of z goes on; 0 at 0, and 1 where z is infinite (masks)."""
    return (epsilon / values.abs() + 1).reciprocal() if epsilon else torch.ones_like(values)


def stabilised(values: Tensor, epsilon: float) -> Tensor:
    """The sum z + epsilon sign z, where the sign of 0 is +."""
    least = values.new_tensor(epsilon)  # in the type of the values: a number alone would be rounded to float32
    return values + torch.where(values < 0, -least, least)


def proportional(step: Step) -> Change:
    """To each summand its share of the sum: the epsilon rule, of anything linear.

    Source: Bach et al. 2015, doi:10.1371/journal.pone.0130140, eq. 58.
    """
    epsilon = step.options.epsilon
    if not epsilon:
        return Change()
    output = step.output

    def before(arriving: Gradients) -> Gradients:
        first = arriving[0]
        return arriving if first is None else (first * share(output, epsilon), *arriving[1:])

    return Change(before=before)


def scaled(factors: dict[int, float]) -> Change:
    """The plain backward, times a number at some inputs; 0 closes an input."""
    closed = frozenset(number for number, factor in factors.items() if factor == 0)

    def after(plain: Gradients, _: Gradients) -> Gradients:
        return tuple(
            None if one is None or number in closed else one * factors[number] if number in factors else one
            for number, one in enumerate(plain)
        )

    return Change(after=after, closed=closed)

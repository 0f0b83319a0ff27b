"""What writes into a part of a tensor in place: the rule of the same operator, in that part alone."""

from __future__ import annotations

from pellucid.attribution.rules.lrp.elementwise import ELEMENTWISE, ratio
from pellucid.attribution.rules.lrp.passing import HOMOGENEOUS
from pellucid.attribution.rules.lrp.step import Gradients, LrpOptions, share
from pellucid.attribution.rules.recording import Call
from pellucid.attribution.rules.way import PLAIN, Change, Node, written

# The written values, or values that depend on nothing.
_VALUES = frozenset(["copy", "fill", "zero"])


def write(node: Node, call: Call, options: LrpOptions) -> Change | None:
    """The rule of one such operator; None where there is none.

    Args:
        node: stands for the operator and for what it wrote into; its first input is that tensor, the others the operator's.
        call: the operator.
        options: of the method.
    """
    operator = call.operator
    moving = [number for number, (before, _) in enumerate(node.next_functions) if before is not None]
    if operator in _VALUES | HOMOGENEOUS:
        return PLAIN
    if operator in ("add", "sub"):
        return _sum(call, options.epsilon)
    if operator in ("mul", "div") and moving == [0]:
        return PLAIN
    if operator in ELEMENTWISE and moving == [0]:
        made = ratio(call.output, call.arguments[0])
        return written(call, lambda arriving, _: arriving * made)
    return None


def _sum(call: Call, epsilon: float) -> Change:
    output, part = call.output, call.part
    if not epsilon or part is None:
        return PLAIN

    def before(arriving: Gradients) -> Gradients:
        first = arriving[0]
        if first is None:
            return arriving
        whole, inside = part.within(first)
        inside.mul_(share(output, epsilon))
        return (whole, *arriving[1:])

    return Change(before=before)

"""The table of all rules, and the method that applies it."""

from __future__ import annotations

from collections.abc import Mapping

from pellucid.attribution.rules.lrp import attention, elementwise, linear, normalisation, products, sums
from pellucid.attribution.rules.lrp.merging import merge
from pellucid.attribution.rules.lrp.passing import PASSING
from pellucid.attribution.rules.lrp.step import LrpOptions, Rule, Step, proportional
from pellucid.attribution.rules.lrp.writing import write
from pellucid.attribution.rules.recording import Call
from pellucid.attribution.rules.way import (
    PLAIN,
    Change,
    Node,
    Way,
    is_leaf,
    is_renewed_view,
    is_written_view,
    refuse_opaque,
)
from pellucid.errors import MethodError


def _plain(step: Step) -> Change:
    return PLAIN


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(PASSING | attention.SOFTMAX, _plain),
    **dict.fromkeys(sums.SUMS, proportional),
    **dict.fromkeys(elementwise.ELEMENTWISE, elementwise.identity),
    **dict.fromkeys(linear.LINEAR, linear.linear),
    **dict.fromkeys(normalisation.BATCH_NORM, normalisation.batch_norm),
    **dict.fromkeys(attention.FUSED, attention.fused_attention),
    "dot": lambda step: attention.bilinear(0, 1) if len(step.moving) == 2 else proportional(step),
    "mul": products.product,
    "div": products.quotient,
    "addcmul": products.fused_product,
    "addcdiv": products.fused_quotient,
    "glu": products.gated,
    "lerp": sums.lerp,
    "native_layer_norm": normalisation.layer_norm,
    "native_group_norm": normalisation.group_norm,
    "_fused_rms_norm": normalisation.rms_norm,
}

# Operators that some rule refuses for what they are given: their place is noted.
_CONDITIONAL = frozenset(["addmm", "mm", "bmm", "baddbmm", "convolution", "lerp", "addcdiv", "pow", "copy"])
# What may be written into a part of a tensor: the written values, or values that depend on nothing.
_WRITING = frozenset(["copy", "fill", "zero"])


class Lrp:
    """LRP as changes of the plain backward; see `Step` for what goes back."""

    def __init__(self, options: LrpOptions | None = None) -> None:
        self.options = options or LrpOptions()
        self._steps: dict[int, Step] = {}
        self._reached: set[int] = set()  # calls that wrote into parts and follow a rule

    def keeps(self, operator: str) -> tuple[bool, bool]:
        """What the rules look at; sums need their output only."""
        needed = operator in RULES and RULES[operator] is not _plain
        only_output = operator in sums.SUMS and operator != "add"
        return needed and not only_output, needed

    def locates(self, operator: str) -> bool:
        """What may be refused."""
        return operator not in RULES or operator in _CONDITIONAL

    def change(self, way: Way, node: Node) -> Change:
        """The operator's rule, or a refusal."""
        if is_leaf(node):
            return PLAIN
        if is_written_view(node):
            writer = way.writer(node)
            made = None if writer is None else write(node, writer, self.options)
            if writer is not None and made is not None:
                self._reached.add(id(writer))
            return made or PLAIN
        call = way.call(node)
        if call is None and is_renewed_view(node):
            return PLAIN
        if call is None:
            refuse_opaque("LRP", node)
        rule = RULES.get(call.operator)
        step = self._steps[id(node)] = Step(way, node, call, self.options)
        return step.refuse() if rule is None else rule(step)

    def finish(self, way: Way, written: list[Call]) -> None:
        """Merges layers with what follows them, once all readers are known."""
        steps, self._steps = self._steps, {}
        reached, self._reached = self._reached, set()
        if any(is_written_view(node) for node in way.nodes):
            hidden = next((call for call in written if call.operator not in _WRITING and id(call) not in reached), None)
            if hidden is not None:
                raise MethodError(
                    f"LRP cannot reach aten {hidden.operator}_, called in {hidden.where}: it writes into a part of a tensor "
                    "in place. Write its result into the part instead."
                )
        for step in steps.values():
            if step.call.operator in linear.LINEAR:
                merge(way, steps, step)

"""Guided backpropagation and deconvnet: another backward at everything that cuts off what is negative."""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
from torch import Tensor

from pellucid.attribution.rules.gates import edges, own_gate
from pellucid.attribution.rules.recording import Call
from pellucid.attribution.rules.way import (
    PLAIN,
    Change,
    Node,
    Way,
    is_leaf,
    is_written_view,
    made_by,
    refuse_opaque,
)
from pellucid.attribution.rules.way import written as part_written
from pellucid.errors import MethodError

Cut = Callable[[Tensor, Tensor], Tensor]

SMOOTH = frozenset(
    [
        "gelu",
        "silu",
        "mish",
        "hardswish",
        "elu",
        "selu",
        "celu",
        "softplus",
        "softshrink",
        "hardshrink",
        "log_sigmoid_forward",
        "erf",
    ]
)
RECTIFYING = frozenset(
    [
        "relu",
        "leaky_relu",
        "_prelu_kernel",
        "rrelu_with_noise",
        "hardtanh",
        "clamp",
        "clamp_min",
        "threshold",
        "maximum",
    ]
)
_BY_HAND = frozenset(["mul", "where", "masked_fill"])


class Rectifiers:
    """Replaces the backward of ReLU and its kin.

    Rectifiers are ReLU, ReLU6 and hardtanh from 0, clamp at 0, threshold at 0, maximum with zeros, leaky and parametric
    ReLU, and x * (x > 0), where(x > 0, x, 0) and masked_fill(x <= 0, 0) written by hand. Other bounded functions (sigmoid, tanh,
    softmax) keep their plain backward. Smooth activations (GELU, SiLU and so on) have no part that is cut off: refused.

    Args:
        method: its name, for messages.
        cut: from the gradient that arrives and the one that the plain backward gives, what is passed on.
    """

    def __init__(self, method: str, cut: Cut) -> None:
        self.method = method
        self._cut = cut
        self._guided = 0
        self._smooth: list[str] = []
        self._reached: set[int] = set()  # calls that wrote into parts and are guided

    def keeps(self, operator: str) -> tuple[bool, bool]:
        """Arguments of what may be a rectifier."""
        return operator in RECTIFYING or operator in _BY_HAND, False

    def locates(self, operator: str) -> bool:
        """What may be refused."""
        return operator in SMOOTH or operator in RECTIFYING or operator == "mul"

    def change(self, way: Way, node: Node) -> Change:
        """Cuts at rectifiers; notes smooth activations."""
        if is_leaf(node):
            return PLAIN
        if is_written_view(node):
            return self._written(way, node)
        if re.search(r"Backward\d+$|^CopyBackwards$", str(node.name()).split("::")[-1]) is None:
            refuse_opaque(self.method, node)
        call = way.call(node)
        if call is None:
            if made_by(node, SMOOTH | RECTIFYING):
                refuse_opaque(self.method, node)  # it cuts something off, and nothing is known of how
            return PLAIN
        if call.operator in SMOOTH or (call.operator == "hardtanh" and not _from_zero(call)) or _gates_itself(node):
            name = "self-gated product" if call.operator == "mul" else f"aten {call.operator}"
            self._smooth.append(f"{name}, called in {call.where}")
            return PLAIN
        position = _rectified(call, node)
        if position is None:
            return PLAIN
        self._guided += 1
        cut = self._cut

        def after(inputs: tuple[Tensor | None, ...], outputs: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
            plain, arriving = inputs[position], outputs[0]
            if plain is None or arriving is None:
                return inputs
            return (*inputs[:position], cut(arriving, plain), *inputs[position + 1 :])

        return Change(after=after)

    def _written(self, way: Way, node: Node) -> Change:
        """Cuts in the part of a tensor that a rectifier wrote into."""
        call = way.writer(node)
        if call is not None and call.operator == "mul" and _gates_itself(node):
            self._smooth.append(f"self-gated product, called in {call.where}")
            return PLAIN
        if call is None or _rectified(call, node) != 0 or (call.operator == "hardtanh" and not _from_zero(call)):
            return PLAIN
        self._reached.add(id(call))
        self._guided += 1
        return part_written(call, self._cut)

    def finish(self, way: Way, written: list[Call]) -> None:
        """Refuses a way without rectifiers, or with smooth activations or hidden ones."""
        guided, smooth, self._guided, self._smooth = self._guided, self._smooth, 0, []
        reached, self._reached = self._reached, set()
        cutting = (call for call in written if call.operator in SMOOTH | RECTIFYING and id(call) not in reached)
        hidden = next(cutting, None)
        if hidden is not None and any(is_written_view(node) for node in way.nodes):
            raise MethodError(
                f"{self.method} cannot reach aten {hidden.operator}_, called in {hidden.where}: it writes into a part of a "
                "tensor in place. Write its result into the part instead."
            )
        if not guided:
            also = f" It has {smooth[0]}, which cuts nothing off." if smooth else ""
            raise MethodError(
                f"{self.method} has nothing to guide: no ReLU or its kin (ReLU6, clamp at 0, leaky ReLU) lies between the "
                f"inputs and the score.{also} The plain gradient is 'saliency' or 'gradient_x_input'."
            )
        if smooth:
            raise MethodError(
                f"{self.method} is defined for rectifiers only; this model also has {smooth[0]}. Use a method that is "
                "defined for any activation, such as 'gradient_x_input' or 'lrp_epsilon'."
            )


def guided_backprop() -> Rectifiers:
    """Only what is positive both forward and backward passes a rectifier.

    Source: Springenberg et al. 2015, arXiv:1412.6806, section 3.4.
    """
    return Rectifiers("guided_backprop", lambda arriving, plain: plain.clamp(min=0))


def deconvnet() -> Rectifiers:
    """What is positive backward passes a rectifier, whatever was forward.

    Source: Zeiler & Fergus 2014, arXiv:1311.2901, section 2.1.
    """
    return Rectifiers("deconvnet", lambda arriving, plain: arriving.clamp(min=0))


def _from_zero(call: Call) -> bool:
    return bool(call.argument(1, "min_val", -1) == 0)


def _gates_itself(node: Node) -> bool:
    both = edges(node)
    if not (str(node.name()).startswith("Mul") or is_written_view(node)) or len(both) != 2:
        return False
    return own_gate(both[0], both[1]) or own_gate(both[1], both[0])


def _rectified(call: Call, node: Node) -> int | None:
    """Which argument a rectifier rectifies; None if the call is none."""
    operator = call.operator
    if operator in ("relu", "leaky_relu", "_prelu_kernel", "rrelu_with_noise", "hardtanh"):
        return 0
    if operator in ("clamp", "clamp_min"):
        return 0 if _is_zero(call.argument(1, "min")) else None
    if operator == "threshold":
        return 0 if call.argument(1, "threshold") == 0 and call.argument(2, "value") == 0 else None
    if operator not in _BY_HAND and operator != "maximum":
        return None
    return _by_hand(call, [number for number, (before, _) in enumerate(node.next_functions) if before is not None])


def _by_hand(call: Call, moving: list[int]) -> int | None:
    """A ReLU made of a mask: told by its values, where the mask says x > 0 and x is not positive everywhere."""
    first, second, third = (call.argument(number, name) for number, name in enumerate(("self", "other", "value")))
    if len(moving) != 1:
        return None
    position = moving[0]
    if call.operator == "maximum":
        return position if _is_zero((first, second)[1 - position]) else None
    if call.operator == "mul":
        signal, mask = (first, second) if position == 0 else (second, first)
    elif call.operator == "masked_fill":
        signal, mask = first, ~second if _is_zero(third) else None
    elif position == 0:  # where(condition, self, other): its node has no input for the condition
        signal, mask = second, first if _is_zero(third) else None
    else:
        signal, mask = third, ~first if _is_zero(second) else None
    if not isinstance(mask, Tensor) or not isinstance(signal, Tensor) or mask.shape != signal.shape or mask.numel() < 2:
        return None
    on, values = mask != 0, (mask == 0) | (mask == 1)
    if not bool(values.all()) or bool(on.all()):
        return None
    same = torch.equal(on, signal > 0) or torch.equal(on, signal >= 0)
    return position if same else None


def _is_zero(value: object) -> bool:
    if isinstance(value, Tensor):
        return not bool(value.any())
    return isinstance(value, int | float) and value == 0

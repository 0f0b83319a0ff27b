"""A layer and the scale and shift right after it are one linear layer: batch normalisation, a bias added on its own."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from pellucid.attribution.rules.gates import edges, kind
from pellucid.attribution.rules.lrp.elementwise import ratio
from pellucid.attribution.rules.lrp.linear import MATRIX, follows, operator_of, ruled
from pellucid.attribution.rules.lrp.normalisation import BATCH_NORM, in_training
from pellucid.attribution.rules.lrp.step import Gradients, Step
from pellucid.attribution.rules.way import PLAIN, Change, Node, Way

_RESHAPING = frozenset({"View", "UnsafeView", "ReshapeAlias", "Clone"})


@dataclass(slots=True)
class _Relevance:
    """The relevance of the merged layer's output, handed from its last operator to its first."""

    value: Tensor | None = None

    def take(self) -> Tensor | None:
        value, self.value = self.value, None
        return value


def merge(way: Way, steps: dict[int, Step], layer: Step) -> None:
    """Merges a layer with what follows it, where nothing else reads what lies between.

    The relevance of what lies between is that of the whole's output: it passes the scale and shift as it is.
    """
    if len(layer.moving) != 1:
        return
    found = _following(way, layer.node)
    last = None if found is None else steps.get(id(found))
    if last is None:
        return
    if not follows(layer):
        # Plain linear: one share of the whole's output rather than one of each part's.
        if last.call.operator in BATCH_NORM or (last.call.operator == "add" and len(last.moving) == 1):
            way.changes[id(layer.node)] = PLAIN
        return
    terms = _terms(layer, last)
    if terms is None:
        return
    scale, shift = terms
    between, output = layer.output, last.output.reshape(layer.output.shape)
    handed = _Relevance()
    position = last.moving[0]

    def hand(plain: Gradients, arriving: Gradients) -> Gradients:
        c = arriving[0]
        if c is None:
            return plain
        handed.value = c.reshape(output.shape) * output
        passed = c * ratio(output, between).reshape(c.shape)
        return (*plain[:position], passed, *plain[position + 1 :])

    way.changes[id(last.node)] = Change(after=hand)
    way.changes[id(layer.node)] = ruled(layer, output, handed.take, scale, shift)


def _following(way: Way, node: Node) -> Node | None:
    """The one node that reads a layer's output, past reshapes; None where there are several."""
    while True:
        if way.consumers[id(node)] != 1:
            return None
        user = way.users[id(node)]
        if kind(user) not in _RESHAPING:
            return user
        node = user


def _terms(layer: Step, last: Step) -> tuple[Tensor | None, Tensor] | None:
    """Scale (None: 1) and shift by channel of the operator that follows; None where it is no such operator."""
    arguments = last.call.arguments
    if last.call.operator in BATCH_NORM and not in_training(last):
        whole = operator_of(layer)
        # The layer's own output goes in, so that its channels are the normalisation's: no reshape lies between.
        if whole.scale_weight is None or edges(last.node)[0][0] is not layer.node:
            return None
        weight, bias, mean, variance = arguments[1:5]
        epsilon = arguments[-1]
        scale = (variance + epsilon).rsqrt()
        scale = scale if weight is None else scale * weight
        shift = -mean * scale if bias is None else bias - mean * scale
        return scale.to(layer.output.dtype), shift.to(layer.output.dtype)
    if last.call.operator == "add" and len(last.moving) == 1 and layer.call.operator in MATRIX:
        other = arguments[1 - last.moving[0]] if len(arguments) > 1 else None
        alone = isinstance(other, Tensor) and other.ndim == 1 and len(other) == layer.output.shape[-1]
        if (
            isinstance(other, Tensor)
            and alone
            and layer.output.ndim > 1
            and (last.call.named or {}).get("alpha", 1) == 1
        ):
            return None, other
    return None

"""The nodes of the gradient graph through which scores came, each with the operator that made it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from torch import Tensor

from pellucid.attribution.rules.recording import Call
from pellucid.errors import MethodError

Node = Any  # torch.autograd.graph.Node: its concrete classes are made at run time
Before = Callable[[tuple[Tensor | None, ...]], tuple[Tensor | None, ...]]
After = Callable[[tuple[Tensor | None, ...], tuple[Tensor | None, ...]], tuple[Tensor | None, ...]]


@dataclass(frozen=True)
class Change:
    """What a rule does to the backward of one node.

    Attributes:
        before: gets the gradients that arrive, gives those that the node's own backward shall get.
        after: gets what the node's own backward gave and what it got, gives what is passed on.
        closed: numbers of the node's inputs that nothing is passed on to; what lies behind them is not on the way.
    """

    before: Before | None = None
    after: After | None = None
    closed: frozenset[int] = frozenset()


PLAIN = Change()


class Way:
    """All nodes between scores and whatever has gradients, the scores' own first.

    Args:
        scores: float[batch], with a gradient graph.
        calls: what a `Recorder` noted, by number.
        rule: for a node, what is done to its backward. It may raise to refuse it.
    """

    def __init__(self, scores: Tensor, calls: Mapping[int, Call], rule: Callable[[Way, Node], Change]) -> None:
        self.consumers: Counter[int] = Counter()
        self.users: dict[int, Node] = {}
        self.changes: dict[int, Change] = {}
        self._calls = calls
        self._nodes: dict[int, Node] = {}
        self._walk(scores, rule)

    def _walk(self, scores: Tensor, rule: Callable[[Way, Node], Change]) -> None:
        waiting = [scores.grad_fn]
        while waiting:
            node = waiting.pop()
            if node is None or id(node) in self._nodes:
                continue
            # Wrappers of nodes are kept: one that is let go may come back as another object.
            self._nodes[id(node)] = node
            change = self.changes[id(node)] = rule(self, node)
            for number, (before, _) in enumerate(node.next_functions):
                if before is not None and number not in change.closed:
                    self.consumers[id(before)] += 1
                    self.users[id(before)] = node
                    waiting.append(before)

    @property
    def nodes(self) -> Iterable[Node]:
        """All of them, those of the score first."""
        return self._nodes.values()

    def call(self, node: Node) -> Call | None:
        """The operator that made a node; None for leaves and for what no operator made (custom functions)."""
        number = node._sequence_nr()
        # Views of what was written to in place get their nodes anew when an operator asks for them, after its own.
        before = {id(one): one for one, _ in node.next_functions if one is not None and is_renewed_view(one)}
        number += sum(one._sequence_nr() > node._sequence_nr() for one in before.values())
        found = self._calls.get(number)
        if found is None:
            return None
        return found if _flat(node.name()).startswith(_flat(found.operator)) else None

    def writer(self, node: Node) -> Call | None:
        """The operator that wrote into a part of a tensor, by the node that stands for it: made right after the operator's own."""
        number = node._sequence_nr() - 1
        found = self._calls.get(number)
        if found is not None and found.part is None and found.operator == "clone":
            found = self._calls.get(number - 1)  # of a copy that autograd made of what was overwritten
        return None if found is None or found.part is None else found

    def hook(self) -> None:
        """Puts every change into force; the hooks live and die with the graph."""
        for node in self._nodes.values():
            change = self.changes[id(node)]
            if change.before is not None:
                node.register_prehook(change.before)
            if change.after is not None:
                node.register_hook(change.after)


def written(call: Call, rule: Callable[[Tensor, Tensor], Tensor]) -> Change:
    """What is passed on in the part of a tensor that a call wrote into: from what arrives there and from what is passed plainly."""
    part = call.part

    def after(plain: tuple[Tensor | None, ...], arriving: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
        given, first = plain[0], arriving[0]
        if given is None or first is None or part is None:
            return plain
        whole, inside = part.within(given)
        inside.copy_(rule(part.within(first)[1], inside))
        return (whole, *plain[1:])

    return Change(after=after)


def is_leaf(node: Node) -> bool:
    """Whether a node only collects what arrives."""
    return str(node.name()).endswith("AccumulateGrad")


def is_written_view(node: Node) -> bool:
    """Whether a node stands for an operator that wrote into a part of a tensor."""
    return str(node.name()).endswith("CopySlices")


def is_renewed_view(node: Node) -> bool:
    """Whether a node stands for no operator of the forward, but for a view of a tensor that was written to."""
    before = node.next_functions[0][0] if len(node.next_functions) == 1 else None
    return str(node.name()).startswith("AsStrided") and before is not None and is_written_view(before)


def made_by(node: Node, operators: Iterable[str]) -> bool:
    """Whether the name of a node says that one of these operators made it, whatever was noted of it."""
    name = _flat(node.name()).rpartition("::")[2]
    return any(name.startswith(f"{_flat(operator)}backward") for operator in operators)


def refuse_opaque(method: str, node: Node) -> NoReturn:
    """Refuses nodes that no operator made: custom functions, checkpoints, compiled and scripted parts."""
    name = str(node.name()).removesuffix("Backward")
    if name.startswith("CheckpointFunction"):
        raise MethodError(
            f"{method} cannot look into a reentrant checkpoint, whose forward runs again inside the backward; call "
            "torch.utils.checkpoint with use_reentrant=False, or without checkpoints."
        )
    if name.endswith("NotImplemented"):
        raise MethodError(
            f"{method} met an operator that has no backward, as those of quantised models: explain the model as it was before "
            "it was quantised."
        )
    if str(node.name())[-1:].isdigit():
        raise MethodError(
            f"{method} cannot tell which operator of the forward '{node.name()}' stands for, as in a device's fused cells. "
            "Methods that need no rules, such as 'gradient_x_input', explain this model."
        )
    raise MethodError(
        f"{method} has no rule for '{name}', whose backward is its own: a custom torch.autograd.Function, or a scripted or "
        "compiled part of the model. Replace it by operators of torch."
    )


def _flat(name: str) -> str:
    return name.replace("_", "").lower()

"""One forward whose backward follows rules: what is entered around it, and what happens once there are scores."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, nullcontext
from types import TracebackType
from typing import Protocol, Self

import torch
from torch import Tensor, nn

from pellucid.attribution.rules.recording import Call, Recorder
from pellucid.attribution.rules.way import Change, Node, Way
from pellucid.capture import unfused


class Rules(Protocol):
    """A method that changes the backward of operators."""

    def keeps(self, operator: str) -> tuple[bool, bool]:
        """Whether an operator's arguments and its output are needed in the backward."""

    def locates(self, operator: str) -> bool:
        """Whether the place of an operator's call is needed, because it may be refused."""

    def change(self, way: Way, node: Node) -> Change:
        """What is done to the backward of a node. Raises: MethodError: it cannot be right there."""

    def finish(self, way: Way, written: list[Call]) -> None:
        """Looks at the whole way before the backward. Raises: MethodError."""


class RuledBackward:
    """Entered around a forward; the backward of the scores that it is shown follows the rules.

        seen = session.explain(inputs, score, within=RuledBackward(model, rules))

    The forward is the plain one: operators are only noted. The changes are hooks on the nodes of its gradient graph, where
    functional, module, in-place and reused operators are all the same, and go with it.

    Args:
        model: that runs.
        rules: of the method.
        beside: entered around the forward, too.
    """

    def __init__(self, model: nn.Module, rules: Rules, beside: AbstractContextManager[object] | None = None) -> None:
        self._rules = rules
        self._beside = beside or nullcontext()
        self._recorder = Recorder(model, rules.keeps, rules.locates)
        self._model = model
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._recorder.clear()
        self._stack.enter_context(self._beside)
        self._stack.enter_context(unfused(self._model.modules(), (torch.backends.mkldnn, torch.backends.cudnn)))
        self._stack.enter_context(self._recorder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        self._recorder.clear()

    def scored(self, scores: Tensor) -> None:
        """Puts the rules on the backward of these scores. Raises: MethodError: they cannot be right on it."""
        way = Way(scores, self._recorder.calls, self._rules.change)
        self._rules.finish(way, self._recorder.written)
        way.hook()

"""What runs for the node at work: calls that are run or told from calls like them, and the operators beneath."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pellucid.graph import flops
from pellucid.graph.dataflow import gathered, versions
from pellucid.graph.frames import Frame, in_words
from pellucid.graph.outcomes import Did, Ran
from pellucid.graph.parts import Parts, own_parameters
from pellucid.graph.recalled import Key, Recall
from pellucid.graph.valueless import Valueless

LONGEST_ERROR = 500


class Tally:
    """Runs calls and counts what ran.

    Args:
        parts: of what runs.
        valueless: runs its operators; None where they run with values.

    Attributes:
        read: ids of the parameters that went into a tensor.
        operators: how many ran in all; flops: what they counted.
        failed: the innermost node that was running when the forward raised.
        uncounted: operators that multiply matrices and of which it is not known what they cost.
        own: whether it is the recording that asks something of tensors, and not the model.
    """

    def __init__(self, parts: Parts, valueless: Valueless | None) -> None:
        self.read: set[int] = set()
        self.operators = 0
        self.flops: int | None = None
        self.failed: Frame | None = None
        self.uncounted: dict[str, None] = {}
        self.own = False
        self._raised: BaseException | None = None
        self._stack: list[Frame] = []
        self._opaque = 0
        self._writes = 0
        self._asked = 0
        self._uncounted = 0
        self._valueless = valueless
        self._parameters = {id(parameter) for parameter in parts.parameters.values()}
        self._recall = Recall(self._parameters, values=True) if valueless is None else Recall(valueless.parameters)

    def operated(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Counts an operator in, for the node at work."""
        if self.own:
            return
        self.operators += 1
        self._reads(gathered((args, kwargs) if kwargs else args))
        frame = self._stack[-1] if self._stack else None
        if frame is not None:
            frame.operators += 1
        count = flops.count(operator, args, kwargs, result)
        if count is None:
            if flops.multiplies(operator) and gathered(result):
                self._uncounted += 1
                self.uncounted.setdefault(flops.name_of(operator))
        else:
            self.flops = (self.flops or 0) + count
            if frame is not None:
                frame.flops = (frame.flops or 0) + count

    def _done(
        self, frame: Frame, key: Key, inputs: list[Tensor], before: list[int],
        call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
    ) -> Any:  # fmt: skip
        """What a call returns of which nothing is known yet, by running it; what it did is kept for the next."""
        if key in self._recall.known:
            return self._run(frame, True, call, args, kwargs)  # more than forms decides what it does
        module = frame.module
        writes, asked, uncounted, read = self._writes, self._asked, self._uncounted, self.read
        self.read = set()
        try:
            result = self._run(frame, True, call, args, kwargs)
        finally:
            read |= (own := self.read)
            self.read = read
        with torch._C.DisableTorchFunction():
            parameters = {} if module is None else module._parameters
            names = tuple([name for name, parameter in parameters.items() if id(parameter) in own])
            inside = (
                []
                if module is None
                else [one for one in (*parameters.values(), *module._buffers.values()) if one is not None]
            )
            written = [
                place for place, (old, new) in enumerate(zip(before, versions(inputs), strict=True)) if old != new
            ]
            did = Did(
                frame.operators, frame.flops, self._writes - writes, self._asked != asked, self._uncounted != uncounted, names
            )  # fmt: skip
            self._recall.keep(key, inputs, inside, written, result, did)
        return result

    def _unheard(
        self, frame: Frame, known: Ran, call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """What a call returns that runs what one before it ran, of which nobody needs to hear again."""
        with contextlib.suppress(Exception):
            with torch._C._DisableTorchDispatch():
                result = self._run(frame, True, call, args, kwargs)
            self._counted(frame, known)
            return result
        # It raised, which nothing was changed by: again, to hear how far it comes.
        frame.error = self.failed = None
        return self._run(frame, True, call, args, kwargs)

    def _counted(self, frame: Frame | None, known: Ran) -> None:
        """Counts what ran for a call before; it would run again for this one."""
        self.operators += known.operators
        if frame is not None:
            frame.operators += known.operators
            if known.flops is not None:
                frame.flops = known.flops
        if known.flops is not None:
            self.flops = (self.flops or 0) + known.flops

    def _run(
        self, frame: Frame, opaque: bool, call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Runs what a frame stands for; where it raises, the innermost frame has the error."""
        self._stack.append(frame)
        self._opaque += opaque
        try:
            return call(*args, **kwargs)
        except BaseException as raised:
            if self._raised is not raised:
                self._raised, self.failed = raised, frame
                frame.error = in_words(raised)[:LONGEST_ERROR]
                if frame.module is not None:
                    # What a layer would have read is used, also where it raised before it came to all of it.
                    self.read.update(map(id, own_parameters(frame.module).values()))
            raise
        finally:
            self._opaque -= opaque
            self._stack.pop()

    def _reads(self, inputs: list[Tensor]) -> tuple[int, ...]:
        """Notes parameters that went into a tensor; asking for a shape is no use of them."""
        found = tuple([key for tensor in inputs if (key := id(tensor)) in self._parameters])
        if found:
            self.read.update(found)
        return found

"""The nodes that a forward has made so far, and what flows between them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor

from pellucid.graph.axes import channel_last_of
from pellucid.graph.dataflow import Dataflow, Source, alias, gathered, mapped, versions
from pellucid.graph.fake import Fake
from pellucid.graph.frames import Frame, Kind
from pellucid.graph.guard import memory_of
from pellucid.graph.looks import looks_of
from pellucid.graph.outcomes import New, Ran, Recalled
from pellucid.graph.parts import Parts
from pellucid.graph.remembered import Look
from pellucid.graph.structure import Shape
from pellucid.graph.tally import Tally
from pellucid.graph.valueless import Valueless

_Result = TypeVar("_Result")
_Given = ParamSpec("_Given")


def unseen(method: Callable[Concatenate[Any, _Given], _Result]) -> Callable[Concatenate[Any, _Given], _Result]:
    """Marks what the recording itself asks of tensors: operators that run for it are none of the model's."""

    @functools.wraps(method)
    def call(self: Any, /, *args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        before, self.own = self.own, True
        try:
            return method(self, *args, **kwargs)
        finally:
            self.own = before

    return call


class Nodes(Tally):
    """Makes nodes and edges of calls.

    Args:
        parts: of what runs.
        valueless: runs its operators; None where they run with values.

    Attributes:
        frames: the nodes, in order.
        links: source, target, output, argument and shape of every edge, and whether the source made but a part of it.
    """

    def __init__(self, parts: Parts, valueless: Valueless | None) -> None:
        super().__init__(parts, valueless)
        self.frames: list[Frame] = []
        self.links: list[tuple[int, int, int, int, Shape, bool]] = []
        self._elsewhere = False
        self._flow = Dataflow(memory_of if valueless is None else valueless.memory)

    def is_over(self) -> None:
        """The forward has come to its end, whichever: nobody asks who made a tensor any more."""
        self._flow.forget()

    def _goes_on(self) -> None:
        """Another call is made: if a function raised and the model went on, it is as if that had not been called."""
        if self.failed is not None and self.failed is self.frames[-1] and self.failed.kind == "function":
            self._forget(self.failed)
            self.failed = None

    def _frame(self, name: str, path: str, operation: str, kind: Kind, call: int) -> Frame:
        self._goes_on()
        above = self._stack[-1] if self._stack else None
        frame = Frame(len(self.frames), name, path, operation, kind, above.id if above else None, call)
        self.frames.append(frame)
        if above is not None:
            above.children += 1
        return frame

    def _forget(self, frame: Frame) -> None:
        """Takes back the newest frame; nothing was made under it."""
        self.frames.pop()
        if frame.parent is not None:
            above = self.frames[frame.parent]
            above.children -= 1
            above.operators += frame.operators

    @unseen
    def _read_by(self, frame: Frame, inputs: list[Tensor]) -> None:
        frame.went_in(inputs)
        self._came_from(frame, inputs)

    def _came_from(self, frame: Frame, inputs: list[Tensor]) -> None:
        """Notes which nodes made what goes in."""
        shapes, source_of = frame.inputs, self._flow.source
        if len(inputs) == 1 and not self._flow.parted:
            source = source_of(inputs[0])
            if source is not None:
                frame.sources.append((0, source, shapes[0]))
                return
        for argument, tensor in enumerate(inputs):
            source = source_of(tensor)
            if source is not None:
                frame.sources.append((argument, source, shapes[argument]))
                if self._flow.parted:
                    frame.sources += [(argument, other, shapes[argument]) for other in self._flow.further(tensor)]
            elif self._elsewhere and id(tensor) not in self._parameters:
                # Another thread made it, from what the enclosing call was given.
                above = self._stack[-1].sources if self._stack else []
                given = [source for _, source, _ in above] or [
                    Source(input_.id, 0, 0) for input_ in self.frames if input_.kind == "input"
                ]
                frame.sources.extend((argument, source, frame.inputs[argument]) for source in given)

    def link(self, frame: Frame) -> None:
        """Makes the edges of what a call has read."""
        for argument, source, shape in frame.sources:
            self.links.append((source.node, frame.id, source.output, argument, shape, source.partly))
            before = self.frames[source.node]
            if before.reached:
                frame.reached = True
                known = before.channel_last
                if known is not None and known is not frame.channel_last:
                    frame.channel_last = channel_last_of(frame, known, shape)

    @unseen
    def _made(self, frame: Frame, inputs: list[Tensor], before: list[int], output: Any, alias_too: bool = True) -> Any:
        """A node without children has run: who reads what it returned reads it."""
        after = versions(inputs)
        if after == before and isinstance(output, Tensor) and not any(output is one for one in inputs):
            # Nearly all make one tensor and leave what they were given as it was.
            frame.came_out([output])
            self._come_new(frame, inputs, [output])
            return output
        frame.origin = frame.id
        given = {id(tensor): place for place, tensor in enumerate(inputs)}
        written = self._apart([tensor for place, tensor in enumerate(inputs) if before[place] != after[place]])
        for tensor in written:
            self._flow.wrote(tensor, frame.id, 0)

        def own(tensor: Tensor) -> Tensor:
            place = given.get(id(tensor))
            if place is None or before[place] != after[place] or not alias_too:
                return tensor
            # It returned its own input. Under another name, for whoever reads the input itself (a skip connection)
            # does not read this node.
            return alias(tensor)

        output = mapped(output, own)
        tensors = gathered(output)
        frame.came_out(tensors or written)
        self.link(frame)
        for index, tensor in enumerate(tensors):
            place = given.get(id(tensor), -1)
            known = place < 0 and self._flow.knows(tensor)
            if (place < 0 and not known) or (place >= 0 and before[place] != after[place]):
                self._flow.made(tensor, frame.id, index, inputs)
        return output

    def _apart(self, tensors: list[Tensor]) -> list[Tensor]:
        """Of those that look at the same memory the first: writing to one counts for all."""
        if len(tensors) < 2:
            return tensors
        places = [self._flow.place(tensor) for tensor in tensors]
        return [
            one for index, one in enumerate(tensors) if places[index] is None or places[index] not in places[:index]
        ]

    def _come_new(self, frame: Frame, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        """A call has made these, and left what it was given as it was."""
        frame.origin = frame.id
        self.link(frame)
        given = set(map(id, inputs))
        for index, tensor in enumerate(outputs):
            if id(tensor) not in given and not self._flow.knows(tensor):
                self._flow.made(tensor, frame.id, index, inputs)

    def _given(self, frame: Frame, known: Ran, inputs: list[Tensor]) -> None:
        """A call like one before is given these."""
        frame.inputs, frame.input_dtypes = known.given.shapes, known.given.types
        self._came_from(frame, inputs)

    def _gave(self, frame: Frame, known: Ran, outputs: list[Tensor]) -> None:
        """A call like one before has given these; how many and how large they are, values may have decided."""
        looks = known.looks
        if looks is None or looks.shapes != tuple([tuple(one.shape) for one in outputs]):
            looks = looks_of(outputs)
        frame.outputs, frame.output_dtypes, frame.memory, frame.floating = looks

    def _retold(self, frame: Frame, known: Recalled, inputs: list[Tensor], alias_too: bool = True) -> Any:
        """What a call like one before returns; a node of it as if it had run.

        Args:
            frame: its node.
            known: what the one before did.
            inputs: the tensors that it is given.
            alias_too: whether an input that it returns is another tensor for whoever reads it.
        """
        self._counted(frame, known)
        flow, number = self._flow, frame.id
        frame.inputs, frame.input_dtypes = known.given.shapes, known.given.types
        if not frame.sources:
            self._came_from(frame, inputs)
        frame.origin = number
        frame.outputs, frame.output_dtypes, frame.memory, frame.floating = known.looks
        if known.wrote:
            tensor = inputs[0]
            if self._valueless is not None:
                self._valueless.written(tensor)
            torch.autograd.graph.increment_version(tensor)
            flow.wrote(tensor, number, 0)
            self.link(frame)
            return tensor if known.container is None else known.container([tensor])
        self.link(frame)
        single = known.single
        if single is not None:
            new = Fake.fresh(single)
            flow.made_new(new, number, 0)
            return new
        tensors: list[Tensor] = []
        for output, one in enumerate(known.outputs):
            made: Tensor
            if isinstance(one, int):
                made = inputs[one]
                if not alias_too:
                    tensors.append(made)
                    continue
                look = made.looks() if type(made) is Fake else None
                made = alias(made) if look is None else self._view(made, look, 0)
            else:
                made = (
                    Fake.fresh(one.look) if isinstance(one, New) else self._view(inputs[one.place], one.look, one.after)
                )
            if type(made) is Fake:
                flow.made_new(made, number, output)
            else:
                flow.made(made, number, output, inputs)
            tensors.append(made)
        return tensors[0] if known.container is None else known.container(tensors)

    def _view(self, given: Any, look: Look, after: int) -> Fake:
        made = Fake.onto(given, look, after)
        made.place = self._flow.place(given)
        return made

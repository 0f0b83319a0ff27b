"""Leaves of the graph: what they call inside makes no nodes, but may read what nodes made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.graph.dataflow import Source, gathered, versions
from pellucid.graph.frames import Frame
from pellucid.graph.inside import Watch
from pellucid.graph.looks import looks_of
from pellucid.graph.names import CallNames, function_name
from pellucid.graph.nodes import Nodes, unseen
from pellucid.graph.parts import Parts
from pellucid.graph.valueless import Valueless


class Leaves(Nodes):
    """Hears of the functions that leaves call.

    Args:
        parts: of what runs.
        valueless: runs its operators; None where they run with values.
    """

    def __init__(self, parts: Parts, valueless: Valueless | None) -> None:
        super().__init__(parts, valueless)
        self._counting = False
        self._names = CallNames()

    def _inside(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs a function that a leaf of the graph calls inside."""
        inputs = gathered((args, kwargs) if kwargs else args)
        watch = self._stack[-1].watch
        before = versions(inputs) if self._counting or watch is not None else []
        beside = self._beside(inputs)
        result = func(*args, **kwargs)
        outputs = gathered(result)
        if outputs:
            self._reads(inputs)
            self._comes_beside(beside)
        if watch is not None:
            self._follow(watch, inputs, versions(inputs) != before, outputs, (func, args, kwargs))
        if self._counting and not (
            versions(inputs) == before and all(any(output is given for given in inputs) for output in outputs)
        ):
            # The capture engine sees it and counts it: later calls of that name must have the same number.
            module = next((above for above in reversed(self._stack) if above.kind == "module"), None)
            self._names.function(module.path if module else "", function_name(func))
        return result

    def _beside(self, inputs: list[Tensor]) -> list[tuple[Tensor, Source]]:
        """Of what a leaf of the graph reads inside: what a node made that is none of its arguments.

        Weights that a call made (`functional_call`, `conv.weight = generated`), what a hook or the leaf's own code looks at.
        """
        known = {(source.node, source.output) for _, source, _ in self._stack[-1].sources}
        made = [(tensor, self._flow.source(tensor)) for tensor in inputs if self._flow.knows(tensor)]
        return [(one, source) for one, source in made if source is not None and source[:2] not in known]

    @unseen
    def _comes_beside(self, found: list[tuple[Tensor, Source]]) -> None:
        """Notes these as more that goes into the leaf at work, after its arguments."""
        frame = self._stack[-1]
        for tensor, source in found:
            shapes, types, *_ = looks_of([tensor])
            frame.sources.append((len(frame.inputs), source, shapes[0]))
            frame.inputs, frame.input_dtypes = frame.inputs + shapes, frame.input_dtypes + types

    @unseen
    def _watch(self, frame: Frame, module: nn.Module, inputs: list[Tensor], leaf: bool) -> None:
        """Begins to note what a module calls whose class does not tell what it computes."""
        if not frame.computes and not isinstance(module, torch.jit.ScriptModule):
            frame.watch = Watch(module.modules() if leaf else (), inputs, self._parameters)

    @unseen
    def _watched(self, frame: Frame, output: Any) -> None:
        """Ends it with what the module returns."""
        if frame.watch is not None:
            frame.inside, frame.watch = frame.watch.end(gathered(output)), None

    def _cannot_follow(self) -> None:
        """Something runs of which only what comes out is seen."""
        for frame in self._stack:
            if frame.watch is not None:
                frame.watch.lose()

    @unseen
    def _follow(
        self, watch: Watch, inputs: list[Tensor], wrote: bool, outputs: list[Tensor],
        call: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]],
    ) -> None:  # fmt: skip
        """Notes a function that a leaf calls; one that writes to a tensor ends what can be told."""
        frame = self._stack[-1]
        for tensor in inputs:
            source = None if watch.knows(tensor) else self._flow.source(tensor)
            places = [place for place, one, shape in frame.sources if source is not None and one[:2] == source[:2]
                      and shape == tuple(tensor.shape)]  # fmt: skip
            if places:
                watch.given(tensor, places[0])
        if wrote:
            watch.lose()
        else:
            watch.called(*call, inputs, outputs)

"""What "traced" means, checked with means of its own: nothing here is the tracer's."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from bench.coverage.cases import Case, upstream
from pellucid.graph import Graph

DEFINITION = (
    "A model counts as traced when all of this is true, checked by code that shares nothing with the tracer: no error (or, "
    "where the forward is meant to raise, the graph until there); as many operators as an independent "
    "`TorchDispatchMode` counts over one more forward with values, also where the trace did without them (for a configuration "
    "in full size: over the same architecture, narrower, layer for layer); as many parameters as the unique ones add up to; "
    "a node's argument for every tensor that comes out; and a path from an input to each of these, but for those that an "
    "entry names as constants; and the same graph where calls are told from calls like them as where each is heard out. "
    "Oddities have facts of their own beside that: edges that must or must not be there, numbers of calls, loops, what is "
    "shared or unused."
)


class Counter(TorchDispatchMode):
    """Counts operators that ran; a mark for the profiler is none, though it comes this way, and of a choice between two
    functions it is what the chosen one calls, and the question which.
    """

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()
        self.operators = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.higher_order.cond:
            choice, chosen, other, operands = args
            with self:
                return (chosen if choice else other)(*operands)
        result = func(*args, **(kwargs or {}))
        self.operators += getattr(func, "namespace", "") != "profiler"
        return result


@dataclasses.dataclass
class Forward:
    """One bare forward, counted.

    Attributes:
        operators: how many ran.
        outputs: tensors that came out; None where it raised.
    """

    operators: int
    outputs: int | None


def counted(case: Case) -> Forward:
    """Runs the model once under an independent count, as a trace runs it: for evaluation, compiled code off."""
    counter, outputs = Counter(), None
    args, kwargs = copy.deepcopy((case.args, case.kwargs))
    with quiet(case.model), contextlib.suppress(Exception if case.fails else ()):
        with counter:
            result = case.model(*args, **kwargs)
        outputs = sum(1 for _ in tensors_in(result))
    return Forward(counter.operators, outputs)


@contextlib.contextmanager
def quiet(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients, without attention's fast path, without compiled code; all put back."""
    modes = [(module, module.training) for module in model.modules()]
    fast = torch.backends.mha.get_fastpath_enabled()
    compiled = any(hasattr(m, "_orig_mod") or getattr(m, "_compiled_call_impl", None) for m in model.modules())
    stance = torch.compiler.set_stance("force_eager") if compiled else contextlib.nullcontext()
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        for module, _ in modes:
            module.training = False
        with torch.no_grad(), stance:
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for module, training in modes:
            module.training = training


def shortcomings(case: Case, graph: Graph, forward: Forward | None) -> list[str]:
    """Why the graph does not count as traced; empty where it does."""
    return [*_errors(case, graph), *_counts(case, graph, forward), *_paths(case, graph, forward), *_facts(case, graph)]


def _errors(case: Case, graph: Graph) -> Iterator[str]:
    if graph.error and not case.fails:
        yield f"raised {graph.error}"
    if case.fails and not graph.error:
        yield "the forward raises and the graph does not say so"


def _counts(case: Case, graph: Graph, forward: Forward | None) -> Iterator[str]:
    if forward is not None and graph.operators != forward.operators:
        yield f"{graph.operators:,} operators, counted {forward.operators:,}"
    if forward is None and graph.operators == 0:
        yield "no operators"
    unique = {id(parameter): parameter for parameter in case.model.parameters()}
    total = sum(math.prod(parameter.shape) for parameter in unique.values())
    if graph.parameters != total:
        yield f"{graph.parameters:,} parameters, unique {total:,}"


def _paths(case: Case, graph: Graph, forward: Forward | None) -> Iterator[str]:
    if case.fails:
        return
    output = graph.nodes[-1]
    if output.kind != "output":
        yield "the last node is not the output"
        return
    if forward is not None and forward.outputs is not None and len(output.inputs) != forward.outputs:
        yield f"{len(output.inputs)} outputs, {forward.outputs} came out"
    inputs = {node.id for node in graph.nodes if node.kind == "input"}
    arriving = {edge.argument: edge.source for edge in graph.edges if edge.target == output.id}
    cut = [
        place
        for place in range(len(output.inputs))
        if place not in case.constant and not (place in arriving and upstream(graph, arriving[place]) & inputs)
    ]
    if cut:
        yield f"no path from an input to output {', '.join(map(str, cut[:8]))} of {len(output.inputs)}"


def _facts(case: Case, graph: Graph) -> Iterator[str]:
    for words, fact in case.facts.items():
        try:
            held = fact(graph)
        except (LookupError, AttributeError, TypeError, ValueError) as error:
            yield f"not so: {words} ({type(error).__name__}: {error})"
            continue
        if not held:
            yield f"not so: {words}"


def tensors_in(tree: object) -> Iterator[Tensor]:
    """The tensors of whatever a forward returns: containers, mappings, dataclasses, objects with attributes."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, Mapping):
        for item in tree.values():
            yield from tensors_in(item)
    elif isinstance(tree, list | tuple | set | frozenset):
        for item in tree:
            yield from tensors_in(item)
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        for field in dataclasses.fields(tree):
            yield from tensors_in(getattr(tree, field.name, None))
    elif hasattr(tree, "__dict__") and not isinstance(tree, type | nn.Module) and not callable(tree):
        yield from tensors_in(list(vars(tree).values()))

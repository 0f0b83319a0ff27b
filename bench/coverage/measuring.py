"""One entry of the list: built, traced, checked, timed against its bare forward. Runs in a process of its own."""

from __future__ import annotations

import copy
import resource
import statistics
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch

from bench.coverage.cases import Case
from bench.coverage.checking import Forward, counted, quiet, shortcomings
from pellucid.graph import Graph, Node, trace
from pellucid.graph.recalled import Recall

REPEATS, ENOUGH = 5, 2.0
MEMORY = 9 << 30


@dataclass
class Result:
    """What became of one entry.

    Attributes:
        listed, name: the list and its entry.
        reasons: why it does not count as traced; empty where it does.
        backend, nodes, edges, operators, parameters: of its graph.
        trace, forward: CPU milliseconds, medians; the forward is None where the model has no values or raises.
        cut: whether what was timed is smaller than what was published, in more than its layers.
        peak: MiB of the whole process at its largest.
    """

    listed: str
    name: str
    reasons: list[str] = field(default_factory=list)
    backend: str = ""
    nodes: int = 0
    edges: int = 0
    operators: int = 0
    parameters: int = 0
    trace: float | None = None
    forward: float | None = None
    peak: int = 0
    cut: bool = False

    @property
    def ratio(self) -> float | None:
        """The trace in bare forwards."""
        return None if self.trace is None or not self.forward else self.trace / self.forward


def measured(listed: str, name: str, build: Callable[[], Case], timed: bool = True) -> Result:
    """Builds and measures one entry; whatever is raised becomes its reason."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    # More than this and the entry fails in words rather than the machine for all.
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    result = Result(listed, name)
    try:
        _measure(result, build(), timed)
    except Exception as error:  # an entry may raise anything
        place = traceback.extract_tb(error.__traceback__)[-1]
        result.reasons.append(f"{type(error).__name__}: {error} ({place.name}, line {place.lineno})")
    result.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return result


def _measure(result: Result, case: Case, timed: bool) -> None:
    warm(case)
    graph = _of_equal_chance(case)
    result.backend, result.nodes, result.edges = graph.backend, len(graph.nodes), len(graph.edges)
    result.operators, result.parameters = graph.operators, graph.parameters
    result.reasons += shortcomings(case, graph, bare(case))
    with mock.patch.multiple(Recall, function=_nothing, module=_nothing):
        heard = _outline(_of_equal_chance(case))
    if not heard == _outline(graph) == _outline(_of_equal_chance(case)):
        result.reasons.append("where calls are told from calls like them it is another graph")
    if not timed:
        return
    result.cut = case.cut
    if case.wide is not None:
        wide = _fitting(case.wide)
        if wide is not None:
            result.cut, case = False, wide
    result.trace = _median(lambda: _traced(case))
    if not case.fails and not on_meta(case):
        with quiet(case.model):
            result.forward = _median(lambda: case.model(*case.args, **case.kwargs))


def _fitting(build: Callable[[], Case | None]) -> Case | None:
    """The case that is timed, once it has run; None where it cannot be built or does not run."""
    try:
        wide = build()
        if wide is not None:
            warm(wide)
            _traced(wide)
    except Exception:  # whatever: then the one that was checked is timed, and the page says so
        return None
    return wide


def _traced(case: Case) -> Graph:
    return trace(case.model, *case.args, **case.kwargs)


def _nothing(*_: object) -> None:
    """No call is like one before."""


def _outline(graph: Graph) -> tuple[object, ...]:
    """What two traces of a model have in common, also of one that makes up new symbols for lengths."""
    calls = [
        (node.name, node.operation, node.operators, node.flops, node.source, node.arguments, node.pool, _sizes(node))
        for node in graph.nodes
    ]
    edges = [(edge.source, edge.target, edge.output, edge.argument, edge.activation) for edge in graph.edges]
    return calls, edges, graph.operators, graph.flops, graph.unused, graph.data_dependent, graph.loops


def _sizes(node: Node) -> list[object]:
    shapes = (*node.inputs, *node.outputs)
    return [[size if type(size) is int else "symbol" for size in shape] for shape in shapes]


def _of_equal_chance(case: Case) -> Graph:
    """The graph; of a model that draws how much it makes, of the same draws every time."""
    torch.manual_seed(0)
    return _traced(case)


def on_meta(case: Case) -> bool:
    """Whether the model has no values."""
    tensors: list[Any] = [*case.model.parameters(), *case.model.buffers()]
    return any(tensor.is_meta for tensor in tensors)


def warm(case: Case) -> None:
    """Runs the model once: many keep what they work out the first time, which is to be there for the trace and the count alike."""
    if not case.fails and not on_meta(case):
        with quiet(case.model):
            case.model(*copy.deepcopy(case.args), **copy.deepcopy(case.kwargs))


def bare(case: Case) -> Forward | None:
    """A counted forward with values, of its twin where it has none; None for a model without either."""
    runnable = case.twin or case
    return None if on_meta(runnable) else counted(runnable)


def _median(run: Callable[[], object]) -> float:
    """CPU milliseconds, after one run that is not counted; fewer repeats where one takes long."""
    run()
    taken: list[float] = []
    while len(taken) < REPEATS and sum(taken) < ENOUGH * 1000:
        begun = time.process_time()
        run()
        taken.append((time.process_time() - begun) * 1000)
    return statistics.median(taken)

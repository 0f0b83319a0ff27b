"""Tracing a model: one forward in eager mode, watched from where modules, functions and operators are called.

A patched `nn.Module.__call__` sees the hierarchy, a TorchFunctionMode the functions that modules call themselves, a
TorchDispatchMode the operators beneath them, which are counted. No model needs to be scripted, exported or symbolic.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import sys
import threading
from collections.abc import Coroutine, Generator, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec
import torch
from torch import nn

from pellucid.errors import ModelError
from pellucid.graph.control_flow import uncompiled
from pellucid.graph.dataflow import mapped
from pellucid.graph.escaped import alive, take_back
from pellucid.graph.expectations import described, expectations
from pellucid.graph.fake import ValuesNeededError
from pellucid.graph.frames import in_words
from pellucid.graph.guard import ParameterGuard, needs_gradients, untouched
from pellucid.graph.interception import (
    Functions,
    Operators,
    counted_tensors,
    differentiable_functions,
    module_calls,
)
from pellucid.graph.parts import Parts
from pellucid.graph.recording import Recording
from pellucid.graph.sealing import sealed
from pellucid.graph.structure import Graph
from pellucid.graph.timing import Stopwatch
from pellucid.graph.valueless import Valueless

_LOCK = threading.RLock()
_SMALL = 1_000_000_000  # FLOPs: what a processor does in some tens of milliseconds
_LIGHT = 1 << 28  # bytes of parameters
_DEEPER = 4  # calls of Python for one, of a module that is watched
_WARM = 3  # forwards after the first, of a small model


def trace(model: nn.Module, *args: Any, **kwargs: Any) -> Graph:
    """The model's graph, from one forward on an example.

        graph = pellucid.graph(model, torch.zeros(1, 3, 224, 224))
        [layer.name for layer in graph.layers]

    The model runs in evaluation mode and without gradients, and is left as it was. It runs without values first: shapes and
    types go through it and nothing that depends on its parameters or on real-valued inputs is computed, so that a
    model of any size can be traced, also one whose parameters are on the meta device. Whole numbers and truth values that
    go in keep their values, and so do constants that it makes on the way. Where the forward needs a value that nobody has
    computed (`item()`, a boolean index, NumPy, an operator without a kernel for shapes), it runs once more, on the very
    inputs that were given; `Graph.backend` says how it was traced and `Graph.backend_reason` why it had to be run.

    Args:
        model: any module; wrappers of torch.compile and DataParallel are looked through.
        *args: what its forward takes, with a batch axis; tensors are brought to the model's device.
        **kwargs: the same by name.

    Returns: the graph; where the forward raised, what there was until then, the reason in `error` and at its node.
    Raises: ModelError: it is no module, or a parameter has no shape yet (a lazy module that was never called).
    """
    return _traced(model, args, kwargs)[0]


def trace_timed(model: nn.Module, *args: Any, **kwargs: Any) -> Graph:
    """The same graph, with the measured time of every call in `Node.seconds`.

    It costs `timed_forwards` forwards with values more, with module and function calls watched and no operators: one of
    a large model; of a small one four, of which the first, which takes several times as long as later ones, is left
    out: each call has the least of the other three, for all that disturbs it makes it longer. Where more threads run than
    the machine has processors all of them are disturbed. Where the parameters have no values, or the forward raises,
    nothing is measured.
    """
    graph, writes = _traced(model, args, kwargs)
    if graph.error is not None or graph.backend == "meta":
        return graph
    model = _unwrapped(model)
    runs = []
    for _ in range(timed_forwards(graph)):
        seconds = _seconds(model, args, kwargs, writes=writes)
        if seconds is None:
            return graph  # it ran without values and does not with them: the first real forward will say why
        runs.append(seconds)
    measured = [[one[node.name] for one in runs[1:] or runs if node.name in one] for node in graph.nodes]
    nodes = tuple(
        msgspec.structs.replace(node, seconds=min(times, default=None))
        for node, times in zip(graph.nodes, measured, strict=True)
    )
    return replace(graph, nodes=nodes)


def timed_forwards(graph: Graph) -> int:
    """How many forwards `trace_timed` runs to measure this graph's calls."""
    return 1 if (graph.flops or 0) > _SMALL else 1 + _WARM


def _seconds(model: nn.Module, args: Any, kwargs: Any, *, writes: bool) -> dict[str, float] | None:
    """How long each call takes in one forward, by name; None where it raises."""
    device = _device(model)
    watch = Stopwatch(model, device)
    arguments, named = _copied((args, kwargs), device)
    with _LOCK, untouched(model):
        guard = ParameterGuard(model)
        try:
            with (
                _deeper(),
                module_calls(watch.called),
                differentiable_functions(watch.differentiable),
                uncompiled(),
                torch.no_grad(),
                Operators(guard.before, lambda *ignored: None) if writes else contextlib.nullcontext(),
                Functions(watch.function),
            ):
                model(*arguments, **named)
        except Exception:
            return None
        finally:
            guard.restore()
    return watch.seconds


def _traced(model: nn.Module, args: Any, kwargs: Any) -> tuple[Graph, bool]:
    """The graph, and whether the forward writes to parameters."""
    if not isinstance(model, nn.Module):
        raise ModelError(
            f"graph traces an nn.Module; got {described(model)}. Give the model itself, ready to be called."
        )
    model = _unwrapped(model)
    parts = Parts(model)
    parameters = list(parts.parameters.values())
    kinds = set(map(type, parameters))
    if any(issubclass(kind, nn.parameter.UninitializedParameter) for kind in kinds):
        raise ModelError(
            f"{type(model).__name__} has lazy parameters without a shape: tracing would give them one. Call the model "
            "once on an example first."
        )
    device = _device(model)
    meta = device.type == "meta" or any(parameter.is_meta for parameter in parameters)
    with _LOCK:
        before = alive()
        first = _by_shapes(parts, device, meta, args, kwargs)
        take_back(before)
        if not isinstance(first, _Stopped):
            return first
        with _unhurried() if _is_light(parameters) else contextlib.nullcontext():
            return _with_values(parts, device, args, kwargs, first)


def _with_values(parts: Parts, device: torch.device, args: Any, kwargs: Any, first: _Stopped) -> tuple[Graph, bool]:
    """The same from a run with values, after a first without."""
    run = _run(parts, None, device, args, kwargs)
    if needs_gradients(run.raised):
        run = _run(parts, None, device, args, kwargs, gradients=True)
    if run.raised is None:
        return sealed(run.seen, "real", None, first.reason, None), run.writes
    error, _, raised = _told(run, run.raised)
    return sealed(run.seen, "real", error, first.reason if first.asked else "", raised), run.writes


def _is_light(parameters: list[nn.Parameter]) -> bool:
    """Whether what a forward makes takes little memory, also if some of it is only freed as garbage."""
    return sum([parameter.nbytes for parameter in parameters]) <= _LIGHT


@contextlib.contextmanager
def _threads_in_silence() -> Iterator[None]:
    """Threads that ask for values, of which there are none inside, say nothing: what they do is run once more."""
    before = threading.excepthook

    def told(raised: threading.ExceptHookArgs) -> None:
        if raised.exc_type is not ValuesNeededError:
            before(raised)

    threading.excepthook = told
    try:
        yield
    finally:
        threading.excepthook = before


@contextlib.contextmanager
def _unhurried() -> Iterator[None]:
    """No garbage collection inside, which looks at all that the process holds."""
    collecting = gc.isenabled()
    if collecting:
        gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@_unhurried()
@_threads_in_silence()
def _by_shapes(parts: Parts, device: torch.device, meta: bool, args: Any, kwargs: Any) -> tuple[Graph, bool] | _Stopped:
    """The same without values, of which no garbage takes memory; why not where it needs some and there are some."""
    run = _run(parts, Valueless(parts, device), device, args, kwargs)
    if run.raised is None:
        return sealed(run.seen, "meta" if meta else "fake", None, "", None), run.writes
    return (
        (sealed(run.seen, "meta", *_told(run, run.raised)), run.writes) if meta else _Stopped(_reason(run), _asked(run))
    )


class _Stopped(NamedTuple):
    """A run without values that did not reach the end: why, and whether it asked for a value."""

    reason: str
    asked: bool


class _Run(NamedTuple):
    """One forward: what was seen of it, what it raised, whether it writes to parameters."""

    seen: Recording
    raised: BaseException | None
    writes: bool


def _run(
    parts: Parts, valueless: Valueless | None, device: torch.device, args: Any, kwargs: Any, *, gradients: bool = False
) -> _Run:
    seen = Recording(parts, _run.__code__, valueless)
    raised: BaseException | None = None
    model = parts.model
    with untouched(model, modules=parts.modules):
        guard = ParameterGuard(model, parts.parameters.values())

        def before(operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            guard.before(operator, args, kwargs)
            seen.before(operator, args, kwargs)

        try:
            with counted_tensors(), _deeper():
                if valueless is None:
                    arguments, named = _copied((args, kwargs), device)
                else:
                    arguments, named = mapped((args, kwargs), valueless.fake)
                    valueless.put_on_device()
                with (
                    torch.set_grad_enabled(gradients),
                    module_calls(seen.called, seen.elsewhere),
                    differentiable_functions(seen.differentiable),
                    uncompiled(),
                    Operators(before, seen.operated, None if valueless is None else valueless.run),
                    Functions(seen.function),
                ):
                    seen.begin(arguments, named)
                    output = model(*arguments, **named)
                    _check_ran(output)
                    seen.end(output)
        except (Exception, ValuesNeededError) as error:
            raised = error.with_traceback(None)
        finally:
            seen.is_over()
            writes = guard.restore()
    return _Run(seen, raised, writes or (valueless is not None and valueless.writes))


@contextlib.contextmanager
def _deeper() -> Iterator[None]:
    """Inside, as many modules may lie in one another as without a trace, which adds calls of its own to each."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(_DEEPER * before)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _check_ran(output: Any) -> None:
    """Raises: ModelError: the forward gives what is still to be run."""
    if isinstance(output, Generator | Coroutine):
        kind = "a generator" if isinstance(output, Generator) else "a coroutine (async)"
        output.close()
        raise ModelError(
            f"The forward is {kind}: calling it runs nothing of it. Give a module whose forward returns what it would give."
        )


def _copied(tree: Any, device: torch.device) -> Any:
    """Inputs on the model's device; copies, for the forward may write to them."""
    return mapped(tree, lambda tensor: tensor.detach().clone().to(device))


def _device(model: nn.Module) -> torch.device:
    anchor = next(itertools.chain(model.parameters(), model.buffers()), None)
    return torch.device("cpu") if anchor is None else anchor.device


def _asked(run: _Run) -> bool:
    return isinstance(run.raised, ValuesNeededError)


def _reason(run: _Run) -> str:
    """Why a forward could not run without values, in a sentence."""
    if run.seen.apart:
        return "What another thread calls needs values."
    if _asked(run):
        return f"{run.seen.question or run.raised} needs values."
    where = f" in {run.seen.failed.name}" if run.seen.failed is not None else ""
    text = " ".join(str(run.raised).split())
    return f"Without values it raised {type(run.raised).__name__}{where}: {text[:200]}"


def _told(run: _Run, raised: BaseException) -> tuple[str, str, str]:
    """What a forward raised: for the graph, why it is not complete, and for the node that was running."""
    where = f" (in {run.seen.failed.name})" if run.seen.failed is not None and run.seen.failed.name else ""
    if _asked(run):
        text = (
            f"The forward needs values ({run.seen.question or run.raised}), and the model's parameters are on the meta "
            "device, which has none. Give the model values and trace it again: build it without torch.device('meta'), or "
            "call to_empty(device='cpu') on it and load its weights."
        )
        return text + where, "", text
    text = in_words(raised)
    more = expectations(run.seen, raised)
    return text + where + (f". {more}" if more else ""), "", text


def _unwrapped(model: nn.Module) -> nn.Module:
    while True:
        inner: object = getattr(model, "_orig_mod", None)
        if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            inner = model.module
        if not isinstance(inner, nn.Module):
            return model
        model = inner

"""How many of the oddities each tracer gets through: ours by its facts, the others by not raising within the time."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

import torch
import torchview

from bench.coverage.cases import Case
from bench.coverage.checking import shortcomings
from bench.coverage.measuring import bare
from bench.coverage.oddities import ODDITIES
from pellucid.graph import trace

SECONDS = 30.0
WORKERS = 2
# What the tries need, imported once and inherited.
PRELOADED = ["bench.tracers", "torchvision", "torchinfo", "torch._dynamo", "torch.export._trace"]


def ours(case: Case) -> bool:
    return not shortcomings(case, trace(case.model, *case.args, **case.kwargs), bare(case))


def with_torchview(case: Case) -> bool:
    """Drawn, and every output that it shows is joined to some tensor that was there before."""
    drawn = torchview.draw_graph(
        case.model, input_data=case.kwargs or list(case.args), expand_nested=True, depth=100, device=_device(case)
    )
    before: dict[int, list[object]] = {}
    ends = {id(end): end for edge in drawn.edge_list for end in edge}
    for source, target in drawn.edge_list:
        before.setdefault(id(target), []).append(source)
    outputs = [end for end in ends.values() if end.name == "output-tensor" and end.depth == 0]
    return bool(outputs) and all(_from_input(output, before) for output in outputs)


def with_fx(case: Case) -> bool:
    torch.fx.symbolic_trace(case.model)
    return True


def with_export(case: Case) -> bool:
    torch.export.export(case.model, case.args, case.kwargs)
    return True


def with_jit(case: Case) -> bool:
    torch.jit.trace(case.model, case.args or None, example_kwarg_inputs=case.kwargs or None, check_trace=False)
    return True


TRACERS: dict[str, Callable[[Case], bool]] = {
    "pellucid": ours,
    "torchview": with_torchview,
    "torch.fx": with_fx,
    "torch.export": with_export,
    "torch.jit.trace": with_jit,
}


def through() -> dict[str, int]:
    """Oddities that each tracer gets through, each try in a process of its own."""
    with ThreadPoolExecutor(WORKERS) as pool:
        return {tracer: sum(pool.map(lambda name, by=tracer: _in_a_process(by, name), ODDITIES)) for tracer in TRACERS}


def _in_a_process(tracer: str, name: str) -> bool:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_try, args=(sending, tracer, name), daemon=True)
    process.start()
    sending.close()
    try:
        return bool(receiving.poll(SECONDS) and receiving.recv())
    except EOFError:  # it took its process with it
        return False
    finally:
        process.kill()
        process.join()


def _try(sending: Connection, tracer: str, name: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    warnings.simplefilter("ignore")
    case = ODDITIES[name]()
    case.model.eval()
    done = False
    with contextlib.suppress(Exception), contextlib.redirect_stderr(io.StringIO()):
        done = TRACERS[tracer](case)
    sending.send(done)


def _device(case: Case) -> str:
    return next((str(tensor.device) for tensor in case.model.parameters()), "cpu")


def _from_input(node: object, before: dict[int, list[object]]) -> bool:
    seen, waiting = {id(node)}, [node]
    while waiting:
        now = waiting.pop()
        if getattr(now, "name", "") in ("input-tensor", "auxiliary-tensor") and id(now) not in before:
            return True
        for source in before.get(id(now), []):
            if id(source) not in seen:
                seen.add(id(source))
                waiting.append(source)
    return False


if __name__ == "__main__":
    print(through())

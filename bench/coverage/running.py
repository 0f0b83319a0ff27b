"""Runs entries in processes of their own, two at a time, each with a limit on time and memory."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

from bench.coverage.lists import LISTS
from bench.coverage.measuring import Result, measured

WORKERS = 2
# Of its own CPU time, so that other work on the machine does no harm; the other limit only ends what waits for ever.
CPU_SECONDS = 240
SECONDS = 1800.0
POLL = 5.0
# What every process needs, imported once and inherited.
PRELOADED = ["bench.coverage.measuring", "torchvision", "timm", "transformers"]


def run(entries: list[tuple[str, str]], said: Callable[[Result], None], timed: bool) -> list[Result]:
    """Measures entries (list and name), in their order; each is told of when it is done."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)

    def one(entry: tuple[str, str]) -> Result:
        result = _in_a_process(context, *entry, timed)
        said(result)
        return result

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(one, entries))


def _in_a_process(context: multiprocessing.context.ForkServerContext, listed: str, name: str, timed: bool) -> Result:
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(sending, listed, name, timed), daemon=True)
    process.start()
    sending.close()
    try:
        begun = time.monotonic()
        while not receiving.poll(POLL):
            # A limit that the system keeps would coarsen the clock that the entry is timed with.
            if _cpu_seconds(process.pid) > CPU_SECONDS or time.monotonic() - begun > SECONDS:
                process.kill()
                return Result(listed, name, [f"not done after {CPU_SECONDS} s of CPU time"])
        return receiving.recv()
    except EOFError:
        process.join()
        return Result(listed, name, [f"its process died with exit code {process.exitcode}"])
    finally:
        process.join()


def _cpu_seconds(pid: int | None) -> float:
    """CPU time of a process so far; 0 where the system does not tell it in files."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _work(sending: Connection, listed: str, name: str, timed: bool) -> None:
    sending.send(measured(listed, name, LISTS[listed]()[name], timed))
    sending.close()

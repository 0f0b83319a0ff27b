"""Answers that need the model: computed one at a time in a thread of their own, and kept for the next click."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from pellucid.errors import ModelError

NO_MODEL = "The model is not at hand; open the record with --model and --data to compute any example."

_KEPT_BYTES = 256 << 20
_LOOKS_EVERY = 0.1  # seconds between looks at whether the client is still there
_TOLD_EVERY = 0.25  # seconds between two partial answers: more of them would cost more than they show

Tell: TypeAlias = Callable[[Callable[[], bytes]], bool]
Gone: TypeAlias = Callable[[], Awaitable[bool]]


class LiveModel(Protocol):
    """A model at hand."""

    @property
    def reason(self) -> str:
        """Why it cannot answer; empty where it can."""

    def prepare(self) -> None:
        """Does what the first question would have to wait for; what is wrong, that question says."""

    def focus(self, row: int, explained: int | None) -> bytes:
        """A focus file of the example in a row, computed now; `explained` None explains the prediction.

        Raises: PellucidError: the example or the output does not exist, or the model refuses.
        """

    def inquiry(self, name: str, given: Mapping[str, Sequence[str]]) -> tuple[Hashable, Callable[[Tell], bytes]]:
        """A question by its name and parameters, equal for equal ones, and what answers it with a file.

        What answers is given a function that takes partial answers and says whether anybody still waits.

        Raises: PellucidError: there is no such question, or a parameter is wrong.
        """


@dataclass(frozen=True)
class Said:
    """One file of an answer; all but the last are partial."""

    content: bytes
    final: bool


@dataclass(eq=False)
class _Job:
    """One question under way, and how many wait for it."""

    waiting: int = 0
    partial: bytes = b""
    number: int = 0  # of partial answers so far
    stopped: threading.Event = field(default_factory=threading.Event)
    noticed: bool = False  # whether the model was told that nobody waits, so that its answer is cut short
    told: float = 0.0
    answer: Future[bytes] = field(default_factory=Future)

    def tell(self, partial: Callable[[], bytes]) -> bool:
        """Takes a partial answer, now and then; False where nobody waits."""
        if self.stopped.is_set():
            self.noticed = True
            return False
        now = time.monotonic()
        if now - self.told >= _TOLD_EVERY:
            self.partial = partial()
            self.number += 1
            self.told = now
        return True


class Desk:
    """Takes requests for live answers, from many clients at once, to a model that does one thing at a time."""

    def __init__(self, model: LiveModel | None, *, kept_bytes: int = _KEPT_BYTES) -> None:
        self._model = model
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pellucid-live")
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._kept_bytes = kept_bytes
        self._jobs: dict[Hashable, _Job] = {}  # of the event loop's thread alone
        self._prepared = False

    @property
    def reason(self) -> str:
        """Why there are no live answers; empty where there are."""
        return NO_MODEL if self._model is None else self._model.reason

    def prepare(self) -> None:
        """Gets the model ready in its thread, once: a page is open that will ask it."""
        if not self._prepared and self._model is not None and not self._model.reason:
            self._prepared = True
            self._thread.submit(self._model.prepare)

    async def focus(self, row: int, explained: int | None, gone: Gone) -> bytes | None:
        """A live focus file, or None where the client left before its turn came.

        Args:
            row: of the examples table.
            explained: the output whose score is explained; None for the prediction.
            gone: whether the client left.

        Raises: PellucidError: as `LiveModel.focus`; ModelError: there is no model at hand.
        """
        model = self._at_hand()
        found = [
            said.content async for said in self._said((row, explained), lambda _: model.focus(row, explained), gone)
        ]
        return found[-1] if found else None

    def ask(self, name: str, given: Mapping[str, Sequence[str]], gone: Gone) -> AsyncIterator[Said]:
        """Partial answers and then the whole one; it ends without that where the client left.

        Clients that ask the same at the same time are answered together; the model stops where all of them left.

        Args:
            name: of the question.
            given: its parameters, every value of each.
            gone: whether the client left.

        Raises: PellucidError: as `LiveModel.inquiry` and its answer; ModelError: there is no model at hand.
        """
        return self._said(*self._at_hand().inquiry(name, given), gone)

    def close(self) -> None:
        """Lets waiting requests go, stops what is under way, and lets the thread end."""
        for job in self._jobs.values():
            job.stopped.set()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _at_hand(self) -> LiveModel:
        if self._model is None or self._model.reason:
            raise ModelError(self.reason)
        return self._model

    async def _said(self, key: Hashable, compute: Callable[[Tell], bytes], gone: Gone) -> AsyncIterator[Said]:
        job = self._joined(key, compute)
        answer = asyncio.wrap_future(job.answer)
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())  # also where nobody asks for it
        seen = 0
        try:
            while not answer.done():
                await asyncio.wait([answer], timeout=_LOOKS_EVERY)
                if not answer.done() and await gone():
                    return
                if not answer.done() and job.number > seen:
                    seen = job.number
                    yield Said(job.partial, final=False)
            yield Said(answer.result(), final=True)
        finally:
            self._left(key, job)

    def _joined(self, key: Hashable, compute: Callable[[Tell], bytes]) -> _Job:
        """The job of this question: one under way that somebody still waits for, or a new one."""
        job = self._jobs.get(key)
        if job is None or job.stopped.is_set() or job.answer.done():
            job = _Job()
            job.answer = self._thread.submit(self._computed, key, compute, job)
            self._jobs[key] = job
        job.waiting += 1
        return job

    def _left(self, key: Hashable, job: _Job) -> None:
        job.waiting -= 1
        if job.waiting == 0:
            # Leaves the queue at once where it has not begun; one that is under way hears of it the next time it tells.
            job.stopped.set()
            job.answer.cancel()
            if self._jobs.get(key) is job:
                del self._jobs[key]

    def _computed(self, key: Hashable, compute: Callable[[Tell], bytes], job: _Job) -> bytes:
        # Only the one thread comes here, so neither the model nor what is kept needs a lock.
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        content = compute(job.tell)
        if job.noticed:
            return content  # cut short: whoever asks next gets the whole
        self._kept[key] = content
        while sum(map(len, self._kept.values())) > self._kept_bytes and len(self._kept) > 1:
            self._kept.popitem(last=False)
        return content

"""Answers that need the model: computed one at a time in a thread of their own, and kept for the next click."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeAlias

from pellucid.errors import ModelError

NO_MODEL = "The model is not at hand; open the record with --model and --data to compute any example."

_KEPT_BYTES = 256 << 20
_LOOKS_EVERY = 0.1  # seconds between looks at whether the client is still there

_Key: TypeAlias = tuple[int, int | None]


class LiveModel(Protocol):
    """A model at hand."""

    @property
    def reason(self) -> str:
        """Why it cannot answer; empty where it can."""

    def focus(self, row: int, explained: int | None) -> bytes:
        """A focus file of the example in a row, computed now; `explained` None explains the prediction.

        Raises: PellucidError: the example or the output does not exist, or the model refuses.
        """


class Desk:
    """Takes requests for live answers, from many clients at once, to a model that does one thing at a time."""

    def __init__(self, model: LiveModel | None, *, kept_bytes: int = _KEPT_BYTES) -> None:
        self._model = model
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pellucid-live")
        self._kept: OrderedDict[_Key, bytes] = OrderedDict()
        self._kept_bytes = kept_bytes

    @property
    def reason(self) -> str:
        """Why there are no live answers; empty where there are."""
        return NO_MODEL if self._model is None else self._model.reason

    async def focus(self, row: int, explained: int | None, gone: Callable[[], Awaitable[bool]]) -> bytes | None:
        """A live focus file, or None where the client left before its turn came.

        Args:
            row: of the examples table.
            explained: the output whose score is explained; None for the prediction.
            gone: whether the client left.

        Raises: PellucidError: as `LiveModel.focus`; ModelError: there is no model at hand.
        """
        if self._model is None or self._model.reason:
            raise ModelError(self.reason)
        asked = self._thread.submit(self._computed, self._model, (row, explained))
        answer = asyncio.wrap_future(asked)
        while not answer.done():
            await asyncio.wait([answer], timeout=_LOOKS_EVERY)
            if not answer.done() and await gone():
                # Leaves the queue at once, which cancelling `answer` would do a turn of the loop later; one that is
                # under way ends by itself and is kept.
                asked.cancel()
                return None
        return answer.result()

    def close(self) -> None:
        """Lets waiting requests go and the thread end."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _computed(self, model: LiveModel, key: _Key) -> bytes:
        # Only the one thread comes here, so neither the model nor what is kept needs a lock.
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        content = model.focus(*key)
        self._kept[key] = content
        while sum(map(len, self._kept.values())) > self._kept_bytes and len(self._kept) > 1:
            self._kept.popitem(last=False)
        return content

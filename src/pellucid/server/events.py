"""Server-sent events: what changed in a record that may still be written, only what is new."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.concurrency import run_in_threadpool

from pellucid.errors import RecordError
from pellucid.server.shelf import Shelf

LOOKS_EVERY = 0.5  # seconds
HEARTBEAT = 15.0  # seconds; proxies and browsers drop connections that stay silent for long


async def changes(
    shelf: Shelf, cursor: int, gone: Callable[[], Awaitable[bool]], closing: threading.Event
) -> AsyncIterator[bytes]:
    """The stream of events until the client leaves or the server closes.

    Args:
        shelf: the record.
        cursor: training parts below it are known to the client.
        gone: whether the client left.
        closing: set when the server closes.
    """
    # A page that has just read the manifest need not be told of it, only of what came since.
    known = shelf.shown
    spoke = time.monotonic()
    yield b"retry: 2000\n\n"
    while not (closing.is_set() or await gone()):
        try:
            stamp, parts = await run_in_threadpool(lambda: (shelf.stamp(), shelf.training_parts()))
        except RecordError:
            return  # removed or altered; the client's next request is told so
        if parts != cursor:
            cursor = parts  # fewer than before: a new run took the place of the old one
            yield event("training", {"cursor": cursor})
            spoke = time.monotonic()
        if stamp != known:
            known = stamp
            yield event("manifest", {})
            spoke = time.monotonic()
        if time.monotonic() - spoke >= HEARTBEAT:
            yield b": still here\n\n"
            spoke = time.monotonic()
        await asyncio.sleep(LOOKS_EVERY)


def event(name: str, value: object) -> bytes:
    """One event in the wire format."""
    return f"event: {name}\ndata: {json.dumps(value)}\n\n".encode()

"""Several files in one answer: partial results while a question is under way, then the whole, or an error."""

from __future__ import annotations

import logging
import struct
from collections.abc import AsyncIterator

from pellucid.errors import PellucidError
from pellucid.server.answers import error_body
from pellucid.server.live import Said

FRAMES = "application/vnd.pellucid.frames"

_PARTIAL, _FINAL, _ERROR = b"p", b"a", b"e"

_logger = logging.getLogger("pellucid.server")


def frame(kind: bytes, content: bytes) -> bytes:
    """One letter ("p" partial, "a" answer, "e" an `ErrorAnswer`), the length as uint32 little-endian, the content."""
    return kind + struct.pack("<I", len(content)) + content


async def framed(first: Said, following: AsyncIterator[Said]) -> AsyncIterator[bytes]:
    """The stream of an answer whose first file is there; what fails later ends it with an error."""
    yield _frame_of(first)
    try:
        async for said in following:
            yield _frame_of(said)
    except PellucidError as error:
        yield frame(_ERROR, error_body(type(error).__name__, str(error)))
    except Exception as error:
        # The answer has begun, so the guard can no longer say it; the owner's terminal gets the traceback.
        _logger.exception("a live answer failed")
        told = f"The server failed on this request ({type(error).__name__}); its terminal says where."
        yield frame(_ERROR, error_body("InternalError", told))


def _frame_of(said: Said) -> bytes:
    return frame(_FINAL if said.final else _PARTIAL, said.content)

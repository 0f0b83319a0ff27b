"""Answers over HTTP: JSON, files with an ETag, errors in one shape, all compressed where that helps."""

from __future__ import annotations

import gzip
import hashlib

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pellucid import errors
from pellucid.record.schema import ErrorAnswer

JSON = "application/json"
ARROW = "application/vnd.apache.arrow.stream"
BYTES = "application/octet-stream"

# What finished files may do in the browser's cache: be kept, but asked for each time (the answer is then empty).
REVALIDATED = "private, no-cache"
IMMUTABLE = "private, max-age=31536000, immutable"
UNKEPT = "no-store"

_COMPRESSED_FROM = 1024  # bytes; less fits in one packet anyway
_LEVEL = 1  # on loopback time counts more than size

# The first that fits, from the special to the general.
_STATUSES: tuple[tuple[type[errors.PellucidError], int], ...] = (
    (errors.SchemaError, 500),
    (errors.DamagedError, 500),
    (errors.StorageError, 500),
    (errors.RecordError, 404),
    (errors.MissingExtraError, 422),
    (errors.OptionError, 400),
    (errors.TargetError, 400),
    (errors.MethodError, 422),
    (errors.ModelError, 422),
)

_WORDS = {404: "There is nothing at this address.", 405: "This server answers GET and HEAD only."}


def json_answer(request: Request, value: object, *, status: int = 200, sha256: str | None = None) -> Response:
    """A value as JSON; with the SHA-256 of the file that it comes from, it gets an ETag."""
    return answer(request, msgspec.json.encode(value), JSON, status=status, sha256=sha256)


def answer(
    request: Request,
    content: bytes,
    media_type: str,
    *,
    status: int = 200,
    sha256: str | None = None,
    cache: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Bytes as an answer; 304 without them where the client holds the same ones already.

    Args:
        request: whose headers say what the client holds and takes.
        content: the whole answer.
        media_type: its type; pictures are not compressed again.
        status: of the answer.
        sha256: of the finished file that it was made from; makes the ETag.
        cache: the Cache-Control header; by default "no-store", or "no-cache" where there is an ETag.
        headers: more of them.
    """
    said = {"Cache-Control": cache or (REVALIDATED if sha256 else UNKEPT), "Vary": "Accept-Encoding", **(headers or {})}
    if sha256:
        said["ETag"] = f'W/"{sha256}"'  # weak: the compressed and the plain answer share it
        if holds(request, sha256):
            return Response(status_code=304, headers=said)
    if len(content) >= _COMPRESSED_FROM and not media_type.startswith("image/") and takes_gzip(request):
        content = gzip.compress(content, _LEVEL, mtime=0)
        said["Content-Encoding"] = "gzip"
    return Response(content, status_code=status, media_type=media_type, headers=said)


def holds(request: Request, sha256: str) -> bool:
    """Whether the client says that it holds the file of this SHA-256."""
    held = request.headers.get("if-none-match", "")
    return sha256 in {tag.strip().removeprefix("W/").strip('"') for tag in held.split(",")}


def takes_gzip(request: Request) -> bool:
    """Whether the client takes gzip."""
    codings = (coding.split(";") for coding in request.headers.get("accept-encoding", "").lower().split(","))
    return any(name.strip() == "gzip" and "q=0" not in [part.strip() for part in rest] for name, *rest in codings)


def sha256_of(*parts: str | bytes) -> str:
    """One SHA-256 for an answer that is made of several files."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
        digest.update(b"\0")
    return digest.hexdigest()


def error_body(kind: str, message: str) -> bytes:
    """Every error over HTTP, as JSON."""
    return msgspec.json.encode(ErrorAnswer(kind=kind, message=message))


def refuse(request: Request, error: Exception) -> Response:
    """What pellucid refuses, as an answer: the error's own words."""
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    return Response(error_body(type(error).__name__, str(error)), status, media_type=JSON)


def refuse_http(request: Request, error: Exception) -> Response:
    """What the router refuses: no such address, no such method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    return Response(error_body("NotFound" if status == 404 else "Refused", _WORDS.get(status, "Refused.")), status,
                    media_type=JSON)  # fmt: skip


def whole_number(text: str | None, name: str, default: int | None) -> int | None:
    """A parameter of an address as a number >= 0; the default where it is absent. Raises: OptionError: it is none."""
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise errors.OptionError(f"The parameter '{name}' must be a whole number >= 0; got {text[:40]!r}.")
    return int(text)

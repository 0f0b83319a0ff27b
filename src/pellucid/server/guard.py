"""The gate of the server: denies by default, so that a route that someone adds is guarded without a thought.

In this order, for every request: the Host must be one of ours (a rebound DNS name is not), the method must be one that
reads, the request must come from our own page or from a person, and it must carry the token. Every answer, also a
refusal and a failure, gets the headers that keep the page from running or leaking what it should not.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pellucid.server.answers import JSON, UNKEPT, error_body

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

METHODS = ("GET", "HEAD")

# A page without script: where another site's link led here, only a step of our own lets the strict cookie travel.
_ONWARD = b'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/"><title>pellucid</title>'

_logger = logging.getLogger("pellucid.server")


@dataclass(eq=False)
class _Refusal(Exception):  # noqa: N818 - a decision, not a failure
    status: int
    kind: str
    message: str
    headers: dict[str, str] = field(default_factory=dict)


class Guard:
    """ASGI middleware that lets through what is proved to come from the owner, or from someone whom the owner invited.

    Whose token came along stands in the scope under "holder".

    Args:
        app: what it guards.
        tokens: by token, whose it is.
        allowed_hosts: values of the Host header that are ours, with the port: "127.0.0.1:8765".
        writes: addresses that take a POST, of JSON from our own page alone.
    """

    def __init__(
        self, app: ASGIApp, tokens: Mapping[str, str], allowed_hosts: Collection[str], writes: Collection[str] = ()
    ) -> None:
        self._app = app
        self._tokens = {token.encode(): holder for token, holder in tokens.items()}
        self._hosts = frozenset(host.lower() for host in allowed_hosts)
        self._writes = frozenset(writes)
        self._cookie = cookie_name(allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request that is refused; hands on one that is not."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008, "reason": "no such route"})
            return
        begun = False

        async def guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", UNKEPT)
            await send(message)

        try:
            response = self._entry(scope)
        except _Refusal as refusal:
            response = _error(refusal.status, refusal.kind, refusal.message, refusal.headers)
        if response is not None:
            await response(scope, receive, guarded)
            return
        try:
            await self._app(scope, receive, guarded)
        except Exception as error:
            # The last boundary: the owner's terminal gets the traceback, the client none of it.
            _logger.exception("%s %s failed", scope["method"], scope["path"])
            if begun:
                raise
            said = f"The server failed on this request ({type(error).__name__}); its terminal says where."
            await _error(500, "InternalError", said)(scope, receive, guarded)

    # --- the checks -------------------------------------------------------------------------------------------

    def _entry(self, scope: Scope) -> Response | None:
        """None lets the request through; a response ends it here. Raises: _Refusal."""
        headers = Headers(scope=scope)
        host = self._check_host(headers)
        if scope["method"] not in METHODS and not (scope["method"] == "POST" and scope["path"] in self._writes):
            raise _Refusal(405, "MethodRefused", "This server only shows: it answers GET and HEAD.",
                           {"Allow": ", ".join(METHODS)})  # fmt: skip
        if scope["method"] not in METHODS:
            self._check_write(headers, host)
        navigates = self._check_source(scope, headers, host)
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("token") if scope["path"] == "/" else None
        if asked is not None:
            if self._holder(asked[-1]) is None:
                raise _wrong_token()
            return self._admitted(asked[-1], stepping_stone=navigates)
        holders = [holder for carried in self._carried(headers) if (holder := self._holder(carried)) is not None]
        if not holders:
            raise _wrong_token()
        scope["holder"] = holders[0]
        return None

    def _check_host(self, headers: Headers) -> str:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            raise _Refusal(
                403,
                "HostRefused",
                f"This server answers as {' or '.join(sorted(self._hosts))}, not as {', '.join(hosts)[:80]!r}. Through "
                "a tunnel, use the same port on both ends; under another name, start it with --host NAME.",
            )
        return hosts[0].lower()

    def _check_write(self, headers: Headers, host: str) -> None:
        """What writes says where it comes from, and is of a kind that no form of another page can send."""
        if headers.getlist("origin") != [f"http://{host}"]:
            raise _Refusal(403, "OriginRefused", "This server takes answers from its own page only.")
        if headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
            raise _Refusal(415, "TypeRefused", f"This server takes {JSON} only.")

    def _check_source(self, scope: Scope, headers: Headers, host: str) -> bool:
        """Whether a link elsewhere led here; refuses any other request that another site's page makes."""
        origins = headers.getlist("origin")
        if origins and origins != [f"http://{host}"]:
            raise _Refusal(403, "OriginRefused", "This server answers its own pages only; another site's page asked.")
        sites = headers.getlist("sec-fetch-site")
        if not sites or set(sites) <= {"same-origin", "none"}:
            return False
        if scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate" and (
            headers.get("sec-fetch-dest") == "document"
        ):  # fmt: skip
            return True
        raise _Refusal(403, "SiteRefused", "This server answers its own pages only; another site's page asked.")

    def _carried(self, headers: Headers) -> list[str]:
        """Every token that the request carries."""
        found = []
        for line in headers.getlist("cookie"):
            found += [value for name, value in cookie_parser(line).items() if name == self._cookie]
        for line in headers.getlist("authorization"):
            scheme, _, value = line.partition(" ")
            if scheme.lower() == "bearer":
                found.append(value.strip())
        return found

    def _holder(self, candidate: str) -> str | None:
        """Whose token this is; every token is compared, so that the time taken tells nothing."""
        said, found = candidate.encode("utf-8", "surrogateescape"), None
        for token, holder in self._tokens.items():
            found = holder if secrets.compare_digest(said, token) else found
        return found

    def _admitted(self, token: str, *, stepping_stone: bool) -> Response:
        """Sets the cookie and leads on to the page, so that the token leaves the address bar."""
        response = (
            Response(_ONWARD, media_type="text/html")
            if stepping_stone
            else Response(status_code=303, headers={"Location": "/"})
        )
        response.set_cookie(self._cookie, token, httponly=True, samesite="strict", path="/")
        return response


def cookie_name(allowed_hosts: Collection[str]) -> str:
    """Name of the cookie: with the port, for browsers share cookies between the ports of a host."""
    ports = sorted({host.rpartition(":")[2] for host in allowed_hosts})
    return f"pellucid_{ports[0] if len(ports) == 1 and ports[0].isdigit() else 'token'}"


def _wrong_token() -> _Refusal:
    return _Refusal(
        401,
        "TokenNeeded",
        "This address needs the token: open the whole address that pellucid printed, with ?token=... at its end.",
        {"WWW-Authenticate": "Bearer"},
    )


def _error(status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> Response:
    return Response(error_body(kind, message), status, headers, media_type=JSON)

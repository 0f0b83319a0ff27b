"""Requests to an application without a socket, as its owner unless told otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import unquote

import httpx
from starlette.applications import Starlette
from starlette.types import Message

TOKEN = "the-token-of-the-tests-0123"  # noqa: S105 - of the tests
HOST = "127.0.0.1:8765"

Ask = Callable[..., httpx.Response]


def asker(app: Starlette) -> Ask:
    """Sends one request to the application and waits for the answer."""

    def ask(
        path: str, method: str = "GET", *, token: str | None = TOKEN, host: str = HOST, **headers: str
    ) -> httpx.Response:
        said = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if token is not None:
            said["authorization"] = f"Bearer {token}"

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as client:
                return await client.request(method, path, headers=said)

        return asyncio.run(send())

    return ask


def ask_raw(app: Starlette, address: str, token: str = TOKEN) -> tuple[int, bytes]:
    """Status and body for an address that reaches the application as it is: httpx would tidy up its dots."""
    received: list[Message] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(address),
        "raw_path": address.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", HOST.encode()), (b"authorization", f"Bearer {token}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8765),
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        received.append(message)

    asyncio.run(app(scope, receive, send))
    return received[0]["status"], b"".join(message.get("body", b"") for message in received[1:])

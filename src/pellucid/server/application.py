"""The ASGI application over a record: routes behind the guard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from pellucid.errors import OptionError, PellucidError
from pellucid.server.answers import refuse, refuse_http
from pellucid.server.assets import APP, read_assets
from pellucid.server.guard import Guard
from pellucid.server.live import Desk, LiveModel
from pellucid.server.questions import Asking
from pellucid.server.routes import Routes
from pellucid.server.shelf import Shelf

SHORTEST_TOKEN = 16


def build_app(
    record_path: str | Path,
    token: str,
    allowed_hosts: Collection[str],
    live: LiveModel | None = None,
    *,
    app_dir: Path = APP,
) -> Starlette:
    """The application, ready for any ASGI server.

    Args:
        record_path: the record's folder.
        token: what a client must carry: at least 16 characters that a cookie and an address can hold.
        allowed_hosts: values of the Host header that are answered, with the port: "127.0.0.1:8765".
        live: the model, where it is at hand.
        app_dir: where the built app lies.

    Raises: RecordError: there is no readable record. OptionError: the token is too short or no host is allowed.
    """
    checked_token(token)
    if not allowed_hosts:
        raise OptionError("A server needs at least one Host that it answers as.")
    closing = Event()
    desk = Desk(live)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        asking.prepare()
        yield
        closing.set()
        desk.close()

    shelf = Shelf(record_path)
    asking = Asking(shelf.record)
    app = Starlette(
        routes=Routes(shelf, asking, desk, read_assets(app_dir), closing).all(),
        middleware=[Middleware(Guard, tokens={token: "owner"}, allowed_hosts=tuple(allowed_hosts))],
        exception_handlers={PellucidError: refuse, HTTPException: refuse_http},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # no answer but the listed ones
    app.state.closing = closing
    return app


def checked_token(token: str) -> str:
    """The token, if it is one. Raises: OptionError: it is too short to be secret, or does not fit in an address."""
    if len(token) < SHORTEST_TOKEN or not all(
        letter.isascii() and (letter.isalnum() or letter in "-_") for letter in token
    ):
        raise OptionError(
            f"A token has at least {SHORTEST_TOKEN} letters, digits, '-' and '_'; this one does not. Leave it out to "
            "have one made."
        )
    return token

"""Serving a record: in the foreground until interrupted, or in a thread beside a notebook or a test."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette

from pellucid.errors import OptionError, PellucidError
from pellucid.server.application import build_app, checked_token
from pellucid.server.live import LiveModel

LOOPBACK = "127.0.0.1"

_GRACE = 3  # seconds for answers that are under way when the server closes
_STARTS_WITHIN = 30.0  # seconds
_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 - names to compare with


def serve(
    path: str | Path,
    *,
    host: str = LOOPBACK,
    port: int = 0,
    token: str | None = None,
    open_browser: bool = True,
    live: LiveModel | None = None,
    announce: Callable[[str], None] = print,
) -> None:
    """Serves a record until interrupted.

    Args:
        path: the record's folder.
        host: address to listen on; loopback unless others are meant to see it.
        port: to listen on; 0 takes a free one.
        token: what opens it; made anew where None.
        open_browser: show it in the browser.
        live: the model, where it is at hand.
        announce: is told the address, token included, once the server answers.

    Raises: RecordError: there is no readable record. OptionError: host, port or token cannot be used.
    """
    prepared = _prepare(path, host, port, token, live)

    def ready() -> None:
        announce(prepared.url)
        if open_browser:
            _browse(prepared.url)

    until_interrupted(prepared, ready)


def until_interrupted(prepared: Prepared, ready: Callable[[], None]) -> None:
    """Answers until interrupted; `ready` is called once it does."""
    with prepared.listener:
        _Server(prepared, ready).run(sockets=[prepared.listener])


def start(
    path: str | Path,
    *,
    host: str = LOOPBACK,
    port: int = 0,
    token: str | None = None,
    open_browser: bool = False,
    live: LiveModel | None = None,
) -> Running:
    """Serves a record from a thread of its own and returns at once; options and errors are those of `serve`."""
    running = beside(_prepare(path, host, port, token, live))
    if open_browser:
        _browse(running.url)
    return running


def beside(prepared: Prepared) -> Running:
    """Answers from a thread of its own, from the moment that this returns. Raises: PellucidError: it did not start."""
    ready = threading.Event()
    server = _Server(prepared, ready.set)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            server.run(sockets=[prepared.listener])
        except BaseException as error:  # handed to the caller below
            failures.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="pellucid-server", daemon=True)
    thread.start()
    if not ready.wait(_STARTS_WITHIN) or failures:
        prepared.listener.close()
        raise PellucidError(f"The server did not start within {_STARTS_WITHIN:.0f} s: {failures or 'no reason known'}.")
    return Running(prepared.url, server, thread)


def show(path: str | Path, *, live: LiveModel | None = None, open_browser: bool = True) -> Running | None:
    """Opens the app on a record: beside an interactive session, else in the foreground until interrupted."""
    if _interactive():
        return start(path, open_browser=open_browser, live=live)
    serve(path, open_browser=open_browser, live=live, announce=lambda url: print(url, file=sys.stderr))  # noqa: T201
    return None


@dataclass
class Running:
    """A server in a thread of its own; closes as a context manager too.

    Attributes:
        url: the address that opens the app, token included.
    """

    url: str
    _server: _Server = field(repr=False)
    _thread: threading.Thread = field(repr=False)

    def close(self) -> None:
        """Stops answering; once is enough."""
        self._server.should_exit = True
        self._thread.join(_GRACE + 5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _repr_html_(self) -> str:
        """A link, for notebooks: a fixed address of our own, no name from the record."""
        return f'<a href="{self.url}" target="_blank" rel="noopener">Open pellucid</a>'


# --- how ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prepared:
    """A server that listens and does not answer yet; `closing` is set when it closes."""

    url: str
    listener: socket.socket
    config: uvicorn.Config
    closing: threading.Event


class _Server(uvicorn.Server):
    """Says when it answers, and ends the streams first when it closes."""

    def __init__(self, prepared: Prepared, ready: Callable[[], None]) -> None:
        super().__init__(prepared.config)
        self._closing = prepared.closing
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._closing.set()
        await super().shutdown(sockets)


def _prepare(path: str | Path, host: str, port: int, token: str | None, live: LiveModel | None) -> Prepared:
    chosen = secrets.token_urlsafe(24) if token is None else checked_token(token)
    listener = listen(host, port)
    try:
        bound = int(listener.getsockname()[1])
        app = build_app(path, chosen, allowed_hosts(host, bound), live)
    except BaseException:
        listener.close()
        raise
    return prepared_for(app, host, listener, f"/?token={chosen}")


def prepared_for(app: Starlette, host: str, listener: socket.socket, entry: str) -> Prepared:
    """A server for an application with `state.closing`, to be entered at `entry`."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=_GRACE,
        proxy_headers=False,
    )
    shown = LOOPBACK if host in _ANYWHERE else host
    bound = int(listener.getsockname()[1])
    return Prepared(f"http://{bracketed(shown)}:{bound}{entry}", listener, config, app.state.closing)


def allowed_hosts(host: str, port: int) -> list[str]:
    """Values of the Host header that a server on this host and port answers: loopback's, and the host's own.

    Bound to every address of the machine, it answers by the machine's name and the address it would speak from.
    """
    names = [LOOPBACK, "localhost", "::1"]
    names += _own_names() if host in _ANYWHERE else [host]
    plain = dict.fromkeys(bracketed(name.lower()) for name in names)
    return [f"{name}:{port}" for name in plain] + (list(plain) if port == 80 else [])


def _browse(url: str) -> None:
    """Opens the browser from a thread: one in the terminal ends only when its user does."""
    threading.Thread(target=webbrowser.open, args=(url,), name="pellucid-browser", daemon=True).start()


def _interactive() -> bool:
    ipython = sys.modules.get("IPython")
    return hasattr(sys, "ps1") or (ipython is not None and ipython.get_ipython() is not None)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises: OptionError: the host or the port cannot be used."""
    if not 0 <= port <= 65535:
        raise OptionError(f"A port lies between 0 and 65535; got {port}.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise OptionError(f"The host {host!r} is no address of this machine: {error.strerror or error}.") from error
    listener = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise OptionError(
            f"Could not listen on {host} port {port}: {error.strerror or error}. Choose another --port, or leave it "
            "out to have a free one."
        ) from error
    return listener


def _own_names() -> list[str]:
    """The machine's name and the addresses it would speak from; asks the routing table, sends nothing."""
    names = [socket.gethostname()]
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((elsewhere, 9))
                names.append(str(probe.getsockname()[0]))
        except OSError:
            continue  # no route of this family
    return names


def bracketed(host: str) -> str:
    """The host as it stands in an address: IPv6 in brackets."""
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host

"""The ASGI application of a study: its own few routes behind the same guard as the record's, with an invitation each."""

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
from pellucid.server.trials.routes import RESPONSES, TrialRoutes
from pellucid.server.trials.study import Study

PAGE = APP / "trial"


def build_trials_app(study: Study, allowed_hosts: Collection[str], *, app_dir: Path = PAGE) -> Starlette:
    """The application, ready for any ASGI server; it holds the study's lock until it shuts down.

    Args:
        study: with at least one observer.
        allowed_hosts: values of the Host header that are answered, with the port: "127.0.0.1:8765".
        app_dir: where the built page lies.

    Raises: OptionError: nobody is invited, or no host allowed. RecordError: another server runs this study.
    """
    if not study.tokens or not allowed_hosts:
        raise OptionError("A study is served to at least one observer, at one Host.")
    lock = study.lock()
    try:
        journal = study.journal()
    except BaseException:
        lock.release()
        raise
    closing = Event()

    def close() -> None:
        closing.set()
        journal.close()
        lock.release()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            close()

    tokens = {token: code for code, token in study.tokens.items()}
    app = Starlette(
        routes=TrialRoutes(study, journal, read_assets(app_dir)).all(),
        middleware=[Middleware(Guard, tokens=tokens, allowed_hosts=tuple(allowed_hosts), writes=(RESPONSES,))],
        exception_handlers={PellucidError: refuse, HTTPException: refuse_http},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # no answer but the listed ones
    app.state.closing = closing
    app.state.close = close
    return app


def without_page(app_dir: Path = PAGE) -> str:
    """Why observers are shown nothing, and what to do; "" where the page is there."""
    if (app_dir / "trial.html").is_file():
        return ""
    return (
        f"The page of trials is not built, so that nobody is shown anything: {app_dir / 'trial.html'} is missing. A wheel brings "
        "it along (pip install pellucid); in a checkout build it: pip install --editable ."
    )

"""Serving a study: in the foreground until interrupted, or in a thread beside a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from pellucid.server.serving import (
    LOOPBACK,
    Prepared,
    Running,
    allowed_hosts,
    beside,
    listen,
    prepared_for,
    until_interrupted,
)
from pellucid.server.trials.application import build_trials_app
from pellucid.server.trials.study import Study


@dataclass(frozen=True, slots=True)
class Invitation:
    """An observer's code and address, with how many of how many trials are done."""

    code: str
    url: str
    done: int
    trials: int


@dataclass
class RunningTrials:
    """A study that is served from a thread of its own; closes as a context manager too."""

    invitations: Sequence[Invitation]
    _running: Running

    def close(self) -> None:
        """Stops answering; once is enough."""
        self._running.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve_trials(
    study: Study, *, host: str = LOOPBACK, port: int = 0, announce: Callable[[Sequence[Invitation]], None]
) -> None:
    """Serves a study until interrupted; `announce` is told the invitations once it answers.

    Raises: OptionError: host or port cannot be used. RecordError: another server runs this study.
    """
    prepared = _prepare(study, host, port)
    until_interrupted(prepared, lambda: announce(invitations(study, prepared.url)))


def start_trials(study: Study, *, host: str = LOOPBACK, port: int = 0) -> RunningTrials:
    """Serves a study from a thread of its own and returns at once; errors are those of `serve_trials`."""
    prepared = _prepare(study, host, port)
    return RunningTrials(invitations(study, prepared.url), beside(prepared))


def invitations(study: Study, base: str) -> list[Invitation]:
    """The address of each observer."""
    done: dict[str, int] = {}
    for response in study.responses():
        done[response.observer] = done.get(response.observer, 0) + 1
    return [
        Invitation(code, f"{base}/?token={study.tokens[code]}", done.get(code, 0), len(trials))
        for code, trials in study.plan.observers.items()
    ]


def _prepare(study: Study, host: str, port: int) -> Prepared:
    listener = listen(host, port)
    try:
        app = build_trials_app(study, allowed_hosts(host, int(listener.getsockname()[1])))
    except BaseException:
        listener.close()
        raise
    return prepared_for(app, host, listener, "")

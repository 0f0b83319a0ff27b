"""What people and programs read in the terminal: answers on stdout, all else on stderr, names as plain text."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from pellucid.types import Stage

REFUSED = 2  # the exit code; what it means stands in application.py

STAGES = {
    "read": "Looking through",
    "trace": "Tracing",
    "sweep": "Sweeping",
    "focus": "Looking closely",
    "learn": "Learning from examples",
    "features": "Cutting out",
    "stimuli": "Showing stimuli",
    "concepts": "Looking for concepts",
    "separation": "Looking for labels",
    "optimise": "Making pictures",
    "plane": "Moving the weights",
    "line": "Going to the other weights",
    "curvature": "Measuring curvature",
    "data": "Looking at the data",
    "reference": "Looking at the training's data",
    "variants": "Preparing in other ways",
    "probe": "Probing the features",
}


_ANSWERS: list[TextIO] = []  # where answers go while all that others print goes to stderr


@contextmanager
def answers_alone() -> Iterator[None]:
    """Inside, stdout is for answers: what the code of a model, of data or of a library prints goes to stderr."""
    _ANSWERS.append(answering())
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _ANSWERS.pop()


def answering() -> TextIO:
    """Where answers go."""
    return _ANSWERS[-1] if _ANSWERS else sys.stdout


def plain(text: str) -> str:
    r"""Text from a file or a person, safe to print: control characters, ANSI escapes and reversals made visible.

    >>> plain("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def say(text: str) -> None:
    """A message to the person, on stderr; its own line breaks are kept."""
    _write(sys.stderr, "\n".join(plain(line) for line in text.split("\n")))


def answer(text: str) -> None:
    """A line of the answer, on stdout."""
    _write(answering(), plain(text))


def answer_json(value: object) -> None:
    """The whole answer as one JSON document on stdout, in ASCII: no character of a name can steer a terminal."""
    import msgspec

    _write(answering(), json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=True, allow_nan=False))


def fail(kind: str, message: str, *, as_json: bool) -> None:
    """A failure: as a message on stderr, or as JSON on stdout."""
    if as_json:
        _write(answering(), json.dumps({"kind": kind, "message": message}, indent=2))
    else:
        say(f"pellucid: {message}")


@contextmanager
def progress_bars(*, shown: bool) -> Iterator[Callable[[str, int, int | None], None]]:
    """Progress bars on stderr, one a stage, shown in a terminal only; gives what hears (stage, done, total)."""
    if not shown or not sys.stderr.isatty():
        yield lambda stage, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    tasks: dict[str, TaskID] = {}
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:

        def hear(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(STAGES.get(stage, plain(stage)), total=total)
            progress.update(tasks[stage], completed=done, total=total)

        yield hear


def stage_progress(hear: Callable[[str, int, int | None], None]) -> Callable[[Stage, int, int | None], None]:
    """The same for an inspection, whose stages are words of ours."""

    def heard(stage: Stage, done: int, total: int | None) -> None:
        hear(stage, done, total)

    return heard


def _write(stream: object, text: str) -> None:
    # Names may hold characters that the terminal's encoding lacks; a question mark is better than a failure.
    encoding = getattr(stream, "encoding", None) or "utf-8"
    safe = text.encode(encoding, "backslashreplace").decode(encoding)
    print(safe, file=stream, flush=True)  # type: ignore[call-overload]

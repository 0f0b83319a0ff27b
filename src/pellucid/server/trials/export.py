"""A study's responses as the files that model-vs-human reads, one an observer."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pellucid.errors import OptionError
from pellucid.record import files
from pellucid.server.trials.journal import Response
from pellucid.server.trials.study import Study

COLUMNS = ("subj", "session", "trial", "rt", "object_response", "category", "condition", "imagename")
NO_RESPONSE, NO_TIME = "na", "NaN"  # as in the published files


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote.

    Attributes:
        files: one an observer.
        trials: rows in them.
        no_response: of these without a response.
        practice: trials that are not in them, for they were practice.
        checks: attention checks, not in them either, and by observer how many were passed of how many.
        left: trials during which the window was left; they are in the files.
    """

    files: list[Path]
    trials: int
    no_response: int
    practice: int
    checks: dict[str, tuple[int, int]] = field(default_factory=dict)
    left: int = 0


def export_trials(study: Study, out: Path) -> Exported:
    """Writes a CSV file an observer, in the layout of model-vs-human.

    Raises: OptionError: nobody has answered yet. StorageError.
    """
    responses = study.responses()
    counted = [one for one in responses if one.kind == "trial"]
    if not counted:
        raise OptionError(
            f"Nobody has answered a trial of the study {study.plan.name!r} yet; there is nothing to export."
        )
    written = []
    for code in study.plan.observers:
        own = [one for one in counted if one.observer == code]
        if own:
            path = out / f"{study.plan.name}_{code}_session_1.csv"
            files.put(path, table(own).encode())
            written.append(path)
    checks: dict[str, tuple[int, int]] = {}
    for one in responses:
        if one.kind == "check":
            passed, asked = checks.get(one.observer, (0, 0))
            checks[one.observer] = (passed + (one.response == one.category), asked + 1)
    return Exported(
        files=written,
        trials=len(counted),
        no_response=sum(one.response is None for one in counted),
        practice=sum(one.kind == "practice" for one in responses),
        checks=checks,
        left=sum(one.left for one in counted),
    )


def table(responses: Iterable[Response]) -> str:
    """Responses of one observer as CSV; trials count from 1, times are in seconds with every digit that was measured."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, one in enumerate(responses, start=1):
        answered = one.response is not None and one.seconds is not None
        writer.writerow([
            one.observer, 1, number, repr(one.seconds) if answered else NO_TIME,
            NO_RESPONSE if one.response is None else one.response, one.category, one.condition, one.example,
        ])  # fmt: skip
    return stream.getvalue()

"""What programs get from the command line and over HTTP."""

from __future__ import annotations

import msgspec

from pellucid.record.schema.basis import Finding, Interval
from pellucid.record.schema.manifest import StageInfo, State


class Summary(msgspec.Struct, frozen=True):
    """The answer of `pellucid show --json`."""

    record: str
    title: str
    state: State
    examples: int
    skipped: int
    nonfinite: int
    accuracy: float | None
    accuracy_interval: Interval | None
    mean_loss: float | None
    loss: str | None
    passes: list[StageInfo]
    findings: list[Finding]
    panels: list[str]
    watched: bool


class ErrorAnswer(msgspec.Struct, frozen=True):
    """Every error over HTTP and every failed command with --json: kind is the class's name."""

    kind: str
    message: str

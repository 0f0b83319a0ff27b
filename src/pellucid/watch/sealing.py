"""The end of a record of a training: what still waits, the panel with its findings, the state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.errors import StorageError
from pellucid.record.reader import Record
from pellucid.watch.findings import no_steps, training_findings, training_panel

if TYPE_CHECKING:
    import pyarrow as pa

    from pellucid.record.schema import Finding, State
    from pellucid.record.writer import Writer
    from pellucid.watch.journal import Journal


def seal(writer: Writer, journal: Journal, steps: int, layers: list[str], state: State, error: str | None) -> list[str]:
    """Writes what is left to write and lets the record go. No full disk and no finding ends a training here.

    Args:
        writer: of the record.
        journal: what waits.
        steps: that the optimizer took.
        layers: names, in order of the model.
        state: how the block ended.
        error: why it failed, in words.

    Returns: what could not be done, in words.
    """
    told: list[str] = []
    try:
        journal.flush()
        table, _ = Record(writer.path).training()
        panel = training_panel(table, steps, layers)
        panel.findings.extend(_findings(table, steps, told))
        writer.write_panel(panel)
        writer.finish(state, error)
    except StorageError as full:
        told.append(f"The Watch could not finish its record, which ends with what was written before: {full}")
    finally:
        _let_go(writer, told)
    return told


def _findings(table: pa.Table, steps: int, told: list[str]) -> list[Finding]:
    found = [] if steps else [no_steps(table.num_rows)]
    try:
        return found + training_findings(table)
    except Exception as error:
        told.append(
            f"The Watch could not make findings of this training, its record is without them: {type(error).__name__}: {error}"
        )
        return found


def _let_go(writer: Writer, told: list[str]) -> None:
    try:
        writer.close()
    except StorageError as full:
        told.append(str(full))

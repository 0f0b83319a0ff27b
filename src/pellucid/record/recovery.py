"""What of a record is whole after a crash, so that a writer can go on with it."""

from __future__ import annotations

from pathlib import Path

from pellucid.errors import DamagedError
from pellucid.record import folder, schema


def recover(root: Path, manifest: schema.Manifest) -> None:
    """Drops what a crash damaged, and all parts from the first such one on: they are merged in order.

    Args:
        root: the record's folder; what is half-written there is removed.
        manifest: the record's own; lists afterwards what is whole, and calls itself running unless it was complete.

    Raises: DamagedError: what a Watch saw is damaged.
    """
    listed = {entry.path: entry for entry in manifest.files}
    kept = folder.parts_in(listed)
    for path in [path for path, entry in listed.items() if not folder.is_whole(root, entry)]:
        if path.startswith(f"{folder.TRAINING}/"):
            raise DamagedError(
                f"{root / path} is damaged or missing, and what a Watch saw cannot be made again. Restore the file, or begin a "
                "new record."
            )
        del listed[path]
        number = folder.part_of(path)
        kept = kept if number is None else min(kept, number)
    for path in list(listed):
        number = folder.part_of(path)
        if number is not None and number >= kept:
            del listed[path]
    folder.remove_leftovers(root)
    if manifest.state != "complete":
        manifest.state, manifest.error = "running", None
    rows = sum(entry.rows or 0 for path, entry in listed.items() if path.startswith("examples/"))
    for stage in manifest.stages:
        # An interrupted one has also counted the examples of the part that it did not finish.
        if stage.name == "sweep" and stage.examples != rows:
            stage.examples, stage.state = rows, "running"
            manifest.state = "running"
    manifest.examples = rows
    manifest.files = list(listed.values())

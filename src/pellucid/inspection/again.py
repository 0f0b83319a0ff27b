"""Going on with a record: the model and the data at hand must be the inspected ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.errors import DataError, ModelError, OptionError, PellucidError, RecordError
from pellucid.models.fingerprint import fingerprint

if TYPE_CHECKING:
    from torch import nn

    from pellucid.data import Source
    from pellucid.record import Record


def check_again(record: Record, model: nn.Module, source: Source, what: str) -> None:
    """Refuses what `what` cannot be added to.

    Raises: RecordError: the record is not complete, or of no model. ModelError: of another model. OptionError: the examples are
        prepared in another way. DataError: they are others.
    """
    manifest = record.manifest
    if manifest.model is None:
        raise RecordError(
            f"{record.path} is of saved predictions, without a model: {what} belong to a record of a model."
        )
    if manifest.state != "complete":
        raise RecordError(
            f"{record.path} is {manifest.state}: {what} are added to a complete record. Finish it first: pellucid inspect "
            "... --resume."
        )
    if fingerprint(model) != manifest.model.fingerprint:
        raise ModelError(
            "The model at hand is not the inspected one. Give the weights that were inspected (--weights)."
        )
    wanted = manifest.preprocessing
    if wanted is not None and wanted.fingerprint != source.preprocessing.fingerprint:
        raise OptionError(
            "The examples at hand are prepared in another way than the inspected ones (--resize, --crop, ...)."
        )
    _check_examples(record, source)


def _check_examples(record: Record, source: Source) -> None:
    """Compares the first, the middle and the last example. Raises: DataError: the data at hand has another one there."""
    table, held = record.examples().select(["id", "target"]), record.manifest.data
    numbered_alike = not source.classes or (held is not None and list(source.classes) == list(held.classes))
    for row in sorted({0, table.num_rows // 2, table.num_rows - 1}) if table.num_rows else ():
        known, label = table["id"][row].as_py(), table["target"][row].as_py()
        try:
            example = source.example(row)
        except (PellucidError, IndexError) as error:
            raise DataError(
                f"{source.source} is not the inspected data: it has no example for row {row}, {known!r}. Give the data that "
                "was inspected (--data)."
            ) from error
        if example.id != known:
            raise DataError(
                f"{source.source} is not the inspected data: row {row} of the record is {known!r}, and it holds {example.id!r} "
                "there. Give the data that was inspected (--data)."
            )
        if numbered_alike and type(example.target) is int and label is not None and example.target != label:
            raise DataError(
                f"{source.source} is not the inspected data: {known!r} has the label {example.target} there, and {label} in "
                f"{record.path}. Give the data that was inspected (--data)."
            )

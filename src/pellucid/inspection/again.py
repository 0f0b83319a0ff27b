"""Going on with a record: the model and the data at hand must be the inspected ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.data.naming import under_names
from pellucid.data.numbers import number_targets
from pellucid.data.several import set_targets
from pellucid.data.whole import whole_targets
from pellucid.errors import DataError, ModelError, OptionError, RecordError
from pellucid.models.fingerprint import fingerprint

if TYPE_CHECKING:
    from torch import nn

    from pellucid.data import Source
    from pellucid.record import Record
    from pellucid.types import Example


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


def as_inspected(record: Record, source: Source) -> Source:
    """A source as the record has it: under the model's class names, with targets of its task."""
    held = record.manifest
    if held.data is not None and held.data.classes:
        source = under_names(source, held.data.classes)
    targets = {"classification": whole_targets, "multilabel": set_targets, "regression": number_targets}.get(held.task)
    return source if targets is None else targets(source)


def inspected_example(record: Record, source: Source, row: int) -> Example:
    """The example of a row of the record. Raises: DataError: the data at hand has none there, or another one."""
    example, known = source.example(row), record.examples()["id"][row].as_py()
    if example.id != known:
        raise DataError(
            f"Row {row} of the record is the example {known!r}, but {source.source} holds {example.id!r} there: it is not the "
            "inspected data. Give the data that was inspected (--data)."
        )
    return example


def _check_examples(record: Record, source: Source) -> None:
    """Compares the first, the middle and the last example. Raises: DataError: the data at hand has another one there."""
    targets, held = record.examples()["target"], record.manifest.data
    numbered_alike = not source.classes or (held is not None and list(source.classes) == list(held.classes))
    for row in sorted({0, len(targets) // 2, len(targets) - 1}) if len(targets) else ():
        example, label = inspected_example(record, source, row), targets[row].as_py()
        if numbered_alike and type(example.target) is int and label is not None and example.target != label:
            raise DataError(
                f"Row {row} of the record, {example.id!r}, has the label {label}, but {example.target} in {source.source}: it is "
                "not the inspected data. Give the data that was inspected (--data)."
            )

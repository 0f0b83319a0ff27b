"""Going on with a record: the model and the data at hand must be the inspected ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.errors import ModelError, OptionError, RecordError
from pellucid.models.fingerprint import fingerprint

if TYPE_CHECKING:
    from torch import nn

    from pellucid.data import Source
    from pellucid.record import Record


def check_again(record: Record, model: nn.Module, source: Source, what: str) -> None:
    """Refuses what `what` cannot be added to.

    Raises: RecordError: the record is not complete, or of no model. ModelError: of another model. OptionError: the examples are
        prepared in another way.
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

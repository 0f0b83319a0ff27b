"""Opening saved predictions and their labels: which table has what, and labels made lists where they are written otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pellucid.data.naming import names_in
from pellucid.errors import OptionError
from pellucid.predictions import label_columns
from pellucid.predictions.files import open_columns
from pellucid.predictions.joining import joined
from pellucid.predictions.kinds import Kind
from pellucid.predictions.label_cells import from_cells
from pellucid.predictions.roles import ID, Roles, roles_of, roles_of_labels
from pellucid.predictions.saved import Saved
from pellucid.predictions.several import LabelKind

if TYPE_CHECKING:
    import pyarrow as pa


def opened(
    predictions: object,
    labels: object,
    classes: Sequence[str] | None,
    kind: Kind | None,
    column: str | None,
    id_column: str | None,
    label_kind: LabelKind | None,
) -> Saved:
    """Opens predictions and labels and says what their columns are.

    Args:
        predictions: as for `import_predictions`; the others likewise.
        labels: likewise.
        classes: likewise.
        kind: likewise.
        column: likewise.
        id_column: likewise.
        label_kind: likewise.

    Raises: OptionError, DataError.
    """
    table = open_columns(predictions, "predictions", classes)
    own = labels is None or (isinstance(labels, str) and labels in table.schema.names)
    target = (None if labels is None else str(labels)) if own else ""
    if own and labels is None:
        table = label_columns.among_predictions(table, label_kind)
    names = classes if classes is not None else names_in(table.schema, target or "")
    beside = None if own else open_columns(labels, "labels", names)
    if beside is not None:
        beside = label_columns.alone(beside, names, id_column or ID, label_kind)
        # Scores in columns that are called as those of the labels.
        named = names_in(beside.schema, label_columns.COLUMN)
        names = named if names is None and set(named or ()) <= set(table.schema.names) else names
    roles = roles_of(table, column=column, target=target, id_column=id_column, classes=names, kind=kind)
    roles = _as_asked(roles, table.schema, kind, table.source)
    if beside is None:
        if roles.scores and roles.target:
            table = from_cells(table, roles.target, names, label_kind)
        return Saved(table, roles)
    label_roles = roles_of_labels(beside, id_column=id_column or roles.id)
    if roles.scores:
        beside = from_cells(beside, label_roles.target, names, label_kind)
    # What comes along with both is taken from the predictions.
    along = tuple(name for name in label_roles.along if name not in table.schema.names)
    label_roles = replace(label_roles, along=along)
    if not (roles.id and label_roles.id):
        return Saved(table, roles, beside, label_roles)
    found = joined(table, roles.id, beside, label_roles.id, label_roles.read)
    if found is None:
        return Saved(table, roles, beside, label_roles)
    matched = replace(label_roles, id="")
    return Saved(table, roles, found.labels, matched, roles.id, found.unlabelled, found.unmatched)


def _as_asked(roles: Roles, schema_: pa.Schema, kind: Kind | None, source: str) -> Roles:
    """Roles that go with the kind that was asked for: one number an example may be a score of two classes."""
    if kind == "classes" and roles.scores:
        raise OptionError(
            f"--kind classes, but {source} has scores in {roles.scores[0]}. Name the column of classes (--column NAME), or leave "
            "--kind out."
        )
    if kind in ("probabilities", "logits") and not roles.scores:
        if not str(schema_.field(roles.prediction).type).startswith(("float", "double", "half")):
            raise OptionError(
                f"--kind {kind}, but '{roles.prediction}' of {source} holds {schema_.field(roles.prediction).type}, no scores. "
                "Name the column of scores (--column NAME), or leave --kind out."
            )
        return replace(roles, scores=(roles.prediction,), prediction="", given=())
    return roles

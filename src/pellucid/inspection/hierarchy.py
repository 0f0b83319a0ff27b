"""Which classes are kinds of which, added to a record."""

from __future__ import annotations

from pathlib import Path

from pellucid.data.hierarchy import read_ids, read_tree
from pellucid.errors import DataError
from pellucid.record import Record, Writer, schema


def add_hierarchy(record: str | Path, hierarchy: str | Path, ids: str | Path | None = None) -> schema.HierarchyPanel:
    """Reads a tree of classes and puts it into a record, so that its pages fold classes into concepts.

    Args:
        record: folder of a record whose classes are known; a tree that it has already is replaced.
        hierarchy: see `pellucid.data.hierarchy.read_tree`.
        ids: file of what the hierarchy calls the classes, in order of index.

    Returns: what was written.
    Raises: DataError: no tree, none of the classes in it, or a record without classes. RecordError.
    """
    held = Record(record)
    classes = held.manifest.data.classes if held.manifest.data is not None else []
    if not classes:
        raise DataError(f"The record {record} knows no classes; a hierarchy says which of them are kinds of which.")
    tree = read_tree(hierarchy, classes, read_ids(ids) if ids is not None else None)
    panel = schema.HierarchyPanel(
        count=held.manifest.examples,
        findings=[],
        source=Path(hierarchy).name,
        names=list(tree.names),
        parents=tree.parents.tolist(),
        classes=tree.classes.tolist(),
        unplaced=list(tree.unplaced),
        unknown=list(tree.unknown),
    )
    with Writer.open(record) as writer:
        writer.write_panel(panel)
        writer.update()
    return panel

"""Which classes are kinds of which: a tree over the classes of a record."""

from __future__ import annotations

from pellucid.record.schema.basis import Panel


class HierarchyPanel(Panel, tag="hierarchy"):
    """A tree of concepts, its nodes in an order in which parents come before their children.

    `parents` is the place of each node's parent, -1 for a root; `classes` is the class that a node stands for, -1 for a
    concept above classes. Every class of the record has exactly one node; those that the file does not place are roots, and
    listed in `unplaced`; `unknown` are leaves of the file that are no class of the record.
    """

    source: str
    names: list[str]
    parents: list[int]
    classes: list[int]
    unplaced: list[int]
    unknown: list[str]

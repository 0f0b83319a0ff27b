"""Answers of older versions of the format as this version gives them."""

from __future__ import annotations

import msgspec

from pellucid.record import schema
from pellucid.record.schema import ClassLoss, Interval, LossPanel

CHANGED = ("loss",)
"""Panels that an older version wrote otherwise."""


def brought_up(panel: schema.AnyPanel, manifest: schema.Manifest) -> schema.AnyPanel:
    """A panel of a record as one of today's; the same where nothing of it has changed.

    Args:
        panel: as it was written.
        manifest: of its record, which says in which version.
    """
    if manifest.schema_version < 2 and isinstance(panel, LossPanel) and manifest.task == "multilabel":
        # A class's mean was divided by the number of classes: what it adds to the mean of all.
        classes = len(panel.by_class)
        return msgspec.structs.replace(panel, by_class=[_times(one, classes) for one in panel.by_class])
    return panel


def _times(one: ClassLoss, classes: int) -> ClassLoss:
    ends = one.interval
    return msgspec.structs.replace(
        one,
        mean=None if one.mean is None else one.mean * classes,
        interval=None if ends is None else Interval(ends.low * classes, ends.high * classes, ends.level, ends.method),
    )

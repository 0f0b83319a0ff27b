"""What the examples table holds."""

from __future__ import annotations

from pellucid.record.schema.basis import Panel


class PredictionsPanel(Panel, tag="predictions"):
    """What the examples table holds."""

    classes: list[str]
    outputs: int
    top_k: int
    nonfinite: int
    without_target: int
    columns: list[str]

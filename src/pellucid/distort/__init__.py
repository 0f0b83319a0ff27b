"""Controlled series of distorted images, for people and models alike; docs/distortions.md defines each."""

from __future__ import annotations

from pellucid.distort.catalogue import DISTORTIONS, Distortion, Settings
from pellucid.distort.series import Series, Step, number, read_series
from pellucid.distort.writing import Written, write_series

__all__ = [
    "DISTORTIONS",
    "Distortion",
    "Series",
    "Settings",
    "Step",
    "Written",
    "number",
    "read_series",
    "write_series",
]

"""The record: the folder that holds an inspection, its types, its writer and its reader; none of them needs torch.

`Record` and `Writer` are imported when they are first asked for: the schema alone is light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pellucid.record.reader import Record
    from pellucid.record.writer import Writer

__all__ = ["Record", "Writer"]

_HOMES = {"Record": "pellucid.record.reader", "Writer": "pellucid.record.writer"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)

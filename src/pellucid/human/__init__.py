"""People beside the model: their answers read, matched to a record's examples, and compared with statistics that hold.

Works on records alone, so that a saved record can be set beside people without its model and without torch.
"""

from __future__ import annotations

from pellucid.human.run import import_people

__all__ = ["import_people"]

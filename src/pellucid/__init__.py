"""See inside a deep-learning model.

    record = pellucid.inspect(model, validation_set, out="net.pellucid")
    record.show()

Names are imported when they are first used, so that `import pellucid` is light and needs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pellucid import graph as graph
    from pellucid.attribution import Attribution, attribute
    from pellucid.comparison import Comparison, compare
    from pellucid.errors import PellucidError
    from pellucid.fitting import Fit, fit
    from pellucid.inspection import inspect
    from pellucid.predictions import import_predictions
    from pellucid.record import Record
    from pellucid.watch import Watch, watch

__version__ = "0.1.0"

__all__ = [
    "Attribution",
    "Comparison",
    "Fit",
    "PellucidError",
    "Record",
    "Watch",
    "attribute",
    "compare",
    "fit",
    "graph",
    "import_predictions",
    "inspect",
    "watch",
]

_HOMES = {
    "Attribution": "pellucid.attribution",
    "Comparison": "pellucid.comparison",
    "Fit": "pellucid.fitting",
    "PellucidError": "pellucid.errors",
    "Record": "pellucid.record",
    "Watch": "pellucid.watch",
    "attribute": "pellucid.attribution",
    "compare": "pellucid.comparison",
    "fit": "pellucid.fitting",
    "import_predictions": "pellucid.predictions",
    "inspect": "pellucid.inspection",
}

# Parts that users reach by name, as in `pellucid.attribution.METHODS`.
_MODULES = ("attribution", "data", "errors", "features", "human", "landscape", "record")


def __getattr__(name: str) -> object:
    if name in ("graph", "watch"):  # packages that can be called
        return importlib.import_module(f"pellucid.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"pellucid.{name}")
    raise AttributeError(f"module 'pellucid' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

"""Two or more models on the same examples: differences with intervals, flips, gates, and size against accuracy.

Works on records alone, so that a saved record can be judged without its model and without torch.
"""

from __future__ import annotations

from pellucid.comparison.compare import Comparison, compare

__all__ = ["Comparison", "compare"]

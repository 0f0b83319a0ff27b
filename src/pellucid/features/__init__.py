"""What each unit looks for: from examples, from drawn stimuli, from concepts, and from pictures made to excite it.

Pure functions on images and responses; what runs a model does so through a `capture.Session`.
"""

from __future__ import annotations

from pellucid.features.ascent import Ascent
from pellucid.features.concepts import Dissected, Generated, Separated, dissect, separate
from pellucid.features.optimisation import Maximised, Rising, maximise

__all__ = ["Ascent", "Dissected", "Generated", "Maximised", "Rising", "Separated", "dissect", "maximise", "separate"]

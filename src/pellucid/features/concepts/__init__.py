"""Which concepts channels detect: network dissection with masks, and areas under ROC curves with labels of whole pictures."""

from __future__ import annotations

from pellucid.features.concepts.dissect import dissect
from pellucid.features.concepts.dissection import Dissected
from pellucid.features.concepts.generated import Generated
from pellucid.features.concepts.separate import separate
from pellucid.features.concepts.separation import LabelSet, Separated
from pellucid.features.concepts.sets import Concept, ConceptSet

__all__ = ["Concept", "ConceptSet", "Dissected", "Generated", "LabelSet", "Separated", "dissect", "separate"]

"""Which concepts channels detect: network dissection with generated or labelled pictures."""

from __future__ import annotations

from pellucid.features.concepts.dissect import dissect
from pellucid.features.concepts.dissection import Dissected
from pellucid.features.concepts.generated import Generated
from pellucid.features.concepts.sets import Concept, ConceptSet

__all__ = ["Concept", "ConceptSet", "Dissected", "Generated", "dissect"]

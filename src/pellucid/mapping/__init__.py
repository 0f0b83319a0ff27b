"""Where in the input a unit looks, what pooling keeps, and how alike layers and examples are: pure functions.

Nothing here holds a model open longer than a call; what a reader sees of it are views of the Activations page.
"""

from __future__ import annotations

from pellucid.mapping.effective import EffectiveField, effective_field
from pellucid.mapping.fields import ReceptiveField, receptive_field, receptive_fields
from pellucid.mapping.pooling import Geometry, Pooled, geometry_of, pooled
from pellucid.mapping.projection import Principal, principal, random_projection, umap
from pellucid.mapping.similarity import Likeness, debiased_cka, hsic

__all__ = [
    "EffectiveField",
    "Geometry",
    "Likeness",
    "Pooled",
    "Principal",
    "ReceptiveField",
    "debiased_cka",
    "effective_field",
    "geometry_of",
    "hsic",
    "pooled",
    "principal",
    "random_projection",
    "receptive_field",
    "receptive_fields",
    "umap",
]

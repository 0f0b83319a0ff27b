"""Where in the input a unit looks, what pooling keeps, and how alike layers and examples are: pure functions.

Nothing here holds a model open longer than a call; what a reader sees of it are views of the Activations page.
"""

from __future__ import annotations

from pellucid.mapping.fields import ReceptiveField, receptive_field, receptive_fields

__all__ = ["ReceptiveField", "receptive_field", "receptive_fields"]

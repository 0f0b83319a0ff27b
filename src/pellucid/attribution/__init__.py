"""Which inputs and which layers an answer depended on: several methods from one forward and one backward."""

from __future__ import annotations

from pellucid.attribution.attribute import METHODS, Attribution, attribute

__all__ = ["METHODS", "Attribution", "attribute"]

"""Layer-wise relevance propagation by rules on operators: for each one on the way a rule, or a refusal by name."""

from __future__ import annotations

from pellucid.attribution.rules.lrp.method import Lrp
from pellucid.attribution.rules.lrp.step import LrpOptions

__all__ = ["Lrp", "LrpOptions"]

"""Methods whose backward follows other rules than the gradient's, operator by operator."""

from __future__ import annotations

from pellucid.attribution.rules.methods import Deconvnet, GuidedBackprop, LrpEpsilon, LrpGamma, LrpZPlus

__all__ = ["Deconvnet", "GuidedBackprop", "LrpEpsilon", "LrpGamma", "LrpZPlus"]

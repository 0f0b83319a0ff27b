"""Whether a model suits data that it was not trained on: labels, likeness, features, preparation, and a verdict.

print(pellucid.fit(model, cars, trained_on=cats).panel.sentence)
"""

from __future__ import annotations

from pellucid.fitting.run import Fit, fit

__all__ = ["Fit", "fit"]

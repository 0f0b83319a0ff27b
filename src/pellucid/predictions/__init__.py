"""Records without a model: predictions that were saved, told apart, checked, and shown to the lenses.

    record = pellucid.import_predictions("probabilities.parquet", "label", out="net.pellucid")

The same lenses as in an inspection observe the same columns; memory does not grow with the number of examples.
"""

from pellucid.predictions.kinds import Kind
from pellucid.predictions.run import import_predictions, panels_of

__all__ = ["Kind", "import_predictions", "panels_of"]

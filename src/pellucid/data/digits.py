"""scikit-learn's handwritten digits: 1,797 real images of 8 x 8 pixels."""

from __future__ import annotations

from pellucid.data.memory import Examples
from pellucid.errors import DataError, MissingExtraError
from pellucid.recipe import Recipe
from pellucid.record.schema import Preprocessing
from pellucid.types import Example

HELD_OUT = 540
SPLITS = ("", "train", "test")


def open_data(spec: str, *, recipe: Recipe | None = None, limit: int | None = None, skip_bad: bool = False) -> Examples:
    """Opens "digits", "digits:train" (1,257) or "digits:test" (540), stratified with a fixed seed.

    Inputs are float32[1 8 8], 0 to 1. Nothing can be unreadable here, so `skip_bad` changes nothing.
    Raises: DataError: no such split, or a recipe, which these images do not need. MissingExtraError.
    """
    import torch

    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "demo", "The data 'digits'") from error
    split = spec.partition(":")[2]
    if split not in SPLITS:
        raise DataError(f"The digits have no split '{split}'. Expected digits, digits:train or digits:test.")
    if recipe is not None and recipe.origin == "flags":
        raise DataError(
            "The digits come prepared, float32[1 8 8] from 0 to 1; leave --resize, --crop and the like away."
        )
    images, labels = load_digits(return_X_y=True)
    rows = list(range(len(labels)))
    if split:
        train, test = train_test_split(rows, test_size=HELD_OUT, stratify=labels, random_state=0)
        rows = sorted(train if split == "train" else test)
    values = torch.from_numpy((images.reshape(-1, 1, 8, 8) / 16.0).astype("float32"))
    examples = [Example(f"digit-{row:04d}", values[row], int(labels[row])) for row in rows]
    return Examples(
        name=spec,
        source=spec,
        items=examples[:limit],
        classes=tuple("0123456789"),
        preprocessing=Preprocessing([{"step": "scale", "divisor": 16.0}], "default", "digits/16"),
    )

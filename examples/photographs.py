"""Writes the photographs that scikit-image and scikit-learn ship as folders named after ImageNet classes.

python examples/photographs.py photographs
"""

import sys
from pathlib import Path

from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_image

PHOTOGRAPHS = {
    "tiger cat/chelsea.png": data.chelsea,
    "espresso/coffee.png": data.coffee,
    "missile/rocket.jpg": data.rocket,
    "moped/motorcycle.png": lambda: data.stereo_motorcycle()[0],
    "daisy/flower.jpg": lambda: load_sample_image("flower.jpg"),
    "palace/china.jpg": lambda: load_sample_image("china.jpg"),
}


def write(folder: Path) -> None:
    """One folder a class, one photograph in each."""
    for name, load in PHOTOGRAPHS.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(load()).save(place)


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "photographs"))

"""How much of a map lies on the thing that it is about: a photograph in one quadrant, textures in the others.

    python examples/quadrants.py efficientnet_lite0
    python examples/quadrants.py mobilenet_v2

By chance a quadrant holds 25% of a map. See docs/trials.md, and `efficientnet_lite0.py` and `mobilenet_v2.py` for what to install.
"""

import importlib
import sys
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data
from torch import nn

import pellucid
from pellucid.recipe import Recipe

SIDE = 112
METHODS = ["saliency", "gradient_x_input", "grad_cam", "layer_cam", "guided_backprop", "lrp_epsilon"]
SUBJECTS: dict[str, tuple[int, Callable[[], NDArray[np.uint8]], tuple[int, int, int, int]]] = {
    "tiger cat": (282, data.chelsea, (75, 0, 375, 300)),
    "espresso": (967, data.coffee, (100, 0, 500, 400)),
}
"""By class name: its index, the photograph, and the square that is cut from it."""


def composed(subject: str, place: int) -> Image.Image:
    """The subject in quadrant `place` (row by row), textures in the others."""
    _, load, square = SUBJECTS[subject]
    tiles = [Image.fromarray(texture()).convert("RGB") for texture in (data.grass, data.gravel, data.brick)]
    tiles.insert(place, Image.fromarray(load()).crop(square))
    canvas = Image.new("RGB", (2 * SIDE, 2 * SIDE))
    for index, tile in enumerate(tiles):
        canvas.paste(tile.resize((SIDE, SIDE)), (index % 2 * SIDE, index // 2 * SIDE))
    return canvas


def shares(map_: NDArray[np.floating]) -> NDArray[np.floating]:
    """Share of a map's magnitude in each quadrant; float[channel height width] or float[height width]."""
    sizes = np.abs(map_).sum(axis=0) if map_.ndim == 3 else np.abs(map_)
    total = sizes.reshape(2, SIDE, 2, SIDE).sum(axis=(1, 3)).reshape(-1)
    return total / total.sum()


def strongest(map_: NDArray[np.floating]) -> int:
    """The quadrant of the strongest place."""
    sizes = np.abs(map_).sum(axis=0) if map_.ndim == 3 else np.abs(map_)
    row, column = divmod(int(sizes.argmax()), 2 * SIDE)
    return row // SIDE * 2 + column // SIDE


def measured(model: nn.Module, recipe: Recipe, subject: str) -> Iterator[tuple[str, list[float], int]]:
    """By method: the subject's share of the map in each of the four places, and how often the strongest place is in it."""
    index = SUBJECTS[subject][0]
    found: dict[str, list[tuple[float, bool]]] = {}
    for place in range(4):
        image = recipe.tensor(composed(subject, place))[None]
        for name, one in pellucid.attribute(model, image, index, METHODS).items():
            map_ = one.input[0].numpy()
            found.setdefault(name, []).append((float(shares(map_)[place]), strongest(map_) == place))
    for name, places in found.items():
        yield name, [share for share, _ in places], sum(hit for _, hit in places)


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "efficientnet_lite0"
    model, told = importlib.import_module(name).make()
    recipe = Recipe(mean=told["recipe"].mean, std=told["recipe"].std)
    print("| subject | method | share of the map on it, of four places | strongest place on it |")
    print("| --- | --- | --- | --- |")
    for subject in SUBJECTS:
        for method, places, hits in measured(model.eval(), recipe, subject):
            print(
                f"| {subject} | {method} | {', '.join(f'{share:.0%}' for share in places)} | {hits} of 4 |", flush=True
            )


if __name__ == "__main__":
    main()

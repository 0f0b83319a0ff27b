"""Where EfficientNet-Lite0 looks for a cat: one quadrant holds her, the others grass, gravel and bricks.

python examples/quadrants.py      # needs what efficientnet_lite0.py needs
"""

import numpy as np
from efficientnet_lite0 import make
from PIL import Image
from skimage import data

import pellucid
from pellucid.recipe import Recipe

TIGER_CAT = 282
SIDE = 112
METHODS = ["saliency", "gradient_x_input", "grad_cam"]


def composed(place: int) -> Image.Image:
    """The cat in quadrant `place` (row by row), textures in the others."""
    cat = Image.fromarray(data.chelsea()).crop((75, 0, 375, 300))
    tiles = [Image.fromarray(load()).convert("RGB") for load in (data.grass, data.gravel, data.brick)]
    tiles.insert(place, cat)
    canvas = Image.new("RGB", (2 * SIDE, 2 * SIDE))
    for index, tile in enumerate(tiles):
        canvas.paste(tile.resize((SIDE, SIDE)), (index % 2 * SIDE, index // 2 * SIDE))
    return canvas


def shares(map_: np.ndarray) -> np.ndarray:
    """Share of a map's magnitude in each quadrant; float[channel height width] or float[height width]."""
    sizes = np.abs(map_).sum(axis=0) if map_.ndim == 3 else np.abs(map_)
    total = sizes.reshape(2, SIDE, 2, SIDE).sum(axis=(1, 3)).reshape(-1)
    return total / total.sum()


def main() -> None:
    model, told = make()
    recipe = Recipe(mean=told["recipe"].mean, std=told["recipe"].std)
    for place in range(4):
        image = recipe.tensor(composed(place))[None]
        maps = pellucid.attribute(model.eval(), image, TIGER_CAT, METHODS)
        found = {name: shares(one.input[0].numpy()) for name, one in maps.items()}
        words = ", ".join(
            f"{name} {share[place]:.0%}{'' if share.argmax() == place else ' (not the largest)'}"
            for name, share in found.items()
        )
        print(f"cat in quadrant {place}: {words}")


if __name__ == "__main__":
    main()

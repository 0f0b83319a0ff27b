"""How an image is prepared for a model: named steps, part of a record's fingerprint."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import OptionError
from pellucid.record.schema import Preprocessing

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

_INTERPOLATIONS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}


@dataclass(frozen=True)
class Recipe:
    """From an RGB image to float32[channel height width], as torchvision's and timm's evaluation transforms do it.

    Attributes:
        resize: length of the shorter side after resizing; the other keeps the proportions.
        size: (height, width) after resizing without keeping the proportions; excludes resize.
        crop: (height, width) cut from the centre.
        mean, std: subtracted and divided by, a channel each, after scaling to 0..1.
        grayscale: one channel of luminance instead of three.
        origin: "model" (its own recipe), "flags", or "default".
    """

    resize: int | None = None
    size: tuple[int, int] | None = None
    crop: tuple[int, int] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    grayscale: bool = False
    interpolation: str = "bilinear"
    origin: str = "default"

    def __post_init__(self) -> None:
        channels = 1 if self.grayscale else 3
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and len(values) not in (1, channels):
                raise OptionError(f"--{name} needs one number a channel ({channels}); got {len(values)}.")
        if self.std is not None and min(self.std) <= 0:
            raise OptionError(f"--std must be above 0; got {self.std}.")
        if self.resize is not None and self.size is not None:
            raise OptionError("--resize keeps proportions and --size does not: give one of them.")
        if self.interpolation not in _INTERPOLATIONS:
            raise OptionError(
                f"The interpolation must be one of {', '.join(_INTERPOLATIONS)}; got '{self.interpolation}'."
            )

    def geometry(self, image: Image) -> Image:
        """The image as the model sees it, still as a picture."""
        method = _INTERPOLATIONS[self.interpolation]
        image = image.convert("L" if self.grayscale else "RGB")
        if self.size is not None:
            image = image.resize((self.size[1], self.size[0]), method)
        elif self.resize is not None:
            width, height = image.size
            short, long = min(width, height), max(width, height)
            scaled = int(self.resize * long / short)
            image = image.resize((self.resize, scaled) if width <= height else (scaled, self.resize), method)
        if self.crop is not None:
            image = _cropped(image, *self.crop)
        return image

    def tensor(self, picture: Image) -> Tensor:
        """From the prepared picture to float32[channel height width]."""
        import torch

        pixels = np.asarray(picture)
        # Laid out by channel first, then changed in place: a click waits for this.
        values = np.array(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1), np.float32, order="C")
        values /= np.float32(255)
        if self.mean is not None:
            values -= np.asarray(self.mean, np.float32).reshape(-1, 1, 1)
        if self.std is not None:
            values /= np.asarray(self.std, np.float32).reshape(-1, 1, 1)
        return torch.from_numpy(values)

    def to_schema(self) -> Preprocessing:
        """As it stands in a manifest: steps in order, and their SHA-256."""
        steps: list[dict[str, Any]] = []
        if self.grayscale:
            steps.append({"step": "grayscale"})
        if self.size is not None:
            steps.append({"step": "resize", "size": list(self.size), "interpolation": self.interpolation})
        if self.resize is not None:
            steps.append({"step": "resize", "shorter_side": self.resize, "interpolation": self.interpolation})
        if self.crop is not None:
            steps.append({"step": "centre crop", "size": list(self.crop)})
        steps.append({"step": "scale", "divisor": 255.0})
        if self.mean is not None or self.std is not None:
            steps.append({"step": "normalise", "mean": list(self.mean or ()), "std": list(self.std or ())})
        digest = hashlib.sha256(json.dumps(steps, sort_keys=True).encode()).hexdigest()
        return Preprocessing(steps, self.origin, digest)


def _cropped(image: Image, height: int, width: int) -> Image:
    """Cuts the centre; where the image is smaller, black borders stand in."""
    left, top = _offset(image.width, width), _offset(image.height, height)
    return image.crop((left, top, left + width, top + height))


def _offset(extent: int, wanted: int) -> int:
    """Where the centre begins; a border's odd pixel goes to the end, as torchvision puts it."""
    return round((extent - wanted) / 2.0) if extent >= wanted else -((wanted - extent) // 2)

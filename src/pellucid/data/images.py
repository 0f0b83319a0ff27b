"""Decoding images that may be anything, and the small pictures of them that a record keeps."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.types import Media

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

# An image of more pixels is refused before it is decoded: it costs more memory than any model's input is worth.
MOST_PIXELS = 64_000_000
MEDIA_SIDE = 160


class UndecodableImageError(Exception):
    """Why an image cannot be read; the caller knows its name."""


def decode(content: bytes) -> Image:
    """An upright RGB or grey image. Raises: UndecodableImageError."""
    from PIL import Image as Pillow
    from PIL import ImageOps, UnidentifiedImageError

    try:
        with _without_warnings(), Pillow.open(io.BytesIO(content)) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise UndecodableImageError(f"{opened.width} x {opened.height} pixels are more than {MOST_PIXELS:,}")
            ImageOps.exif_transpose(opened, in_place=True)  # which copies it otherwise, also where it stands upright
            return _plain(opened)
    except (UndecodableImageError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        # Pillow's own words name an address in memory.
        raise UndecodableImageError("it is no image of a known format") from error
    except Exception as error:
        # Pillow's readers raise what their formats' parsers raise (struct.error, KeyError, ...): there is no list.
        raise UndecodableImageError(str(error) or type(error).__name__) from error


_lock = threading.Lock()
_decoding: list[warnings.catch_warnings[None]] = []
_threads = 0


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Hides Pillow's warnings about odd files in all threads at once.

    Python's filters are shared by the threads, so the first one in changes them and the last one out puts them back:
    each for itself would put back another's change, for good.
    """
    global _threads
    with _lock:
        if not _threads:
            _decoding.append(warnings.catch_warnings())
            _decoding[-1].__enter__()
            warnings.simplefilter("ignore")
        _threads += 1
    try:
        yield
    finally:
        with _lock:
            _threads -= 1
            if not _threads:
                _decoding.pop().__exit__(None, None, None)


def _plain(image: Image) -> Image:
    """RGB or 8-bit grey: transparency on white, 16 bits scaled to 8."""
    from PIL import Image as Pillow

    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, np.float64)
        # A dark image of 16 bits stays dark; what has more, or a point, says by its values alone what white is.
        scale = 255.0 / 65535.0 if image.mode.startswith("I;16") or values.max(initial=0) > 255 else 1.0
        return Pillow.fromarray(np.clip(values * scale, 0, 255).round().astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        whole = image.convert("RGBA")
        ground = Pillow.new("RGBA", whole.size, (255, 255, 255, 255))
        return Pillow.alpha_composite(ground, whole).convert("RGB")
    return image.convert("L") if image.mode in ("1", "L") else image.convert("RGB")


def picture_of(image: Image) -> Media:
    """What the model saw, small: lossless up to 64 pixels a side, else WebP of at most 160."""
    small = image.copy()
    small.thumbnail((MEDIA_SIDE, MEDIA_SIDE))
    sink = io.BytesIO()
    if max(small.size) <= 64:
        small.save(sink, "PNG")
        return Media(sink.getvalue(), "png")
    small.save(sink, "WEBP", quality=80, method=2)
    return Media(sink.getvalue(), "webp")


def picture_of_tensor(values: Any) -> Media | None:
    """A picture of a float tensor [1|3, height, width], stretched from its minimum to its maximum; None for others."""
    from PIL import Image as Pillow

    tensor: Tensor = values
    if getattr(tensor, "ndim", 0) != 3 or tensor.shape[0] not in (1, 3) or min(tensor.shape[1:]) < 2:
        return None
    plain = tensor.detach().cpu().float().numpy()
    if not np.isfinite(plain).all():
        return None
    low, high = float(plain.min()), float(plain.max())
    pixels = ((plain - low) * (255.0 / (high - low) if high > low else 0.0)).round().astype(np.uint8)
    return picture_of(Pillow.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)))

"""Which places of an axis each output place of a sliding operation looks at."""

from __future__ import annotations

import math

import numpy as np

from pellucid.mapping.boxes import Windows


def sliding(
    given: int, made: int, kernel: int, stride: int, padding: int, dilation: int, mode: str = "zeros"
) -> Windows:
    """Of a convolution or pooling along one axis of `given` places that made `made`."""
    starts = np.arange(made)[:, None] * stride - padding
    return placed(starts + np.arange(kernel)[None, :] * dilation, given, mode)


def placed(places: Windows, given: int, mode: str) -> Windows:
    """Places outside an axis as what the padding puts there; -1 where that is no place of the axis."""
    if mode == "circular":
        return places % given
    if mode in ("replicate", "border"):
        return np.clip(places, 0, given - 1)
    if mode == "reflect":
        inside = np.where(places < 0, -places, places)
        return np.where(inside >= given, 2 * (given - 1) - inside, inside)
    return np.where((places >= 0) & (places < given), places, -1)


def transposed(given: int, made: int, kernel: int, stride: int, padding: int, dilation: int) -> Windows:
    """Of a transposed convolution: the places that write to each output place."""
    from_ = np.arange(made)[:, None] + padding - np.arange(kernel)[None, :] * dilation
    places = from_ // stride
    return np.where((from_ % stride == 0) & (places >= 0) & (places < given), places, -1)


def adaptive(given: int, made: int) -> Windows:
    """Of adaptive pooling: windows of unequal size that cover the axis."""
    starts = [place * given // made for place in range(made)]
    stops = [-(-(place + 1) * given // made) for place in range(made)]
    longest = max(stop - start for start, stop in zip(starts, stops, strict=True))
    windows = np.full((made, longest), -1)
    for place, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        windows[place, : stop - start] = np.arange(start, stop)
    return windows


def resampled(given: int, made: int, scale: float | None, mode: str, aligned: bool) -> Windows | None:
    """Of interpolation; None for a mode that is not known here."""
    ratio = 1 / scale if scale else given / made
    places = np.arange(made)
    # At these sizes torch does not look at the factor that was given.
    if made == given and mode not in ("nearest-exact", "bicubic"):
        ratio = 1.0
    elif made == 2 * given and mode == "nearest":
        ratio = 0.5
    if mode in ("nearest", "nearest-exact"):
        shift = 0.5 if mode == "nearest-exact" else 0.0
        nearest: Windows = np.minimum(np.floor((places + shift) * ratio).astype(np.int64), given - 1)[:, None]
        return nearest
    if mode not in ("linear", "bilinear", "trilinear", "bicubic"):
        return None
    exact = places * ((given - 1) / max(made - 1, 1)) if aligned else (places + 0.5) * ratio - 0.5
    reach = range(-1, 3) if mode == "bicubic" else range(2)
    exact = exact if mode == "bicubic" else np.maximum(exact, 0)
    first = np.floor(exact).astype(np.int64)
    windows: Windows = np.clip(first[:, None] + np.array(reach)[None, :], 0, given - 1)
    on_place = np.isclose(exact - first, 0.0, atol=1e-9)
    windows[on_place] = np.clip(first[on_place], 0, given - 1)[:, None]  # the others' weights are 0
    return windows


def total_same_padding(kernel: int, dilation: int) -> int:
    """What padding="same" puts before an axis; the rest of the sum stands behind it."""
    return math.floor(dilation * (kernel - 1) / 2)

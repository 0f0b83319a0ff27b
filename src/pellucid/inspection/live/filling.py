"""What takes the place of an input where a part of it is taken away: named in words, since a page cannot send a tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pellucid.errors import MethodError

if TYPE_CHECKING:
    from torch import Tensor

FILLS = {
    "zero": "0 of the prepared input",
    "mean": "the mean of each channel of the example",
    "blur": "a blurred copy of the example",
}


def filling(fill: str, leaf: Tensor) -> Any:
    """The values of that name, which broadcast to the input. Raises: MethodError: the input is no image that could be blurred."""
    from torch.nn import functional

    if fill == "zero":
        return 0.0
    if not leaf.is_floating_point():
        raise MethodError(
            f"Token ids have neither a mean nor a blurred copy; '{fill}' cannot stand in for them. Use zero."
        )
    if fill == "mean":
        return (
            leaf.flatten(2).mean(2).reshape(*leaf.shape[:2], *(1,) * (leaf.ndim - 2)) if leaf.ndim > 2 else leaf.mean()
        )
    if leaf.ndim != 4:
        raise MethodError(
            f"Only images (batch, channel, height, width) can be blurred; got {tuple(leaf.shape)}. Use fill=mean."
        )
    side = max(min(leaf.shape[2:]) // 8, 1) | 1
    padded = functional.pad(leaf, (side // 2,) * 4, mode="replicate")
    return functional.avg_pool2d(padded, side, stride=1)

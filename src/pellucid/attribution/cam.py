"""Class activation maps from sums of activations and gradients: pure formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.attribution.layouts import as_maps, no_cam
from pellucid.attribution.sums import Sums
from pellucid.errors import MethodError

if TYPE_CHECKING:
    from torch import Tensor

    from pellucid.types import Layer

__all__ = [
    "as_maps", "eigen_cam_of", "grad_cam", "grad_cam_of", "grad_cam_plus_plus_of", "hires_cam_of", "layer_cam_of", "no_cam",
    "there", "weighed", "xgrad_cam_of",
]  # fmt: skip


def grad_cam(activation: Tensor, gradient: Tensor, layer: Layer) -> Tensor:
    """Grad-CAM of a layer's output, maps or tokens, for which `no_cam` is None: float[batch height width], >= 0."""
    return grad_cam_of(Sums.of(as_maps(activation, layer), as_maps(gradient, layer), {"slopes"})).clamp_(min=0)


def grad_cam_of(sums: Sums) -> Tensor:
    """Channels weighed by their mean gradient.

    Args:
        sums: of a layer, with what the method needs; so in all functions here.

    Returns: float[batch height width], before the ReLU; so in all functions here.
    Source: Selvaraju et al. 2017, arXiv:1610.02391, eq. 1 and 2.
    """
    return there(sums.weighed.get("slopes")).clone()


def grad_cam_plus_plus_of(sums: Sums) -> Tensor:
    """Channels weighed by their positive gradients, those of small regions more.

    With the score through an exponential, alpha = g^2 / (2 g^2 + sum(A) g^3), which is 1 / (2 + sum(A) g) where g is not 0.
    The exponential's own factor, the same at all positions, is left out.
    Source: Chattopadhay et al. 2018, arXiv:1710.11063, eq. 10 and 19.
    """
    return there(sums.weighed.get("weights")).clone()


def hires_cam_of(sums: Sums) -> Tensor:
    """Gradient times activation, summed over channels: exact where a linear head follows.

    Source: Draelos & Carin 2020, arXiv:2011.08891, eq. 5.
    """
    return there(sums.product_map).clone()


def layer_cam_of(sums: Sums) -> Tensor:
    """Positive gradient times activation, summed over channels: fine enough for early layers.

    Source: Jiang et al. 2021, IEEE Transactions on Image Processing 30, 5875-5888, eq. 6 and 7.
    """
    return there(sums.rising_map).clone()


def xgrad_cam_of(sums: Sums) -> Tensor:
    """Channels weighed by their gradients' mean, weighed in turn by the activation at each position.

    A channel whose activations add up to 0 has no weight.
    Source: Fu et al. 2020, arXiv:2008.02312, eq. 8.
    """
    return there(sums.weighed.get("product")).clone()


def eigen_cam_of(sums: Sums) -> Tensor:
    """Projection on the first principal direction of the channels, not centred; its sign makes the sum positive.

    It knows no target: it shows what the layer holds, not what speaks for a class.
    Source: Muhammad & Yeasin 2020, arXiv:2008.00299, section III.
    """
    return there(sums.principal).clone()


def there(sum_: Tensor | None) -> Tensor:
    """A sum that the method has asked for. Raises: MethodError: it has not, which is the method's fault."""
    if sum_ is None:
        raise MethodError("A map was made of a sum that its method had not asked for; this is a fault of the method.")
    return sum_


def weighed(maps: Tensor, weights: Tensor) -> Tensor:
    """Sum over channels of maps times weights float[batch channel], as a product of matrices: no map is laid out twice."""
    found: Tensor = weights[:, None] @ maps.flatten(2)
    return found.reshape(len(maps), *maps.shape[2:])

"""Why a model may not take the images that it was given, and what makes them fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.data.channels_last import in_memory, last_channels
from pellucid.data.memory import words_about

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pellucid.data import Source


def misfit(source: Source, inputs: object, model: nn.Module) -> str:
    """What to do about the first example, for the error of a model that was given it; "" where nothing is to be said.

    Args:
        source: of the example.
        inputs: the example as a batch of one.
        model: that raised.
    """
    import torch

    said = [words_about(source)]
    if isinstance(inputs, torch.Tensor) and inputs.ndim == 4:
        said.append(_of_images(inputs, _channels(model), last_channels(model), in_memory=in_memory(source)))
    return " ".join(one for one in said if one)


def _of_images(images: Tensor, taken: int | None, last: int | None, *, in_memory: bool) -> str:
    """Of images [1 channel height width], where the model takes so many channels first, or last."""
    given = images.shape[1]
    if last is not None and given == last != images.shape[3]:
        return (
            f"The model takes channels last (height, width, {last}), as Keras does, the images have them first: give them by a "
            "function (--data file.py:function) that returns x.permute(1, 2, 0)."
        )
    if taken is not None and given != taken and images.shape[3] == taken:
        return "The images have their channels last: x.permute(2, 0, 1) puts them first."
    if taken == 1 and given in (3, 4):
        how = "x.mean(0, keepdim=True) makes one of them" if in_memory else "--grayscale makes one of luminance"
        return f"The model takes images of one channel, these have {given}: {how}."
    if taken in (3, 4) and given == 1:
        return f"The model takes images of {taken} channels, these have one: x.expand({taken}, -1, -1) repeats it."
    if not images.is_floating_point() and taken is not None:
        kind = str(images.dtype).removeprefix("torch.")
        return (
            f"The images are whole numbers ({kind}), the model takes floating point: x.float() / 255, then normalised as it was "
            "trained."
        )
    return ""


def _channels(model: nn.Module) -> int | None:
    """How many channels the first convolution over images takes, None where there is none."""
    from torch import nn

    return next((one.in_channels for one in model.modules() if isinstance(one, nn.Conv2d)), None)

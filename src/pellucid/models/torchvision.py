"""Models of torchvision: "torchvision:resnet18". Architecture only; weights come from a file."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pellucid.errors import MissingExtraError
from pellucid.models import Inputs, OpenedModel
from pellucid.models.zoo import classes_of, unknown_name
from pellucid.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor

_SIDE = 224  # of an image where the weights' transform names no crop
_FRAMES = (
    16  # of a clip: what the video models were trained and are evaluated on, or more than the fewest that they take
)


def open_model(spec: str, state: Mapping[str, Tensor] | None) -> OpenedModel:
    """Builds the model, with as many classes as the weights have. Raises: ModelError, MissingExtraError."""
    try:
        from torchvision import models
    except ImportError as error:
        raise MissingExtraError("torchvision", "torchvision", f"The model '{spec}'") from error
    name = spec.partition(":")[2]
    if name not in models.list_models():
        raise unknown_name("torchvision", name, models.list_models())
    weights: Any = models.get_model_weights(name).DEFAULT
    named = tuple(weights.meta.get("categories") or ())
    model = _built(name)
    classes = classes_of(state, model, len(named))
    if classes != len(named):
        model, named = _built(name, num_classes=classes), ()
    return OpenedModel(model, name, spec, named or None, _recipe(weights), _example(name, weights))


def _example(name: str, weights: Any) -> Inputs | None:
    """What a model takes that is not given one image: a clip, two images, a list of images; or no crop is named of it."""
    import torch
    from torchvision import models

    task = models.get_model_builder(name).__module__.removeprefix("torchvision.models.").partition(".")[0]
    if task == "video":
        frames = max(_FRAMES, weights.meta.get("min_temporal_size", 1))
        return Inputs((torch.zeros(1, 3, frames, *_crop(weights.transforms())),))
    if task == "detection":
        return Inputs(([torch.zeros(3, _SIDE, _SIDE)],), batch=1)
    if task == "optical_flow":
        return Inputs((torch.zeros(1, 3, _SIDE, _SIDE), torch.zeros(1, 3, _SIDE, _SIDE)))
    return Inputs((torch.zeros(1, 3, _SIDE, _SIDE),)) if task == "segmentation" else None


def _crop(transform: Any) -> tuple[int, int]:
    """Height and width of what the transform cuts out: it says one length for a square."""
    height, *width = transform.crop_size
    return height, width[0] if width else height


def _built(name: str, **wanted: int) -> Any:
    """The architecture alone: no weights of its own, none downloaded for a backbone."""
    from torchvision import models

    settings: dict[str, Any] = dict(wanted)
    if "weights_backbone" in inspect.signature(models.get_model_builder(name)).parameters:
        settings["weights_backbone"] = None
    if name in ("googlenet", "inception_v3"):
        # The published recipe goes with a model that undoes it, as torchvision builds them for published weights.
        settings |= {"transform_input": True, "init_weights": False}
    return models.get_model(name, weights=None, **settings)


def _recipe(weights: Any) -> Recipe | None:
    """The evaluation transform that the weights were published with."""
    transform = weights.transforms()
    if not hasattr(transform, "crop_size"):
        return None
    return Recipe(
        resize=transform.resize_size[0],
        crop=_crop(transform),
        mean=tuple(transform.mean),
        std=tuple(transform.std),
        interpolation=transform.interpolation.value,
        origin="model",
    )

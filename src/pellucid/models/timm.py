"""Models of timm: "timm:efficientnet_lite0". Architecture only; weights come from a file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pellucid.errors import MissingExtraError
from pellucid.models import OpenedModel
from pellucid.models.zoo import classes_of, unknown_name
from pellucid.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor


def open_model(spec: str, state: Mapping[str, Tensor] | None) -> OpenedModel:
    """Builds the model, with as many classes as the weights have. Raises: ModelError, MissingExtraError."""
    try:
        import timm
    except ImportError as error:
        raise MissingExtraError("timm", "timm", f"The model '{spec}'") from error
    name = spec.partition(":")[2]
    if not timm.is_model(name.partition(".")[0]):
        raise unknown_name("timm", name, timm.list_models())
    classes = classes_of(state)
    wanted: dict[str, Any] = {} if classes is None else {"num_classes": classes}
    model: Any = timm.create_model(name, pretrained=False, **wanted)
    return OpenedModel(model, name, spec, _imagenet(model), _recipe(model.pretrained_cfg))


def _recipe(configuration: Mapping[str, Any]) -> Recipe:
    """Timm's evaluation transform: resize so that the centre crop covers `crop_pct` of it."""
    _, height, width = configuration.get("test_input_size") or configuration.get("input_size") or (3, 224, 224)
    share = configuration.get("test_crop_pct") or configuration.get("crop_pct") or 0.875
    return Recipe(
        resize=math.floor(height / share),
        crop=(height, width),
        mean=tuple(configuration.get("mean") or (0.5,)),
        std=tuple(configuration.get("std") or (0.5,)),
        interpolation=configuration.get("interpolation") or "bicubic",
        origin="model",
    )


def _imagenet(model: Any) -> tuple[str, ...] | None:
    """ImageNet's names, which timm ships, where the model has its 1,000 classes."""
    if getattr(model, "num_classes", None) != 1000:
        return None
    from timm.data.imagenet_info import ImageNetInfo

    info = ImageNetInfo("imagenet-1k")
    return tuple(info.index_to_description(index) for index in range(1000))

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
    family, _, tag = name.partition(".")
    if not timm.is_model(family):
        raise unknown_name("timm", name, timm.list_models())
    try:
        model: Any = timm.create_model(name, pretrained=False)
    except RuntimeError as error:
        if tag and "pretrained tag" in str(error):
            raise unknown_name("timm", name, timm.list_models(f"{family}.*", pretrained=True) or [family]) from error
        raise
    known = int(getattr(model, "num_classes", 0))
    classes = classes_of(state, model, known)
    if classes != known:
        model = timm.create_model(name, pretrained=False, num_classes=classes)
    return OpenedModel(model, name, spec, _imagenet(model), _recipe(model.pretrained_cfg))


def _recipe(configuration: Mapping[str, Any]) -> Recipe | None:
    """Timm's evaluation transform at the size that the model is to be tested with, as timm's validate.py does it.

    None where it cannot be told in a recipe's steps: borders in the mean colour, and crops that are not square.
    """
    from timm.data.config import resolve_data_config

    resolve: Any = resolve_data_config
    wanted = resolve(pretrained_cfg=configuration, use_test_size=True)
    _, height, width = wanted["input_size"]
    scaled = math.floor(height / wanted["crop_pct"]), math.floor(width / wanted["crop_pct"])
    squashed = wanted["crop_mode"] == "squash"
    if not squashed and (wanted["crop_mode"] != "center" or height != width):
        return None
    return Recipe(
        resize=None if squashed else scaled[0],
        size=scaled if squashed else None,
        crop=(height, width),
        mean=tuple(wanted["mean"]),
        std=tuple(wanted["std"]),
        interpolation=wanted["interpolation"],
        origin="model",
    )


def _imagenet(model: Any) -> tuple[str, ...] | None:
    """ImageNet's names, which timm ships, where the model has its 1,000 classes."""
    if getattr(model, "num_classes", None) != 1000:
        return None
    from timm.data.imagenet_info import ImageNetInfo

    info = ImageNetInfo("imagenet-1k")
    return tuple(info.index_to_description(index) for index in range(1000))

"""Models of torchvision: "torchvision:resnet18". Architecture only; weights come from a file."""

from __future__ import annotations

import inspect
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
    return OpenedModel(model, name, spec, named or None, _recipe(weights))


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
    crop = transform.crop_size[0]
    return Recipe(
        resize=transform.resize_size[0],
        crop=(crop, crop),
        mean=tuple(transform.mean),
        std=tuple(transform.std),
        interpolation=transform.interpolation.value,
        origin="model",
    )

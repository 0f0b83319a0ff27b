"""Models from the user's own code: "file.py:function" or "package.module:function"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pellucid.errors import ModelError
from pellucid.importing import load_object
from pellucid.models import Inputs, OpenedModel
from pellucid.models.keras import example_of, is_keras, prefer_torch, with_layers
from pellucid.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor


def open_model(spec: str, state: Mapping[str, Tensor] | None) -> OpenedModel:
    """Calls the function, or the class; a module that is ready is taken as it is.

    The function may also give (module, {"classes": [...], "recipe": Recipe(...), "example": inputs}).
    Raises: ModelError: it raised, or gave something else.
    """
    from torch import nn

    from pellucid.graph.expectations import described

    prefer_torch()
    found: Any = load_object(spec, "model", ModelError)
    if not isinstance(found, nn.Module):
        if not callable(found):
            raise ModelError(f"{spec} is {described(found)}; expected a function that returns a torch.nn.Module.")
        try:
            found = found()
        except Exception as error:
            raise ModelError(f"{spec} raised {type(error).__name__}: {error}.") from error
    told: Mapping[str, Any] = {}
    if isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], Mapping):
        found, told = found
    keras = is_keras(found)
    if not isinstance(found, nn.Module):
        raise ModelError(f"{spec} gave {described(found)}; expected a torch.nn.Module.")
    classes = told.get("classes", getattr(found, "classes", None))
    names = tuple(map(str, classes)) if isinstance(classes, list | tuple) else None
    recipe = told.get("recipe")
    if recipe is not None and not isinstance(recipe, Recipe):
        raise ModelError(f"{spec} gave {described(recipe)} as its recipe; expected a pellucid.recipe.Recipe.")
    if keras:
        return OpenedModel(with_layers(found), type(found).__name__, spec, names, recipe, example_of(found))
    return OpenedModel(found, type(found).__name__, spec, names, recipe, _example(told, found))


def _example(told: Mapping[str, Any], module: Any) -> Inputs | None:
    """What the function, or the module as Lightning's do, says that it can be called with."""
    example = told.get("example", getattr(module, "example_input_array", None))
    if example is None or isinstance(example, Inputs):
        return example
    if isinstance(example, Mapping):
        return Inputs(kwargs={str(name): one for name, one in example.items()})
    return Inputs(tuple(example) if isinstance(example, tuple | list) else (example,))

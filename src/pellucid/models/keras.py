"""Models of Keras 3 on its torch backend: "keras:file.keras", or a function of your own that returns a keras.Model.

A keras.Model on torch is a torch.nn.Module and its layers are called as such, but they are none of its modules. Here they
become modules under their own names, so that traces and captures see them.
"""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.errors import MissingExtraError, ModelError, TrustError, WeightsError
from pellucid.models import Inputs, OpenedModel

if TYPE_CHECKING:
    from torch import Tensor, nn

_BACKEND = "KERAS_BACKEND"
# What an open size of an input becomes where it is not the batch.
_LENGTH = 32


def open_model(spec: str, state: Mapping[str, Tensor] | None, *, trust: bool = False) -> OpenedModel:
    """Opens a .keras file, with the values in it. Layers that are Python code (Lambda) are refused without `trust`.

    Raises: ModelError: no such file, another format, damaged, or Keras runs on another backend. TrustError.
        WeightsError: weights beside those in the file. MissingExtraError.
    """
    path = Path(spec.partition(":")[2]).expanduser()
    if state is not None:
        raise WeightsError(f"{path} holds its own weights; a second file (--weights) has no place in it.")
    if not path.is_file():
        raise ModelError(
            f"There is no file {path}. Expected 'keras:file.keras', as model.save('file.keras') writes it."
        )
    if not zipfile.is_zipfile(path):
        raise ModelError(
            f"{path} is no .keras file, or is cut short: it is no archive. A model of Keras 2 (.h5, SavedModel) must be saved "
            "again: model.save('file.keras')."
        )
    keras = _keras(spec)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=not trust)
    except Exception as error:
        if not trust and "safe_mode" in str(error):
            raise TrustError(
                f"{path} has a layer that is Python code (Lambda): opening it runs that code. If you know where the file comes "
                "from, open it with --trust."
            ) from error
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"Keras cannot open {path}: {type(error).__name__}: {reason}") from error
    return OpenedModel(with_layers(model), str(model.name), spec, example=example_of(model))


def prefer_torch() -> None:
    """Has a Keras that is not imported yet run on torch, where nothing else was asked for."""
    if "keras" not in sys.modules:
        os.environ.setdefault(_BACKEND, "torch")


def is_keras(model: object) -> bool:
    """Whether it is a model of Keras; Keras is not imported for the question. Raises: ModelError: on another backend."""
    keras: Any = sys.modules.get("keras")
    kind = getattr(keras, "Model", None)
    if not isinstance(kind, type) or not isinstance(model, kind):
        return False
    backend = str(keras.backend.backend())
    if backend != "torch":
        raise ModelError(_other_backend(backend))
    return True


def _keras(spec: str) -> Any:
    """The package, running on torch. Raises: MissingExtraError, ModelError."""
    prefer_torch()
    try:
        import keras
    except ImportError as error:
        if os.environ.get(_BACKEND) != "torch":
            raise ModelError(_other_backend(os.environ.get(_BACKEND, ""))) from error
        raise MissingExtraError("keras", "keras", f"The model '{spec}'") from error
    backend = str(keras.backend.backend())
    if backend != "torch":
        raise ModelError(_other_backend(backend))
    return keras


def _other_backend(backend: str) -> str:
    return (
        f"Keras runs on '{backend}' here; only its torch backend makes modules that can be looked into. Set {_BACKEND}=torch "
        "before Keras is imported."
    )


def with_layers(model: nn.Module) -> nn.Module:
    """The model itself, its layers made modules of it, and its parameters what Keras counts; once is enough."""
    for parent, name, layer in list(_layers(model)):
        own = name.replace(".", "_")
        if own not in parent._modules and type(layer).__name__ != "InputLayer":  # which is never called
            parent._modules[own] = layer
    for module in model.modules():
        held: Any = getattr(module, "_torch_params", {})
        counted = {variable.path for variable in getattr(module, "weights", ())}
        for name in [*held]:
            if name not in counted:  # the state of a random seed, what a metric has added up
                del held[name]
    return model


def _layers(model: Any) -> Iterator[tuple[Any, str, Any]]:
    """Every layer with what holds it and its name there, outermost first."""
    for layer in model._flatten_layers(include_self=False, recursive=False):
        yield model, str(layer.name), layer
        yield from _layers(layer)


def example_of(model: Any) -> Inputs | None:
    """Zeros of the shapes that the model was built for, one example; None where it does not say."""
    import torch

    struct = getattr(model, "_inputs_struct", None)
    if struct is None:
        struct = getattr(getattr(model, "_functional", None), "_inputs_struct", None)
    if struct is None:
        return None

    def zeros(held: Any) -> Tensor:
        shape = [size if size is not None else 1 if axis == 0 else _LENGTH for axis, size in enumerate(held.shape)]
        return torch.zeros(shape, dtype=getattr(torch, str(held.dtype), torch.float32))

    def filled(held: Any) -> Any:
        if isinstance(held, Mapping):
            return {name: filled(one) for name, one in held.items()}
        if isinstance(held, list | tuple):
            return [filled(one) for one in held]
        return zeros(held)

    whole = filled(struct)
    return Inputs((whole[0] if isinstance(whole, list) and len(whole) == 1 else whole,))

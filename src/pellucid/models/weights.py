"""Weights from a file, without running code from it."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.errors import TrustError, WeightsError

if TYPE_CHECKING:
    from torch import Tensor, nn

_WRAPPERS = ("state_dict", "model", "model_state_dict", "net", "weights", "ema")
_PREFIXES = ("module.", "_orig_mod.", "model.")
_SHOWN = 4


def read_weights(path: Path, *, trust: bool = False) -> dict[str, Tensor]:
    """A state dict from .safetensors, .pt or .pth.

    Raises: WeightsError: no such file, or no state dict in it. TrustError: it holds pickled code, and `trust` is off.
    """
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path}.")
    if path.suffix == ".safetensors":
        return _safetensors(path)
    import torch

    with path.open("rb") as stream:
        begins = stream.read(2)
    if begins != b"PK" and begins[:1] != b"\x80":
        # Torch would call a web page, or a pointer of Git LFS, a pickle that it does not trust.
        raise WeightsError(
            f"{path} cannot be read as weights: it is none of the files that torch.save writes. Was it downloaded whole?"
        )
    try:
        held: Any = torch.load(path, map_location="cpu", weights_only=not trust)
    except Exception as error:
        if not trust and isinstance(error, pickle.UnpicklingError):
            raise TrustError(
                f"{path} holds more than tensors: opening it would run code from it. If you know where it comes from, open "
                "it with --trust; better, save the state dict alone (torch.save(model.state_dict(), ...) or safetensors)."
            ) from error
        raise WeightsError(
            f"{path} cannot be read as weights: {type(error).__name__}: {error}. Expected .safetensors, or a state dict "
            "that torch.save wrote; is the file whole?"
        ) from error
    return _state_dict(held, path)


def _safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is damaged or no safetensors file: {error}.") from error


def _state_dict(held: Any, path: Path) -> dict[str, Tensor]:
    import torch

    for _ in range(2):
        if isinstance(held, Mapping):
            held = next(
                (held[name] for name in _WRAPPERS if isinstance(held.get(name), Mapping | torch.nn.Module)), held
            )
        if isinstance(held, torch.nn.Module):
            held = held.state_dict()
    if not isinstance(held, Mapping) or not any(isinstance(value, torch.Tensor) for value in held.values()):
        raise WeightsError(
            f"{path} holds a {type(held).__name__}; expected a state dict: names of parameters and tensors."
        )
    return {str(name): value for name, value in held.items() if isinstance(value, torch.Tensor)}


def load_weights(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Puts a state dict into a model; all of it must fit. Raises: WeightsError, with what does not."""
    wanted = {name: entry for name, entry in model.state_dict().items() if hasattr(entry, "shape")}
    found = unprefixed(state, set(wanted))
    missing = [name for name in wanted if name not in found and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in found if name not in wanted]
    misfits = [
        f"{name} is {tuple(found[name].shape)}, the model wants {tuple(wanted[name].shape)}"
        for name in wanted
        if name in found and found[name].shape != wanted[name].shape
    ]
    told = [
        _told("missing", missing),
        _told("not in the model", unexpected),
        _told("of another shape", misfits),
    ]
    if any(told):
        raise WeightsError(
            f"The weights in {source} do not fit the model: {'; '.join(filter(None, told))}. Is this the architecture, and "
            "the number of classes, that the weights were trained for?"
        )
    model.load_state_dict(dict(found), strict=False)


def _told(what: str, names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{len(names)} {what} ({', '.join(names[:_SHOWN])}{more})" if names else ""


def unprefixed(state: Mapping[str, Tensor], wanted: set[str]) -> Mapping[str, Tensor]:
    """Takes off what wrappers (DataParallel, torch.compile) put before every name, where that makes more names fit."""
    best = state
    for prefix in _PREFIXES:
        stripped = {name.removeprefix(prefix): value for name, value in best.items()}
        if len(wanted & set(stripped)) > len(wanted & set(best)):
            best = stripped
    return best

"""What identifies a model: its names, shapes, dtypes and values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pellucid.errors import ModelError
from pellucid.record.schema import ModelInfo

if TYPE_CHECKING:
    from hashlib import _Hash

    from torch import Tensor, nn

_PLAIN = (type(None), bool, int, float, complex, str, bytes)


def fingerprint(model: nn.Module) -> str:
    """SHA-256 over the class name and every entry of the state dict, in order of name; hexadecimal.

    Two models with the same architecture class and bit-identical weights have the same fingerprint, whatever device
    they are on. Of what `get_extra_state` gives, numbers, texts, tensors and what holds them count; of any other object its class
    alone, for it may be written with its place in memory.

    Raises: ModelError: it was never run, and has parameters without a shape.
    """
    from torch.nn.parameter import is_lazy

    for name, one in (*model.named_parameters(), *model.named_buffers()):
        if is_lazy(one):
            raise ModelError(
                f"The shape of {name} is not known before the model's first forward, as that of nn.LazyLinear. Run the model on "
                "one batch first."
            )
    digest = hashlib.sha256(type(model).__name__.encode())
    for name, value in sorted(model.state_dict().items()):
        _add(digest, name, value)
    return digest.hexdigest()


def _add(digest: _Hash, name: str, value: object) -> None:
    import torch

    if isinstance(value, torch.Tensor):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        if value.device.type != "meta":
            for part in _parts(value.detach().cpu()):
                digest.update(part.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    elif isinstance(value, np.ndarray) and value.dtype != object:
        digest.update(f"{name} {value.dtype} {value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, _PLAIN) or _is_plain(value):
        digest.update(f"{name} {value!r}".encode())
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            _add(digest, f"{name}.{key if isinstance(key, str) else type(key).__qualname__}", value[key])
    elif isinstance(value, list | tuple):
        for place, one in enumerate(value):
            _add(digest, f"{name}.{place}", one)
    else:
        digest.update(f"{name} {type(value).__qualname__}".encode())


def _is_plain(value: object) -> bool:
    """Whether it is written the same wherever it lies in memory: values, and lists, tuples and dicts of them."""
    import torch

    if isinstance(value, Mapping):
        return type(value) is dict and all(_is_plain(one) for pair in value.items() for one in pair)
    if isinstance(value, list | tuple):
        return type(value) in (list, tuple) and all(map(_is_plain, value))
    return type(value) in _PLAIN or isinstance(value, torch.dtype)


def _parts(tensor: Tensor) -> list[Tensor]:
    """Dense tensors that hold what a tensor holds: its values, and of a sparse one their places."""
    import torch

    if tensor.is_quantized:
        return [tensor.int_repr()]
    if tensor.layout == torch.strided:
        return [tensor]
    if tensor.layout == torch.sparse_coo:
        tensor = tensor.coalesce()
        return [tensor.indices(), tensor.values()]
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    if tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        return [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
    return [tensor.to_dense()]


def model_info(model: nn.Module, source: str = "", weights: str = "") -> ModelInfo:
    """What a record says of a model.

    Args:
        model: of the record.
        source: how it was named by who opened it.
        weights: which were loaded into it, likewise.
    """
    parameters = list(model.parameters())
    return ModelInfo(
        name=type(model).__name__,
        source=source,
        fingerprint=fingerprint(model),
        parameters=sum(one.numel() for one in parameters),
        trainable=sum(one.numel() for one in parameters if one.requires_grad),
        bytes=sum(one.numel() * one.element_size() for one in parameters),
        weights=weights,
    )

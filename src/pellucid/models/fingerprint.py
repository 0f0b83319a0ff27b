"""What identifies a model: its names, shapes, dtypes and values."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def fingerprint(model: nn.Module) -> str:
    """SHA-256 over the class name and every entry of the state dict, in order of name; hexadecimal.

    Two models with the same architecture class and bit-identical weights have the same fingerprint, whatever device
    they are on.
    """
    import torch

    digest = hashlib.sha256(type(model).__name__.encode())
    for name, tensor in sorted(model.state_dict().items()):
        if not isinstance(tensor, torch.Tensor):
            digest.update(f"{name} {tensor!r}".encode())
            continue
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        if tensor.device.type == "meta":
            continue
        plain = tensor.detach().cpu().contiguous()
        if plain.is_quantized:
            plain = plain.int_repr()
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()

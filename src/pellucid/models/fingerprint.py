"""What identifies a model: its names, shapes, dtypes and values."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pellucid.errors import ModelError

if TYPE_CHECKING:
    from torch import nn


def fingerprint(model: nn.Module) -> str:
    """SHA-256 over the class name and every entry of the state dict, in order of name; hexadecimal.

    Two models with the same architecture class and bit-identical weights have the same fingerprint, whatever device
    they are on.

    Raises: ModelError: it was never run, and has parameters without a shape.
    """
    import torch
    from torch.nn.parameter import is_lazy

    for name, one in (*model.named_parameters(), *model.named_buffers()):
        if is_lazy(one):
            raise ModelError(
                f"The shape of {name} is not known before the model's first forward, as that of nn.LazyLinear. Run the model on "
                "one batch first."
            )
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

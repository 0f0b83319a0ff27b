"""Attention weights, caught where operators make them, whatever module calls them."""

from __future__ import annotations

import inspect
import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from pellucid.errors import MethodError

_SIGNATURE = inspect.signature(F.multi_head_attention_forward)
_SOFTMAX = (F.softmax, torch.softmax, Tensor.softmax)


class Attentions(TorchFunctionMode):
    """Keeps the weights of every self-attention of a forward, in order, and their gradients in the backward.

    Fused attention is computed in steps, so that its weights exist; PyTorch's own modules leave their fused path while a
    mode like this one is active.

    Attributes:
        weights: float[batch head token token], one an attention.
        gradients: of the score by them, by place; filled by the backward.
    """

    def __init__(self, batch: int, title: str) -> None:
        super().__init__()
        self._batch = batch
        self._title = title
        self.weights: list[Tensor] = []
        self.gradients: dict[int, Tensor] = {}

    def __enter__(self) -> Attentions:
        self.weights.clear()
        self.gradients.clear()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __torch_function__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), named: dict[str, Any] | None = None
    ) -> Any:
        named = named or {}
        if function is F.scaled_dot_product_attention:
            return self._fused(*arguments, **named)
        if function is F.multi_head_attention_forward:
            return self._module(*arguments, **named)
        made = function(*arguments, **named)
        if function in _SOFTMAX and made.ndim >= 3 and made.shape[-1] == made.shape[-2] > 1 and _rows_add_up(made):
            self._keep(made, made)
        return made

    def _module(self, *arguments: Any, **named: Any) -> tuple[Tensor, Tensor | None]:
        """PyTorch's own attention, asked for the weights of each head; its caller gets what it asked for."""
        call = _SIGNATURE.bind(*arguments, **named)
        call.apply_defaults()
        wanted, averaged = call.arguments["need_weights"], call.arguments["average_attn_weights"]
        call.arguments.update(need_weights=True, average_attn_weights=False)
        output, weights = F.multi_head_attention_forward(*call.args, **call.kwargs)
        if weights is None:
            raise MethodError(f"{self._title}: nn.MultiheadAttention gave no weights.")
        # What it returns is a view of what it went on with, which alone has the gradient.
        self._keep(weights, weights if weights._base is None else weights._base)
        if not wanted:
            return output, None
        return output, weights.mean(1) if averaged else weights

    def _fused(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        if enable_gqa:
            groups = query.shape[-3] // key.shape[-3]
            key, value = key.repeat_interleave(groups, -3), value.repeat_interleave(groups, -3)
        factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
        logits = query @ key.transpose(-2, -1) * factor
        if is_causal:
            allowed = torch.ones(logits.shape[-2:], dtype=torch.bool, device=logits.device).tril()
            logits = logits.masked_fill(~allowed, -math.inf)
        if attn_mask is not None:
            hidden = attn_mask.dtype == torch.bool
            logits = logits.masked_fill(~attn_mask, -math.inf) if hidden else logits + attn_mask
        weights = logits.softmax(-1)
        if weights.shape[-1] != weights.shape[-2]:
            raise MethodError(
                f"{self._title} needs self-attention; this model attends from {weights.shape[-2]} tokens to "
                f"{weights.shape[-1]} others."
            )
        self._keep(weights, weights)
        return weights @ value

    def _keep(self, weights: Tensor, source: Tensor) -> None:
        """Notes weights of attention, and the gradient by the tensor that they look at."""
        if weights.ndim != 4 or len(weights) != self._batch:
            raise MethodError(
                f"{self._title} needs attention among all tokens of an example, float[batch head token token]; this model's "
                f"has shape {tuple(weights.shape)} for {self._batch} examples: it attends inside windows, as Swin does."
            )
        place = len(self.weights)
        self.weights.append(weights.detach())
        if source.requires_grad:
            shape = weights.shape

            def keep(gradient: Tensor) -> None:
                self.gradients[place] = gradient.reshape(shape)

            source.register_hook(keep)  # type: ignore[no-untyped-call]


def _rows_add_up(weights: Tensor) -> bool:
    """Whether it was the last axis that the softmax was taken over: one over channels is no attention."""
    return bool((weights.detach().sum(-1) - 1).abs().max() < 1e-2)

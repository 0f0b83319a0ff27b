"""Attention weights, caught where operators make them, whatever module calls them."""

from __future__ import annotations

import inspect
import math
from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node, get_gradient_edge
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from pellucid.errors import MethodError

_SIGNATURE = inspect.signature(F.multi_head_attention_forward)
_SOFTMAX = (F.softmax, torch.softmax, Tensor.softmax)
_PRODUCTS = ("BmmBackward", "MmBackward", "BaddbmmBackward")


class Attentions(TorchFunctionMode):
    """Keeps the weights of every self-attention of a forward, in order, and their gradients in the backward.

    They are one chain, as rollouts multiply them, where queries and keys of each were made of what the attention before it
    gave; a decoder's are not made of its encoder's, and those of cross-attention are of two sources.

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
        self._last: Node | None = None

    def __enter__(self) -> Attentions:
        self.weights.clear()
        self.gradients.clear()
        self._last = None
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
            self._keep(made, made, _products(arguments[0] if arguments else named["input"]))
        return made

    def _module(self, *arguments: Any, **named: Any) -> tuple[Tensor, Tensor | None]:
        """PyTorch's own attention, asked for the weights of each head; its caller gets what it asked for."""
        call = _SIGNATURE.bind(*arguments, **named)
        call.apply_defaults()
        query, key = call.arguments["query"], call.arguments["key"]
        if query is not key and not torch.equal(query, key):
            raise MethodError(f"{self._title} needs self-attention; this model attends from tokens to others.")
        if not any(one.requires_grad for one in call.args[:3]):
            # So that what is made of the weights can be told.
            followed = query.detach().requires_grad_()
            same = [name for name in ("query", "key", "value") if call.arguments[name] is query]
            call.arguments.update(dict.fromkeys(same, followed))
            query = followed
        wanted, averaged = call.arguments["need_weights"], call.arguments["average_attn_weights"]
        call.arguments.update(need_weights=True, average_attn_weights=False)
        output, weights = F.multi_head_attention_forward(*call.args, **call.kwargs)
        if weights is None:
            raise MethodError(f"{self._title}: nn.MultiheadAttention gave no weights.")
        # What it returns is a view of what it went on with, which alone has the gradient.
        self._keep(weights, weights if weights._base is None else weights._base, [[_node(query)]])
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
        self._keep(weights, weights, [[_node(query), _node(key)]])
        return weights @ value

    def _keep(self, weights: Tensor, source: Tensor, products: Sequence[Sequence[Node | None]]) -> None:
        """Notes weights of attention, and the gradient by the tensor that they look at.

        Args:
            weights: float[batch head token token], or of one head float[batch token token].
            source: they or what they are a view of.
            products: where queries and keys come from in the gradient's graph; of logits that are a sum, of each part.
        """
        if weights.ndim == 3 and len(weights) == self._batch:
            weights = weights[:, None]
        if weights.ndim != 4 or len(weights) != self._batch:
            why = (
                "it attends inside windows, as Swin does"
                if weights.ndim > 3
                else "heads or windows lie along its batch"
            )
            raise MethodError(
                f"{self._title} needs attention among all tokens of an example, float[batch head token token]; this model's "
                f"has shape {tuple(weights.shape)} for {self._batch} examples: {why}."
            )
        place = len(self.weights)
        last = self._last
        if last is not None and not any(all(_made_of(side, last) for side in sides) for sides in products):
            raise MethodError(
                f"{self._title} needs self-attention, layer upon layer; what attention {place + 1} of this model attends from or "
                f"to is not made of what attention {place} gave: a decoder after an encoder, cross-attention or branches."
            )
        self.weights.append(weights.detach())
        if not source.requires_grad:
            source.requires_grad_()  # so that what is made of it can be told
        self._last = _node(source)
        shape = weights.shape

        def keep(gradient: Tensor) -> None:
            self.gradients[place] = gradient.reshape(shape)

        source.register_hook(keep)  # type: ignore[no-untyped-call]


def attended(weights: Sequence[Tensor]) -> Tensor:
    """Which tokens any token attends to: bool[batch token].

    Rows that are uniform in all heads of all attentions do not count, unless all are: where a mask hides padding along both
    axes, a padded token sees no token, and the softmax of logits that are all hidden is uniform.

    Args:
        weights: float[batch head token token], one an attention.
    """
    uniform = torch.stack([(one == one[..., :1]).all(-1).all(1) for one in weights]).all(0)
    counted = ~uniform | uniform.all(1, keepdim=True)
    return torch.stack([(one * counted[:, None, :, None]).sum((1, 2)) for one in weights]).sum(0) > 0


def _node(tensor: Tensor) -> Node | None:
    """Where a tensor is made in the gradient's graph; of a leaf, where its gradient is added up."""
    return get_gradient_edge(tensor).node if tensor.requires_grad else None


def _products(logits: Tensor) -> list[list[Node | None]]:
    """Both sides of each product of matrices that logits are made of, going back no further."""
    found = []
    ahead = deque([_node(logits)])
    seen = set(ahead)
    while ahead:
        node = ahead.popleft()
        if node is None:
            continue
        sides: list[Node | None] = [one for one, _ in node.next_functions]
        if node.name().startswith(_PRODUCTS):
            found.append(sides[-2:])
        else:
            ahead.extend(one for one in sides if one not in seen)
            seen.update(sides)
    return found


def _made_of(start: Node | None, end: Node) -> bool:
    """Whether something was made of what `end` gave."""
    ahead = deque([start])
    seen = set(ahead)
    while ahead:
        node = ahead.popleft()
        if node is end:
            return True
        fresh = {one for one, _ in node.next_functions} - seen if node is not None else set()
        seen |= fresh
        ahead.extend(fresh)
    return False


def _rows_add_up(weights: Tensor) -> bool:
    """Whether it was the last axis that the softmax was taken over: one over channels is no attention."""
    return bool((weights.detach().sum(-1) - 1).abs().max() < 1e-2)

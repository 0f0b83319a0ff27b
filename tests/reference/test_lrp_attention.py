"""Relevance through attention, softmax, embeddings and biases against sums written out in float64, and what of it is lost where."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid
from pellucid.attribution import LrpEpsilon, LrpGamma, LrpZPlus

HEADS, WIDTH, TOKENS = 2, 6, 5


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def filled(model: nn.Module) -> nn.Module:
    with torch.no_grad():
        for number, parameter in enumerate(model.double().parameters()):
            parameter.copy_(0.6 * drawn(*parameter.shape, seed=number))
    return model.eval()


class Attending(nn.Module):
    def __init__(self, way: str, causal: bool) -> None:
        super().__init__()
        self.way, self.causal = way, causal
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.head = nn.Linear(WIDTH, 3, bias=False)
        filled(self)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.ones(TOKENS, TOKENS, dtype=torch.bool).triu(1) if self.causal else None
        if self.way in ("module", "weights"):
            mixed = self.attention(x, x, x, need_weights=self.way == "weights", attn_mask=hidden)[0]
        else:
            joined = F.linear(x, self.attention.in_proj_weight, self.attention.in_proj_bias)
            q, k, v = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in joined.chunk(3, -1))
            if self.way == "fused":
                made = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
            else:
                logits = q @ k.mT / math.sqrt(WIDTH // HEADS)
                logits = logits if hidden is None else logits.masked_fill(hidden, -math.inf)
                made = logits.softmax(-1) @ v
            mixed = self.attention.out_proj(made.transpose(1, 2).flatten(2))
        return self.head(mixed.sum(1))


def back(relevance: Tensor, given: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """LRP-0 of a linear layer on vectors: R_i = sum over j of x_i w_ji / z_j R_j, the bias keeping its part."""
    total = given @ weight.T if bias is None else given @ weight.T + bias
    return (given[..., None, :] * weight / total[..., None] * relevance[..., None]).sum(-2)


def by_hand(model: Attending, x: Tensor, target: int) -> Tensor:
    """AttnLRP, one example and one head after the other: propositions 3.1 (softmax) and 3.3 (products of matrices)."""
    attention, size = model.attention, WIDTH // HEADS
    weights, biases = attention.in_proj_weight.detach().chunk(3), attention.in_proj_bias.detach().chunk(3)
    q, k, v = (x @ weight.T + bias for weight, bias in zip(weights, biases, strict=True))
    shares, made = [], torch.zeros_like(v)
    for head in range(HEADS):
        part = slice(head * size, (head + 1) * size)
        logits = q[:, :, part] @ k[:, :, part].mT / math.sqrt(size)
        if model.causal:
            logits = logits.masked_fill(torch.ones(TOKENS, TOKENS).triu(1).bool(), -math.inf)
        shares.append((logits, logits.softmax(-1)))
        made[:, :, part] = shares[-1][1] @ v[:, :, part]
    out, offset = attention.out_proj.weight.detach(), attention.out_proj.bias.detach()
    mixed = made @ out.T + offset
    relevance = back(mixed * model.head.weight.detach()[target], made, out, offset)
    of = [torch.zeros_like(x) for _ in range(3)]
    for head, (logits, share) in enumerate(shares):
        part = slice(head * size, (head + 1) * size)
        values = v[:, :, part]
        # o[t, c] = sum over s of a[t, s] v[s, c]: each term's relevance, half to a and half to v.
        terms = (
            share[:, :, :, None] * values[:, None] / made[:, :, part][:, :, None] * relevance[:, :, part][:, :, None]
        )
        of[2][:, :, part] = terms.sum(1) / 2
        of_shares = terms.sum(-1) / 2
        finite = logits.masked_fill(logits == -math.inf, 0)
        of_logits = finite * (of_shares - share * of_shares.sum(-1, keepdim=True))
        products = q[:, :, None, part] * k[:, None, :, part]
        whole = products.sum(-1, keepdim=True)
        each = products / whole * of_logits[..., None]
        of[0][:, :, part], of[1][:, :, part] = each.sum(2) / 2, each.sum(1) / 2
    return sum(back(one, x, weight, bias) for one, weight, bias in zip(of, weights, biases, strict=True))  # type: ignore[return-value]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("way", ["module", "weights", "fused", "steps"])
def test_attention_with_heads_biases_and_a_mask_by_hand(way: str, causal: bool) -> None:
    model, x = Attending(way, causal), drawn(2, TOKENS, WIDTH, seed=9)
    found = pellucid.attribute(model, x, 1, LrpEpsilon(0.0))
    torch.testing.assert_close(found.input, by_hand(model, x, 1), rtol=1e-8, atol=1e-10)


def test_what_a_softmax_loses_is_the_constant_of_its_expansion_and_nothing_else() -> None:
    """s(x) is J x and a constant b: relevance R_j b_j / s_j stays with b, where b_j / s_j = 1 - x_j + sum of s_i x_i."""
    model = filled(nn.Sequential(nn.Softmax(1), nn.Linear(4, 3, bias=False)))
    x = drawn(3, 4, seed=3)
    found = pellucid.attribute(model, x, 2, LrpEpsilon(0.0))
    s, weight = x.softmax(1), model[1].weight.detach()[2]
    of_s = s * weight
    jacobian = torch.diag_embed(s) - s[:, :, None] * s[:, None]
    shares = jacobian * x[:, None] / s[:, :, None]  # example, output, input
    torch.testing.assert_close(found.input, (shares * of_s[:, :, None]).sum(1))
    kept = (of_s * (1 - x + (s * x).sum(1, keepdim=True))).sum(1)
    assert found.check is not None
    torch.testing.assert_close(found.check, -kept)
    assert float(kept.abs().min()) > 0.01
    # The same softmax of logits moved by a constant: another expansion, another share for the constant.
    moved = pellucid.attribute(model, x + 2, 2, LrpEpsilon(0.0))
    torch.testing.assert_close(moved.scores, found.scores)
    assert not torch.allclose(moved.input, found.input)


@pytest.mark.parametrize("method", [LrpEpsilon(0.0), LrpGamma(), LrpZPlus()], ids=["epsilon", "gamma", "z_plus"])
def test_relevance_ends_at_the_embedding_and_adds_up_there(method: LrpEpsilon | LrpGamma | LrpZPlus) -> None:
    model = nn.Sequential(
        nn.Embedding(9, 4), nn.Flatten(), nn.Linear(12, 8, bias=False), nn.ReLU(), nn.Linear(8, 3, bias=False)
    )
    filled(model)
    with torch.no_grad():
        model[4].weight.abs_()  # the z-plus rule loses scores that nothing positive makes
    ids = torch.tensor([[1, 2, 3], [4, 4, 8]])
    found = pellucid.attribute(model, ids, 1, method)
    torch.testing.assert_close(found.input, found.layers["0"].sum(2))
    torch.testing.assert_close(found.check, torch.zeros_like(found.scores), rtol=0, atol=1e-5)
    torch.testing.assert_close(found.layers["0"].sum((1, 2)), found.scores, rtol=1e-4, atol=1e-6)
    late = pellucid.attribute(model, ids, 1, method, layers=["4"])
    torch.testing.assert_close(late.input, found.input)
    assert list(late.layers) == ["4"]
    if isinstance(method, LrpEpsilon):
        given = model[0](ids).flatten(1).detach()
        first, last = model[2].weight.detach(), model[4].weight.detach()
        hidden = (given @ first.T).clamp(min=0)
        relevance = back(hidden * last[1], given, first)
        torch.testing.assert_close(found.layers["0"].flatten(1), relevance)


@pytest.mark.parametrize("biased", [False, True])
def test_biases_keep_their_part_of_the_score_and_nothing_else_is_lost(biased: bool) -> None:
    """Two convolutions, a skip, a pool and a head: what is missing is what each bias contributed, layer by layer."""

    class Skipping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(2, 4, 3, padding=1, bias=biased)
            self.second = nn.Conv2d(4, 4, 3, padding=1, bias=biased)
            self.head = nn.Linear(4, 3, bias=biased)

        def forward(self, x: Tensor) -> Tensor:
            maps = F.relu(self.first(x))
            maps = F.max_pool2d(F.relu(self.second(maps)) + maps, 2)
            return self.head(F.adaptive_avg_pool2d(maps, 1).flatten(1))

    model, x = filled(Skipping()), drawn(3, 2, 6, 6, seed=4)
    found = pellucid.attribute(model, x, 0, LrpEpsilon(0.0))
    assert found.check is not None
    if not biased:
        torch.testing.assert_close(found.check, torch.zeros(3).double(), rtol=0, atol=1e-10)
        return
    # A bias is a weight of an input that is 1: under LRP-0 on a network of ReLUs, its part is its gradient times itself.
    parts = torch.zeros(3).double()
    for example in range(3):
        model.zero_grad()
        model(x[example : example + 1])[0, 0].backward()
        parts[example] = sum(
            (one.bias.grad * one.bias).sum() for one in (model.first, model.second, model.head)
        ).detach()
    torch.testing.assert_close(found.check, -parts)
    assert float(parts.abs().min()) > 0.05

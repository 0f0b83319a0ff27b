"""Attention rollout against matrices multiplied by hand, however a model computes its attention."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import SwinTransformer, VisionTransformer

import pellucid
from pellucid.attribution import AttentionRollout
from pellucid.errors import MethodError, OptionError


class Attending(nn.Module):
    """Two layers of self-attention on token ids, computed in one of four ways."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.words = nn.Embedding(20, 8)
        self.blocks = nn.ModuleList(nn.MultiheadAttention(8, 2, batch_first=True) for _ in range(2))
        self.head = nn.Linear(8, 3)

    def forward(self, ids: Tensor) -> Tensor:
        values = self.words(ids)
        for block in self.blocks:
            values = values + self.mixed(block, values)
        return self.head(values.mean(1))

    def mixed(self, block: nn.MultiheadAttention, values: Tensor) -> Tensor:
        if self.way in ("module", "weights"):
            return block(values, values, values, need_weights=self.way == "weights")[0]
        joined = F.linear(values, block.in_proj_weight, block.in_proj_bias)
        query, key, value = (part.unflatten(-1, (2, 4)).transpose(1, 2) for part in joined.chunk(3, -1))
        if self.way == "fused":
            made = F.scaled_dot_product_attention(query, key, value)
        else:
            made = (query @ key.mT / 2).softmax(-1) @ value
        return block.out_proj(made.transpose(1, 2).flatten(2))


IDS = torch.tensor([[1, 2, 3, 4, 5], [5, 5, 0, 19, 7]])


def by_hand(model: Attending) -> tuple[Tensor, Tensor]:
    """Weights of every layer, and gradients of output 1 by them."""
    values = model.words(IDS)
    kept = []
    for block in model.blocks:
        joined = F.linear(values, block.in_proj_weight, block.in_proj_bias)
        query, key, value = (part.unflatten(-1, (2, 4)).transpose(1, 2) for part in joined.chunk(3, -1))
        kept.append((query @ key.mT / 2).softmax(-1))
        values = values + block.out_proj((kept[-1] @ value).transpose(1, 2).flatten(2))
    return kept, torch.autograd.grad(model.head(values.mean(1))[:, 1].sum(), kept)


@pytest.mark.parametrize("way", ["module", "weights", "fused", "steps"])
def test_both_rollouts_are_their_papers_formulas_however_attention_is_computed(way: str) -> None:
    torch.manual_seed(0)
    model = Attending(way).eval().double()
    found = pellucid.attribute(model, IDS, 1, ["attention_rollout", "gradient_rollout"])
    weights, gradients = by_hand(model)
    product, relevance = torch.eye(5).double().expand(2, 5, 5), torch.eye(5).double().expand(2, 5, 5)
    for layer, slope in zip(weights, gradients, strict=True):
        product = (0.5 * layer.detach().mean(1) + 0.5 * torch.eye(5)) @ product
        relevance = relevance + (layer.detach() * slope).clamp(min=0).mean(1) @ relevance
    torch.testing.assert_close(found["attention_rollout"].layers["attention"], product)
    torch.testing.assert_close(found["attention_rollout"].input, product.mean(1))
    torch.testing.assert_close(found["gradient_rollout"].layers["attention"], relevance - torch.eye(5))
    assert float(found["gradient_rollout"].input.max()) > 0
    last = pellucid.attribute(model, IDS, 1, AttentionRollout(query=-1))
    torch.testing.assert_close(last.input, product[:, -1])


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_vision_transformers_have_rows_that_sum_to_1_and_maps_of_the_image(library: str) -> None:
    torch.manual_seed(0)
    model: nn.Module
    if library == "timm":
        model = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=2, num_classes=4)
    else:
        model = VisionTransformer(64, 16, 2, 2, 16, 32, num_classes=4)
        nn.init.normal_(model.heads.head.weight)
    model.eval()
    given = torch.randn(2, 3, 64, 64)
    found = pellucid.attribute(model, given, 1, ["attention_rollout", "gradient_rollout"])
    matrix = found["attention_rollout"].layers["attention"]
    assert matrix.shape == (2, 17, 17)
    torch.testing.assert_close(matrix.sum(-1), torch.ones(2, 17))
    for one in found.values():
        assert one.input.shape == given.shape
    row = matrix[:, 0, 1:].reshape(2, 1, 4, 4)
    expected = F.interpolate(row, size=(64, 64), mode="bilinear", align_corners=False).expand(-1, 3, -1, -1)
    torch.testing.assert_close(found["attention_rollout"].input, expected)
    assert float(found["gradient_rollout"].input.max()) > 0


def test_a_planted_attention_points_at_the_token_it_reads() -> None:
    torch.manual_seed(0)
    model = Attending("fused").eval()
    with torch.no_grad():
        for block in model.blocks:
            block.in_proj_weight[:16] = 8 * torch.eye(8).repeat(2, 1)
            block.in_proj_bias.zero_()
        model.words.weight.zero_()
        model.words.weight[:, 0] = 0.3
        model.words.weight[7] = 2.0  # a key that every query finds
    found = pellucid.attribute(model, torch.tensor([[1, 7, 3, 4, 5], [5, 5, 0, 19, 7]]), 1, "attention_rollout")
    assert found.input.argmax(1).tolist() == [1, 4]


def test_models_without_attention_among_all_tokens_are_refused_by_name() -> None:
    swin = SwinTransformer([4, 4], 8, [1, 1], [2, 2], [2, 2], num_classes=3).eval()
    with pytest.raises(MethodError, match="attends inside windows, as Swin does"):
        pellucid.attribute(swin, torch.randn(2, 3, 32, 32), 0, "attention_rollout")
    with pytest.raises(MethodError, match="needs a transformer"):
        pellucid.attribute(nn.Linear(3, 2), torch.randn(2, 3), 0, "attention_rollout")
    with pytest.raises(OptionError, match="query is a token's number"):
        AttentionRollout(query="last")  # type: ignore[arg-type]

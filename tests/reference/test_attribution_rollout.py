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
    with pytest.raises(MethodError, match="computes no self-attention whose weights are such a matrix"):
        pellucid.attribute(nn.Linear(3, 2), torch.randn(2, 3), 0, "attention_rollout")
    with pytest.raises(OptionError, match="query is a token's number"):
        AttentionRollout(query="last")  # type: ignore[arg-type]


class Decoding(nn.Module):
    """An encoder and a decoder of as many tokens, in one of four ways."""

    def __init__(self, way: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.way = way
        self.words = nn.Embedding(20, 8)
        self.whole = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
        self.parts = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
        self.head = nn.Linear(8, 3)

    def attended(self, queries: Tensor, keys: Tensor) -> Tensor:
        query, key, value = (part(of)[:, None] for part, of in zip(self.parts, (queries, keys, keys), strict=True))
        if self.way == "fused":
            return queries + F.scaled_dot_product_attention(query, key, value)[:, 0]
        return queries + ((query @ key.mT).softmax(-1) @ value)[:, 0]

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        read, made = self.words(source), self.words(target)
        if self.way == "module":
            return self.head(self.whole(read, made).mean(1))
        read = self.attended(read, read)
        if self.way != "towers":
            made = self.attended(made, read)
        return self.head((read + self.attended(made, made)).mean(1))


@pytest.mark.parametrize("method", ["attention_rollout", "gradient_rollout"])
@pytest.mark.parametrize("way", ["module", "fused", "steps", "towers"])
def test_attention_that_is_no_chain_is_refused_also_where_all_have_as_many_tokens(way: str, method: str) -> None:
    with pytest.raises(MethodError, match=r"needs self-attention(, layer upon layer; what attention 2|; this model)"):
        pellucid.attribute(Decoding(way).eval(), (IDS, IDS.flip(1)), 0, method)


@pytest.mark.parametrize("way", ["module", "fused", "steps"])
def test_the_chain_is_told_also_where_no_layer_before_it_is_captured(way: str) -> None:
    torch.manual_seed(0)
    model = Attending(way).eval().double()
    named = pellucid.attribute(model, IDS, 1, "attention_rollout", layers=["head"])
    torch.testing.assert_close(named.input, pellucid.attribute(model, IDS, 1, "attention_rollout").input)


@pytest.mark.parametrize("method", ["attention_rollout", "gradient_rollout"])
def test_only_ids_that_are_looked_up_have_the_map(method: str) -> None:
    class Beside(Attending):
        def forward(self, ids: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
            return super().forward(ids) + 0 * mask.sum() + 0 * labels.sum()

    model = Beside("fused").eval()
    found = pellucid.attribute(model, {"labels": IDS, "mask": torch.ones(2, 5), "ids": IDS}, 1, method)
    assert found.input["labels"] is None
    assert found.input["mask"] is None
    alone = Attending("fused").eval()
    alone.load_state_dict(model.state_dict())
    torch.testing.assert_close(found.input["ids"], pellucid.attribute(alone, IDS, 1, method).input)


class OneHead(nn.Module):
    """Attention written by hand without an axis of heads, float[batch token token], with padding of id 0."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words, self.query, self.key, self.head = (
            nn.Embedding(20, 8),
            nn.Linear(8, 8),
            nn.Linear(8, 8),
            nn.Linear(8, 3),
        )
        self.kept: list[Tensor] = []

    def forward(self, ids: Tensor) -> Tensor:
        values = self.words(ids)
        self.kept = []
        for _ in range(2):
            logits = (self.query(values) @ self.key(values).mT).masked_fill((ids == 0)[:, None], -torch.inf)
            self.kept.append(logits.softmax(-1))
            values = values + self.kept[-1] @ values
        return self.head(values.mean(1))


PADDED = torch.tensor([[1, 2, 3, 0, 0], [5, 5, 4, 19, 0]])


def test_attention_of_one_head_written_by_hand_is_taken_and_padding_is_left_out_of_the_mean() -> None:
    model = OneHead().eval().double()
    found = pellucid.attribute(model, PADDED, 1, ["attention_rollout", "gradient_rollout"])
    scores = model(PADDED)[:, 1].sum()
    one, two = model.kept
    slope_one, slope_two = torch.autograd.grad(scores, [one, two])
    product = (two + torch.eye(5)) / 2 @ (one + torch.eye(5)) / 2
    first, second = (one * slope_one).clamp(min=0), (two * slope_two).clamp(min=0)
    relevance = first + second + second @ first
    for name, matrix in (("attention_rollout", product), ("gradient_rollout", relevance)):
        torch.testing.assert_close(found[name].layers["attention"], matrix.detach())
        for row, length in enumerate((3, 4)):
            expected = matrix[row, :length].mean(0).detach()
            torch.testing.assert_close(found[name].input[row], expected)
            assert not bool(found[name].input[row, length:].any())


def test_padding_whose_own_rows_are_hidden_too_is_left_out_of_the_mean() -> None:
    class BothAxes(OneHead):
        """A mask along rows and columns, as DeBERTa has it: the softmax of a padded row is uniform."""

        def forward(self, ids: Tensor) -> Tensor:
            values, real = self.words(ids), ids != 0
            self.kept = []
            for _ in range(2):
                logits = self.query(values) @ self.key(values).mT
                hidden = ~(real[:, None] & real[:, :, None])
                self.kept.append(logits.masked_fill(hidden, torch.finfo(logits.dtype).min).softmax(-1))
                values = values + self.kept[-1] @ values
            return self.head((values * real[..., None]).sum(1))

    model = BothAxes().eval().double()
    found = pellucid.attribute(model, PADDED, 1, "attention_rollout")
    model(PADDED)
    one, two = model.kept
    product = ((two + torch.eye(5)) / 2 @ (one + torch.eye(5)) / 2).detach()
    torch.testing.assert_close(found.layers["attention"], product)
    for row, length in enumerate((3, 4)):
        torch.testing.assert_close(found.input[row], product[row, :length].mean(0))
        assert not bool(found.input[row, length:].any())


def test_attention_that_is_uniform_everywhere_keeps_all_its_tokens() -> None:
    model = OneHead().eval().double()
    nn.init.zeros_(model.query.weight)
    nn.init.zeros_(model.query.bias)
    found = pellucid.attribute(model, IDS[:1], 1, "attention_rollout")
    torch.testing.assert_close(found.input, torch.full((1, 5), 0.2, dtype=torch.float64))


def test_the_last_token_of_a_causal_model_which_attends_to_itself_alone_is_in_the_mean() -> None:
    class Causal(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.words, self.head = nn.Embedding(20, 8), nn.Linear(8, 3)

        def forward(self, ids: Tensor) -> Tensor:
            values = self.words(ids)[:, None]
            return self.head(F.scaled_dot_product_attention(values, values, values, is_causal=True)[:, 0].mean(1))

    found = pellucid.attribute(Causal().eval(), IDS, 1, "attention_rollout")
    torch.testing.assert_close(found.input, found.layers["attention"].mean(1))
    assert bool((found.input[:, -1] > 0).all())


def test_heads_along_the_batch_are_refused_with_the_shape_that_is_needed() -> None:
    class Folded(OneHead):
        def forward(self, ids: Tensor) -> Tensor:
            values = self.words(ids).repeat(2, 1, 1)
            return self.head(((values @ values.mT).softmax(-1) @ values)[: len(ids)].mean(1))

    with pytest.raises(
        MethodError, match=r"has shape \(4, 5, 5\) for 2 examples: heads or windows lie along its batch"
    ):
        pellucid.attribute(Folded().eval(), IDS, 1, "attention_rollout")


def test_attention_in_sliding_windows_is_not_said_to_be_none() -> None:
    class Sliding(OneHead):
        """Each token sees itself and its two neighbours, float[batch token 3]."""

        def forward(self, ids: Tensor) -> Tensor:
            values = self.words(ids)
            near = F.pad(values, (0, 0, 1, 1)).unfold(1, 3, 1)
            weights = (values[..., None] * near).sum(2).softmax(-1)
            return self.head((weights[:, :, None] * near).sum(-1).mean(1))

    with pytest.raises(MethodError, match=r"such a matrix\. It has none, or one in sliding windows"):
        pellucid.attribute(Sliding().eval(), IDS, 1, "attention_rollout")

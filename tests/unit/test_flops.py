"""What products and convolutions cost: those that torch's own counter leaves out, and what is said of those left out here."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn.attention.flex_attention import flex_attention
from torch.utils.flop_counter import FlopCounterMode

from pellucid.graph import Graph, trace
from support.written import Functional, flows


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def traced(function: Callable[..., object], *inputs: Tensor) -> Graph:
    graph = trace(Functional(lambda self, *given: function(*given)), *inputs)
    assert graph.error is None
    return graph


def counted(function: Callable[[], object]) -> int:
    """What torch's own counter says of plain products."""
    with FlopCounterMode(display=False) as counter:
        function()
    return int(counter.get_total_flops())


# --- groups -----------------------------------------------------------------------------------------------------

BOUNDS = torch.tensor([4, 5, 16], dtype=torch.int32)  # of three groups of unequal length, one after the other
LAYOUTS = {
    "rows shared out": (
        (16, 8), (3, 8, 16), lambda a, b, groups: [a[group] @ matrix for group, matrix in zip(groups, b, strict=True)],
    ),
    "columns shared out": (
        (3, 8, 8), (8, 16), lambda a, b, groups: [matrix @ b[:, group] for matrix, group in zip(a, groups, strict=True)],
    ),
    "sums shared out": ((8, 16), (16, 24), lambda a, b, groups: [a[:, group] @ b[group] for group in groups]),
    "a group each": ((3, 8, 8), (3, 8, 16), lambda a, b, groups: [one @ other for one, other in zip(a, b, strict=True)]),
}  # fmt: skip


@pytest.mark.skipif(not hasattr(torch, "_grouped_mm"), reason="this torch has no products of groups")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_product_of_groups_costs_what_its_products_cost_one_by_one(layout: str) -> None:
    left, right, one_by_one = LAYOUTS[layout]
    a, b = torch.randn(left, dtype=torch.bfloat16), torch.randn(right, dtype=torch.bfloat16)
    bounds = None if layout == "a group each" else BOUNDS
    ends = [0, *BOUNDS.tolist()]
    groups = [slice(begin, end) for begin, end in itertools.pairwise(ends)]
    together = traced(lambda x, y: torch._grouped_mm(x, y, offs=bounds), a, b)
    assert together.flops == counted(lambda: one_by_one(a, b, groups))


def test_experts_cost_the_same_in_every_implementation() -> None:
    transformers = pytest.importorskip("transformers")
    found = {}
    for implementation in ("grouped_mm", "batched_mm", "eager"):
        model = transformers.MixtralForCausalLM(
            transformers.MixtralConfig(
                hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                vocab_size=100, num_local_experts=4, use_cache=False,
            )
        )  # fmt: skip
        model.set_experts_implementation(implementation)
        found[implementation] = trace(model, torch.zeros(1, 16, dtype=torch.long)).flops
    tokens, experts = 16, 2
    attention = 2 * tokens * 64 * (64 + 32 + 32 + 64) + 2 * 2 * 4 * tokens * tokens * 16
    layer = attention + 2 * tokens * 64 * 4 + experts * 3 * 2 * tokens * 64 * 128
    assert set(found.values()) == {2 * layer + 2 * tokens * 64 * 100}


# --- more products ----------------------------------------------------------------------------------------------


def test_convolutions_that_torch_does_not_count_have_their_closed_forms() -> None:
    deformable = torchvision.ops.DeformConv2d(3, 4, 3)
    graph = trace(
        Functional(lambda self, *given: deformable(*given)), torch.randn(1, 3, 8, 8), torch.randn(1, 18, 6, 6)
    )
    assert graph.flops == 2 * 4 * 6 * 6 * 3 * 3 * 3
    inputs, weight = (
        torch.randn(7, 2, 3),
        torch.randn(3, 3, 5),
    )  # (time, batch, channel), (step, channel in, channel out)
    plain = counted(lambda: nn.functional.conv1d(inputs.permute(1, 2, 0), weight.permute(2, 1, 0)))
    assert traced(lambda x: torch.conv_tbc(x, weight, torch.zeros(5)), inputs).flops == plain


PRODUCTS: dict[str, tuple[Callable[..., object], tuple[tuple[int, ...], ...], Callable[..., object]]] = {
    "addbmm": (torch.addbmm, ((3, 5), (2, 3, 4), (2, 4, 5)), lambda _, a, b: a @ b),
    "in place": (lambda x, a, b: x.clone().baddbmm_(a, b), ((2, 3, 5), (2, 3, 4), (2, 4, 5)), lambda _, a, b: a @ b),
    "vdot": (torch.vdot, ((6,), (6,)), lambda a, b: a[None] @ b[:, None]),
    "attention": (flex_attention, ((1, 2, 8, 4), (1, 2, 8, 4), (1, 2, 8, 6)), lambda q, k, v: (q @ k.mT) @ v),
    "whole numbers": (
        lambda a, b: torch._int_mm(a.to(torch.int8), b.to(torch.int8)), ((32, 16), (16, 32)), torch.matmul,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.filterwarnings("ignore:.*flex_attention.*")
def test_a_product_costs_what_the_plain_one_costs(name: str) -> None:
    function, shapes, plain = PRODUCTS[name]
    inputs = [torch.randn(shape) for shape in shapes]
    assert traced(function, *inputs).flops == counted(lambda: plain(*inputs))


def test_a_bilinear_layer_meets_every_pair_of_its_inputs() -> None:
    layer = nn.Bilinear(3, 4, 5)
    graph = trace(Functional(lambda self, *given: layer(*given)), torch.randn(2, 7, 3), torch.randn(2, 7, 4))
    assert graph.flops == 2 * (2 * 7) * 3 * 4 * 5


@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
@pytest.mark.filterwarnings("ignore:Sparse CSR:UserWarning")
def test_of_a_sparse_matrix_the_numbers_that_it_holds_are_multiplied(layout: torch.layout) -> None:
    edges = torch.tensor([[0.0, 1, 0, 2], [3, 0, 0, 0], [0, 0, 0, 4]]).to_sparse(layout=layout)
    assert traced(lambda x: torch.sparse.mm(edges, x), torch.randn(4, 5)).flops == 2 * 4 * 5
    assert traced(lambda x: edges @ x, torch.randn(4, 5)).flops == 2 * 4 * 5
    assert traced(lambda x: edges @ x, torch.randn(4)).flops == 2 * 4


# --- what is left out -------------------------------------------------------------------------------------------


def test_an_operator_that_multiplies_and_is_not_counted_is_named_each_time() -> None:
    sentence = "FLOPs are without those of aten._euclidean_dist, which multiply matrices and are not counted here."
    for _ in range(2):  # the second trace is told from the first
        graph = traced(lambda x, y: torch.cdist(x, y @ x.mT @ x), torch.randn(30, 4), torch.randn(40, 4))
        assert (graph.flops, graph.backend_reason) == (2 * 2 * 40 * 4 * 30, sentence)


def test_what_only_sounds_like_a_product_is_not_named() -> None:
    graph = traced(
        lambda x: nn.functional.interpolate(x, scale_factor=2, mode="bilinear").softmax(1), torch.randn(1, 2, 4, 4)
    )
    assert (graph.flops, graph.backend_reason) == (None, "")


# --- inference mode ---------------------------------------------------------------------------------------------


class Decorated(torchvision.models.ResNet):
    @torch.inference_mode()
    def forward(self, x: Tensor) -> Tensor:
        return self._forward_impl(x)


def resnet18(kind: type[torchvision.models.ResNet] = torchvision.models.ResNet) -> torchvision.models.ResNet:
    return kind(torchvision.models.resnet.BasicBlock, [2, 2, 2, 2])


def test_a_forward_in_inference_mode_has_the_same_graph() -> None:
    x = torch.zeros(1, 3, 224, 224)
    plain, decorated = trace(resnet18(), x), trace(resnet18(Decorated), x)
    assert decorated.flops == plain.flops == 3_628_146_688
    assert [(node.name, node.operators, node.flops) for node in decorated.nodes] == [
        (node.name, node.operators, node.flops) for node in plain.nodes
    ]
    assert flows(decorated) == flows(plain)
    assert (decorated.backend, decorated.backend_reason) == ("fake", "")
    with torch.inference_mode():
        within = trace(resnet18(), torch.zeros(1, 3, 224, 224))
        assert torch.is_inference_mode_enabled()
        assert torch.zeros(1).is_inference()
    assert (within.flops, within.operators, flows(within)) == (plain.flops, plain.operators, flows(plain))


def test_a_forward_in_inference_mode_that_needs_values_has_the_same_graph() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        y = self.linear(x).relu_()
        return torch.einsum("i,j->ij", y[y > 0], y[y > 0])

    def decorated(self: nn.Module, x: Tensor) -> Tensor:
        with torch.inference_mode():
            return forward(self, x)

    linear, x = nn.Linear(4, 4), torch.ones(2, 4)
    plain, other = trace(Functional(forward, linear=linear), x), trace(Functional(decorated, linear=linear), x)
    assert plain.backend == other.backend == "real"
    assert (other.flops, other.operators, flows(other)) == (plain.flops, plain.operators, flows(plain))
    assert not torch.is_inference_mode_enabled()
    with torch.inference_mode():
        assert torch.zeros(1).is_inference()  # it is itself again

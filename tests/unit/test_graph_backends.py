"""With and without values: what runs without, what falls back, and why."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

import msgspec
import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn

from pellucid.graph import Graph, timed_forwards, trace, trace_timed
from pellucid.graph.fake import Fake
from support.written import Functional, dead_ends, flows, operators_of


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_nothing_is_computed_where_shapes_are_enough() -> None:
    seen: list[tuple[object, ...]] = []

    def forward(self: nn.Module, x: Tensor) -> Tensor:
        states = self.linear(x)
        seen.append((type(states), states.shape, states.device, states.dtype))
        return states.relu()

    graph = trace(Functional(forward, linear=nn.Linear(3, 2)), torch.ones(4, 3))
    assert (graph.backend, graph.backend_reason, graph.data_dependent) == ("fake", "", ())
    assert seen == [(Fake, (4, 2), torch.device("cpu"), torch.float32)]


@pytest.mark.parametrize(
    ("asks", "where", "depends"),
    [
        (lambda x: x if x.sum() > 0 else -x, "bool()", True),
        (lambda x: x * x.max().item(), "item()", True),
        (lambda x: x[x > 0], "getitem()", True),
        (lambda x: x.nonzero(), "nonzero()", True),
        (lambda x: torch.masked_select(x, x > 0), "masked_select()", True),
        (lambda x: x.unique(), "unique2()", True),
        (lambda x: x * len(x.flatten().tolist()), "tolist()", True),
        (lambda x: torch.from_numpy(np.tanh(x.numpy())), "numpy()", False),
        (lambda x: x if torch.equal(x, x * 2) else x + 1, "equal()", True),
        (lambda x: x.repeat_interleave(x.argmax(1) + 1, 0), "repeat_interleave()", True),
    ],
)
def test_a_forward_that_needs_values_runs_with_them(
    asks: Callable[[Tensor], Tensor], where: str, depends: bool
) -> None:
    graph = trace(Functional(lambda self, x: asks(self.linear(x)), linear=nn.Linear(3, 3)), torch.randn(2, 3))
    assert (graph.backend, graph.error) == ("real", None)
    assert graph.backend_reason.startswith(f"{where} at test_graph_backends.py:") or where == "unique2()"
    assert "needs values." in graph.backend_reason
    assert [place.partition(" at ")[2] for place in graph.data_dependent] == (
        [graph.backend_reason.partition(" at ")[2].removesuffix(" needs values.")] if depends else []
    )


def test_constants_and_learned_numbers_are_known_and_depend_on_no_input() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        mask = torch.ones(3, 3).tril()
        if bool(mask.all()) or torch.arange(3).tolist() != [0, 1, 2]:
            raise ValueError("constants have their values")
        return self.linear(x @ mask) * self.scale.weight[0].item() if self.scale.bias.item() == 0 else x

    scale = nn.Linear(1, 1)
    nn.init.zeros_(scale.bias)
    graph = trace(Functional(forward, linear=nn.Linear(3, 3), scale=scale), torch.ones(1, 3))
    assert graph.error is None
    assert graph.data_dependent == ()


def test_whole_numbers_keep_their_values_and_questions_about_them_are_told() -> None:
    def forward(self: nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
        hidden = self.words(ids)
        return hidden if mask.all() else hidden * mask.unsqueeze(-1)

    for device in ("cpu", "meta"):
        with torch.device(device):
            model = Functional(forward, words=nn.Embedding(10, 4))
        graph = trace(model, torch.tensor([[1, 2]]), torch.tensor([[True, False]]))
        assert (graph.backend, graph.error) == ("fake" if device == "cpu" else "meta", None)
        assert [place.partition(" at ")[0] for place in graph.data_dependent] == ["bool()"]
        assert ("words", "mul()") in flows(graph)


@pytest.mark.parametrize("make", [
    lambda x: torch.zeros(1, 3), lambda x: torch.tensor([[1.0, 2.0, 3.0]]), lambda x: x.new_ones(1, 3),
    lambda x: torch.arange(3.0).expand(1, 3), lambda x: torch.full_like(x, 2), lambda x: torch.eye(3)[:1],
    lambda x: torch.linspace(0, 1, 3, device=x.device)[None], lambda x: torch.rand(1, 3),
    lambda x: torch.from_numpy(np.ones((1, 3), np.float32)),
])  # fmt: skip
def test_constants_made_inside_fit_a_model_on_the_meta_device(make: Callable[[Tensor], Tensor]) -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        constant = make(x)
        total = self.linear(x) + constant.to(x.device) * constant
        constant[:, :1] = total[:, :1]
        return torch.cat([total, constant])

    with torch.device("meta"):
        model = Functional(forward, linear=nn.Linear(3, 3))
    for inputs in (torch.ones(1, 3), torch.ones(1, 3, device="meta")):
        graph = trace(model, inputs)
        assert (graph.error, graph.backend) == (None, "meta")
        assert graph.nodes[-1].inputs == ((2, 3),)
        assert ("setitem()", "cat()") in flows(graph)


def test_a_model_without_values_says_that_it_needs_some() -> None:
    with torch.device("meta"):
        model = Functional(lambda self, x: self.linear(x).nonzero(), linear=nn.Linear(3, 3))
    graph = trace(model, torch.ones(1, 3))
    assert graph.backend == "meta"
    assert "nonzero() at test_graph_backends.py" in (graph.error or "")
    assert "Give the model values" in (graph.error or "")
    assert "to_empty(device='cpu')" in (graph.error or "")
    assert graph.nodes[-1].name == "nonzero()"
    assert graph.nodes[-1].error is not None


def test_operators_without_a_kernel_for_shapes_run_with_values() -> None:
    library = torch.library.Library("pellucid_test", "DEF")
    library.define("shuffled(Tensor x) -> Tensor")
    library.impl("shuffled", lambda x: x.flip(0), "CPU")
    model = Functional(lambda self, x: torch.ops.pellucid_test.shuffled(self.linear(x)), linear=nn.Linear(3, 3))
    graph = trace(model, torch.ones(2, 3))
    assert (graph.backend, graph.error) == ("real", None)
    assert "shuffled" in graph.backend_reason
    assert flows(graph) == {("args[0]", "linear"), ("linear", "shuffled()"), ("shuffled()", "output")}


@pytest.mark.skipif(not hasattr(torch, "_grouped_mm"), reason="this torch has no products of groups")
def test_rows_that_are_shared_out_among_experts_need_no_values() -> None:
    class Experts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(3, 8, 4))

        def forward(self, x: Tensor) -> Tensor:
            ends = torch.tensor([2, 2, 5], dtype=torch.int32, device=x.device)
            return torch._grouped_mm(x, self.weight, offs=ends)

    given = torch.randn(5, 8)
    by_shapes, with_values = trace(Experts(), given), Experts()(given)
    (node,) = [node for node in by_shapes.nodes if node.operation == "grouped_mm"]
    assert (by_shapes.backend, node.outputs, node.flops) == ("fake", (tuple(with_values.shape),), 2 * 5 * 8 * 4)
    with torch.device("meta"):
        assert (trace(Experts(), given).error, trace(Experts(), given).backend) == (None, "meta")


def test_a_model_that_catches_errors_takes_the_path_that_it_takes_with_values() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        try:
            return x * float(x.sum())
        except Exception:
            return x

    graph = trace(Functional(forward), torch.ones(1, 3))
    assert graph.backend == "real"
    assert ("args[0]", "mul()") in flows(graph)


def test_shapes_types_and_order_of_axes_are_those_of_a_run_with_values() -> None:
    def forward(self: nn.Module, x: Tensor, y: Tensor) -> list[Tensor]:
        maps = self.norm(self.conv(x))
        last = maps.to(memory_format=torch.channels_last)
        half = maps.to(torch.bfloat16)
        return [
            maps * maps.mean((2, 3), keepdim=True), last + maps, last * 2, self.group(last), half + maps, half * 2.5,
            maps > 0, y * 0.5, y + 1, maps.transpose(1, 2) + maps.transpose(1, 2), maps[:, :, ::2] - 1,
            last.relu().view(2, -1) if last.is_contiguous() else last.reshape(2, -1), maps.mean(), maps.mean((-1,)),
            self.depth(last), maps.double() / maps.double(), functional_gelu(maps.permute(0, 2, 3, 1)), maps.clamp(0, 1),
            torch.full_like(half, 2), maps.pow(2), torch.rsqrt(maps + 1e5),
            self.layer(maps.permute(0, 2, 3, 1)),
            self.rows(maps[:, :, 0].transpose(1, 2)), self.norm(last), self.up(maps), maps.add_(1).mul_(2), torch.relu_(last),
        ]  # fmt: skip

    functional_gelu = torch.nn.functional.gelu
    model = Functional(
        forward, conv=nn.Conv2d(3, 4, 3, stride=2), norm=nn.BatchNorm2d(4), group=nn.GroupNorm(2, 4),
        layer=nn.LayerNorm(4), rows=nn.BatchNorm1d(5), up=nn.ConvTranspose2d(4, 4, 3, stride=2, output_padding=1),
        depth=nn.Conv2d(4, 8, (1, 3), padding="same", groups=2, dilation=2),
    ).eval()  # fmt: skip
    inputs = torch.randn(2, 3, 9, 12), torch.tensor([1, 2])
    made: list[list[tuple[tuple[int, ...], torch.dtype, tuple[int, ...]]]] = []
    model.register_forward_hook(
        lambda module, args, output: made.append([(tuple(one.shape), one.dtype, one.stride()) for one in output])
    )
    graph = trace(model, *inputs)
    assert (graph.backend, graph.error) == ("fake", None)
    with torch.no_grad():
        model(*inputs)
    found, expected = made
    assert found == expected


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [
        (nn.Conv2d(3, 4, 3), torch.zeros(1, 4, 8, 8)),
        (nn.Conv2d(3, 4, 3), torch.zeros(1, 3, 8, 8, dtype=torch.float64)),
        (nn.Conv2d(3, 4, 9), torch.zeros(1, 3, 8, 8)),
        (nn.ConvTranspose2d(3, 4, 3), torch.zeros(1, 4, 8, 8)),
        (nn.Linear(3, 4), torch.zeros(1, 4)),
        (nn.Linear(3, 4), torch.zeros(1, 3, dtype=torch.float64)),
        (nn.Linear(3, 4), torch.zeros(1, 3, dtype=torch.long)),
        (nn.BatchNorm2d(3), torch.zeros(1, 4, 8, 8)),
        (nn.LayerNorm(3), torch.zeros(1, 4)),
        (nn.GroupNorm(1, 3), torch.zeros(1, 4, 8)),
        (nn.Embedding(3, 4), torch.zeros(1, 4)),
        (nn.LSTM(3, 4), torch.zeros(1, 4, 4)),
        (nn.Softmax(1), torch.zeros(1, 4, dtype=torch.long)),
    ],
)
def test_what_kernels_refuse_is_refused_without_values_too(layer: nn.Module, inputs: Tensor) -> None:
    with pytest.raises((RuntimeError, NotImplementedError)), torch.no_grad():
        layer.eval()(inputs)
    graph = trace(nn.Sequential(layer), inputs)
    assert graph.error is not None
    assert graph.nodes[-1].error is not None


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "resnet": torchvision.models.resnet18,
    "mobilenet": torchvision.models.mobilenet_v3_small,
    "vit": lambda: torchvision.models.VisionTransformer(64, 16, 2, 2, 32, 64),
    "swin": lambda: torchvision.models.SwinTransformer([4, 4], 32, [2, 2], [2, 4], [7, 7]),
    "densenet": lambda: torchvision.models.DenseNet(8, (2, 2), 16),
    "efficientnet": torchvision.models.efficientnet_b0,
    "shufflenet": torchvision.models.shufflenet_v2_x0_5,
    "googlenet": lambda: torchvision.models.googlenet(init_weights=False, aux_logits=False),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_operators_are_exactly_those_of_a_plain_run(name: str) -> None:
    model, inputs = NETWORKS[name](), torch.randn(1, 3, 64, 64)
    graph = trace(model, inputs)
    assert (graph.backend, graph.error) == ("fake", None)
    assert graph.operators == operators_of(model, inputs).total()
    assert graph.operators == sum(node.operators for node in graph.nodes if node.parent is None)
    assert graph.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert dead_ends(graph) == set()
    assert graph.unused == ()


@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU, nn.RNN])
def test_operators_of_recurrent_layers_are_those_of_the_cpu(layer: type[nn.Module]) -> None:
    model, inputs = layer(3, 4, num_layers=2, bidirectional=True), torch.randn(7, 2, 3)
    graph = trace(model, inputs)
    assert (graph.backend, graph.operators) == ("fake", operators_of(model, inputs).total())
    real = trace(Functional(lambda self, x: self.rnn(x)[0] * x.sum().item(), rnn=model), inputs)
    assert real.by_name["rnn"].operators == graph.operators
    assert (real.by_name["rnn"].flops, real.by_name["rnn"].memory) == (graph.flops, graph.nodes[1].memory)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_what_the_trace_itself_asks_of_tensors_is_not_counted() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        ragged = torch.nested.nested_tensor([x[0, :3], x[1]], layout=torch.jagged)
        return self.linear(ragged).values()  # asking such a tensor for its size runs an operator

    model, inputs = Functional(forward, linear=nn.Linear(8, 2)), torch.randn(2, 4, 8)
    graph = trace(model, inputs)
    assert (graph.backend, graph.error) == ("real", None)
    assert graph.operators == operators_of(model, inputs).total()


def test_a_timed_trace_measures_every_call_and_nothing_else() -> None:
    model = torchvision.models.VisionTransformer(64, 16, 2, 2, 32, 64)
    inputs = torch.randn(1, 3, 64, 64)
    plain, timed = trace(model, inputs), trace_timed(model, inputs)
    assert all(node.seconds is None for node in plain.nodes)
    assert without_times(timed) == without_times(plain)
    for node in timed.nodes:
        assert (node.seconds is None) == (node.kind in ("input", "output"))
    for node in timed.nodes:
        inside = [child.seconds or 0.0 for child in timed.nodes if child.parent == node.id]
        if inside:
            assert sum(inside) <= (node.seconds or 0.0) * 1.05 + 1e-4


def test_a_timed_trace_leaves_out_what_watching_takes() -> None:
    class Sleeps(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if type(x) is not Fake:
                time.sleep(0.05)
            return x + 1

    model = nn.Sequential(nn.Sequential(Sleeps()), nn.Sequential(nn.ReLU()))
    graph = trace_timed(model, torch.ones(1))
    slow = graph.by_name["0"].seconds or 0.0
    assert slow >= 0.05
    assert (graph.by_name["1"].seconds or 1.0) < slow
    assert (graph.by_name["0.0.add()"].seconds or 1.0) < slow


@pytest.mark.parametrize(("rows", "forwards"), [(4, 4), (1_100, 1)])
def test_a_small_model_is_timed_when_it_is_warm_and_a_large_one_once(rows: int, forwards: int) -> None:
    class Waits(nn.Module):
        """Cold in its first forward with values, and then held up in all but one."""

        seen: ClassVar[list[int]] = []

        def forward(self, x: Tensor) -> Tensor:
            if type(x) is not Fake:
                self.seen.append(len(self.seen))
                time.sleep({0: 0.5, 1: 0.5, 3: 0.5}.get(self.seen[-1], 0.0))
            return x + 1

    Waits.seen.clear()
    graph = trace_timed(nn.Sequential(nn.Linear(1_000, 500), Waits()), torch.ones(rows, 1_000))
    assert (len(Waits.seen), timed_forwards(graph)) == (forwards, forwards)
    assert ((graph.by_name["1"].seconds or 0.0) < 0.5) == (forwards > 1)


def without_times(graph: Graph) -> object:
    return graph.to_panel().nodes, graph.edges, graph.layers


def test_a_timed_trace_of_a_model_without_values_or_with_an_error_measures_nothing() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(3, 3))
    assert all(node.seconds is None for node in trace_timed(model, torch.ones(1, 3)).nodes)
    broken = trace_timed(nn.Sequential(nn.Linear(3, 3)), torch.ones(1, 4))
    assert broken.error is not None


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("layout", [torch.jagged, torch.strided])
def test_of_nested_tensors_the_axis_in_which_examples_differ_has_no_length(layout: torch.layout) -> None:
    inputs = torch.nested.nested_tensor([torch.ones(2, 4), torch.ones(3, 4)], layout=layout)
    graph = trace(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), inputs)
    assert (graph.error, graph.backend_reason, graph.batch) == (None, "a nested tensor needs values.", 2)
    assert [node.outputs for node in graph.nodes[:3]] == [((2, -1, 4),), ((2, -1, 3),), ((2, -1, 3),)]
    assert graph.flops == 2 * 5 * 4 * 3
    assert graph.nodes[1].memory == 5 * 3 * 4
    assert msgspec.json.decode(msgspec.json.encode(graph.to_panel()))["nodes"][0]["outputs"] == [[2, -1, 4]]

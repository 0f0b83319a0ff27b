"""What each call says of itself: settings, activations, pools, types, operators."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from pellucid.graph import trace
from pellucid.graph.arguments import LONGEST, MOST, text_of
from pellucid.record.schema import Pool
from support.written import Functional


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def the_call(forward: Callable[..., object], *inputs: Tensor, **modules: nn.Module):  # type: ignore[no-untyped-def]
    graph = trace(Functional(forward, **modules), *inputs)
    assert graph.error is None
    return next(node for node in graph.nodes if node.kind in ("module", "function"))


# --- settings -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "inputs", "expected"),
    [
        (
            nn.Conv2d(4, 8, (3, 1), stride=2, padding=1, dilation=(1, 2), groups=2, bias=False),
            torch.zeros(1, 4, 9, 9),
            {
                "in_channels": "4", "out_channels": "8", "kernel_size": "(3, 1)", "stride": "(2, 2)", "groups": "2",
                "padding": "(1, 1)", "dilation": "(1, 2)", "bias": "False", "padding_mode": "zeros",
                "output_padding": "(0, 0)",
            },
        ),
        (nn.Linear(3, 2), torch.zeros(1, 3), {"in_features": "3", "out_features": "2", "bias": "True"}),
        (
            nn.BatchNorm1d(3, eps=1e-3),
            torch.zeros(2, 3),
            {"num_features": "3", "eps": "0.001", "momentum": "0.1", "affine": "True", "track_running_stats": "True"},
        ),
        (nn.Dropout(0.25), torch.zeros(1, 3), {"p": "0.25"}),
        (nn.ReLU(inplace=True), torch.zeros(1, 3), {}),
        (nn.GELU("tanh"), torch.zeros(1, 3), {"approximate": "tanh"}),
        (
            nn.LSTM(3, 4, batch_first=True),
            torch.zeros(1, 2, 3),
            {
                "mode": "LSTM", "input_size": "3", "hidden_size": "4", "num_layers": "1", "bias": "True",
                "batch_first": "True", "dropout": "0.0", "bidirectional": "False", "proj_size": "0",
            },
        ),
        (
            nn.MaxPool2d(3, 2, 1),
            torch.zeros(1, 1, 8, 8),
            {
                "kernel_size": "3", "stride": "2", "padding": "1", "dilation": "1", "ceil_mode": "False",
                "return_indices": "False",
            },
        ),
    ],
)  # fmt: skip
def test_settings_of_layers_are_told_as_text(layer: nn.Module, inputs: Tensor, expected: dict[str, str]) -> None:
    found = trace(layer, inputs).nodes[1].arguments
    assert expected.items() <= found.items()
    assert "training" not in found


def test_settings_of_own_modules_are_those_that_their_constructor_took() -> None:
    class Block(nn.Module):
        def __init__(self, width: int, scale: float = 0.5, act: Callable[[Tensor], Tensor] = torch.tanh) -> None:
            super().__init__()
            self.width, self.scale, self.act = width, scale, act
            self.linear = nn.Linear(width, width)
            self.unasked = 3

        def forward(self, x: Tensor) -> Tensor:
            return self.act(self.linear(x)) * self.scale

    graph = trace(nn.Sequential(Block(3)), torch.zeros(1, 3))
    assert dict(graph.by_name["0"].arguments) == {"width": "3", "scale": "0.5", "act": "tanh"}


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda x: functional.conv2d(x, torch.ones(2, 3, 1, 1), None, 2, padding=1), {"stride": "2", "padding": "1"}),
        (lambda x: functional.max_pool2d(x, 2, stride=1), {"kernel_size": "2", "stride": "1"}),
        (lambda x: x.permute(0, 2, 3, 1), {"dims": "(0, 2, 3, 1)"}),
        (lambda x: x.reshape(1, -1), {"shape": "(1, -1)"}),
        (lambda x: x.view((1, -1)), {"size": "(1, -1)"}),
        (lambda x: x.transpose(1, 2), {"dim0": "1", "dim1": "2"}),
        (lambda x: torch.cat([x, x], dim=1), {"dim": "1"}),
        (lambda x: torch.cat([x, x], 1), {"dim": "1"}),
        (lambda x: x.softmax(-1), {"dim": "-1"}),
        (lambda x: x.mean((2, 3)), {"dim": "(2, 3)"}),
        (lambda x: x[:, 1:, ::2], {"1": "(:, 1:, ::2)"}),
        (lambda x: x * 2.5, {"other": "2.5"}),
        (lambda x: x**2, {"exponent": "2"}),
        (lambda x: functional.leaky_relu(x, 0.2), {"negative_slope": "0.2"}),
        (lambda x: functional.interpolate(x, scale_factor=2, mode="nearest"), {"scale_factor": "2", "mode": "nearest"}),
        (lambda x: x.to(torch.bfloat16), {"dtype": "bfloat16"}),
        (lambda x: x.relu(), {}),
    ],
)
def test_settings_of_functions_are_what_they_were_called_with(
    call: Callable[[Tensor], Tensor], expected: dict[str, str]
) -> None:
    graph = trace(Functional(lambda self, x: call(x)), torch.zeros(1, 3, 4, 4))
    found = graph.nodes[-2].arguments
    assert expected.items() <= found.items()
    assert expected or not found


class Hostile(str):
    def __str__(self) -> str:
        raise RuntimeError("must not be called")

    __repr__ = __str__


def test_settings_are_short_printable_and_run_no_strangers_code() -> None:
    class Module(nn.Module):
        def __init__(self, title: str, many: tuple[int, ...], bad: str, odd: object) -> None:
            super().__init__()
            self.title, self.many, self.bad, self.odd = title, many, bad, odd

        @property
        def evil(self) -> str:
            raise RuntimeError("must not be called")

        def forward(self, x: Tensor) -> Tensor:
            return x + 1

    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError("must not be called")

    model = nn.Sequential(Module("<script>\n\u202e" + "x" * 1000, tuple(range(1000)), Hostile("h"), Odd()))
    arguments = trace(model, torch.zeros(1)).by_name["0"].arguments
    assert set(arguments) == {"title", "many", "bad"}
    assert arguments["bad"] == "h"
    assert arguments["title"].startswith("<script>\\n\\u202e")
    assert all(len(text) <= LONGEST and text.isprintable() for text in arguments.values())
    assert text_of([[[[[1]]]]]) == "[[[...]]]"
    assert text_of(1e-05) == "1e-05"
    assert text_of(slice(None, 3)) == ":3"
    assert text_of(torch.float16) == "float16"
    wide = the_call(lambda self, x: torch.zeros(1).new_zeros([1] * (MOST + 5)) + x, torch.zeros(1))
    assert all(len(text) <= LONGEST for text in wide.arguments.values())


# --- activations ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda self, x: self.act(x), "relu"),
        (lambda self, x: functional.relu(x), "relu"),
        (lambda self, x: torch.relu_(x), "relu"),
        (lambda self, x: x.sigmoid(), "sigmoid"),
        (lambda self, x: functional.silu(x, inplace=True), "silu"),
        (lambda self, x: functional.gelu(x), "gelu"),
        (lambda self, x: x.tanh_(), "tanh"),
    ],
)
def test_activations_are_named_on_the_edges_that_leave_them(call: Callable[..., Tensor], name: str) -> None:
    model = Functional(
        lambda self, x: self.last(call(self, self.first(x))), first=nn.Linear(3, 3), last=nn.Linear(3, 1),
        act=nn.ReLU(inplace=True),
    )  # fmt: skip
    graph = trace(model, torch.zeros(1, 3))
    assert [(graph.nodes[edge.source].name, edge.activation) for edge in graph.edges][:2] == [
        ("args[0]", None), ("first", None),
    ]  # fmt: skip
    assert [edge.activation for edge in graph.edges if graph.nodes[edge.target].name == "last"] == [name]
    assert graph.nodes[2].role == "activation"


# --- pools ----------------------------------------------------------------------------------------------------


def pool_by_force(layer: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> tuple[float, float]:
    """Share of output positions by input positions, and of input positions that change an average over the output."""
    inputs = torch.zeros(1, 1, *shape, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        inputs += torch.rand_like(inputs) + 1
    output = layer(inputs)
    seen = 0
    for place in itertools.product(*map(range, shape)):
        with torch.no_grad():
            changed = inputs.clone()
            changed[(0, 0, *place)] = 1e6
            seen += not torch.equal(layer(changed), output)
    return output.numel() / inputs.numel(), seen / inputs.numel()


POOLS = [
    (nn.MaxPool1d(3), (10,)),
    (nn.MaxPool1d(2, stride=3, padding=1), (11,)),
    (nn.MaxPool1d(3, dilation=2), (10,)),
    (nn.MaxPool1d(2, stride=3, dilation=3), (10,)),
    (nn.AvgPool1d(2, stride=4), (11,)),
    (nn.MaxPool2d(2), (7, 6)),
    (nn.MaxPool2d(3, 2, 1), (8, 9)),
    (nn.MaxPool2d((1, 2), (3, 3), ceil_mode=True), (7, 8)),
    (nn.MaxPool2d(2, 3, dilation=2), (9, 9)),
    (nn.AvgPool2d(3, 2, ceil_mode=True), (8, 8)),
    (nn.AvgPool2d((2, 3), (1, 4)), (5, 10)),
    (nn.LPPool1d(2, 2, stride=3), (10,)),
    (nn.LPPool2d(2, 2), (5, 7)),
    (nn.LPPool3d(2, (1, 2, 1)), (2, 3, 2)),
    (nn.MaxPool3d((2, 2, 1)), (3, 4, 2)),
    (nn.AvgPool3d(2, 3), (5, 5, 3)),
    (nn.AdaptiveAvgPool1d(3), (10,)),
    (nn.AdaptiveAvgPool2d((2, 3)), (5, 7)),
    (nn.AdaptiveAvgPool2d(1), (5, 7)),
    (nn.AdaptiveMaxPool2d(2), (4, 4)),
    (nn.AdaptiveAvgPool3d((1, 2, None)), (2, 3, 2)),
    (nn.AdaptiveMaxPool3d(1), (2, 3, 2)),
]


@pytest.mark.parametrize(("layer", "shape"), POOLS)
def test_what_a_pool_keeps_and_sees_is_what_it_really_does(layer: nn.Module, shape: tuple[int, ...]) -> None:
    pool = trace(layer, torch.zeros(2, 3, *shape)).nodes[1].pool
    assert pool is not None
    assert (pool.kept, pool.seen) == pytest.approx(pool_by_force(layer, shape))
    assert len(pool.window) == len(pool.stride) == len(pool.padding) == len(shape)
    unbatched = trace(layer, torch.zeros(3, *shape)).nodes[1].pool
    assert unbatched == pool


@pytest.mark.parametrize(
    ("call", "shape", "expected"),
    [
        (lambda x: functional.max_pool2d(x, 3, 2, padding=1), (8, 8), Pool("max", [3, 3], [2, 2], [1, 1], 0.25, 1.0)),
        (lambda x: functional.max_pool2d(x, 2, 3), (6, 6), Pool("max", [2, 2], [3, 3], [0, 0], 4 / 36, 16 / 36)),
        (lambda x: functional.avg_pool1d(x, 2), (6,), Pool("average", [2], [2], [0], 0.5, 1.0)),
        (lambda x: functional.lp_pool2d(x, 2.0, 2), (4, 4), Pool("lp", [2, 2], [2, 2], [0, 0], 0.25, 1.0)),
        (lambda x: functional.adaptive_avg_pool2d(x, 2), (4, 6), Pool("average", [2, 3], [2, 3], [0, 0], 4 / 24, 1.0)),
        (lambda x: functional.adaptive_max_pool2d(x, (3, 1)), (7, 2), Pool("max", [3, 2], [2, 2], [0, 0], 3 / 14, 1.0)),
        (lambda x: functional.max_pool3d(x, 2), (2, 2, 2), Pool("max", [2] * 3, [2] * 3, [0] * 3, 1 / 8, 1.0)),
        (lambda x: x.mean((2, 3)), (4, 5), Pool("average", [4, 5], [4, 5], [0, 0], 1 / 20, 1.0)),
        (lambda x: x.mean([-1, -2], keepdim=True), (4, 5), Pool("average", [4, 5], [4, 5], [0, 0], 1 / 20, 1.0)),
        (lambda x: x.amax((2, 3)), (4, 5), Pool("max", [4, 5], [4, 5], [0, 0], 1 / 20, 1.0)),
        (lambda x: x.mean((2, 3, 4)), (1, 2, 2), Pool("average", [1, 2, 2], [1, 2, 2], [0] * 3, 0.25, 1.0)),
        (lambda x: x.mean(1), (4, 5), None),
        (lambda x: x.mean(), (4, 5), None),
    ],
)
def test_functions_that_pool(call: Callable[[Tensor], Tensor], shape: tuple[int, ...], expected: Pool | None) -> None:
    node = the_call(lambda self, x: call(x), torch.zeros(2, 3, *shape))
    assert node.pool == expected
    assert (node.role == "pool") == (expected is not None)


def test_windows_drawn_at_random_are_not_told() -> None:
    assert trace(nn.FractionalMaxPool2d(2, output_size=3), torch.zeros(1, 1, 8, 8)).nodes[1].pool is None


# --- types, operators, what is shared and what is idle ---------------------------------------------------------


def test_types_of_what_goes_in_and_comes_out() -> None:
    def forward(self: nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
        return torch.where(mask.unsqueeze(-1), self.words(ids).to(torch.bfloat16), 0.0)

    graph = trace(
        Functional(forward, words=nn.Embedding(5, 2)),
        torch.zeros(1, 2, dtype=torch.long),
        torch.ones(1, 2, dtype=torch.bool),
    )
    words, where = graph.by_name["words"], graph.by_name["where()"]
    assert (words.input_dtypes, words.output_dtypes) == (("int64",), ("float32",))
    assert (where.input_dtypes, where.output_dtypes) == (("bool", "bfloat16"), ("bfloat16",))


def test_operators_are_counted_in_each_call_and_in_what_holds_it() -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(3, 3), nn.ReLU()), nn.Dropout(), nn.Softmax(-1))
    graph = trace(model, torch.zeros(1, 3))
    assert {node.name: node.operators for node in graph.nodes[1:-1]} == {
        "0": 3, "0.0": 2, "0.1": 1, "1": 0, "2": 1,
    }  # fmt: skip
    assert graph.operators == 4


def test_tied_weights_count_once_and_say_who_shares_them() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.middle, self.head = nn.Embedding(5, 3), nn.Linear(3, 3), nn.Linear(3, 5, bias=False)
            self.head.weight = self.words.weight

        def forward(self, ids: Tensor) -> Tensor:
            return self.head(self.middle(self.words(ids)))

    graph = trace(Tied(), torch.zeros(1, 2, dtype=torch.long))
    assert graph.parameters == 15 + 12
    assert graph.by_name["head"].own_parameters == 15
    assert graph.by_name["head"].shares == (graph.by_name["words"].id,)
    assert graph.by_name["words"].shares == graph.by_name["middle"].shares == ()
    assert graph.to_panel().nodes[-2].shares == [graph.by_name["words"].id]
    again = trace(Functional(lambda self, x: self.a(self.a(x)), a=nn.Linear(3, 3)), torch.zeros(1, 3))
    assert all(node.shares == () for node in again.nodes), "a module called twice is one module"


def test_modules_never_called_are_named_and_containers_of_called_ones_are_not() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        return self.attention(*[self.blocks[0](x)] * 3)[0]

    model = Functional(
        forward,
        blocks=nn.ModuleList([nn.Sequential(nn.Linear(4, 4)), nn.Sequential(nn.Linear(4, 4), nn.ReLU())]),
        attention=nn.MultiheadAttention(4, 2),
        spare=nn.ModuleDict({"relu": nn.ReLU()}),
        numbers=nn.ParameterDict(),
    )
    graph = trace(model, torch.zeros(2, 1, 4))
    assert graph.uncalled == ("blocks.1", "blocks.1.0", "blocks.1.1", "spare", "spare.relu")
    assert graph.unused == ("blocks.1.0.weight", "blocks.1.0.bias")


@pytest.mark.parametrize("last", [True, False])
def test_channels_stay_where_they_are_when_tensors_are_joined_cut_or_padded(last: bool) -> None:
    axis = 3 if last else 1

    class Merging(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(6, 5) if last else nn.Conv2d(6, 5, 1)

        def forward(self, values: Tensor) -> Tensor:
            made = torch.roll(torch.nn.functional.pad(self.first(values), (0, 1, 0, 1)), 1, dims=2)
            half, other = made.split(3, dim=axis)
            return torch.cat([half, other, made], dim=axis)

    graph = trace(Merging(), torch.zeros(2, 6, 8, 6))
    moved = {node.operation: node.channel_last for node in graph.nodes if node.role in ("pass", "join")}
    assert moved == dict.fromkeys(["pad", "roll", "split", "cat"], last)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.LSTM(4, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.memory(x)[0])


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_layers_of_packed_weights_are_told_and_their_weights_no_modules_that_are_never_called() -> None:
    if "fbgemm" not in torch.backends.quantized.supported_engines:
        pytest.skip("torch has no kernels for quantised layers here")
    model = torch.ao.quantization.quantize_dynamic(Recurrent().eval(), {nn.LSTM, nn.Linear}, torch.qint8)
    graph = trace(model, torch.ones(1, 1, 4))
    assert (graph.error, graph.uncalled, graph.parameters) == (None, (), 0)
    assert (
        "Quantised layers (memory, head) keep packed weights, which are not counted as parameters."
        in graph.backend_reason
    )

"""Calls that are told from calls like them: counted, and exactly what running them would have given."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from pellucid.graph import Graph, trace
from pellucid.graph import recalled as module_under_test
from pellucid.graph.valueless import Valueless

pytestmark = pytest.mark.usefixtures("known")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operators that were run to know what they return."""
    names: list[str] = []
    run = Valueless.run

    def counted(self: Valueless, operator: Any, args: Any, kwargs: Any) -> Any:
        names.append(str(operator))
        return run(self, operator, args, kwargs)

    monkeypatch.setattr(Valueless, "run", counted)
    return names


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.norm(self.conv(x)))
        left, right = y.chunk(2, dim=1)
        y = torch.cat([right, left], dim=1).transpose(2, 3).reshape(x.shape)
        return (x + y).mul_(0.5) * y.mean((2, 3), keepdim=True)


def test_of_equal_blocks_one_is_run_and_of_an_equal_model_none(ran: list[str]) -> None:
    x = torch.zeros(1, 4, 6, 6)
    one = trace(nn.Sequential(Block(4)), x)
    inferred = len(ran)
    assert inferred == one.operators > 8
    ran.clear()
    ten = trace(nn.Sequential(*[Block(4) for _ in range(10)]), x)
    assert ran == []
    assert ten.operators == 10 * one.operators
    assert ten.flops == 10 * (one.flops or 0)
    trace(nn.Sequential(Block(6)), torch.zeros(1, 6, 6, 6))
    assert len(ran) == inferred


def twice(model: nn.Module, *args: Tensor) -> tuple[Graph, Graph]:
    return trace(model, *args), trace(model, *args)


def vision() -> Iterator[Callable[[], nn.Module]]:
    from torchvision import models

    for name in ("resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5", "swin_t"):
        yield lambda name=name: models.get_model(name, weights=None)  # type: ignore[misc]


@pytest.mark.parametrize("build", [*vision(), lambda: nn.Sequential(*[Block(3) for _ in range(2)])])
def test_the_graph_is_the_same_told_or_run(build: Callable[[], nn.Module], ran: list[str]) -> None:
    run, told = twice(build(), torch.zeros(1, 3, 64, 64))
    assert run == told


class Writes(nn.Module):
    """What changes its arguments: shapes, flags, memory that others see."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Any:
        x = self.first(x)
        whole = x + 1
        part = whole[:, :2]
        part.mul_(2)
        y = self.second(whole)
        y.unsqueeze_(0)
        y.squeeze_(0).t_()
        y.requires_grad_(False)
        z = y.add_(y)
        return z.t() + z.reshape(4, -1).permute(1, 0)[..., None, :].squeeze(1).add_(x)


def test_what_writes_is_told_as_it_ran() -> None:
    run, told = twice(Writes(), torch.zeros(3, 4))
    assert run == told
    names = {node.id: node.name for node in told.nodes}
    assert ("mul()", "second") in {(names[edge.source], names[edge.target]) for edge in told.edges}
    assert told.nodes[-1].inputs == ((3, 4),)


def test_the_same_tensor_given_twice_is_not_mistaken_for_two(ran: list[str]) -> None:
    class Net(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            one, other = x * 2, x * 3
            one.type_as(one)
            one = one.type_as(other)
            one.add_(one)
            one.add_(other)
            return one

    run, told = twice(Net(), torch.zeros(2))
    assert run == told
    assert [(edge.source, edge.target) for edge in told.edges if told.nodes[edge.target].kind == "output"] == [
        (told.by_name["add()#2"].id, told.nodes[-1].id)
    ]
    names = {node.id: node.name for node in told.nodes}
    assert {names[edge.source] for edge in told.edges if names[edge.target] == "add()"} == {"mul()"}


def test_a_flag_that_no_operator_sets_is_set() -> None:
    flags: list[bool] = []

    class Net(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            for flag in (True, False):
                x = x * 2
                x.requires_grad_(flag)
                flags.append(x.requires_grad)
            return x

    twice(Net(), torch.zeros(2))
    assert flags == [True, False] * 2


def test_a_setting_a_hook_or_another_forward_makes_it_another_call() -> None:
    conv = nn.Conv2d(3, 4, 3)
    net = nn.Sequential(conv, nn.AvgPool2d(2))
    x = torch.zeros(1, 3, 9, 9)
    assert trace(net, x).nodes[-1].inputs == ((1, 4, 3, 3),)
    conv.stride = (2, 2)
    assert trace(net, x).nodes[-1].inputs == ((1, 4, 2, 2),)
    conv.register_forward_hook(lambda _module, _args, output: output.flatten(1) + 1)
    net[1] = nn.Identity()
    graph = trace(net, x)
    assert graph.nodes[-1].inputs == ((1, 64),)
    assert graph.by_name["0"].operators == 3
    conv.forward = lambda given: given * 2  # type: ignore[method-assign, assignment]
    assert trace(net, x).nodes[-1].inputs == ((1, 3 * 81),)


def test_whoever_watches_operators_inside_the_forward_sees_them() -> None:
    class Counter(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self.seen = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.seen += 1
            return func(*args, **(kwargs or {}))

    seen: list[int] = []

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            with Counter() as counter:
                x = self.linear(x).relu()
            seen.append(counter.seen)
            return x

    run, told = twice(Net(), torch.zeros(1, 2))
    assert run == told
    assert seen[0] == seen[1] > 1


def test_whoever_watches_functions_inside_the_forward_sees_those_of_layers() -> None:
    class Doubled(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            return torch.cat([result, result]) if func is nn.functional.linear else result

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Any:
            x = self.linear(x)
            with Doubled():
                return self.linear(x)

    run, told = twice(Net(), torch.zeros(1, 2))
    assert run == told
    assert told.nodes[-1].inputs == ((2, 2),)


def test_types_that_autocast_chooses_are_not_kept() -> None:
    class Net(nn.Module):
        def __init__(self, mixed: bool) -> None:
            super().__init__()
            self.linear, self.mixed = nn.Linear(2, 2), mixed

        def forward(self, x: Tensor) -> Tensor:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.mixed):
                return self.linear(x)  # type: ignore[no-any-return]

    types = [trace(Net(mixed), torch.zeros(1, 2)).nodes[-1].input_dtypes for mixed in (False, True, False)]
    assert types == [("float32",), ("bfloat16",), ("float32",)]


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch, known: dict[Any, Any]) -> None:
    monkeypatch.setattr(module_under_test, "MOST", 3)
    run, told = twice(nn.Sequential(*[nn.Linear(width, width + 1) for width in range(1, 9)]), torch.zeros(1, 1))
    assert run == told
    assert len(known) <= 3


def doubling(original: Callable[..., Tensor]) -> Callable[..., Tensor]:
    @functools.wraps(original)
    def twice(*args: Any, **kwargs: Any) -> Tensor:
        return original(*args, **kwargs) * 2

    return twice


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.linear, self.act = nn.Conv2d(2, 2, 1), nn.Linear(3, 3), nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.linear(self.conv(x)))  # type: ignore[no-any-return]


REPLACED = [
    (nn.functional, "linear", "linear"),
    (nn.functional, "gelu", "act"),
    (nn.Conv2d, "_conv_forward", "conv"),
    (nn.Linear, "forward", "linear"),
]


@pytest.mark.parametrize(("place", "name", "node"), REPLACED)
def test_whoever_replaces_what_a_layer_calls_is_seen_and_so_is_who_puts_it_back(
    monkeypatch: pytest.MonkeyPatch, place: Any, name: str, node: str
) -> None:
    net, x = Small(), torch.zeros(1, 2, 3, 3)
    plain, told = twice(net, x)
    assert plain == told
    with monkeypatch.context() as patched:
        patched.setattr(place, name, doubling(getattr(place, name)))
        run, again = twice(net, x)
    assert run == again
    assert run.by_name[node].operators == plain.by_name[node].operators + 1
    assert run.operators == plain.operators + 1
    assert trace(net, x) == plain


def test_other_code_in_a_function_of_torch_s_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def softmax(input: Tensor, dim: int, _stacklevel: int = 3, dtype: torch.dtype | None = None) -> Tensor:  # noqa: A002
        return input.softmax(dim) * 2

    net, x = nn.Softmax(1), torch.zeros(1, 3)
    plain, told = twice(net, x)
    assert plain == told
    with monkeypatch.context() as patched:
        patched.setattr(nn.functional.softmax, "__code__", softmax.__code__)
        run, again = twice(net, x)
    assert run == again
    assert run.operators == plain.operators + 1
    assert trace(net, x) == plain


def test_who_stands_in_the_way_of_every_call_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    original: Callable[..., Any] = nn.Module.__call__
    called: list[str] = []

    def counted(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        called.append(type(self).__name__)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(nn.Module, "__call__", counted)
    run, told = twice(nn.Sequential(nn.ReLU()), torch.zeros(1, 2))
    assert run == told
    assert called == ["Sequential", "ReLU"] * 2


def test_of_a_tensor_and_a_view_of_it_one_is_written() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = self.linear(x)
            x[:, 1:] += 1
            return x * 2

    run, told = twice(Net(), torch.zeros(3, 4))
    assert run == told
    assert run.by_name["setitem()"].outputs == ((3, 4),)
    names = {node.id: node.name for node in run.nodes}
    assert ("setitem()", "mul()") in {(names[edge.source], names[edge.target]) for edge in run.edges}


def test_a_parameter_that_a_layer_is_given_is_used() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.both = nn.Bilinear(4, 4, 2)
            self.query = nn.Parameter(torch.zeros(3, 4))

        def forward(self, x: Tensor) -> Tensor:
            return self.both(x, self.query)  # type: ignore[no-any-return]

    run, told = twice(Net(), torch.zeros(3, 4))
    assert run == told
    assert told.unused == ()

"""What goes in and comes out: dataclasses, dicts, named tuples, nothing at all, things that are no tensors."""

from __future__ import annotations

from collections import OrderedDict, UserDict
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bench.coverage.cases import Case, edges, flow, flows
from bench.coverage.oddities.registry import Net, oddity
from pellucid.graph import Graph


@dataclass
class Pair:
    left: Tensor
    right: Tensor
    label: str = "pair"


class Moments(NamedTuple):
    mean: Tensor
    spread: Tensor


class Carrier:
    """A plain object with tensors on it."""

    def __init__(self, hidden: Tensor) -> None:
        self.hidden = hidden
        self.history = [hidden]


def _inputs(graph: Graph) -> list[str]:
    return [node.name for node in graph.nodes if node.kind == "input"]


@oddity
def dataclass_in_and_out() -> Case:
    def forward(net: Net, pair: Pair) -> Pair:
        return Pair(net.a(pair.left), net.b(pair.right) + pair.left)

    return Case(
        Net(forward, a=nn.Linear(3, 3), b=nn.Linear(3, 3)),
        (Pair(torch.randn(2, 3), torch.randn(2, 3)),),
        facts={
            "two inputs by their fields": lambda g: _inputs(g) == ["pair.left", "pair.right"],
            "left into a": flow("pair.left", "a"),
            "six edges": edges(6),
        },
    )


@oddity
def dataclass_between_modules() -> Case:
    class Maker(nn.Module):
        def forward(self, x: Tensor) -> Pair:
            return Pair(x + 1, x * 2)

    class Taker(nn.Module):
        def forward(self, pair: Pair) -> Tensor:
            return pair.left @ pair.right.T

    return Case(
        nn.Sequential(Maker(), Taker()),
        (torch.randn(2, 3),),
        facts={"the sum flows on": lambda g: any(e[0] == "0.add()" and e[1].startswith("1.") for e in flows(g))},
    )


@oddity
def named_tuple_in_and_out() -> Case:
    def forward(net: Net, moments: Moments) -> Moments:
        return Moments(net.a(moments.mean), net.a(moments.spread).exp())

    return Case(
        Net(forward, a=nn.Linear(3, 3)),
        (Moments(torch.randn(2, 3), torch.randn(2, 3)),),
        facts={
            "two inputs": lambda g: len(_inputs(g)) == 2,
            "the second call reads the second": lambda g: (_inputs(g)[1], "a#2") in flows(g),
        },
    )


@oddity
def dict_with_nothing_under_a_key() -> Case:
    def forward(net: Net, x: Tensor) -> dict[str, Tensor | None]:
        return {"logits": net.a(x), "loss": None, "hidden": x * 2}

    return Case(
        Net(forward, a=nn.Linear(3, 2)),
        (torch.randn(2, 3),),
        facts={"two outputs": lambda g: len(g.nodes[-1].inputs) == 2},
    )


@oddity
def lists_in_lists() -> Case:
    def forward(net: Net, levels: list[list[Tensor]]) -> list[list[Tensor]]:
        return [[net.a(tensor) for tensor in level] for level in levels]

    return Case(
        Net(forward, a=nn.Linear(3, 2)),
        ([[torch.randn(2, 3)], [torch.randn(1, 3), torch.randn(4, 3)]],),
        facts={"three inputs": lambda g: len(_inputs(g)) == 3, "three calls, three ways": edges(6)},
    )


@oddity
def its_own_input_returned() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return x

    return Case(
        Net(forward), (torch.randn(2, 3),), facts={"straight through": flow("x", "output"), "one edge": edges(1)}
    )


@oddity
def things_that_are_no_tensors_returned() -> Case:
    def forward(net: Net, x: Tensor) -> tuple[Tensor, int, str, None]:
        return net.a(x), len(x), "done", None

    return Case(
        Net(forward, a=nn.Linear(3, 2)),
        (torch.randn(2, 3),),
        facts={"one output": lambda g: len(g.nodes[-1].inputs) == 1},
    )


@oddity
def nothing_returned() -> Case:
    def forward(net: Net, x: Tensor) -> None:
        net.a(x)

    return Case(Net(forward, a=nn.Linear(3, 2)), (torch.randn(2, 3),), facts={"the call is there": flow("x", "a")})


@oddity
def a_parameter_returned() -> Case:
    def forward(net: Net, x: Tensor) -> tuple[Tensor, Tensor]:
        return net.a(x), net.prototypes

    net = Net(forward, a=nn.Linear(3, 2), prototypes=nn.Parameter(torch.zeros(4, 2)))
    return Case(net, (torch.randn(2, 3),), constant=frozenset({1}))


@oddity
def arguments_by_name_only() -> Case:
    def forward(net: Net, *, query: Tensor, scale: float, context: dict[str, Tensor]) -> Tensor:
        return net.a(query) * scale + context["memory"]

    return Case(
        Net(forward, a=nn.Linear(3, 2)),
        kwargs={"query": torch.randn(2, 3), "scale": 2.0, "context": {"memory": torch.randn(2, 2)}},
        facts={"named after their arguments": lambda g: set(_inputs(g)) == {"query", "context.memory"}},
    )


@oddity
def optional_argument_left_out() -> Case:
    def forward(net: Net, x: Tensor, mask: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        y = net.a(x)
        return y if mask is None else y * mask

    return Case(
        Net(forward, a=nn.Linear(3, 2)), (torch.randn(2, 3), None), facts={"one input": lambda g: _inputs(g) == ["x"]}
    )


@oddity
def any_number_of_arguments() -> Case:
    def forward(net: Net, *parts: Tensor, **named: Tensor) -> Tensor:
        return net.a(torch.cat([*parts, *named.values()], dim=1))

    return Case(
        Net(forward, a=nn.Linear(6, 2)),
        (torch.randn(2, 2), torch.randn(2, 2)),
        {"extra": torch.randn(2, 2)},
        facts={"three inputs": lambda g: len(_inputs(g)) == 3, "all in one call": edges(5)},
    )


@oddity
def mapping_that_is_no_dict() -> Case:
    class Encoding(UserDict):
        pass

    def forward(net: Net, batch: Encoding) -> OrderedDict:
        return OrderedDict(logits=net.a(batch["values"]) + batch["bias"])

    return Case(
        Net(forward, a=nn.Linear(3, 2)),
        (Encoding(values=torch.randn(2, 3), bias=torch.randn(2, 2)),),
        facts={"two inputs": lambda g: len(_inputs(g)) == 2},
    )


@oddity
def plain_object_between_modules() -> Case:
    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Carrier:
            return Carrier(self.linear(x))

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 1)

        def forward(self, carrier: Carrier) -> Tensor:
            return self.linear(carrier.hidden)

    return Case(
        nn.Sequential(Encoder(), Decoder()), (torch.randn(2, 3),), facts={"carried over": flow("0.linear", "1.linear")}
    )


@oddity
def frozen_dataclass_without_constructor_arguments() -> Case:
    @dataclass(frozen=True)
    class State:
        hidden: Tensor
        squared: Tensor = field(init=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "squared", self.hidden**2)

    def forward(net: Net, x: Tensor) -> State:
        return State(net.a(x))

    return Case(
        Net(forward, a=nn.Linear(3, 2)),
        (torch.randn(2, 3),),
        facts={"two outputs": lambda g: len(g.nodes[-1].inputs) == 2},
    )


@oddity
def the_same_tensor_twice_in_and_out() -> Case:
    def forward(net: Net, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        y = net.a(first) + net.b(second)
        return y, y

    x = torch.randn(2, 3)
    return Case(
        Net(forward, a=nn.Linear(3, 2), b=nn.Linear(3, 2)),
        (x, x),
        facts={
            "the first into a": flow("first", "a"),
            "the second into b": flow("second", "b"),
            "two outputs": lambda g: len(g.nodes[-1].inputs) == 2,
        },
    )


@oddity
def a_list_that_modules_append_to() -> Case:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 3)

        def forward(self, x: Tensor, seen: list[Tensor]) -> Tensor:
            y = self.linear(x)
            seen.append(y)
            return y

    def forward(net: Net, x: Tensor) -> Tensor:
        seen: list[Tensor] = []
        for block in net.blocks:
            x = block(x, seen)
        return torch.stack(seen).sum(0)

    net = Net(forward, blocks=nn.ModuleList(Block() for _ in range(3)))
    return Case(
        net,
        (torch.randn(2, 3),),
        facts={"all three are stacked": lambda g: sum(e[1] == "stack()" for e in flows(g)) == 3},
    )

"""Control flow that depends on values, loops, steps that come back, forwards within forwards, and forwards that raise."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from bench.coverage.cases import Case, apart, calls, flow, flows, reaches
from bench.coverage.oddities.registry import Net, oddity
from pellucid.graph import Graph


def _input() -> tuple[Tensor]:
    return (torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.25, -0.5]]),)


def _said(graph: Graph) -> bool:
    return bool(graph.data_dependent)


@oddity
def a_loop_until_the_values_are_small() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        while x.abs().max() > 0.5:
            x = net.shrink(x)
        return net.head(x)

    net = Net(forward, shrink=nn.Linear(3, 3, bias=False), head=nn.Linear(3, 1))
    nn.init.eye_(net.shrink.weight).data.mul_(0.5)
    return Case(
        net,
        _input(),
        facts={"two steps": calls("Linear", 3), "one after the other": flow("shrink", "shrink#2"), "said": _said},
    )


@oddity
def a_branch_on_an_item() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return net.positive(x) if x.sum().item() > 0 else net.negative(x)

    net = Net(forward, positive=nn.Linear(3, 1), negative=nn.Linear(3, 1))
    return Case(
        net,
        _input(),
        facts={
            "the way that was taken": flow("x", "positive"),
            "the other is named": lambda g: "negative" in g.uncalled,
            "said": _said,
        },
    )


@oddity
def an_early_exit() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        for block, exit_ in zip(net.blocks, net.exits, strict=True):
            x = block(x)
            logits = exit_(x)
            if logits.softmax(-1).max() >= 0.0:  # sure enough, always
                return logits
        return logits

    net = Net(
        forward,
        blocks=nn.ModuleList(nn.Linear(3, 3) for _ in range(4)),
        exits=nn.ModuleList(nn.Linear(3, 2) for _ in range(4)),
    )
    return Case(
        net,
        _input(),
        facts={"one block": calls("Linear", 2), "out at the first": flow("exits.0", "output"), "said": _said},
    )


@oddity
def experts_that_choose_their_tokens() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        weights, chosen = net.router(x).softmax(-1).topk(1, dim=-1)
        total = torch.zeros_like(x)
        for number, expert in enumerate(net.experts):
            rows, places = torch.where(chosen == number)
            if rows.numel():
                total.index_add_(0, rows, expert(x[rows]) * weights[rows, places, None])
        return total

    net = Net(forward, router=nn.Linear(3, 3), experts=nn.ModuleList(nn.Linear(3, 3) for _ in range(3)))
    return Case(
        net,
        (torch.randn(12, 3),),
        facts={
            "the router decides": reaches("router"),
            "experts arrive": lambda g: any(reaches(f"experts.{number}")(g) for number in range(3)),
        },
    )


@oddity
def experts_by_index_select() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        index = net.router(x).argmax(-1)
        return torch.bmm(net.weights.index_select(0, index), x.unsqueeze(-1)).squeeze(-1)

    net = Net(forward, router=nn.Linear(3, 4), weights=nn.Parameter(torch.randn(4, 2, 3)))
    return Case(
        net, _input(), facts={"the router decides": reaches("router"), "nothing unused": lambda g: not g.unused}
    )


@oddity
def a_mask_of_values() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        kept = x[x > 0]
        x = x.clone()
        x[x < 0] = kept.mean()
        return net.head(x)

    return Case(
        Net(forward, head=nn.Linear(3, 1)), _input(), facts={"the mean is written in": flow("mean()", "setitem()")}
    )


@oddity
def sizes_that_depend_on_values() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        values, places = torch.unique((x > 0).long(), return_inverse=True)
        return net.embed(values)[places] + net.embed(torch.nonzero(x)[:, :1]).mean()

    return Case(Net(forward, embed=nn.Embedding(4, 2)), _input(), facts={"two look-ups": calls("Embedding", 2)})


@oddity
def both_branches_as_a_function() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return torch.cond(x.sum() > 0, lambda x: torch.sin(x), lambda x: torch.cos(x), (net.a(x),))

    return Case(Net(forward, a=nn.Linear(3, 3)), _input(), facts={"the layer arrives": reaches("a")})


class LSTM(nn.Module):
    """Written by hand, step by step."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.gates = nn.Linear(3 + width, 4 * width)
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        hidden = cell = x.new_zeros(len(x), self.width)
        outputs = []
        for step in range(x.shape[1]):
            i, f, g, o = self.gates(torch.cat([x[:, step], hidden], 1)).chunk(4, 1)
            cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
            hidden = torch.sigmoid(o) * torch.tanh(cell)
            outputs.append(hidden)
        return torch.stack(outputs, 1)


@oddity
def an_lstm_written_by_hand() -> Case:
    return Case(
        nn.Sequential(LSTM(), nn.Linear(4, 1)),
        (torch.randn(2, 6, 3),),
        facts={
            "six calls of the gates": lambda g: sum(n.path == "0.gates" for n in g.nodes) == 6,
            "a loop of six steps": lambda g: any(loop.steps == 6 for loop in g.loops),
            "fed back": lambda g: any(loop.feeds_back for loop in g.loops) and any(e.feeds_back for e in g.edges),
        },
    )


@oddity
def cells_in_a_loop() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        hidden = x.new_zeros(len(x), 4)
        for step in range(x.shape[1]):
            hidden = net.cell(x[:, step], hidden)
        return net.head(hidden)

    net = Net(forward, cell=nn.GRUCell(3, 4), head=nn.Linear(4, 1))
    return Case(
        net,
        (torch.randn(2, 5, 3),),
        facts={
            "five steps": calls("GRUCell", 5),
            "each reads the last": flow("cell#4", "cell#5"),
            "a loop of five": lambda g: any(loop.steps == 5 and loop.feeds_back for loop in g.loops),
        },
    )


@oddity
def one_layer_over_and_over_without_a_loop_of_values() -> Case:
    def forward(net: Net, images: list[Tensor]) -> list[Tensor]:
        return [net.layer(image) for image in images]

    return Case(
        Net(forward, layer=nn.Linear(3, 2)),
        ([torch.randn(1, 3) for _ in range(4)],),
        facts={
            "four calls apart": apart("layer", "layer#2"),
            "not fed back": lambda g: not any(e.feeds_back for e in g.edges),
        },
    )


@oddity
def reentrant_checkpointing() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return net.b(checkpoint(net.a, x, use_reentrant=True))

    net = Net(forward, a=nn.Sequential(nn.Linear(3, 3), nn.ReLU()), b=nn.Linear(3, 1))
    return Case(net, _input(), facts={"once, and through": flow("a.1", "b"), "one call": calls("ReLU", 1)})


@oddity
def checkpointing_that_is_not_reentrant() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return net.b(checkpoint(net.a, x, use_reentrant=False))

    net = Net(forward, a=nn.Sequential(nn.Linear(3, 3), nn.ReLU()), b=nn.Linear(3, 1))
    return Case(net, _input(), facts={"once, and through": flow("a.1", "b"), "one call": calls("ReLU", 1)})


class _Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor, scale: Tensor) -> Tensor:
        return torch.round(x * scale) / scale

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


@oddity
def an_autograd_function_of_its_own() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return net.b(_Straight.apply(net.a(x), net.scale))

    net = Net(forward, a=nn.Linear(3, 3), scale=nn.Parameter(torch.tensor(8.0)), b=nn.Linear(3, 1))
    return Case(net, _input(), facts={"a way through it": reaches("a"), "nothing unused": lambda g: not g.unused})


@oddity
def a_gradient_taken_in_forward() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            energy = net.energy(x).sum()
            (force,) = torch.autograd.grad(energy, x)
        return force

    net = Net(forward, energy=nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)))
    return Case(net, _input(), facts={"the energy is in it": lambda g: calls("Tanh", 1)(g) and reaches("x")(g)})


@oddity
def a_vectorised_function() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return torch.func.vmap(lambda row: functional.linear(row, net.weight).relu())(net.a(x))

    net = Net(forward, a=nn.Linear(3, 3), weight=nn.Parameter(torch.randn(2, 3)))
    return Case(net, _input(), facts={"a way through it": reaches("a")})


@oddity
def an_error_that_is_caught() -> Case:
    class Picky(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(5, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(x)

    def forward(net: Net, x: Tensor) -> Tensor:
        try:
            return net.picky(x)
        except RuntimeError:
            return net.other(x)

    net = Net(forward, picky=Picky(), other=nn.Linear(3, 1))
    return Case(
        net, _input(), facts={"the way that worked": flow("other", "output"), "no error": lambda g: g.error is None}
    )


@oddity
def a_forward_that_fails_half_way() -> Case:
    layers = [nn.Linear(3, 4), nn.ReLU(), nn.Sequential(nn.Linear(5, 2)), nn.ReLU()]
    return Case(
        nn.Sequential(*layers),
        _input(),
        fails=True,
        facts={
            "the graph until there": flow("0", "1"),
            "nothing behind it": lambda g: not any(node.path == "3" for node in g.nodes),
            "the error names the place": lambda g: g.error is not None and "2.0" in g.error,
            "the node has it": lambda g: [node.path for node in g.nodes if node.error][-1:] == ["2.0"],
        },
    )


@oddity
def a_question_about_values_that_is_answered() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        if not torch.isfinite(x).all():
            raise ValueError("Not finite.")
        return net.a(x)

    return Case(
        Net(forward, a=nn.Linear(3, 1)), _input(), facts={"said": _said, "not a part of the way": flow("x", "a")}
    )


@oddity
def branches_in_threads() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        with ThreadPoolExecutor(2) as pool:
            left, right = pool.map(lambda branch: branch(x), [net.left, net.right])
        return left + right

    net = Net(forward, left=nn.Linear(3, 2), right=nn.Linear(3, 2))
    return Case(
        net,
        _input(),
        facts={
            "the sum comes out": lambda g: any(target == "output" for _, target in flows(g)),
            "it is told": lambda g: "out of the trace" in g.backend_reason,
        },
    )


@oddity
def a_tree_that_is_walked() -> Case:
    def forward(net: Net, leaves: Tensor) -> Tensor:
        def value(low: int, high: int) -> Tensor:
            if high - low == 1:
                return leaves[low]
            middle = (low + high) // 2
            return net.join(torch.cat([value(low, middle), value(middle, high)])).tanh()

        return value(0, len(leaves))

    return Case(
        Net(forward, join=nn.Linear(4, 2)),
        (torch.randn(8, 2),),
        facts={"seven joins": calls("Linear", 7), "all leaves": calls("getitem", 8)},
    )


@oddity
def a_step_of_training_in_forward() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        fast = [parameter.detach().clone().requires_grad_() for parameter in net.a.parameters()]
        with torch.enable_grad():
            loss = functional.linear(x, *fast).square().mean()
            slopes = torch.autograd.grad(loss, fast)
        fast = [weight - 0.1 * slope for weight, slope in zip(fast, slopes, strict=True)]
        return functional.linear(x, *fast)

    return Case(
        Net(forward, a=nn.Linear(3, 1)), _input(), facts={"two products": calls("linear", 2), "a way": reaches("x")}
    )

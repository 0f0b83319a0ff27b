"""How modules hang together: sharing, tying, hooks, wrappers, parametrisations, modules outside the tree."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from bench.coverage.cases import Case, apart, calls, edges, flow, flows, reaches
from bench.coverage.oddities.registry import Net, oddity

DEEP, WIDE = 5000, 2000


def _input() -> tuple[Tensor]:
    return (torch.randn(2, 3),)


@oddity
def one_module_under_two_names() -> Case:
    shared = nn.Linear(3, 3)
    model = nn.Sequential()
    for name, module in (("first", shared), ("act", nn.Tanh()), ("second", shared)):
        model.add_module(name, module)
    return Case(
        model,
        _input(),
        facts={
            "counted once": lambda g: g.parameters == 12,
            "called twice": calls("Linear", 2),
            "one chain": edges(4),
            "nothing unused": lambda g: not g.unused and not g.uncalled,
        },
    )


@oddity
def tied_embedding_and_head() -> Case:
    def forward(net: Net, tokens: Tensor) -> Tensor:
        return net.head(net.embed(tokens))

    net = Net(forward, embed=nn.Embedding(10, 4), head=nn.Linear(4, 10, bias=False))
    net.head.weight = net.embed.weight
    return Case(
        net,
        (torch.tensor([[1, 2]]),),
        facts={"counted once": lambda g: g.parameters == 40, "nothing unused": lambda g: not g.unused},
    )


@oddity
def one_weight_used_twice() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return functional.linear(functional.linear(x, net.weight), net.weight.T)

    net = Net(forward, weight=nn.Parameter(torch.randn(4, 3)))
    return Case(net, _input(), facts={"counted once": lambda g: g.parameters == 12, "two products": calls("linear", 2)})


@oddity
def forward_called_around_the_module() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return net.b(net.a.forward(x))

    net = Net(forward, a=nn.Linear(3, 3), b=nn.Linear(3, 1))
    return Case(
        net,
        _input(),
        facts={"its product is there": flow("linear()", "b"), "its weight is used": lambda g: not g.unused},
    )


@oddity
def modules_never_called() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return net.used(x)

    net = Net(forward, used=nn.Linear(3, 1), idle=nn.Sequential(nn.Linear(3, 3), nn.ReLU()))
    return Case(
        net,
        _input(),
        facts={
            "its parameters are unused": lambda g: set(g.unused) == {"idle.0.weight", "idle.0.bias"},
            "it is named": lambda g: "idle" in g.uncalled,
        },
    )


@oddity
def parameters_never_used() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return net.a(x) if net.spare.shape[0] == 7 else x

    net = Net(forward, a=nn.Linear(3, 1), spare=nn.Parameter(torch.zeros(7)))
    return Case(net, _input(), facts={"named": lambda g: g.unused == ("spare",)})


@oddity
def modules_picked_from_lists_and_dicts() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        for index in (2, 0):
            x = net.blocks[index](x)
        return net.heads["wide"](x)

    net = Net(
        forward,
        blocks=nn.ModuleList(nn.Linear(3, 3) for _ in range(3)),
        heads=nn.ModuleDict({"narrow": nn.Linear(3, 1), "wide": nn.Linear(3, 9)}),
    )
    return Case(
        net,
        _input(),
        facts={
            "in the order of the calls": flow("blocks.2", "blocks.0"),
            "then the head": flow("blocks.0", "heads.wide"),
        },
    )


@oddity
def parameters_in_functions() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return functional.layer_norm(torch.addmm(net.bias, x, net.weight), (4,), net.scale)

    net = Net(
        forward,
        weight=nn.Parameter(torch.randn(3, 4)),
        bias=nn.Parameter(torch.zeros(4)),
        scale=nn.Parameter(torch.ones(4)),
    )
    return Case(net, _input(), facts={"all are used": lambda g: not g.unused, "two calls": edges(3)})


@oddity
def weight_norm_as_a_parametrisation() -> Case:
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 4)), nn.ReLU(), nn.Linear(4, 1))
    return Case(model, _input(), facts={"both halves are used": lambda g: not g.unused, "one way": flow("0", "1")})


@oddity
def spectral_norm_of_the_old_kind() -> Case:
    model = nn.Sequential(nn.utils.spectral_norm(nn.Linear(3, 4)), nn.utils.spectral_norm(nn.Linear(4, 1)))
    return Case(model, _input(), facts={"nothing unused": lambda g: not g.unused, "one way": flow("0", "1")})


@oddity
def orthogonal_parametrisation() -> Case:
    model = nn.Sequential(parametrizations.orthogonal(nn.Linear(3, 3)), nn.Tanh())
    return Case(model, _input(), facts={"nothing unused": lambda g: not g.unused})


@oddity
def lazy_modules_that_have_seen_an_example() -> Case:
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
    image = torch.randn(1, 3, 6, 6)
    model(image)
    return Case(model, (image,), facts={"112 and 130": lambda g: g.parameters == 112 + 130})


@oddity
def hooks_that_change_what_flows() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return net.b(net.a(x))

    net = Net(forward, a=nn.Linear(3, 3), b=nn.Linear(3, 1))
    net.a.register_forward_hook(lambda module, args, output: output * 3)
    net.b.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    return Case(
        net,
        _input(),
        facts={"in one piece": reaches("a"), "nothing unused": lambda g: not g.unused},
    )


@oddity
def buffers_written_in_forward() -> Case:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 3)
            self.register_buffer("mean", torch.zeros(3))
            self.register_buffer("calls", torch.zeros((), dtype=torch.long))

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
            return self.linear(x - self.mean)

    return Case(Counting(), _input(), facts={"the buffer is on the way": flow("sub()", "linear")})


@oddity
def no_parameters_at_all() -> Case:
    return Case(
        nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Softmax(-1)),
        (torch.randn(1, 1, 4, 4),),
        facts={"none": lambda g: g.parameters == 0, "one chain": edges(4)},
    )


@oddity
def a_module_made_in_forward() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return net.a(nn.LayerNorm(3)(x))

    return Case(Net(forward, a=nn.Linear(3, 1)), _input(), facts={"the way leads through it": reaches("x")})


@oddity
def a_module_outside_the_tree() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return net.b(hidden[0](x))

    hidden = [nn.Linear(3, 3)]
    return Case(
        Net(forward, b=nn.Linear(3, 1)),
        _input(),
        facts={"only its own": lambda g: g.parameters == 4, "a way": reaches("x")},
    )


@oddity
def a_module_replaced_in_forward() -> Case:
    class Growing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            self.scale = self.head(x).mean()
            return self.head(x) * self.scale

    return Case(Growing(), _input(), facts={"two calls": calls("Linear", 2), "both arrive": flow("head#2", "mul()")})


@oddity
def a_module_that_calls_itself() -> Case:
    class Halving(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 3)

        def forward(self, x: Tensor, depth: int = 3) -> Tensor:
            return self.linear(x) if depth == 0 else self(x, depth - 1) + x

    return Case(
        nn.Sequential(Halving()), _input(), facts={"three sums": calls("add", 3), "one product": calls("Linear", 1)}
    )


@oddity
def its_own_way_of_being_called() -> Case:
    class Called(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 3)

        def __call__(self, x: Tensor) -> Tensor:
            return self.linear(x) + 1

    return Case(
        nn.Sequential(Called(), nn.Linear(3, 1)),
        _input(),
        facts={"in one piece": lambda g: any(e[1] == "1" for e in flows(g))},
    )


@oddity
def scripted_submodule() -> Case:
    model = nn.Sequential(nn.Linear(3, 3), torch.jit.script(nn.Sequential(nn.Linear(3, 3), nn.ReLU())), nn.Linear(3, 1))
    return Case(model, _input(), facts={"in and out": flow("1", "2"), "nothing unused": lambda g: not g.unused})


@oddity
def traced_by_jit() -> Case:
    inner = torch.jit.trace(nn.Sequential(nn.Linear(3, 3), nn.ReLU()), torch.randn(2, 3))
    return Case(inner, _input(), facts={"parameters": lambda g: g.parameters == 12})


@oddity
def rewritten_by_fx() -> Case:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(functional.relu(self.a(x)) + 1)

    model = torch.fx.symbolic_trace(Block())
    return Case(model, _input(), facts={"the function is there": flow("a", "relu()"), "five edges": edges(5)})


@oddity
def compiled() -> Case:
    model = torch.compile(nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 1)), backend="eager")
    return Case(model, _input(), facts={"as if it were not": edges(4), "names without a wrapper": flow("0", "1")})


@oddity
def compiled_submodule() -> Case:
    model = nn.Sequential(torch.compile(nn.Linear(3, 3), backend="eager"), nn.ReLU())
    return Case(model, _input(), facts={"the product flows on": lambda g: len(flows(g)) == 3})


@oddity
def data_parallel() -> Case:
    model = nn.DataParallel(nn.Sequential(nn.Linear(3, 3), nn.ReLU()))
    return Case(model, _input(), facts={"names without a wrapper": flow("0", "1"), "one chain": edges(3)})


@oddity
def other_weights_for_one_call() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        other = {"weight": net.weight * 2, "bias": net.a.bias}
        return torch.func.functional_call(net.a, other, (x,))

    net = Net(forward, a=nn.Linear(3, 2), weight=nn.Parameter(torch.randn(2, 3)))
    return Case(net, _input(), facts={"a way": reaches("x")})


@oddity
def five_thousand_layers() -> Case:
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(DEEP)))
    return Case(model, (torch.randn(1, 2),), facts={"all of them": calls("Linear", DEEP), "one chain": edges(DEEP + 1)})


@oddity
def two_thousand_branches() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return torch.stack([branch(x) for branch in net.branches]).sum(0)

    net = Net(forward, branches=nn.ModuleList(nn.Linear(2, 2) for _ in range(WIDE)))
    return Case(
        net,
        (torch.randn(1, 2),),
        facts={"out and in": edges(2 * WIDE + 2), "each reads the input": apart("branches.0", "branches.1")},
    )

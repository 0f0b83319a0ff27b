"""What happens to tensors between modules: views, writing in place, memory used again, constants, other libraries."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.coverage.cases import Case, apart, calls, edges, flow, reaches
from bench.coverage.oddities.registry import Net, oddity
from pellucid.graph import Graph


@oddity
def in_place_on_a_view() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        whole = net.first(x)
        whole[:, :2].mul_(2)
        return net.last(whole)

    net = Net(forward, first=nn.Linear(3, 4), last=nn.Linear(4, 1))
    return Case(
        net,
        (torch.randn(2, 3),),
        facts={
            "what reads the whole reads what was written to the view": flow("mul()", "last"),
            "the view is of the whole": flow("first", "getitem()"),
        },
    )


@oddity
def assignment_to_slices() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        canvas = torch.zeros(2, 6)
        canvas[:, :3] = net.left(x)
        canvas[:, 3:] = net.right(x)
        return net.last(canvas)

    net = Net(forward, left=nn.Linear(3, 3), right=nn.Linear(3, 3), last=nn.Linear(6, 1))
    return Case(
        net,
        (torch.randn(2, 3),),
        facts={
            "the left half arrives": reaches("left"),
            "the right half arrives": reaches("right"),
            "two assignments": calls("setitem", 2),
        },
    )


@oddity
def view_read_after_its_base_was_written() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        base = net.first(x)
        view = base[:, 1:]
        base.add_(net.second(x))
        return net.last(view)

    net = Net(forward, first=nn.Linear(3, 4), second=nn.Linear(3, 4), last=nn.Linear(3, 1))
    return Case(net, (torch.randn(2, 3),), facts={"the view sees what was written to its base": reaches("second")})


@oddity
def activations_in_place() -> Case:
    layers = [
        nn.Linear(4, 4),
        nn.ReLU(inplace=True),
        nn.Linear(4, 4),
        nn.LeakyReLU(inplace=True),
        nn.SiLU(inplace=True),
    ]
    return Case(
        nn.Sequential(*layers),
        (torch.randn(2, 4),),
        facts={
            "what follows reads the activation": flow("1", "2"),
            "and not what wrote the memory first": apart("0", "2"),
            "one chain": edges(6),
        },
    )


@oddity
def skip_around_dropout_that_does_nothing() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        start = net.start(x)
        return net.drop(start) + start

    net = Net(forward, start=nn.Linear(3, 3), drop=nn.Dropout(0.5))
    return Case(
        net,
        (torch.randn(2, 3),),
        facts={
            "through the dropout": flow("drop", "add()"),
            "around the dropout": flow("start", "add()"),
            "into the dropout": flow("start", "drop"),
        },
    )


@oddity
def skip_around_identities() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return torch.cat([net.c(net.b(net.a(x))), x], dim=1)

    net = Net(forward, a=nn.Identity(), b=nn.Identity(), c=nn.Identity())
    return Case(
        net,
        (torch.randn(2, 3),),
        facts={"along the identities": flow("c", "cat()"), "past them": flow("x", "cat()"), "six edges": edges(6)},
    )


@oddity
def result_written_to_a_given_tensor() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        room = torch.empty(2, 4)
        torch.add(net.a(x), net.b(x), out=room)
        return net.last(room)

    net = Net(forward, a=nn.Linear(3, 4), b=nn.Linear(3, 4), last=nn.Linear(4, 2))
    return Case(net, (torch.randn(2, 3),), facts={"the sum arrives": flow("add()", "last"), "of both": reaches("b")})


@oddity
def one_call_with_many_results() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        a, b, c = net.wide(x).chunk(3, dim=1)
        return net.last(c * a + b)

    def positions(graph: Graph) -> bool:
        found = {edge.output for edge in graph.edges if graph.nodes[edge.source].name == "chunk()"}
        return found == {0, 1, 2}

    net = Net(forward, wide=nn.Linear(3, 12), last=nn.Linear(4, 1))
    return Case(net, (torch.randn(2, 3),), facts={"each result leaves at its own place": positions})


@oddity
def arguments_in_another_order() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return torch.where(input=net.no(x), other=net.yes(x), condition=net.mask(x) > 0)

    net = Net(forward, no=nn.Linear(3, 2), yes=nn.Linear(3, 2), mask=nn.Linear(3, 2))
    return Case(net, (torch.randn(2, 3),), facts={"all three arrive": lambda g: _sources(g, "where()") == 3})


@oddity
def scattered_and_gathered() -> Case:
    def forward(net: Net, x: Tensor, index: Tensor) -> Tensor:
        total = torch.zeros(4, 3).index_add_(0, index, net.a(x))
        total.scatter_add_(0, index.view(-1, 1).expand(-1, 3), net.b(x))
        return total.gather(1, index.clamp(max=2).view(-1, 1)[:4])

    net = Net(forward, a=nn.Linear(3, 3), b=nn.Linear(3, 3))
    return Case(
        net,
        (torch.randn(5, 3), torch.tensor([0, 1, 2, 3, 0])),
        facts={"the first sum arrives": reaches("a"), "the second sum arrives": reaches("b")},
    )


@oddity
def memory_and_ids_used_again() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        total = torch.zeros(2, 3)
        for _ in range(50):
            total = total + net.linear(x).relu()
        return total

    def honest(graph: Graph) -> bool:
        read = [edge for edge in graph.edges if graph.nodes[edge.target].path == "linear"]
        return all(graph.nodes[edge.source].kind == "input" for edge in read) and len(read) == 50

    net = Net(forward, linear=nn.Linear(3, 3))
    return Case(
        net,
        (torch.randn(2, 3),),
        facts={"every call reads the input": honest, "a chain of sums beside": edges(50 + 50 + 100 + 1)},
    )


@oddity
def detached_on_the_way() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return net.b(net.a(x).detach())

    return Case(
        Net(forward, a=nn.Linear(3, 3), b=nn.Linear(3, 1)), (torch.randn(2, 3),), facts={"still a way": reaches("a")}
    )


@oddity
def values_written_through_data() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        y = net.a(x)
        y.data = net.b(x)
        y.data.mul_(2)
        return net.c(y)

    net = Net(forward, a=nn.Linear(3, 3), b=nn.Linear(3, 3), c=nn.Linear(3, 1))
    return Case(net, (torch.randn(2, 3),))


@oddity
def round_trip_through_numpy() -> Case:
    class Outside(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.from_numpy(x.numpy() ** 2)

    return Case(
        nn.Sequential(nn.Linear(3, 3), Outside(), nn.Linear(3, 1)),
        (torch.randn(2, 3),),
        facts={"in": flow("0", "1"), "out": flow("1", "2")},
    )


@oddity
def constants_made_where_there_are_no_values() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        positions = torch.arange(x.shape[1], device=x.device)
        mask = torch.full((x.shape[1], x.shape[1]), float("-inf"), device=x.device).triu(1)
        scale = torch.tensor(0.5, device=x.device)
        return (net.embed(x) + net.place(positions)).transpose(1, 2) @ mask.exp() * scale

    with torch.device("meta"):
        net = Net(forward, embed=nn.Embedding(10, 4), place=nn.Embedding(16, 4))
    return Case(
        net,
        (torch.zeros(2, 5, dtype=torch.long),),
        facts={"on meta": lambda g: g.backend == "meta", "both": reaches("place")},
    )


@oddity
def constants_without_a_device_on_meta() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        mask = torch.ones(5, 5).tril()
        return net.linear(x) @ mask + torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])

    with torch.device("meta"):
        net = Net(forward, linear=nn.Linear(4, 5))
    return Case(net, (torch.randn(2, 4),))


@oddity
def random_numbers_inside() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        noise = torch.randn_like(x) + torch.rand(2, 3)
        return net.linear(functional.dropout(x + noise, 0.5, training=True))

    state = torch.get_rng_state()
    net = Net(forward, linear=nn.Linear(3, 1))
    torch.set_rng_state(state)
    return Case(net, (torch.randn(2, 3),), facts={"dropout is on the way": flow("dropout()", "linear")})


@oddity
def complex_numbers_and_fourier() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(x) * torch.view_as_complex(net.filter)
        return net.linear(torch.fft.irfft(spectrum, n=8) + torch.view_as_real(spectrum).sum())

    net = Net(forward, filter=nn.Parameter(torch.randn(5, 2)), linear=nn.Linear(8, 1))
    return Case(net, (torch.randn(2, 8),), facts={"nothing unused": lambda g: g.unused == ()})


@oddity
def sparse_product() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        graph = torch.eye(4).to_sparse()
        return torch.sparse.mm(graph, net.linear(x)) + graph @ x[:, :2]

    return Case(
        Net(forward, linear=nn.Linear(3, 2)), (torch.randn(4, 3),), facts={"the layer arrives": reaches("linear")}
    )


@oddity
def einsum_with_three_operands() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return torch.einsum("bi,bj,ijk->bk", x, net.linear(x), net.core)

    net = Net(forward, core=nn.Parameter(torch.randn(3, 3, 2)), linear=nn.Linear(3, 3))
    return Case(
        net, (torch.randn(2, 3),), facts={"one call": calls("einsum", 1), "the core is used": lambda g: not g.unused}
    )


@oddity
def tensors_without_axes() -> Case:
    def forward(net: Net, x: Tensor, scale: Tensor) -> Tensor:
        return net.linear(x).mean() * scale

    return Case(
        Net(forward, linear=nn.Linear(3, 1)),
        (torch.randn(2, 3), torch.tensor(2.0)),
        facts={"the scale arrives": flow("scale", "mul()"), "no axes": lambda g: g.nodes[-1].inputs == ((),)},
    )


@oddity
def whole_numbers_in_and_out() -> Case:
    def forward(net: Net, tokens: Tensor) -> Tensor:
        return net.head(net.embed(tokens)).argmax(-1)

    net = Net(forward, embed=nn.Embedding(10, 4), head=nn.Linear(4, 10))
    return Case(
        net,
        (torch.tensor([[1, 2, 3]]),),
        facts={"ends in whole numbers": lambda g: g.nodes[-1].input_dtypes == ("int64",)},
    )


@oddity
def channels_last_images() -> Case:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)).to(
        memory_format=torch.channels_last
    )
    image = torch.randn(2, 3, 8, 8).to(memory_format=torch.channels_last)
    return Case(model, (image,), facts={"one chain": edges(4)})


@oddity
def tokens_read_as_one_image() -> Case:
    def forward(net: Net, tokens: Tensor) -> Tensor:
        # Of a batch of one, kernels see another order of axes than is_contiguous does; the product after it shows which.
        image = tokens.transpose(1, 2).reshape(1, 8, 4, 4)
        return net.head(net.conv(image).flatten(2).transpose(1, 2).unsqueeze(1))

    net = Net(forward, conv=nn.Conv2d(8, 8, 2, stride=2), head=nn.Linear(8, 1))
    return Case(net, (torch.randn(1, 16, 8),), facts={"the convolution arrives": reaches("conv")})


@oddity
def lower_precision_inside() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return net.b(functional.gelu(net.a(x)))

    return Case(
        Net(forward, a=nn.Linear(3, 4), b=nn.Linear(4, 1)),
        (torch.randn(2, 3),),
        facts={"the output is bfloat16": lambda g: g.nodes[-1].input_dtypes == ("bfloat16",)},
    )


@oddity
def own_operator_of_a_library() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return net.b(torch.ops.pellucid_bench.halved(net.a(x)))

    if not hasattr(torch.ops.pellucid_bench, "halved"):

        @torch.library.custom_op("pellucid_bench::halved", mutates_args=())
        def halved(x: Tensor) -> Tensor:
            return x / 2

        halved.register_fake(torch.empty_like)
    return Case(
        Net(forward, a=nn.Linear(3, 3), b=nn.Linear(3, 1)), (torch.randn(2, 3),), facts={"on the way": reaches("a")}
    )


def _sources(graph: Graph, name: str) -> int:
    return len({edge.argument for edge in graph.edges if graph.nodes[edge.target].name == name})

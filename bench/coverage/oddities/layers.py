"""Layers that hide what they do: recurrent ones, attention, bags, quantised and packed ones, tensor subclasses."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import rnn

from bench.coverage.cases import Case, calls, edges, flow, flows, reaches
from bench.coverage.oddities.registry import Net, oddity


def _tokens() -> tuple[Tensor]:
    return (torch.randn(2, 5, 8),)


@oddity
def packed_sequences_through_an_lstm() -> Case:
    def forward(net: Net, x: Tensor, lengths: Tensor) -> Tensor:
        packed = rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        states, _ = net.lstm(packed)
        padded, _ = rnn.pad_packed_sequence(states, batch_first=True)
        return net.head(padded)

    net = Net(forward, lstm=nn.LSTM(8, 4, batch_first=True), head=nn.Linear(4, 1))
    return Case(
        net,
        (*_tokens(), torch.tensor([5, 3])),
        facts={
            "the layer arrives": reaches("lstm"),
            "and reads the input": lambda g: any(t == "lstm" for _, t in flows(g)),
        },
    )


@oddity
def both_directions_and_two_layers() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        states, (hidden, _) = net.lstm(x)
        return net.head(states.mean(1) + hidden[-2:].transpose(0, 1).flatten(1))

    net = Net(forward, lstm=nn.LSTM(8, 4, num_layers=2, bidirectional=True, batch_first=True), head=nn.Linear(8, 1))
    return Case(
        net,
        _tokens(),
        facts={
            "five steps": lambda g: g.by_name["lstm"].steps == 5,
            "its second output": lambda g: _leaving(g, "lstm") == {0, 1},
        },
    )


@oddity
def a_gru_with_its_state_given() -> Case:
    def forward(net: Net, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return net.gru(x, state)

    net = Net(forward, gru=nn.GRU(8, 4, batch_first=True))
    return Case(
        net,
        (*_tokens(), torch.zeros(1, 2, 4)),
        facts={"two in": flow("state", "gru"), "two out": edges(4), "steps": lambda g: g.by_name["gru"].steps == 5},
    )


@oddity
def attention_that_returns_its_weights() -> Case:
    def forward(net: Net, x: Tensor) -> tuple[Tensor, Tensor]:
        return net.attention(x, x, x, need_weights=True)

    net = Net(forward, attention=nn.MultiheadAttention(8, 2, batch_first=True))
    return Case(
        net,
        _tokens(),
        facts={"nothing unused": lambda g: not g.unused, "two outputs": lambda g: len(g.nodes[-1].inputs) == 2},
    )


@oddity
def the_fast_path_of_a_transformer() -> Case:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    return Case(
        model,
        _tokens(),
        facts={
            "its projections are used": lambda g: not g.unused,
            "its feed-forward is seen": calls("Linear", 4),
            "both skips of both layers": calls("add", 4),
        },
    )


@oddity
def a_whole_transformer_with_masks() -> Case:
    model = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    return Case(
        model,
        (torch.randn(2, 5, 8), torch.randn(2, 5, 8)),
        {"tgt_mask": mask},
        facts={"nothing unused": lambda g: not g.unused, "the mask arrives": reaches("tgt_mask")},
    )


@oddity
def attention_as_one_function() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        q, k, v = net.qkv(x).view(2, 5, 3, 2, 4).permute(2, 0, 3, 1, 4)
        return net.out(functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))

    products = 2 * 2 * 5 * 8 * 24 + 2 * 2 * 5 * 8 * 8 + 2 * 2 * 2 * 2 * 5 * 5 * 4
    net = Net(forward, qkv=nn.Linear(8, 24), out=nn.Linear(8, 8))
    return Case(net, _tokens(), facts={"its products are counted": lambda g: g.flops == products})


@oddity
def embedding_bag() -> Case:
    def forward(net: Net, tokens: Tensor, offsets: Tensor) -> Tensor:
        return net.head(net.bag(tokens, offsets))

    net = Net(forward, bag=nn.EmbeddingBag(10, 4, mode="mean"), head=nn.Linear(4, 1))
    return Case(
        net, (torch.tensor([1, 2, 3, 4]), torch.tensor([0, 2])), facts={"two arguments": flow("offsets", "bag")}
    )


@oddity
def quantised_while_it_runs() -> Case:
    from torch.ao.quantization import quantize_dynamic

    model = quantize_dynamic(nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1)), {nn.Linear}, dtype=torch.qint8)
    return Case(model, _tokens(), facts={"one chain": edges(4)})


@oddity
def quantised_with_its_activations() -> Case:
    from torch.ao import quantization

    model = nn.Sequential(
        quantization.QuantStub(),
        nn.Conv2d(1, 2, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32, 2),
        quantization.DeQuantStub(),
    )
    model.eval()
    model.qconfig = quantization.get_default_qconfig(torch.backends.quantized.engine)
    image = torch.randn(1, 1, 6, 6)
    quantization.prepare(model, inplace=True)
    model(image)
    return Case(quantization.convert(model), (image,), facts={"one chain": edges(7)})


@oddity
def pools_that_return_indices() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        small, indices = net.pool(x)
        return net.unpool(net.conv(small), indices)

    net = Net(forward, pool=nn.MaxPool2d(2, return_indices=True), conv=nn.Conv2d(1, 1, 1), unpool=nn.MaxUnpool2d(2))
    return Case(
        net,
        (torch.randn(1, 1, 4, 4),),
        facts={
            "values and indices": lambda g: _leaving(g, "pool") == {0, 1},
            "around the layer": flow("pool", "unpool"),
        },
    )


@oddity
def resized_and_sampled() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        grid = functional.affine_grid(net.pose(x.flatten(1)).view(-1, 2, 3), list(x.shape), align_corners=False)
        return functional.interpolate(
            functional.grid_sample(x, grid, align_corners=False), scale_factor=2, mode="bilinear"
        )

    net = Net(forward, pose=nn.Linear(16, 6))
    return Case(net, (torch.randn(2, 1, 4, 4),), facts={"the pose arrives": reaches("pose")})


class Named(torch.Tensor):
    """A subclass that only torch.Tensor's own machinery makes more of."""


class Logged:
    """No tensor, but it answers for one to torch's functions."""

    def __init__(self, inner: Tensor) -> None:
        self.inner = inner

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        def plain(value: Any) -> Any:
            return value.inner if isinstance(value, cls) else value

        return cls(func(*map(plain, args), **{key: plain(value) for key, value in (kwargs or {}).items()}))


@oddity
def a_subclass_of_tensor() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        return net.b(torch.tanh(net.a(x.as_subclass(Named)))).as_subclass(torch.Tensor)

    return Case(Net(forward, a=nn.Linear(8, 4), b=nn.Linear(4, 1)), _tokens(), facts={"the way": flow("tanh()", "b")})


@oddity
def functions_overridden_by_an_object() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        logged = torch.tanh(Logged(net.a(x)))
        return net.b(torch.add(logged, 1).inner)

    return Case(Net(forward, a=nn.Linear(8, 4), b=nn.Linear(4, 1)), _tokens(), facts={"the way": reaches("a")})


@oddity
def nested_tensors_of_unequal_length() -> Case:
    def forward(net: Net, x: Tensor) -> Tensor:
        ragged = torch.nested.nested_tensor([x[0, :3], x[1]], layout=torch.jagged)
        return net.linear(ragged).values()

    return Case(
        Net(forward, linear=nn.Linear(8, 2)),
        _tokens(),
        facts={"the layer is there": calls("Linear", 1)},
        constant=frozenset({0}),
    )


@oddity
def weights_in_half_precision() -> Case:
    model = nn.Sequential(nn.Linear(8, 4), nn.LayerNorm(4)).to(torch.bfloat16)
    return Case(
        model,
        (_tokens()[0].to(torch.bfloat16),),
        facts={"kept": lambda g: g.by_name["0"].output_dtypes == ("bfloat16",)},
    )


@oddity
def frozen_weights_of_inference_mode() -> Case:
    with torch.inference_mode():
        model = nn.Sequential(nn.Linear(8, 4), nn.ReLU())
    return Case(model, _tokens(), facts={"one chain": edges(3)})


def _leaving(graph: Any, name: str) -> set[int]:
    return {edge.output for edge in graph.edges if graph.nodes[edge.source].name == name}

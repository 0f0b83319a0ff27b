"""With values, a call like one before is run and its operators are not heard of again: they are counted all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from pellucid.graph import Graph, trace
from pellucid.graph.recalled import Recall
from pellucid.graph.recording import Recording

pytestmark = pytest.mark.usefixtures("known")


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operators that the recording heard of, without and with values."""
    names: list[str] = []
    before = Recording.before

    def counted(self: Recording, operator: Any, args: Any, kwargs: Any) -> None:
        names.append(str(operator))
        before(self, operator, args, kwargs)

    monkeypatch.setattr(Recording, "before", counted)
    return names


class Counter(TorchDispatchMode):
    """Counts operators, and knows nothing of the tracer."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen += 1
        return func(*args, **(kwargs or {}))


class WithValues(nn.Module):
    """Asks for a value first, so that it is run with values."""

    def __init__(self, forward: Callable[..., Any], *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.rest = forward

    def forward(self, x: Tensor) -> Any:
        if x.sum() > 1e9:
            return x
        return self.rest(x, *self.layers)


def count(model: nn.Module, x: Tensor) -> int:
    x = x.clone()
    with torch.no_grad(), Counter() as counter:
        model(x)
    return counter.seen


def unremembered(model: nn.Module, x: Tensor) -> Graph:
    """The graph by a trace that recognises no call."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Recall, "function", lambda *_: None)
        patched.setattr(Recall, "module", lambda *_: None)
        return trace(model, x)


def three(model: nn.Module, x: Tensor) -> list[Graph]:
    graphs = [trace(model, x) for _ in range(3)]
    assert {graph.backend for graph in graphs} == {"real"}
    return graphs


def detections(x: Tensor, layer: nn.Module) -> list[Tensor]:
    """What detectors do for every class: as many values as there happen to be."""
    found = []
    for scores in layer(x).unbind(1):
        kept = scores[scores > 0.1 * len(found)]
        place = torch.where(scores > 0)[0]
        found.append(torch.cat([kept, scores[place], scores.nonzero().float().flatten()]).sort().values[:4])
    return found


def writes(x: Tensor, layer: nn.Module) -> Tensor:
    for _ in range(3):
        y = layer(x)
        y[:, 0] = 1
        y.mul_(2)
        view = y[:, 1:]
        view.add_(1)
        x = x + y
    return x


def packed(x: Tensor, lstm: nn.Module) -> list[Tensor]:
    """Of the same forms, and of as many operators as there are lengths."""
    outputs = []
    for lengths in ([5, 3, 1], [5, 2, 2], [5, 5, 5]):
        given = pack_padded_sequence(x.unsqueeze(-1), torch.tensor(lengths), batch_first=True)
        outputs.append(pad_packed_sequence(lstm(given)[0], batch_first=True)[0])
    return outputs


def split_by_a_value(x: Tensor, layer: nn.Module) -> Tensor:
    parts = [len(layer(x).tensor_split(torch.tensor(parts), dim=1)) for parts in (1, 2, 4)]
    return x * sum(parts)


def returns_what_it_is_given(x: Tensor, dropout: nn.Module, identity: nn.Module, layer: nn.Module) -> Tensor:
    for _ in range(2):
        y = layer(identity(dropout(x)).contiguous().to(torch.float32))
        x = x + identity(y)
    return x


def queries(x: Tensor, norm: nn.Module, first: nn.Module, second: nn.Module) -> Tensor:
    """Parameters that a layer is given, as those of another."""
    return norm(x) + norm(first.weight) + norm(second.weight)  # type: ignore[no-any-return]


def single_truth_values(x: Tensor, layer: nn.Module) -> list[Tensor]:
    return [layer(x)[torch.tensor(chosen)] for chosen in (False, True, False)]


def tangents(x: Tensor, layer: nn.Module) -> Tensor:
    plain = layer(x).tanh()
    with forward_ad.dual_level():
        dual = layer(forward_ad.make_dual(x, x)).tanh()
        return plain + forward_ad.unpack_dual(dual).primal


def other_default_type(x: Tensor, layer: nn.Module) -> list[Tensor]:
    whole = (x > 0).long()
    found = [layer(whole)]
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return [*found, layer(whole)]
    finally:
        torch.set_default_dtype(before)


def zeros_of_both_signs(x: Tensor, layer: nn.Module) -> list[Tensor]:
    return [layer(x) + zero for zero in (0.0, -0.0)]


def another_attention(x: Tensor, mixed: nn.Module, out: nn.Module) -> Tensor:
    """One function whose operators a switch around it decides."""
    steps = x.unsqueeze(1)

    def attend() -> Tensor:
        return nn.functional.multi_head_attention_forward(
            steps, steps, steps, 5, 1, mixed.weight, mixed.bias, None, None, False, 0.0, out.weight, out.bias,
            training=False, need_weights=False,
        )[0]  # fmt: skip

    plain = attend()
    with sdpa_kernel(SDPBackend.MATH):
        return plain + attend()


def by_turns(x: Tensor, *layers: nn.Module) -> list[Tensor]:
    return [layer(x) for layer in layers]


def of_other_order() -> nn.Module:
    """A layer that has a bias and no weight, and was told so in that order."""
    layer = nn.LayerNorm(5)
    bias = layer.bias
    del layer.weight, layer.bias
    layer.bias = bias
    layer.register_parameter("weight", None)
    return layer


def of_turned_sign(negated: bool) -> nn.Module:
    """Its numbers are kept with the other sign, which torch turns where they are read."""
    layer = nn.Linear(5, 1, bias=False)
    numbers = torch.randn(1, 5, dtype=torch.cfloat)
    layer.weight = nn.Parameter((numbers.conj().imag if negated else numbers.real).detach())
    return layer


def with_sparse_buffer() -> nn.Module:
    layer = nn.Linear(5, 5)
    layer.register_buffer("graph", torch.eye(5).to_sparse_csr())
    return layer


MODELS: dict[str, Callable[[], nn.Module]] = {
    "parameters given to a layer": lambda: WithValues(
        queries, nn.LayerNorm(5), *[nn.Linear(5, 3, bias=False) for _ in range(2)]
    ),
    "single truth values": lambda: WithValues(single_truth_values, nn.Linear(5, 5)),
    "tangents": lambda: WithValues(tangents, nn.Linear(5, 5)),
    "another default type": lambda: WithValues(other_default_type, nn.Sigmoid()),
    "zeros of both signs": lambda: WithValues(zeros_of_both_signs, nn.Linear(5, 5)),
    "another attention": lambda: WithValues(another_attention, nn.Linear(5, 15), nn.Linear(5, 5)),
    "parameters in another order": lambda: WithValues(by_turns, nn.LayerNorm(5, bias=False), of_other_order()),
    "numbers of turned sign": lambda: WithValues(
        lambda x, *layers: [x * layer.weight for layer in layers], of_turned_sign(False), of_turned_sign(True)
    ),
    "a sparse buffer": lambda: WithValues(lambda x, layer: layer(layer(x)), with_sparse_buffer()),
    "as many as there are": lambda: WithValues(detections, nn.Linear(5, 5)),
    "in place": lambda: WithValues(writes, nn.Linear(5, 5)),
    "packed sequences": lambda: WithValues(packed, nn.LSTM(1, 4, batch_first=True)),
    "as many parts as a value says": lambda: WithValues(split_by_a_value, nn.Linear(5, 5)),
    "what it is given": lambda: WithValues(returns_what_it_is_given, nn.Dropout(), nn.Identity(), nn.Linear(5, 5)),
}


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor", "ignore:.torch.jit.script")  # of CSR, and by forward mode
@pytest.mark.parametrize("name", MODELS)
def test_the_graph_is_the_same_heard_or_not_and_counts_every_operator(name: str) -> None:
    torch.manual_seed(0)
    model, x = MODELS[name]().eval(), torch.randn(3, 5)
    first = unremembered(model, x)
    assert all(other == first for other in three(model, x))
    assert first.operators == count(model, x)
    assert first.error is None
    assert first.unused == ()


def caught(x: Tensor, layer: nn.Module) -> Tensor:
    """What a library does of a matrix that may not be positive: it tries, and adds to the diagonal."""
    square = layer(x).T @ layer(x) + torch.eye(5)
    root = torch.linalg.cholesky(square)
    try:
        return root + torch.linalg.cholesky(-square)
    except RuntimeError:
        return root + torch.linalg.cholesky(square + torch.eye(5))


def goes_on_and_raises(x: Tensor, layer: nn.Module) -> Tensor:
    x = layer(x)[torch.tensor([0, 1])].contiguous()
    try:
        x = x[torch.tensor([0, 9])]
    except IndexError:
        x = x.contiguous()
    raise ValueError("nothing more")


def looks_up(x: Tensor, table: nn.Module) -> Tensor:
    return x + sum(table(torch.tensor([place])) for place in (1, 9))  # type: ignore[no-any-return]


def asserts(x: Tensor, layer: nn.Module) -> Tensor:
    for bound in (1e9, -1e9):
        torch._assert_async(layer(x).sum() < bound)
    return x


RAISING: dict[str, tuple[Callable[..., Any], nn.Module]] = {
    "caught": (caught, nn.Linear(5, 5)),
    "goes on and raises": (goes_on_and_raises, nn.Linear(5, 5)),
    "a layer": (looks_up, nn.Embedding(3, 5)),
    "a function that makes nothing": (asserts, nn.Linear(5, 5)),
}


@pytest.mark.parametrize("name", RAISING)
def test_what_raises_is_heard_as_far_as_it_comes(name: str) -> None:
    torch.manual_seed(0)
    forward, layer = RAISING[name]
    model, x = WithValues(forward, layer).eval(), torch.randn(3, 5)
    first = unremembered(model, x)
    assert all(graph == first for graph in three(model, x))


def test_a_call_that_raises_unheard_and_then_does_not_has_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def activated(x: Tensor, *layers: nn.Module) -> Tensor:
        for layer in layers:
            x = torch.relu(layer(x))
        return x

    model, x = WithValues(activated, nn.Linear(5, 5), nn.Linear(5, 5)).eval(), torch.zeros(3, 5)
    first = unremembered(model, x)
    calls, run = [0], Recording._run

    def memory_runs_out_once(self: Recording, frame: Any, opaque: bool, call: Any, *given: Any) -> Any:
        def refused(*_: Any, **__: Any) -> Any:
            raise MemoryError("once")

        calls[0] += frame.operation == "relu"
        once = frame.operation == "relu" and calls[0] == 2
        return run(self, frame, opaque, refused if once else call, *given)

    monkeypatch.setattr(Recording, "_run", memory_runs_out_once)
    graph = trace(model, x)
    assert calls == [3]
    assert [(node.name, node.error, node.operators) for node in graph.nodes] == [
        (node.name, None, node.operators) for node in first.nodes
    ]
    assert graph.error is None
    assert graph.operators == first.operators


def test_other_values_of_the_same_forms_are_other_shapes() -> None:
    torch.manual_seed(0)
    model = MODELS["as many as there are"]().eval()
    few, many = torch.full((3, 5), -1e3), torch.full((3, 5), 1e3)
    told = [trace(model, x) for x in (few, many)]
    for x, graph in zip((few, many), told, strict=True):
        outputs = [tuple(one.shape) for one in model(x)]
        assert [shape for node in graph.nodes if node.operation == "output" for shape in node.inputs] == outputs
        assert graph.data_dependent
    assert told[0].data_dependent == told[1].data_dependent


def test_of_equal_blocks_one_is_heard(heard: list[str]) -> None:
    def blocks(x: Tensor, *layers: nn.Module) -> Tensor:
        for layer in layers:
            x = torch.relu(layer(x)) + x
        return x

    one, ten = (WithValues(blocks, *[nn.Linear(5, 5) for _ in range(many)]) for many in (1, 10))
    x = torch.zeros(3, 5)
    trace(one, x)
    once = len(heard)
    heard.clear()
    graph = trace(ten, x)
    assert len(heard) < once
    assert graph.operators == count(ten, x) > 40
    assert graph.flops == 10 * 2 * 3 * 5 * 5
    assert len({node.parameters for node in graph.nodes if node.operation == "Linear"}) == 1
    assert graph.unused == ()


@pytest.mark.parametrize("around", ["operators", "functions"])
def test_who_watches_from_outside_sees_all_of_it_every_time(around: str) -> None:
    seen: list[str] = []

    class Functions(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append("function")
            return func(*args, **(kwargs or {}))

    class Operators(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append("operator")
            return func(*args, **(kwargs or {}))

    model, x = MODELS["as many as there are"]().eval(), torch.randn(3, 5)
    trace(model, x)
    mode: Any = Operators() if around == "operators" else Functions()  # type: ignore[no-untyped-call]
    times = []
    for _ in range(2):
        seen.clear()
        with mode:
            trace(model, x)
        times.append(len(seen))
    assert times[0] == times[1] > 20


def test_a_call_that_raises_the_second_time_ends_the_graph_there() -> None:
    def reads(x: Tensor, layer: nn.Module) -> Tensor:
        y = layer(x)
        for place in (0, 9):
            y = y[torch.tensor([place])]
        return y

    model, x = WithValues(reads, nn.Linear(5, 5)), torch.zeros(3, 5)
    for _ in range(2):
        graph = trace(model, x)
        assert "IndexError" in (graph.error or "") or "out of" in (graph.error or "")
        assert graph.nodes[-1].operation == "getitem"
        assert graph.nodes[-1].error

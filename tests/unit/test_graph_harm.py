"""What a trace leaves behind: nothing."""

from __future__ import annotations

import gc
import threading

import pytest
import torch
import torchvision
from torch import Tensor, nn

from pellucid.errors import ModelError
from pellucid.graph import trace, trace_timed
from pellucid.graph.fake import Fake
from support.written import Functional


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


# --- what is left behind -------------------------------------------------------------------------------------


class Restless(nn.Module):
    """Writes to its buffers, parameters, inputs and random state."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.norm = nn.BatchNorm1d(3)
        self.act = nn.ReLU(inplace=True)
        self.register_buffer("calls", torch.zeros(()))
        self.fails = False

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.norm.running_mean = self.norm.running_mean + 1
        self.linear.weight.clamp_(-0.01, 0.01)
        self.linear.bias.data.add_(1)
        x.mul_(2)
        noise = torch.rand(3)
        if self.fails:
            raise ValueError("half-way")
        return self.act(self.norm(self.linear(x) + noise))


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_left_as_it_was(fails: bool) -> None:
    model = Restless().train()
    model.norm.eval()
    model.linear.weight.requires_grad_(False)
    model(torch.randn(4, 3)).sum().backward()
    model.fails = fails
    inputs, before = torch.randn(4, 3), {key: value.clone() for key, value in model.state_dict().items()}
    kept, places = inputs.clone(), {key: id(value) for key, value in model.state_dict(keep_vars=True).items()}
    gradient, random_state = model.linear.bias.grad, torch.get_rng_state()
    held = gradient.clone()
    call, fast_path = nn.Module.__call__, torch.backends.mha.get_fastpath_enabled()
    graph = trace(model, inputs)
    assert (graph.error is not None) == fails
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert {key: id(value) for key, value in model.state_dict(keep_vars=True).items()} == places
    assert torch.equal(inputs, kept)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert (model.training, model.norm.training, model.linear.training) == (True, False, True)
    assert (model.linear.weight.requires_grad, model.linear.bias.requires_grad) == (False, True)
    assert model.linear.bias.grad is gradient
    assert torch.equal(gradient, held)
    assert model.act.inplace
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert nn.Module.__call__ is call
    assert torch.backends.mha.get_fastpath_enabled() == fast_path
    assert torch.is_grad_enabled()


def test_a_lazy_model_is_refused_rather_than_given_a_shape() -> None:
    model = nn.LazyLinear(3)
    with pytest.raises(ModelError, match="lazy"):
        trace(model, torch.randn(1, 2))
    assert model.has_uninitialized_params()


# --- without values -------------------------------------------------------------------------------------------


class Keeps(nn.Module):
    """Keeps what it sees wherever it can, and counts its calls."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.words = nn.Embedding(5, 3, max_norm=0.5)
        self.register_buffer("running", torch.zeros(3))
        self.calls, self.fails = 0, fails
        self.last: Tensor | None = None
        self.history: list[Tensor] = []
        self.cache: dict[str, Tensor] = {}

    def forward(self, x: Tensor, ids: Tensor) -> Tensor:
        self.calls += 1
        hidden = self.linear(x) + self.words(ids)
        self.last, self.cache["hidden"], self.new = hidden, hidden, hidden
        self.history.append(hidden)
        self.running.mul_(0.9).add_(hidden.mean(0))
        self.linear.bias.data.copy_(hidden[0])
        self.linear.weight = nn.Parameter(self.linear.weight * 2)
        self.register_forward_hook(lambda *ignored: None)
        torch.manual_seed(5)
        x.add_(1)
        ids.add_(1)
        if self.fails:
            raise ValueError("half-way")
        return hidden


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("timed", [False, True])
def test_nothing_that_a_forward_without_values_writes_stays(fails: bool, timed: bool) -> None:
    model = Keeps()
    model.fails = fails
    weight, bias = model.linear.weight, model.linear.bias
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x, ids = torch.randn(2, 3), torch.tensor([1, 2])
    kept_x, kept_ids, state = x.clone(), ids.clone(), torch.get_rng_state()
    held, call = model.history, nn.Module.__call__
    modes = torch.overrides._len_torch_function_stack(), torch.utils._python_dispatch._len_torch_dispatch_stack()
    if timed or fails:
        model.history.clear()  # what a run with values keeps is the model's own business
    graph = (trace_timed if timed else trace)(model, x, ids)
    assert (graph.error is not None) == fails
    assert model.linear.bias is bias
    assert all(
        torch.equal(before[name], value) for name, value in model.state_dict().items() if name != "linear.weight"
    )
    assert torch.equal(weight, before["linear.weight"])
    assert not model._forward_hooks
    assert torch.equal(x, kept_x)
    assert torch.equal(ids, kept_ids)
    assert torch.equal(torch.get_rng_state(), state)
    assert nn.Module.__call__ is call
    assert modes == (
        torch.overrides._len_torch_function_stack(), torch.utils._python_dispatch._len_torch_dispatch_stack(),
    )  # fmt: skip
    assert model.history is held
    assert not any(type(tensor) is Fake for tensor in [*model.history, *model.cache.values(), model.last])
    if not timed and not fails:
        assert model.linear.weight is weight
        assert (model.calls, model.last, model.history, model.cache) == (0, None, [], {})
        assert not hasattr(model, "new")


def test_a_model_can_be_used_after_a_trace_as_if_there_had_been_none() -> None:
    def build() -> nn.Sequential:
        return nn.Sequential(
            nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.ReLU(inplace=True), nn.Linear(4, 2)
        )

    model, twin = build(), build()
    twin.load_state_dict(model.state_dict())
    trace(model, torch.ones(2, 3))
    for one in (model, twin):
        torch.manual_seed(2)
        one(torch.randn(4, 3)).sum().backward()
    assert all(torch.equal(value, twin.state_dict()[name]) for name, value in model.state_dict().items())
    for name, parameter in model.named_parameters():
        gradient = twin.get_parameter(name).grad
        assert parameter.grad is not None
        assert gradient is not None
        assert torch.equal(parameter.grad, gradient)


def test_other_threads_use_the_model_while_it_is_traced() -> None:
    model = torchvision.models.resnet18(num_classes=3).eval()
    inputs = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        expected = model(inputs)
    wrong: list[object] = []
    stop = threading.Event()

    def use() -> None:
        with torch.no_grad():
            while not stop.is_set():
                try:
                    if not torch.equal(model(inputs), expected):
                        wrong.append("another answer")
                except BaseException as error:
                    wrong.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    try:
        graphs = [trace(model, inputs) for _ in range(5)]
    finally:
        stop.set()
        thread.join()
    assert wrong == []
    assert all(graph.edges == graphs[0].edges and graph.error is None for graph in graphs)


def test_memory_does_not_grow_with_the_number_of_traces() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), Functional(lambda self, x: self.a(x) * 2, a=nn.Linear(4, 4)))
    inputs = torch.ones(1, 4)

    def grown(times: int) -> int:
        gc.collect()
        before = len(gc.get_objects())
        for _ in range(times):
            trace(model, inputs)
        gc.collect()
        return len(gc.get_objects()) - before

    grown(20)
    assert grown(200) < 200, "not one object a trace"

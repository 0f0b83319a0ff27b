"""What a trace leaves behind: nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pellucid.errors import ModelError
from pellucid.graph import trace


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

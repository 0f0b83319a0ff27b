"""A model with all that a look at it may disturb, and a check that nothing of it was."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

CLASSES = 4
HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
)


class HalfWayError(Exception):
    """What a model of these tests raises half-way."""


class Awkward(nn.Module):
    """All that may be disturbed: batch norm, dropout, in-place and shared activations, state, chance, frozen parts."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(inplace=True))
        self.dropout = nn.Dropout(0.5)
        self.second = nn.Conv2d(6, 6, 3)
        self.third = nn.Conv2d(6, 6, 3)
        self.shared = nn.ReLU(inplace=True)
        self.words = nn.Embedding(5, 6, max_norm=0.5)
        self.head = nn.Linear(6, CLASSES)
        self.register_buffer("steps", torch.zeros(()))
        self.register_buffer("seen", torch.full((2,), torch.nan), persistent=False)
        self.breaks = False

    def forward(self, images: Tensor) -> Tensor:
        self.steps = self.steps + 1
        self.seen.fill_(float(self.steps))
        signal = self.dropout(self.first(images))
        signal = self.shared(self.second(signal))
        signal = self.shared(self.third(signal))
        signal = F.relu(F.relu(signal - 0.1), inplace=True)
        if self.breaks:
            raise HalfWayError("half-way")
        chance = F.dropout(signal, 0.1, training=True) * random.random() * np.random.random()
        return self.head(chance.mean(dim=(2, 3)) + self.words(torch.zeros(len(images), dtype=torch.long)))


def awkward() -> Awkward:
    """In training, partly frozen, with gradients and the user's own hooks."""
    torch.manual_seed(0)
    model = Awkward()
    model.train()
    model.dropout.eval()
    model.first[0].weight.requires_grad_(False)
    for parameter in (model.head.weight, model.second.bias):
        parameter.grad = torch.randn_like(parameter)
    model.second.register_forward_hook(lambda module, given, output: output * 1.0)
    model.head.register_forward_pre_hook(lambda module, given, named: (given, named), with_kwargs=True)
    model.head.register_forward_hook(lambda module, given, output: None, always_call=True)
    model.third.register_full_backward_hook(lambda module, inwards, outwards: None)
    once = model.head.register_forward_hook(lambda module, given, output: once.remove())
    return model


def images(number: int = 6) -> Tensor:
    return torch.randn(number, 3, 12, 12, generator=torch.Generator().manual_seed(1))


def bits(tensor: Tensor | None) -> tuple[object, ...] | None:
    """Identity, kind and exact value; NaN too."""
    if tensor is None:
        return None
    return id(tensor), tensor.requires_grad, tensor.shape, tensor.dtype, tensor.detach().numpy().tobytes()


def state_of(model: nn.Module) -> dict[str, object]:
    """Everything of a model and of the process that a look at it might disturb."""
    held: dict[str, object] = {}
    for path, module in model.named_modules():
        held[f"{path} mode"] = module.training
        held[f"{path} in place"] = getattr(module, "inplace", None)
        held[f"{path} attributes"] = sorted(vars(module))
        for name in HOOKS:
            held[f"{path} {name}"] = [(key, id(value)) for key, value in vars(module)[name].items()]
        for name, parameter in module._parameters.items():
            held[f"{path} {name}"] = bits(parameter)
            held[f"{path} {name} gradient"] = None if parameter is None else bits(parameter.grad)
        for name, buffer in module._buffers.items():
            held[f"{path} {name}"] = bits(buffer)
        held[f"{path} passing buffers"] = sorted(module._non_persistent_buffers_set)
    held["random state of torch"] = torch.get_rng_state().numpy().tobytes()
    held["random state of Python"] = random.getstate()
    held["random state of NumPy"] = str(np.random.get_state(legacy=False))
    held["gradients wanted"] = torch.is_grad_enabled()
    held["fast path"] = torch.backends.mha.get_fastpath_enabled()
    return held


@contextmanager
def left_as_it_was(model: nn.Module) -> Iterator[None]:
    before = state_of(model)
    yield
    after = state_of(model)
    changed = [name for name, value in before.items() if after.get(name) != value]
    assert not changed
    assert after.keys() == before.keys()

"""Small trainings to be watched, and what a Watch recorded of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.measures import histogram
from pellucid.watch import Watch

CLASSES = 3


OPTIMIZERS: dict[str, Callable[[nn.Module], torch.optim.Optimizer]] = {
    "SGD with momentum": lambda model: torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9),
    "AdamW": lambda model: torch.optim.AdamW(model.parameters(), lr=1e-2),
}


def network() -> nn.Module:
    """Dropout and batch normalisation: what would differ if the Watch drew a random number or ran a forward."""
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(144, CLASSES)
    )


def small() -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, CLASSES, bias=False))


def batches(shape: tuple[int, ...], steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(3)
    for _ in range(steps):
        yield torch.randn(shape, generator=generator), torch.randint(CLASSES, shape[:1], generator=generator)


def train(model: nn.Module, optimizer: torch.optim.Optimizer, watch: Watch | None, steps: int = 8) -> list[Tensor]:
    """Eight steps on random images, of the model's type and where it is; the outputs of each."""
    seen, like = [], next(model.parameters())
    for images, classes in batches((8, 1, 8, 8), steps):
        seen.append(take_step(model, optimizer, watch, images.to(like), classes.to(like.device)))
    return seen


def take_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, watch: Watch | None, inputs: Tensor, targets: Tensor
) -> Tensor:
    """One step of training; its outputs."""
    outputs: Tensor = model(inputs)
    loss = F.cross_entropy(outputs, targets)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    if watch is not None:
        watch.observe(outputs, targets, loss)
    return outputs.detach().clone()


def seed_everything() -> None:
    """Every state that a training loop, or its data, may draw from."""
    torch.manual_seed(4)
    random.seed(5)
    np.random.seed(6)


def values(table: pa.Table, quantity: str, layer: str = "") -> dict[int, float | None]:
    """A quantity's values by step."""
    return {
        row["step"]: row["value"] for row in table.to_pylist() if (row["quantity"], row["layer"]) == (quantity, layer)
    }


def counted(table: pa.Table, quantity: str, layer: str) -> dict[int, dict[int, int]]:
    """A histogram's counts by bin, by step."""
    return {
        row["step"]: dict(zip(row["bins"], row["counts"], strict=True))
        for row in table.to_pylist()
        if (row["quantity"], row["layer"]) == (quantity, layer)
    }


def bins_of(*tensors: Tensor) -> dict[int, int]:
    """What a histogram of these values holds, counted apart: one value after the other."""
    found: dict[int, int] = {}
    for value in np.concatenate([tensor.detach().numpy().reshape(-1) for tensor in tensors]).astype(np.float32):
        if value == 0:
            key = -1
        elif np.isnan(value):
            key = -2
        elif np.isinf(value):
            key = -3 if value > 0 else -4
        else:
            key = int(value.view(np.uint32)) >> histogram.SHIFT
        found[key] = found.get(key, 0) + 1
    return found


def hooks(model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """How many hooks there are on a model's modules and on its optimizer."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    on_modules = sum(len(getattr(module, kind)) for module in model.modules() for kind in kinds)
    on_parameters = sum(len(parameter._backward_hooks or ()) for parameter in model.parameters())
    on_optimizer = len(optimizer._optimizer_step_pre_hooks) + len(optimizer._optimizer_step_post_hooks)
    return on_modules + on_parameters + on_optimizer

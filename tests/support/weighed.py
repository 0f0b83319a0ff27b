"""Small networks in float64 and labelled batches for them, whose loss can be differentiated by hand."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pellucid.landscape import Labelled, batch_norms, objective_of

CROSS_ENTROPY = objective_of("cross-entropy", "classification")


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def net(seed: int = 0, kind: str = "plain") -> nn.Module:
    """Small networks in float64, so that a dense Hessian is exact."""
    torch.manual_seed(seed)
    parts: dict[str, list[nn.Module]] = {
        "plain": [nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)],
        "wide": [nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 6), nn.Softplus(), nn.Linear(6, 3)],
        "norm": [nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3)],
        "conv": [
            nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 4, 2, padding=1), nn.BatchNorm2d(4), nn.SiLU(),
            nn.ConvTranspose2d(4, 2, 2), nn.Flatten(), nn.Linear(32, 3),
        ],
    }  # fmt: skip
    model = nn.Sequential(*parts[kind]).double()
    with torch.no_grad():
        for module in batch_norms(model).values():
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(generator=random(seed))
            module.running_var.uniform_(0.5, 2.0, generator=random(seed))
    return model.eval()


def examples(count: int = 20, sizes: tuple[int, ...] = (8, 7, 5), classes: int = 3) -> list[Labelled]:
    inputs = torch.randn(count, 4, generator=random(7), dtype=torch.float64)
    targets = torch.randint(0, classes, (count,), generator=random(8))
    return [Labelled(x, y) for x, y in zip(inputs.split(sizes), targets.split(sizes), strict=True)]


def together(batches: list[Labelled]) -> tuple[Tensor, Tensor]:
    return torch.cat([one.inputs for one in batches]), torch.cat([one.targets for one in batches])  # type: ignore[misc]


def dense(model: nn.Module, loss: Callable[[dict[str, Tensor]], Tensor]) -> Tensor:
    """The Hessian by every trainable parameter, by torch's own second derivatives."""
    named = {name: one for name, one in model.named_parameters() if one.requires_grad}
    sizes = [one.numel() for one in named.values()]

    def of(flat: Tensor) -> Tensor:
        parts = zip(named.items(), flat.split(sizes), strict=True)
        return loss({name: part.view_as(one) for (name, one), part in parts})

    flat = torch.cat([one.detach().reshape(-1) for one in named.values()])
    found: Tensor = torch.autograd.functional.hessian(of, flat)
    return found


def mean_loss(model: nn.Module, batches: list[Labelled]) -> Callable[[dict[str, Tensor]], Tensor]:
    inputs, targets = together(batches)
    return lambda values: nn.functional.cross_entropy(
        functional_call(model, values, (inputs,), tie_weights=False), targets
    )

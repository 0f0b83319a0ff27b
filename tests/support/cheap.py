"""Inputs of every kind, and every method with options that make it cheap: what tests of all methods ask for."""

from __future__ import annotations

import torch
from torch import Tensor

from pellucid.attribution import (
    IntegratedGradients,
    KernelShap,
    Lime,
    Method,
    Occlusion,
    Rise,
    ShapleySampling,
    SmoothGrad,
    VarGrad,
)


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


IMAGES, SERIES, TABLE = drawn(2, 3, 16, 16), drawn(2, 5, 5), drawn(2, 6)
IDS = torch.tensor([[1, 2, 3, 4, 5], [5, 5, 0, 19, 7]])
OPTIONS: dict[str, Method] = {
    "smoothgrad": SmoothGrad(samples=2),
    "vargrad": VarGrad(samples=2),
    "integrated_gradients": IntegratedGradients(steps=4, limit=4, tolerance=1e9),
    "rise": Rise(masks=2),
    "kernel_shap": KernelShap(samples=8, cells=2),
    "lime": Lime(samples=8, cells=2),
    "shapley_sampling": ShapleySampling(samples=1, cells=2),
}


def with_options(name: str, given: Tensor) -> Method | str:
    """A method by name, with few samples."""
    if name == "occlusion":
        side = given.shape[-1] // 2 if given.ndim == 4 else 2
        return Occlusion(window=side, stride=side)
    return OPTIONS.get(name, name)

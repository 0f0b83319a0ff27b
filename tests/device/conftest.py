"""Tests that need a GPU, and say so where there is none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(scope="package", autouse=True)
def _as_exact_as_a_processor() -> Iterator[None]:
    """Convolutions and products without the shortened numbers that a GPU takes them with."""
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU here")
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@pytest.fixture(scope="package")
def device() -> str:
    return "cuda"

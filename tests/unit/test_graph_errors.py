"""A forward that fails, and inputs that do not fit."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pellucid.graph import trace


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_a_forward_that_raises_leaves_the_graph_until_there() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Sequential(nn.Linear(5, 2)), nn.ReLU())
    model.train()
    graph = trace(model, torch.randn(2, 3))
    assert graph.error is not None
    assert "2.0" in graph.error
    assert "RuntimeError" in graph.error
    assert [layer.name for layer in graph.layers] == ["1"]
    assert model[0].training

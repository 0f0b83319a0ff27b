"""examples/people.py: a network whose outputs are the categories of people is what their classes are together."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from pellucid.human.mapping import CategoryMap
from pellucid.human.model import concept_probabilities

KINDS = {"cat": [0, 1], "dog": [2, 3, 4, 5], "bird": [6]}


@pytest.fixture(scope="module")
def people() -> ModuleType:
    path = Path(__file__).parents[2] / "examples" / "people.py"
    spec = importlib.util.spec_from_file_location("examples_people", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("mean", [False, True])
def test_its_softmax_is_the_distribution_over_the_categories(people: ModuleType, mean: bool) -> None:
    logits = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 8))).float() * 3
    model = people.ByCategory(nn.Identity(), KINDS, mean=mean)
    kinds = CategoryMap(tuple(map(tuple, KINDS.values())), "mean" if mean else "sum")
    together = concept_probabilities(logits.softmax(1).numpy(), kinds)
    wanted = together / together.sum(1, keepdims=True)
    assert model(logits).softmax(1).numpy() == pytest.approx(wanted, abs=1e-6)

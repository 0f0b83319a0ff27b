"""The frozen list of models: well-formed, long enough, and its oddities traced."""

from __future__ import annotations

import pytest
import timm
import torch
import torchvision
from bench.coverage.cases import Case, apart, flow
from bench.coverage.checking import counted, shortcomings
from bench.coverage.lists import LISTS
from bench.coverage.measuring import Result, bare
from bench.coverage.oddities import ODDITIES
from bench.coverage.page import page
from bench.coverage.zoos import configurations, lines
from timm.models import _registry
from torch import nn

from pellucid.graph import trace

# Traced here within a second or two, each with real widths.
REAL = ("torchvision:resnet18", "torchvision:ssdlite320_mobilenet_v3_large", "timm:edgenext", "timm:pit")


def test_the_lists_are_as_long_as_they_are_said_to_be() -> None:
    assert set(lines("torchvision.txt")) == set(torchvision.models.list_models())
    assert all(lines("torchvision.txt").values()), "every builder says what it takes"
    assert len(lines("timm.txt")) >= 100
    assert len(configurations()) >= 40
    assert len(ODDITIES) >= 40


def test_the_families_of_timm_are_distinct_and_there() -> None:
    families = lines("timm.txt")
    models = [words[0] for words in families.values()]
    assert len(set(models)) == len(models)
    assert [model for model in models if not timm.is_model(model)] == []
    covered = {_registry._model_to_module[model] for model in models}
    assert len(covered) >= 98, "a model of every module"


def test_configurations_say_what_they_are() -> None:
    known = {"type", "config", "architecture", "values", "constant", "narrow", "wide"}
    for name, entry in configurations().items():
        assert set(entry) <= known, name
        assert entry.get("values", True) or {"type", "architecture", "config", "narrow"} <= set(entry), name
    kinds = [entry.get("type", name) for name, entry in configurations().items() if entry.get("values", True)]
    assert len(set(kinds)) == len(kinds) >= 40


@pytest.mark.parametrize("name", ODDITIES)
@pytest.mark.filterwarnings("ignore")  # old ways of wrapping models are on the list because people still use them
def test_oddities_are_traced(name: str) -> None:
    torch.manual_seed(0)
    case = ODDITIES[name]()
    graph = trace(case.model, *case.args, **case.kwargs)
    assert shortcomings(case, graph, bare(case)) == []


@pytest.mark.parametrize("entry", REAL)
def test_real_models_are_traced(entry: str) -> None:
    torch.manual_seed(0)
    listed, _, name = entry.partition(":")
    case = LISTS[listed]()[name]()
    graph = trace(case.model, *case.args, **case.kwargs)
    assert shortcomings(case, graph, bare(case)) == []


def test_what_is_wrong_with_a_graph_is_found() -> None:
    model, inputs = nn.Sequential(nn.Linear(3, 3), nn.ReLU()), (torch.randn(2, 3),)
    facts = {"a way": flow("0", "1"), "no way": apart("0", "1"), "a node that is not there": lambda g: g.by_name["9"]}
    case = Case(model, inputs, facts=facts)
    right = counted(case)
    found = shortcomings(case, trace(model, *inputs), right)
    assert found[0] == "not so: no way"
    assert found[1].startswith("not so: a node that is not there (KeyError")
    other = Case(nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 2)), inputs)
    found = shortcomings(other, trace(model, *inputs), counted(other))
    assert any("operators, counted" in reason for reason in found)
    assert "12 parameters, unique 32" in found

    class Constant(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.ones(2)

    case = Case(Constant(), inputs)
    assert "no path from an input to output 0 of 1" in shortcomings(case, trace(case.model, *inputs), None)
    case = Case(nn.Linear(5, 1), inputs)
    assert "raised RuntimeError" in shortcomings(case, trace(case.model, *inputs), None)[0]
    case = Case(model, inputs, fails=True)
    assert shortcomings(case, trace(model, *inputs), None) == ["the forward raises and the graph does not say so"]


def test_the_page_names_what_was_not_traced() -> None:
    rows = [
        Result("timm", "vit", [], "fake", 10, 11, 12, 13, trace=6.0, forward=3.0),
        Result("timm", "slow", [], "real", 10, 11, 12, 13, trace=40.0, forward=4.0),
        Result("timm", "odd | one", ["raised <this>"], "real"),
    ]
    written = page({"timm": rows})
    assert "2 of 3 traced (66.7%)" in written
    assert "| timm | odd \\| one | raised &lt;this> |" in written
    assert "| vit | yes | fake | 10 | 11 | 12 | 13 | 6 | 3 | 2.00 |" in written
    assert "| **10.00** |" in written

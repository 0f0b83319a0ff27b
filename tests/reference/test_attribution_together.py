"""Copies of a batch in one forward: only where a copy has the scores that it has alone; else each has a forward of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn import functional as F

import pellucid
from pellucid.attribution import IntegratedGradients, KernelShap, Lime, Occlusion, SmoothGrad, VarGrad
from pellucid.attribution.methods import Method
from pellucid.errors import MethodError, TargetError

ROWS = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
TOLD = "The score of an example depends on the others in its batch"


def net(outputs: int = 3) -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, outputs))


class Likeness(nn.Module):
    """float[batch batch]: how alike each two of the examples are."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = net(), net(3)

    def forward(self, rows: Tensor) -> Tensor:
        found: Tensor = F.normalize(self.one(rows) + 1, dim=1) @ F.normalize(self.other(rows.flip(1)) - 1, dim=1).T
        return found


class Statistics(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        norm = nn.BatchNorm1d(8, track_running_stats=False)
        self.whole = nn.Sequential(nn.Linear(6, 8), norm, nn.Tanh(), nn.Linear(8, 3))

    def forward(self, rows: Tensor) -> Tensor:
        scores: Tensor = self.whole(rows)
        return scores


def diagonal(output: Tensor) -> Tensor:
    return output.diagonal()


def contrast(output: Tensor) -> Tensor:
    return F.cross_entropy(output, torch.arange(len(output)), reduction="none")


CASES: list[tuple[Any, Any]] = [(Likeness, diagonal), (Likeness, contrast), (Statistics, 1)]
METHODS: list[Any] = [Occlusion, SmoothGrad, VarGrad, IntegratedGradients]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("model", "target"), CASES)
def test_the_map_of_examples_that_depend_on_each_other_does_not_depend_on_the_rows_at_a_time(
    model: Any, target: Any, method: Any
) -> None:
    options = {"steps": 32, "limit": 32} if method is IntegratedGradients else {}
    found = pellucid.attribute(model(), ROWS, target, method(**options))
    single = pellucid.attribute(model(), ROWS, target, method(**options, batch_size=4))
    torch.testing.assert_close(found.input, single.input, rtol=0, atol=0)
    assert [warning.startswith(TOLD) for warning in found.warnings][:1] == [True]
    assert not any(warning.startswith(TOLD) for warning in single.warnings)


def test_occlusion_of_a_model_on_its_batchs_statistics_is_its_definition() -> None:
    model = Statistics()
    found = pellucid.attribute(model, ROWS, 1, Occlusion(window=1)).input
    with torch.no_grad():
        for column in range(6):
            covered = ROWS.clone()
            covered[:, column] = 0
            torch.testing.assert_close(found[:, column], (model(ROWS) - model(covered))[:, 1], atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(("model", "target"), CASES)
def test_integrated_gradients_of_examples_that_depend_on_each_other_add_up_together(model: Any, target: Any) -> None:
    found = pellucid.attribute(model(), ROWS, target, IntegratedGradients(steps=64))
    assert found.check is not None
    assert abs(float(found.check.sum())) < 0.02 * float((found.input.double().sum() - found.check.sum()).abs())
    assert len(found.warnings) == 1


def test_one_finding_serves_all_methods_of_a_call() -> None:
    counted: list[int] = []
    model = Statistics()
    model.register_forward_pre_hook(lambda _, given: counted.append(len(given[0])))
    found = pellucid.attribute(model, ROWS, 1, [Occlusion(window=1), SmoothGrad(samples=5)])
    # Each scores the examples; occlusion tries 6 copies, one of them alone, and then has a forward for each.
    assert counted == [4, 24, 4, *[4] * 6, 4, *[4] * 5]
    assert all(one.warnings[0].startswith(TOLD) for one in found.values())


@pytest.mark.parametrize("method", [Lime, KernelShap])
def test_methods_of_one_example_at_a_time_refuse_examples_that_depend_on_each_other(method: Any) -> None:
    pytest.importorskip("captum")
    with pytest.raises(MethodError, match=r"depends on the others in its batch.*Give one example"):
        pellucid.attribute(Statistics(), ROWS, 1, method(samples=40))


class Boxes(nn.Module):
    """A list of one dict an example, as detectors give it."""

    def __init__(self, boxes: int) -> None:
        super().__init__()
        self.net = net(boxes)

    def forward(self, rows: Tensor) -> Any:
        return [{"scores": scores} for scores in self.net(rows).sigmoid()]


class Distribution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = net(2)

    def forward(self, rows: Tensor) -> Any:
        mean, size = self.net(rows).chunk(2, -1)
        return Normal(mean[:, 0], size[:, 0].exp())


class OnlyOne(nn.Module):
    """A model of one example, which looks at the first alone."""

    def __init__(self) -> None:
        super().__init__()
        self.net = net()

    def forward(self, rows: Tensor) -> Tensor:
        scores: Tensor = self.net(rows[0])[None]
        return scores


class Aside(nn.Module):
    """Scores beside a loss of the whole batch and something that is no tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.net = net()

    def forward(self, rows: Tensor) -> Any:
        scores = self.net(rows)
        return {"loss": scores.mean(), "cache": object(), "logits": scores}


OTHER: list[tuple[nn.Module, Any, Any, int]] = [
    (Boxes(5), lambda output: torch.stack([one["scores"].max() for one in output]), None, 4),
    (Boxes(32), lambda output: torch.stack([one["scores"][9] for one in output]), None, 4),
    (Distribution(), lambda output: output.log_prob(torch.arange(len(output.mean))), None, 4),
    (Distribution(), lambda output: output.mean, lambda output: output[:, 0], 1),
    (OnlyOne(), lambda output: output[:, 1], lambda output: output[:, 1], 1),
    (Aside(), lambda output: output["logits"][:, 1] * 2, lambda output: 2 * output[:, 1], 4),
    (Aside(), lambda output: output["logits"][:, 1] + output["loss"], None, 4),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("model", "target", "plainly", "examples"), OTHER)
def test_a_function_of_any_output_sees_what_the_model_gives_for_one_copy(
    model: Any, target: Any, plainly: Any, examples: int, method: Any
) -> None:
    rows = ROWS[:examples]
    found = pellucid.attribute(model, rows, target, method())
    single = pellucid.attribute(model, rows, target, method(batch_size=examples))
    torch.testing.assert_close(found.input, single.input, rtol=1e-5, atol=1e-7)
    if plainly is not None:
        plain = pellucid.attribute(model.net, rows, plainly, method())
        torch.testing.assert_close(found.input, plain.input, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", [KernelShap, Lime])
def test_copies_of_one_example_whose_output_is_no_tensor_are_asked_for_one_by_one(method: Any) -> None:
    pytest.importorskip("captum")
    found = pellucid.attribute(Distribution(), ROWS[:1], lambda output: output.mean, method(samples=60))
    plain = pellucid.attribute(Distribution().net, ROWS[:1], lambda output: output[:, 0], method(samples=60))
    torch.testing.assert_close(found.input, plain.input)


WRONG: list[tuple[Any, str]] = [
    (lambda output: output[:, :1], r"float\[batch\]; this one has shape \(4, 1\)"),
    (lambda output: output.sum(), r"float\[batch\]; this one has shape \(\)"),
    (lambda output: output[:3, 1], "One score an example is needed: got 3 for 4 examples"),
    (lambda output: 3, r"returns a tensor float\[batch\].*returned int"),
    (lambda output: output[:, 1].tolist(), r"returns a tensor float\[batch\].*returned list"),
    (lambda output: np.asarray(output[:, 1].detach()), r"returns a tensor float\[batch\].*returned ndarray"),
    (lambda output: output.argmax(1), r"real number of floating point, float\[batch\]; this target gives int64"),
]


@pytest.mark.parametrize("method", ["saliency", "occlusion", "integrated_gradients"])
@pytest.mark.parametrize(("target", "told"), WRONG)
def test_a_function_that_gives_no_score_an_example_is_refused_in_words(target: Any, told: str, method: str) -> None:
    with pytest.raises(TargetError, match=told):
        pellucid.attribute(net(), ROWS, target, method)


# --- inputs that are not one entry an example ----------------------------------------------------------------------


class Stepped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = net()

    def forward(self, rows: Tensor, step: Tensor, scale: Tensor) -> Tensor:
        scores: Tensor = self.net(rows) * (1 + step.float()) * scale
        return scores


EVERY: list[Method] = [Occlusion(), SmoothGrad(), IntegratedGradients(), SmoothGrad(samples=3)]


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("extra", [torch.tensor(2), torch.tensor([2])])
def test_numbers_for_all_examples_are_given_to_every_copy(extra: Tensor, method: Method) -> None:
    model = Stepped()
    found = pellucid.attribute(model, (ROWS, extra, torch.tensor(0.5)), 1, method)
    plain = pellucid.attribute(model.net, ROWS, 1, method)
    torch.testing.assert_close(found.input[0], 1.5 * plain.input, rtol=1e-4, atol=1e-6)
    assert found.input[1:] == (None, None)
    assert found.warnings == ()


class Graph(nn.Module):
    """A graph's nodes, which read their neighbours."""

    def __init__(self, whole: bool = False) -> None:
        super().__init__()
        self.net, self.whole = net(), whole

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        if edges.layout == torch.strided:
            near = torch.zeros_like(nodes).index_add(0, edges[1], nodes[edges[0]])
        else:
            near = torch.sparse.mm(edges, nodes)
        scores: Tensor = self.net(nodes + near)
        return scores.mean(0, keepdim=True) if self.whole else scores


EDGES = torch.tensor([[0, 1, 2, 3, 0], [1, 2, 3, 0, 2]])


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
@pytest.mark.parametrize("layout", [torch.strided, torch.sparse_coo, torch.sparse_csr])
def test_the_edges_of_a_graph_are_those_of_each_copy(layout: torch.layout) -> None:
    model, edges = Graph(), EDGES
    if layout != torch.strided:
        edges = torch.zeros(4, 4).index_put((EDGES[1], EDGES[0]), torch.ones(5)).to_sparse(layout=layout)
    found = pellucid.attribute(model, (ROWS, edges), 1, Occlusion(window=1)).input
    assert found[1] is None
    with torch.no_grad():
        for column in range(6):
            covered = ROWS.clone()
            covered[:, column] = 0
            fall = (model(ROWS, edges) - model(covered, edges))[:, 1]
            torch.testing.assert_close(found[0][:, column], fall, atol=1e-6, rtol=1e-4)
    saliency = pellucid.attribute(model, (ROWS, edges), 1).input[0]
    assert saliency.shape == ROWS.shape


@pytest.mark.parametrize("method", ["occlusion", "smoothgrad", "integrated_gradients"])
def test_one_score_of_a_whole_graph_is_no_score_of_its_nodes(method: str) -> None:
    with pytest.raises(TargetError, match=r"got 1 for 4 examples.*put its input under a batch axis of one"):
        pellucid.attribute(Graph(whole=True), (ROWS, EDGES), 1, method)
    assert pellucid.attribute(Graph(whole=True), (ROWS, EDGES), 1).scores.shape == (1,)


class Second(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = net()

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        scores: Tensor = self.net(other)
        return scores


def test_noise_on_an_input_that_the_score_does_not_read_has_no_gradient_and_the_other_keeps_its_own() -> None:
    found = pellucid.attribute(Second(), (ROWS, ROWS), 1, SmoothGrad(samples=4)).input
    assert not found[0].any()
    assert found[1].all()

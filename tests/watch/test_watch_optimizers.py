"""A Watch beside optimizers that have part of a model, gain part of it, or do not step as others do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid
from pellucid.record import Record, schema
from support.watched import batches, counted, small, take_step, values


def test_a_layer_that_is_unfrozen_gives_updates_from_then_on(tmp_path: Path) -> None:
    model: Any = small()
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD(model[2].parameters(), lr=0.1)
    expected: dict[int, float] = {}
    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1) as watch:
        for step, (inputs, targets) in enumerate(batches((6, 5), 4), start=1):
            if step == 3:
                model[0].requires_grad_(True)
                optimizer.add_param_group({"params": model[0].parameters(), "lr": 0.01})
            before = torch.cat([one.detach().flatten() for one in model[0].parameters()])
            take_step(model, optimizer, watch, inputs, targets)
            after = torch.cat([one.detach().flatten() for one in model[0].parameters()])
            if step >= 3:
                expected[step] = float((after - before).norm() / before.norm())
    table, _ = Record(tmp_path / "run").training()
    assert values(table, "update_ratio", "0") == pytest.approx(expected, rel=1e-4)
    assert list(values(table, "update_ratio", "2")) == [1, 2, 3, 4]


def test_the_gradient_of_the_model_is_that_of_the_parameters_that_the_optimizer_has(tmp_path: Path) -> None:
    torch.manual_seed(0)
    both: Any = nn.ModuleDict({"generator": nn.Linear(4, 5), "discriminator": nn.Linear(5, 1)})
    optimizers = {name: torch.optim.SGD(both[name].parameters(), lr=0.1) for name in both}
    expected: dict[str, dict[int, float]] = {name: {} for name in both}

    def step(name: str, number: int, loss: Tensor) -> None:
        optimizers[name].zero_grad()
        loss.backward()
        expected[name][number] = float(torch.cat([one.grad.flatten() for one in both[name].parameters()]).norm())
        optimizers[name].step()

    with (
        pellucid.watch(both, optimizers["generator"], out=tmp_path / "generator", every=1, histograms_every=1),
        pellucid.watch(both, optimizers["discriminator"], out=tmp_path / "discriminator", every=1, histograms_every=1),
    ):
        for number in (1, 2, 3):
            noise = torch.randn(8, 4)
            step("discriminator", number, F.softplus(both["discriminator"](both["generator"](noise).detach())).mean())
            step("generator", number, F.softplus(-both["discriminator"](both["generator"](noise))).mean())
    for name, other in (("generator", "discriminator"), ("discriminator", "generator")):
        table, _ = Record(tmp_path / name).training()
        assert values(table, "gradient_norm") == pytest.approx(expected[name], rel=1e-5)
        assert values(table, "gradient_norm", name) == pytest.approx(expected[name], rel=1e-5)
        assert values(table, "gradient_norm", other) == values(table, "gradient_histogram", other) == {}
        assert list(values(table, "weight_norm", other)) == [1, 2, 3]


class Sharpness(torch.optim.Optimizer):
    """Sharpness-aware minimisation (Foret et al. 2021) as it is commonly written: with two steps of its own."""

    def __init__(self, parameters: Any, inner: Callable[..., torch.optim.Optimizer], **options: Any) -> None:
        super().__init__(parameters, options)
        self.inner = inner(self.param_groups, **options)

    @torch.no_grad()
    def first_step(self) -> None:
        parameters = [one for group in self.param_groups for one in group["params"]]
        norm = torch.stack([one.grad.norm() for one in parameters]).norm()
        for one in parameters:
            self.state[one]["old"] = one.detach().clone()
            one.add_(one.grad * 0.05 / norm)

    @torch.no_grad()
    def second_step(self) -> None:
        for group in self.param_groups:
            for one in group["params"]:
                one.copy_(self.state[one]["old"])
        self.inner.step()


@pytest.mark.parametrize("inside", [False, True], ids=["the outer optimizer", "the optimizer inside it"])
def test_an_optimizer_that_never_steps_is_a_finding(tmp_path: Path, inside: bool) -> None:
    model = small()
    optimizer = Sharpness(model.parameters(), torch.optim.SGD, lr=0.1)
    watched = optimizer.inner if inside else optimizer
    with pellucid.watch(model, watched, out=tmp_path / "run", every=1) as watch:
        for inputs, targets in batches((6, 5), 6):
            for step in (optimizer.first_step, optimizer.second_step):
                model.zero_grad()
                loss = F.cross_entropy(model(inputs), targets)
                loss.backward()
                step()
            watch.log(loss=loss)
    record = Record(tmp_path / "run")
    kinds = [finding.kind for finding in record.findings]
    if inside:
        assert (kinds, watch.step) == ([], 6)
        assert list(values(record.training()[0], "update_ratio", "0")) == [1, 2, 3, 4, 5, 6]
        return
    (finding,) = record.findings
    assert (finding.kind, finding.severity, finding.page, finding.count) == ("no-steps", "high", "training", 1)
    assert "all that was logged stands at step 0" in finding.sentence


def test_a_run_that_has_converged_is_not_told_to_learn_faster(tmp_path: Path) -> None:
    torch.manual_seed(0)
    inputs = torch.randn(256, 10)
    targets = inputs @ torch.randn(10, 2)
    model = nn.Sequential(nn.Linear(10, 2))
    optimizer = torch.optim.LBFGS(model.parameters(), lr=1, max_iter=20, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.mse_loss(model(inputs), targets)
        loss.backward()
        return loss

    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1):
        for _ in range(20):
            loss = optimizer.step(closure)
    assert float(loss.detach()) < 1e-8
    record = Record(tmp_path / "run")
    assert list(values(record.training()[0], "update_ratio", "0").values())[10:] == [0.0] * 10
    assert record.findings == []


def test_an_optimizer_without_a_learning_rate_is_watched(tmp_path: Path) -> None:
    model = small()

    class Parameterless(torch.optim.Optimizer):
        @torch.no_grad()
        def step(self, closure: Any = None) -> None:
            for one in self.param_groups[0]["params"]:
                one.sub_(0.1 * one.grad)

    optimizer = Parameterless(model.parameters(), {})
    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1) as watch:
        for inputs, targets in batches((6, 5), 2):
            take_step(model, optimizer, watch, inputs, targets)
    table, _ = Record(tmp_path / "run").training()
    assert values(table, "learning_rate") == {}
    assert list(values(table, "update_ratio", "0")) == [1, 2]


@pytest.mark.parametrize("kept", [True, False], ids=["another layer", "in its place"])
def test_a_layer_that_comes_while_training_is_watched_from_then_on(tmp_path: Path, kept: bool) -> None:
    model: Any = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    expected: dict[int, float] = {}
    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1, histograms_every=1) as watch:
        for step, (inputs, targets) in enumerate(batches((6, 5), 6), start=1):
            if step == 4 and kept:
                model.append(nn.Linear(3, 3))
                optimizer.add_param_group({"params": model[3].parameters()})
            elif step == 4:
                model[2] = nn.Linear(7, 3)
                optimizer.param_groups[0]["params"] = list(model.parameters())
            take_step(model, optimizer, watch, inputs, targets)
            expected[step] = float(torch.cat([one.grad.flatten() for one in model[-1].parameters()]).norm())
    table, _ = Record(tmp_path / "run").training()
    layer = "3" if kept else "2"
    seen = values(table, "gradient_norm", layer)
    assert seen == pytest.approx({step: one for step, one in expected.items() if step in seen})
    assert list(seen) == ([4, 5, 6] if kept else [1, 2, 3, 4, 5, 6])
    whole = sum(values(table, "gradient_norm", one)[6] ** 2 for one in ("0", "2", *("3",) * kept))  # type: ignore[operator]
    assert values(table, "gradient_norm")[6] == pytest.approx(whole**0.5)
    # Outputs of the layer are counted from the forward after that step on.
    assert list(counted(table, "activation_histogram", layer)) == ([5, 6] if kept else [1, 2, 3, 5, 6])
    panel = Record(tmp_path / "run").panel("training")
    assert isinstance(panel, schema.TrainingPanel)
    assert panel.layers == (["0", "2", "3"] if kept else ["0", "2"])


def test_parameters_of_no_model_beside_those_of_the_model_are_let_be(tmp_path: Path) -> None:
    model = small()
    optimizer = torch.optim.SGD([*model.parameters(), nn.Parameter(torch.zeros(3))], lr=0.1)
    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1) as watch:
        for step, (inputs, targets) in enumerate(batches((6, 5), 4)):
            if step == 2:
                optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(2))]})
            take_step(model, optimizer, watch, inputs, targets)
    assert list(values(Record(tmp_path / "run").training()[0], "gradient_norm", "2")) == [1, 2, 3, 4]


def test_a_compiled_step_is_watched_and_the_same(tmp_path: Path) -> None:
    compiled: Any = torch.compile
    models, seen = [small(), small()], []
    for model in models:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        watch = pellucid.watch(model, optimizer, out=tmp_path / "run", every=1, histograms_every=1)
        with watch if model is models[1] else contextlib.nullcontext():
            step = compiled(optimizer.step, backend="eager")
            for inputs, targets in batches((6, 5), 3):
                optimizer.zero_grad()
                F.cross_entropy(model(inputs), targets).backward()
                step()
        seen.append([one.detach().clone() for one in model.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*seen, strict=True))
    table, _ = Record(tmp_path / "run").training()
    assert list(values(table, "update_ratio", "0")) == [1, 2, 3]
    assert list(counted(table, "gradient_histogram", "2")) == [1, 2, 3]


def test_of_parameters_that_processes_share_this_ones_part_is_read(tmp_path: Path) -> None:
    """Two processes, of which the other is a stand-in: each holds half of the rows of a weight."""
    distributed: Any = pytest.importorskip("torch.distributed.tensor")
    fake: Any = pytest.importorskip("torch.testing._internal.distributed.fake_pg")
    torch.distributed.init_process_group("fake", store=fake.FakeStore(), rank=0, world_size=2)
    try:
        mesh = torch.distributed.init_device_mesh("cpu", (2,))
        torch.manual_seed(0)
        model = nn.Linear(3, 4, bias=False)
        part = torch.randn(2, 3)
        before = float(part.norm())
        shared = distributed.DTensor.from_local(part, mesh, [distributed.Shard(0)])
        model.weight = nn.Parameter(shared)
        holder = nn.Sequential(model)
        optimizer = torch.optim.SGD(holder.parameters(), lr=0.1, foreach=False)
        model.weight.grad = distributed.DTensor.from_local(torch.ones(2, 3), mesh, [distributed.Shard(0)])
        with (
            pytest.warns(UserWarning, match="shared among processes .*this one's part alone"),
            pellucid.watch(holder, optimizer, out=tmp_path / "run", every=1, histograms_every=1),
        ):
            optimizer.step()
    finally:
        torch.distributed.destroy_process_group()
    table, _ = Record(tmp_path / "run").training()
    assert values(table, "gradient_norm", "0") == {1: pytest.approx(6**0.5)}
    assert values(table, "update_ratio", "0") == {1: pytest.approx(0.1 * 6**0.5 / before, rel=1e-5)}
    assert sum(counted(table, "weight_histogram", "0")[1].values()) == 6

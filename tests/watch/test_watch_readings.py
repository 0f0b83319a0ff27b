"""What a Watch reads of a training: norms, updates, gradients, histograms, numbers of the loop, at its steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid
from pellucid.record import Record, schema
from support.watched import (
    CLASSES,
    OPTIMIZERS,
    batches,
    bins_of,
    counted,
    network,
    small,
    train,
    values,
)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_norms_and_updates_are_those_of_plain_formulas(
    tmp_path: Path, make: Callable[[nn.Module], torch.optim.Optimizer], kind: torch.dtype
) -> None:
    model = network().to(kind)
    optimizer = make(model)
    layers = {"0": (0, 1), "1": (2, 3), "5": (4, 5)}
    parameters = list(model.parameters())
    expected: list[dict[tuple[str, str], float]] = []

    def norm(tensors: list[Tensor]) -> float:
        return float(torch.cat([tensor.reshape(-1) for tensor in tensors]).norm())

    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1, exact=True) as watch:
        torch.manual_seed(4)
        for inputs, targets in batches((8, 1, 8, 8), 5):
            loss = F.cross_entropy(model(inputs.to(kind)), targets)
            optimizer.zero_grad()
            loss.backward()
            gradients = [parameter.grad.double().clone() for parameter in parameters]  # type: ignore[union-attr]
            before = [parameter.detach().double().clone() for parameter in parameters]
            optimizer.step()
            after = [parameter.detach().double().clone() for parameter in parameters]
            watch.log(loss=loss)
            row = {("", "gradient_norm"): norm(gradients), ("", "loss"): float(loss.detach().double())}
            for layer, places in layers.items():
                row[layer, "gradient_norm"] = norm([gradients[place] for place in places])
                row[layer, "weight_norm"] = norm([after[place] for place in places])
                moved = norm([after[place] - before[place] for place in places])
                row[layer, "update_ratio"] = moved / norm([before[place] for place in places])
            expected.append(row)
    table, _ = Record(tmp_path / "run").training()
    for layer, quantity in expected[0]:
        wanted = {step: row[layer, quantity] for step, row in enumerate(expected, start=1)}
        # A difference of two float32 weights keeps fewer digits than the weights.
        tolerance = 1e-5 if quantity != "update_ratio" else 5e-5
        assert values(table, quantity, layer) == pytest.approx(wanted, rel=tolerance), (layer, quantity)
    assert values(table, "learning_rate") == dict.fromkeys(range(1, 6), optimizer.param_groups[0]["lr"])


def test_the_norm_of_complex_weights_is_that_of_both_their_parts(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 4, dtype=torch.complex64), nn.Linear(4, CLASSES, dtype=torch.complex64))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1, histograms_every=1):
        for inputs, targets in batches((8, 5), 2):
            optimizer.zero_grad()
            F.cross_entropy(model(inputs.to(torch.complex64)).abs(), targets).backward()
            gradient = torch.cat([parameter.grad.flatten() for parameter in model[1].parameters()])  # type: ignore[union-attr]
            optimizer.step()
    weights = torch.cat([parameter.detach().flatten() for parameter in model[1].parameters()])
    table, _ = Record(tmp_path / "run").training()
    for quantity, tensor in (("gradient_norm", gradient), ("weight_norm", weights)):
        assert values(table, quantity, "1")[2] == pytest.approx(float(tensor.abs().square().sum().sqrt()), rel=1e-5)


def test_sampled_updates_of_a_large_layer_lie_near_the_exact_ones(tmp_path: Path) -> None:
    found = []
    for exact in (False, True):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(200, 300), nn.ReLU(), nn.Linear(300, CLASSES))
        with torch.no_grad():
            model[0].weight[150:] *= 20  # a sample of the first values only would say something else
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        out = tmp_path / str(exact)
        with pellucid.watch(model, optimizer, out=out, every=1, histograms_every=1, exact=exact):
            for inputs, targets in batches((16, 200), 3):
                optimizer.zero_grad()
                F.cross_entropy(model(inputs), targets).backward()
                optimizer.step()
        found.append(Record(out).training()[0])
    sample, whole = found
    assert values(sample, "update_ratio", "0") == pytest.approx(values(whole, "update_ratio", "0"), rel=0.1)
    assert values(sample, "update_ratio", "2") == values(whole, "update_ratio", "2")
    totals = [sum(counted(table, "weight_histogram", "0")[1].values()) for table in found]
    assert totals[1] == 200 * 300 + 300
    assert 1000 < totals[0] <= 16_384 + 300


@pytest.mark.parametrize("fused", [False, True], ids=["unscaled by the scaler", "unscaled inside a fused optimizer"])
def test_gradients_are_those_of_the_loss_where_a_scaler_is_at_work(tmp_path: Path, fused: bool) -> None:
    tables = {}
    for scaled in (False, True):
        model = small()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=fused)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, enabled=scaled)
        out = tmp_path / str(scaled)
        with pellucid.watch(model, optimizer, out=out, every=1, histograms_every=1, exact=True):
            for inputs, targets in batches((8, 5), 4):
                loss = F.cross_entropy(model(inputs), targets)
                optimizer.zero_grad()
                scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
                scaler.step(optimizer)
                scaler.update()
        tables[scaled] = Record(out).training()[0]
    for layer in ("", "0", "2"):
        assert values(tables[True], "gradient_norm", layer) == pytest.approx(
            values(tables[False], "gradient_norm", layer), rel=1e-5
        )
    # Powers of two scale without rounding: the very same values fall into the very same bins.
    assert counted(tables[True], "gradient_histogram", "0") == counted(tables[False], "gradient_histogram", "0")


def test_a_step_that_a_scaler_leaves_out_is_no_step(tmp_path: Path) -> None:
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1, histograms_every=1) as watch:
        for number, (inputs, targets) in enumerate(batches((8, 5), 3)):
            loss = F.cross_entropy(model(inputs), targets) * (float("inf") if number == 1 else 1.0)
            optimizer.zero_grad()
            scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            scaler.step(optimizer)
            scaler.update()
    assert watch.step == 2
    table, _ = Record(tmp_path / "run").training()
    assert None not in values(table, "gradient_norm").values()
    assert list(values(table, "gradient_norm")) == [1, 2]


@pytest.mark.parametrize("named", [False, True])
def test_gradients_that_a_closure_makes_are_read_at_its_first_call(tmp_path: Path, named: bool) -> None:
    model = small()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)
    inputs, targets = next(batches((8, 5), 1))
    expected = []
    calls: list[float] = []

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(inputs), targets)
        loss.backward()
        calls.append(float(torch.cat([p.grad.reshape(-1) for p in model.parameters()]).norm()))  # type: ignore[union-attr]
        return loss

    losses = []
    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1, histograms_every=1) as watch:
        for _ in range(3):
            calls.clear()
            loss = optimizer.step(closure=closure) if named else optimizer.step(closure)
            losses.append(float(loss.detach()))
            expected.append(calls[0])
            assert len(calls) > 1
            watch.log(loss=loss)
    table, _ = Record(tmp_path / "run").training()
    assert values(table, "gradient_norm") == pytest.approx(dict(enumerate(expected, start=1)), rel=1e-5)
    assert losses[-1] < losses[0]
    assert sum(counted(table, "gradient_histogram", "2")[1].values()) == 21


def test_histograms_count_exactly_the_values_that_there_were(tmp_path: Path) -> None:
    model = small()
    first: Any = model[0]
    with torch.no_grad():
        first.weight[0] = 0.0
        first.bias[0] = 0.0
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    expected: list[dict[tuple[str, str], dict[int, int]]] = []
    with pellucid.watch(model, optimizer, out=tmp_path / "run", histograms_every=1, exact=True):
        for number, (inputs, targets) in enumerate(batches((6, 5), 3)):
            if number == 2:
                inputs[1, 2], inputs[3, 0] = float("nan"), float("inf")
            linear = F.linear(inputs, first.weight, first.bias)
            hidden = linear.detach().relu()
            outputs = model(inputs)
            loss = F.cross_entropy(outputs, targets)
            optimizer.zero_grad()
            loss.backward()
            rows = {
                ("0", "activation_histogram"): bins_of(linear),
                ("1", "activation_histogram"): bins_of(hidden),
                ("2", "activation_histogram"): bins_of(outputs),
                ("0", "gradient_histogram"): bins_of(*[one.grad for one in first.parameters()]),
                ("2", "gradient_histogram"): bins_of(model[2].weight.grad),  # type: ignore[index, arg-type]
            }
            optimizer.step()
            rows["0", "weight_histogram"] = bins_of(*first.parameters())
            rows["2", "weight_histogram"] = bins_of(model[2].weight)  # type: ignore[index, arg-type]
            expected.append(rows)
    table, _ = Record(tmp_path / "run").training()
    for layer, quantity in expected[0]:
        wanted = {step: rows[layer, quantity] for step, rows in enumerate(expected, start=1)}
        assert counted(table, quantity, layer) == wanted, (layer, quantity)
    assert expected[0]["1", "activation_histogram"][-1] > 0
    assert expected[2]["0", "weight_histogram"][-2] > 0  # the NaN has come into the weights
    assert {-2, -3} & expected[2]["0", "activation_histogram"].keys()


def test_forwards_without_gradients_are_not_counted_among_the_activations(tmp_path: Path) -> None:
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pellucid.watch(model, optimizer, out=tmp_path / "run", histograms_every=1):
        for inputs, targets in batches((6, 5), 2):
            with torch.no_grad():
                model(inputs)
            optimizer.zero_grad()
            F.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
    table, _ = Record(tmp_path / "run").training()
    assert [sum(one.values()) for one in counted(table, "activation_histogram", "1").values()] == [42, 42]


def test_parameters_that_the_optimizer_does_not_have_give_no_update_and_no_gradient(tmp_path: Path) -> None:
    model = small()
    optimizer = torch.optim.SGD(model[2].parameters(), lr=0.1)  # type: ignore[index]
    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1) as watch:
        for inputs, targets in batches((6, 5), 2):
            optimizer.zero_grad()
            F.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
            watch.log(loss=1.0)
    table, _ = Record(tmp_path / "run").training()
    assert list(values(table, "update_ratio", "2")) == [1, 2]
    # Nothing sets its gradient to zero: it is the sum of all batches so far.
    assert values(table, "update_ratio", "0") == values(table, "gradient_norm", "0") == {}
    assert values(table, "gradient_norm") == values(table, "gradient_norm", "2")
    assert list(values(table, "weight_norm", "0")) == [1, 2]


class _Tokens(nn.Module):
    """Has a parameter of its own beside its layer, as a vision transformer has its class token."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.full((5,), 2.0))
        self.head = nn.Linear(5, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.head(inputs + self.token)
        return scores


def test_what_is_the_models_own_is_a_layer_apart_from_the_whole_model(tmp_path: Path) -> None:
    model = _Tokens()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1):
        for inputs, targets in batches((6, 5), 1):
            F.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
    record = Record(tmp_path / "run")
    table, _ = record.training()
    grads = [parameter.grad for parameter in model.parameters()]
    own, *rest = (float(torch.sum(grad**2)) for grad in grads if grad is not None)
    assert values(table, "gradient_norm", "(model)") == {1: pytest.approx(own**0.5)}
    whole = table.filter((pc.field("quantity") == "gradient_norm") & (pc.field("layer") == ""))
    assert whole["value"].to_pylist() == [pytest.approx((own + sum(rest)) ** 0.5)], "one row, of all parameters"
    panel = record.panel("training")
    assert isinstance(panel, schema.TrainingPanel)
    assert panel.layers == ["(model)", "head"]


def test_a_bare_layer_is_told_from_the_whole_model(tmp_path: Path) -> None:
    model = nn.Linear(5, CLASSES)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1, histograms_every=1):
        for inputs, targets in batches((6, 5), 1):
            F.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
    table, _ = Record(tmp_path / "run").training()
    whole = table.filter(pc.field("layer") == "")["quantity"].to_pylist()
    assert sorted(whole) == ["gradient_norm", "learning_rate"]
    assert "activation_histogram" in table.filter(pc.field("layer") == "(model)")["quantity"].to_pylist()


def test_a_frozen_layer_that_the_optimizer_has_gives_no_update(tmp_path: Path) -> None:
    model = small()
    model[0].requires_grad_(False)  # type: ignore[index]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1):
        for inputs, targets in batches((6, 5), 12):
            optimizer.zero_grad()
            F.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
    record = Record(tmp_path / "run")
    table, _ = record.training()
    assert values(table, "update_ratio", "0") == values(table, "gradient_norm", "0") == {}
    assert len(values(table, "weight_norm", "0")) == len(values(table, "update_ratio", "2")) == 12
    assert record.findings == []


def test_every_looks_at_the_first_step_and_each_so_many_after(tmp_path: Path) -> None:
    model = network()
    optimizer = OPTIMIZERS["AdamW"](model)
    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=3, histograms_every=4) as watch:
        train(model, optimizer, watch)
    table, _ = Record(tmp_path / "run").training()
    assert list(values(table, "weight_norm", "0")) == [1, 4, 7]
    assert list(counted(table, "weight_histogram", "0")) == [1, 5]
    assert len(values(table, "loss")) == 8


def test_numbers_of_the_loop_are_kept_under_their_names(tmp_path: Path) -> None:
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1) as watch:
        for inputs, targets in batches((6, 5), 2):
            optimizer.zero_grad()
            outputs = model(inputs)
            loss = F.cross_entropy(outputs, targets)
            loss.backward()
            optimizer.step()
            watch.observe(outputs, targets, loss)
            watch.log(temperature=0.5)
            watch.log(temperature=torch.tensor(1.5))
            right = float((outputs.argmax(1) == targets).float().mean())
        watch.log(validation_loss=float("nan"), validation_accuracy=np.float32(0.25))
    table, _ = Record(tmp_path / "run").training()
    assert values(table, "temperature") == {1: 1.0, 2: 1.0}  # the mean of what was said at one step
    assert values(table, "accuracy")[2] == pytest.approx(right)
    assert values(table, "validation_loss") == {2: None}
    assert values(table, "validation_accuracy") == {2: 0.25}

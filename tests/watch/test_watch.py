"""A Watch reads what a training loop computes, changes nothing of it, and leaves no trace."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid
from pellucid.errors import OptionError, RecordError
from pellucid.measures import histogram
from pellucid.record import Record, schema
from pellucid.record.training import read_training
from pellucid.watch import Watch
from pellucid.watch.journal import Journal

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
    """Eight steps on random images; the outputs of each."""
    seen = []
    for inputs, targets in batches((8, 1, 8, 8), steps):
        outputs = model(inputs)
        loss = F.cross_entropy(outputs, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if watch is not None:
            watch.observe(outputs, targets, loss)
        seen.append(outputs.detach().clone())
    return seen


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


# --- nothing changes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("every", [1, 3, None])
def test_training_is_the_same_to_the_last_bit_with_the_watch_and_without(
    tmp_path: Path, make: Callable[[nn.Module], torch.optim.Optimizer], every: int | None
) -> None:
    alone, watched = network(), network()
    seed_everything()
    optimizer = make(alone)
    expected = train(alone, optimizer, None)
    drawn = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]

    seed_everything()
    followed = make(watched)
    with pellucid.watch(watched, followed, out=tmp_path / "run", every=every, histograms_every=every) as watch:
        outputs = train(watched, followed, watch)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(outputs, expected, strict=True))
    for (name, ours), theirs in zip(watched.state_dict().items(), alone.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs), name
    for ours, theirs in zip(followed.state.values(), optimizer.state.values(), strict=True):
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs if isinstance(theirs[name], Tensor))
    assert torch.equal(torch.get_rng_state(), drawn[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == drawn[1:]  # type: ignore[index]
    assert watch.step == 8


@pytest.mark.parametrize("in_place", [False, True], ids=["torch.compile(model)", "model.compile()"])
def test_a_compiled_model_trains_the_same_and_is_compiled_no_more_often(tmp_path: Path, in_place: bool) -> None:
    compilations = [0, 0]

    def compiled(place: int) -> Any:
        def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
            compilations[place] += 1
            return graph.forward

        model: Any = network()
        if not in_place:
            return torch.compile(model, backend=backend)
        model.compile(backend=backend)
        return model

    alone, watched = compiled(0), compiled(1)
    optimizers = [OPTIMIZERS["AdamW"](model) for model in (alone, watched)]
    seed_everything()
    expected = train(alone, optimizers[0], None, steps=4)
    seed_everything()
    with pellucid.watch(watched, optimizers[1], out=tmp_path / "run", every=1, histograms_every=2) as watch:
        outputs = train(watched, optimizers[1], watch, steps=4)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(outputs, expected, strict=True))
    assert compilations[0] == compilations[1] > 0
    table, _ = Record(tmp_path / "run").training()
    assert list(values(table, "gradient_norm", "5")) == [1, 2, 3, 4]
    assert list(counted(table, "weight_histogram", "5")) == [1, 3]
    assert counted(table, "activation_histogram", "5") == {}
    assert hooks(watched, optimizers[1]) == 0


# --- what is read ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_norms_and_updates_are_those_of_plain_formulas(
    tmp_path: Path, make: Callable[[nn.Module], torch.optim.Optimizer]
) -> None:
    model = network()
    optimizer = make(model)
    layers = {"0": (0, 1), "1": (2, 3), "5": (4, 5)}
    parameters = list(model.parameters())
    expected: list[dict[tuple[str, str], float]] = []

    def norm(tensors: list[Tensor]) -> float:
        return float(torch.cat([tensor.reshape(-1) for tensor in tensors]).norm())

    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1, exact=True) as watch:
        torch.manual_seed(4)
        for inputs, targets in batches((8, 1, 8, 8), 5):
            loss = F.cross_entropy(model(inputs), targets)
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


def test_parameters_that_the_optimizer_does_not_have_give_no_update(tmp_path: Path) -> None:
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
    assert values(table, "update_ratio", "0") == {}
    assert list(values(table, "gradient_norm", "0")) == [1, 2]


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


# --- the end --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "state"),
    [(None, "complete"), (ValueError("the loop broke"), "failed"), (KeyboardInterrupt(), "interrupted")],
    ids=["to its end", "exception", "interrupt"],
)
def test_no_hook_stays_and_what_was_recorded_is_readable(
    tmp_path: Path, error: BaseException | None, state: schema.State
) -> None:
    model = network()
    optimizer = OPTIMIZERS["AdamW"](model)

    def run() -> None:
        with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1, histograms_every=1) as watch:
            assert hooks(model, optimizer) > 0
            train(model, optimizer, watch, steps=3)
            model(torch.zeros(2, 1, 8, 8))  # half a step: its activations are being counted
            if error is not None:
                raise error

    if error is None:
        run()
    else:
        with pytest.raises(type(error)):
            run()
    assert hooks(model, optimizer) == 0
    record = Record(tmp_path / "run")
    assert record.state == record.summary().state == state
    assert record.verify() == []
    assert (record.manifest.error or "").startswith("" if error is None else type(error).__name__)
    assert bool(record.manifest.error) == (error is not None)
    table, _ = record.training()
    assert list(values(table, "gradient_norm", "0")) == [1, 2, 3]
    panel = record.panel("training")
    assert isinstance(panel, schema.TrainingPanel)
    assert (panel.steps, panel.recorded, panel.layers) == (3, 3, ["0", "1", "5"])
    assert panel.count == table.num_rows
    assert {"loss", "gradient_norm", "activation_histogram"} <= set(panel.quantities)


def test_training_goes_on_after_the_watch_as_if_it_had_never_been_there(tmp_path: Path) -> None:
    model = network()
    optimizer = OPTIMIZERS["AdamW"](model)
    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1, histograms_every=1) as watch:
        train(model, optimizer, watch, steps=2)
    train(model, optimizer, None, steps=2)
    assert watch.step == 2


def test_a_reader_that_follows_gets_only_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Journal, "due", lambda self, now: True)
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    out = tmp_path / "run"
    pieces: list[pa.Table] = []
    cursor = 0
    with pellucid.watch(model, optimizer, out=out, every=1) as watch:
        follower = Record(out)
        assert follower.training(0)[0].num_rows == 0
        for number, (inputs, targets) in enumerate(batches((6, 5), 4), start=1):
            optimizer.zero_grad()
            F.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
            assert follower.refresh()
            assert follower.state == "running"
            table, cursor = follower.training(cursor)
            assert set(table["step"].to_pylist()) == {number}
            assert follower.training(cursor) == (table.slice(0, 0).combine_chunks(), cursor)
            pieces.append(table)
        watch.log(validation_loss=0.5)
    table, cursor = read_training(out, cursor)
    assert table["quantity"].to_pylist() == ["validation_loss"]
    whole, end = Record(out).training()
    assert end == cursor
    assert whole.to_pylist() == pa.concat_tables([*pieces, table]).to_pylist()


# --- what it refuses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["every", "histograms_every"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_cadence_below_one_is_refused(tmp_path: Path, option: str, value: int) -> None:
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(OptionError, match=rf"'{option}' is a number of steps of at least 1.*got {value}"):
        pellucid.watch(model, optimizer, out=tmp_path / "run", **{option: value})  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_an_optimizer_of_another_model_is_refused(tmp_path: Path) -> None:
    optimizer = torch.optim.SGD(small().parameters(), lr=0.1)
    with pytest.raises(OptionError, match="has none of the 3 parameters of the model"):
        pellucid.watch(small(), optimizer, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("value", [torch.zeros(3), "0.5", None])
def test_what_is_logged_must_be_one_number(tmp_path: Path, value: Any) -> None:
    model = small()
    with (
        pellucid.watch(model, torch.optim.SGD(model.parameters(), lr=0.1), out=tmp_path / "run") as watch,
        pytest.raises(OptionError, match=r"log\(score=\.\.\.\) takes one number"),
    ):
        watch.log(score=value)


def test_a_record_that_is_there_is_replaced_only_when_asked(tmp_path: Path) -> None:
    model = network()
    optimizer = OPTIMIZERS["AdamW"](model)
    with pellucid.watch(model, optimizer, out=tmp_path / "run", title="first") as watch:
        train(model, optimizer, watch, steps=1)
    with pytest.raises(RecordError, match="overwrite"), pellucid.watch(model, optimizer, out=tmp_path / "run"):
        pass
    assert Record(tmp_path / "run").manifest.title == "first"
    with pellucid.watch(model, optimizer, out=tmp_path / "run", title="second", overwrite=True):
        pass
    record = Record(tmp_path / "run")
    assert (record.manifest.title, record.training()[0].num_rows) == ("second", 0)

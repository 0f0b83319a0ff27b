"""A Watch reads what a training loop computes, changes nothing of it, and leaves no trace."""

from __future__ import annotations

import random
from collections.abc import Callable
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
from pellucid.record import Record, schema
from pellucid.record.training import read_training
from pellucid.watch.journal import Journal
from support.watched import (
    OPTIMIZERS,
    batches,
    counted,
    hooks,
    network,
    seed_everything,
    small,
    take_step,
    train,
    values,
)


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


def test_a_layer_without_a_shape_is_refused_until_a_batch_has_given_it_one(tmp_path: Path) -> None:
    model = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.Linear(4, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(OptionError, match=r"Layer '0' \(LazyLinear\) has no shape.*Run one batch"):
        pellucid.watch(model, optimizer, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    model(torch.zeros(2, 5))
    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1) as watch:
        take_step(model, optimizer, watch, *next(batches((6, 5), 1)))
    assert list(values(Record(tmp_path / "run").training()[0], "gradient_norm", "0")) == [1]


@pytest.mark.parametrize("place", ["pellucid.watch.watcher.warm_up", "pellucid.record.writer.Writer.create"])
def test_an_error_at_the_beginning_leaves_no_hook_and_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def broken(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(place, broken)
        watch = pellucid.watch(model, optimizer, out=tmp_path / "run", histograms_every=1)
        with pytest.raises(KeyboardInterrupt), watch:
            pass
    assert hooks(model, optimizer) == 0
    with pellucid.watch(model, optimizer, out=tmp_path / "run"):
        pass


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
    with (
        pytest.raises(RecordError, match=r"\(first, complete\).*overwrite=True\)\.$") as refused,
        pellucid.watch(model, optimizer, out=tmp_path / "run"),
    ):
        pass
    assert "--" not in str(refused.value)  # no option of the command line, which has no watch
    assert hooks(model, optimizer) == 0
    assert Record(tmp_path / "run").manifest.title == "first"
    with pellucid.watch(model, optimizer, out=tmp_path / "run", title="second", overwrite=True):
        pass
    record = Record(tmp_path / "run")
    assert (record.manifest.title, record.training()[0].num_rows) == ("second", 0)

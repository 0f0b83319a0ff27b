"""The hooks of a Watch: what else passes through them goes undisturbed, and no copy of the model takes them along."""

from __future__ import annotations

import copy
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel
from torch.utils.checkpoint import checkpoint

import pellucid
from pellucid.record import Record
from support.watched import batches, counted, hooks, small, take_step

INPUTS, TARGETS = next(batches((6, 5), 1))


def gradients(model: nn.Module) -> list[Tensor]:
    """By torch.func."""
    parameters = {name: one.detach() for name, one in model.named_parameters()}
    found = grad(lambda at: F.cross_entropy(functional_call(model, at, (INPUTS,)), TARGETS))(parameters)
    return list(found.values())


def gradients_of_each(model: nn.Module) -> list[Tensor]:
    parameters = {name: one.detach() for name, one in model.named_parameters()}

    def loss(at: dict[str, Tensor], one: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(model, at, (one[None],)), target[None])

    return list(vmap(grad(loss), in_dims=(None, 0, 0))(parameters, INPUTS, TARGETS).values())


def traced(model: nn.Module) -> list[Tensor]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*torch.jit.*")
        found: Tensor = torch.jit.trace(model, INPUTS)(INPUTS)
    return [found]


def operations(model: nn.Module) -> list[str]:
    return [str(node.target) for node in make_fx(model)(INPUTS).graph.nodes if node.op == "call_function"]


def shapes(model: nn.Module) -> list[Any]:
    parameters = {name: one.detach().to("meta") for name, one in model.named_parameters()}
    return [functional_call(model, parameters, (INPUTS.to("meta"),)).shape]


@pytest.mark.parametrize(
    "use",
    [
        gradients,
        gradients_of_each,
        lambda model: [vmap(model)(INPUTS)],
        lambda model: list(jvp(model, (INPUTS,), (INPUTS,))),
        traced,
        operations,
        shapes,
    ],
    ids=["grad", "vmap of grad", "vmap", "jvp", "jit.trace", "make_fx", "meta"],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:FutureWarning")
def test_what_is_no_forward_of_the_training_gives_the_same_under_a_watch(
    tmp_path: Path, use: Callable[[nn.Module], list[Any]]
) -> None:
    model = small()
    expected = use(model)
    with pellucid.watch(model, torch.optim.SGD(model.parameters(), lr=0.0), out=tmp_path / "run") as watch:
        found = use(model)
        take_step(model, watch._optimizer, watch, INPUTS, TARGETS)
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other) if isinstance(one, Tensor) else one == other
    table, _ = Record(tmp_path / "run").training()
    assert sum(counted(table, "activation_histogram", "0")[1].values()) == 6 * 7  # of the training's forward alone


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:FutureWarning", "ignore:.*torch.jit.script:DeprecationWarning")
def test_a_copy_is_scripted_in_the_block_and_the_model_itself_refused_in_words(tmp_path: Path) -> None:
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pellucid.watch(model, optimizer, out=tmp_path / "run", histograms_every=1):
        with pytest.raises(AttributeError, match=r"hook that a Watch has on layer '0'.*copy\.deepcopy\(model\)"):
            torch.jit.script(model)
        scripted = torch.jit.script(copy.deepcopy(model))
    assert torch.equal(scripted(INPUTS), model(INPUTS))


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("make", [torch.jit.script, lambda model: torch.jit.trace(model, INPUTS)])
def test_a_scripted_model_is_watched_without_its_activations(
    tmp_path: Path, make: Callable[[nn.Module], nn.Module]
) -> None:
    model = make(small())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1, histograms_every=1) as watch:
        take_step(model, optimizer, watch, INPUTS, TARGETS)
    table, _ = Record(tmp_path / "run").training()
    quantities = set(table["quantity"].to_pylist())
    assert {"update_ratio", "gradient_norm", "weight_histogram", "gradient_histogram"} <= quantities
    assert "activation_histogram" not in quantities


def test_an_output_that_cannot_be_read_is_warned_of_once_and_ends_no_training(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(5, 3), nn.Linear(3, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    ragged = torch.nested.nested_tensor([torch.ones(2, 5), torch.ones(3, 5)], layout=torch.jagged)
    with pellucid.watch(model, optimizer, out=tmp_path / "run", histograms_every=1):
        with pytest.warns(UserWarning, match=r"cannot count the outputs of layer '0': RuntimeError"):
            outputs = model(ragged)
        assert outputs.values().shape == (5, 3)
        model(ragged)  # a second warning would be an error


@pytest.mark.parametrize("again", ["without re-entry", "with re-entry", "plain"])
def test_what_checkpointing_computes_again_is_counted_once(tmp_path: Path, again: str) -> None:
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pellucid.watch(model, optimizer, out=tmp_path / "run", histograms_every=1, exact=True):
        for inputs, targets in batches((6, 5), 2):
            for half in (slice(0, 3), slice(3, 6)):  # of gradients that are accumulated, both count
                given = inputs[half].requires_grad_()
                outputs = (
                    model(given)
                    if again == "plain"
                    else checkpoint(model, given, use_reentrant=again == "with re-entry")
                )
                F.cross_entropy(outputs, targets[half]).backward()
            optimizer.step()
    table, _ = Record(tmp_path / "run").training()
    for layer, width in (("0", 7), ("1", 7), ("2", 3)):
        counts = counted(table, "activation_histogram", layer)
        assert {step: sum(one.values()) for step, one in counts.items()} == {1: 6 * width, 2: 6 * width}


def test_a_copy_of_the_model_has_no_hook_and_the_model_keeps_its_own(tmp_path: Path) -> None:
    model = small()
    kept: list[int] = []
    model[0].register_forward_hook(lambda *_: kept.append(1))  # type: ignore[index]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pellucid.watch(model, optimizer, out=tmp_path / "run", histograms_every=1) as watch:
        before = hooks(model, optimizer)
        assert before == 1 + 3 + 2
        copied, of_it = copy.deepcopy((model, optimizer))
        averaged = AveragedModel(model)
        assert hooks(copied, of_it) == hooks(averaged.module, of_it) == 1
        assert hooks(model, optimizer) == before
        assert torch.equal(copied(INPUTS), model(INPUTS))
        assert kept == [1, 1]
        take_step(model, optimizer, watch, INPUTS, TARGETS)
    assert hooks(model, optimizer) == 1
    table, _ = Record(tmp_path / "run").training()
    assert sum(counted(table, "activation_histogram", "0")[1].values()) == 2 * 6 * 7  # none of the copy's


def test_a_model_saved_in_the_block_is_read_without_pellucid(tmp_path: Path) -> None:
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pellucid.watch(model, optimizer, out=tmp_path / "run", histograms_every=1):
        assert hooks(model, optimizer) == 3 + 2
        torch.save((model, optimizer), tmp_path / "inside.pt")
        expected = model(torch.ones(1, 5)).tolist()
    torch.save((model, optimizer), tmp_path / "after.pt")
    assert (tmp_path / "inside.pt").stat().st_size < 1.1 * (tmp_path / "after.pt").stat().st_size
    read = (
        "import sys; sys.modules['pellucid'] = None; import torch; "
        f"model, optimizer = torch.load({str(tmp_path / 'inside.pt')!r}, weights_only=False); "
        "print(model(torch.ones(1, 5)).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", read], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(expected)

"""A model on a GPU is traced, captured, explained and watched as it is on a processor, to the same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid
from pellucid.attribution import METHODS
from pellucid.errors import PellucidError
from pellucid.inspection.live import LiveModel
from pellucid.record import Record
from support import families
from support.cheap import IDS, IMAGES, SERIES, TABLE, with_options
from support.families import Family, built
from support.inspected import column
from support.nets import digits, trained
from support.untouched import Untouched
from support.watched import OPTIMIZERS, batches, network, seed_everything, take_step, train, values

FAMILIES: dict[str, tuple[type[Family], Tensor]] = {
    "VGG": (families.Vgg, IMAGES),
    "ResNet": (families.ResNet, IMAGES),
    "MobileNet": (families.MobileNet, IMAGES),
    "ViT": (families.Vit, IMAGES),
    "Swin": (families.Swin, IMAGES),
    "text": (families.Text, IDS),
    "LSTM": (families.Lstm, SERIES),
    "GRU": (families.Gru, SERIES),
    "table": (families.Table, TABLE),
}


class ByValue(nn.Module):
    """Goes one of two ways, as its values say, and repeats a cell as often as they say."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.GRUCell(5, 5), nn.Linear(5, 3)

    def forward(self, series: Tensor) -> Tensor:
        state = torch.zeros(len(series), 5, device=series.device, dtype=series.dtype)
        steps = int(series.abs().sum().item()) % 3 + 2
        for step in range(steps):
            state = self.cell(series[:, step], state)
        return self.head(state if state.sum() > 0 else -state)


def both(make: type[Family], given: Tensor, device: str) -> Iterator[tuple[nn.Module, Tensor]]:
    for place in ("cpu", device):
        yield built(make, "module").eval().to(place), given.to(place)


def changed(before: Untouched) -> list[str]:
    """What is no longer as it was of a network that counts its own calls."""
    return [name for name in before.differences() if name != "attributes of "]


def cuda_state() -> Tensor:
    return torch.cuda.get_rng_state() if torch.cuda.is_available() else torch.get_rng_state()


@pytest.mark.parametrize("name", FAMILIES)
def test_the_graph_is_the_same(name: str, device: str) -> None:
    torch.rand(1, device=device)
    found = []
    for model, given in both(*FAMILIES[name], device):
        before, drawn = Untouched(model), cuda_state()
        graph = pellucid.graph(model, given)
        assert before.differences() == []
        assert torch.equal(cuda_state(), drawn)
        found.append([(node.operation, node.path, list(node.outputs), node.flops) for node in graph.nodes])
        assert graph.error is None
        assert str(next(model.parameters()).device.type) == given.device.type
    # Recurrent kernels pack their weights anew on a GPU, which is no operation of the model.
    assert found[0] == found[1]


def test_a_forward_that_asks_for_values_is_followed_by_a_real_run(device: str) -> None:
    found = []
    for place in ("cpu", device):
        model = ByValue().double().eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(0.1)
        graph = pellucid.graph(model.to(place), SERIES.to(place))
        found.append([(node.operation, node.path) for node in graph.nodes])
        assert graph.backend == "real"
    assert found[0] == found[1]


@pytest.mark.parametrize("name", FAMILIES)
def test_every_method_gives_the_map_of_a_processor(name: str, device: str) -> None:
    make, given = FAMILIES[name]
    model = built(make, "module").eval()
    compared = 0
    for method in METHODS:
        answers: list[Any] = []
        for place in ("cpu", device):
            model.to(place)
            before, drawn = Untouched(model), cuda_state()
            try:
                answers.append(pellucid.attribute(model, given.to(place), 1, with_options(method, given)))
            except PellucidError as error:
                answers.append(f"{type(error).__name__}: {error}")
            assert before.differences() == []
            assert torch.equal(cuda_state(), drawn)
        ours, theirs = answers
        if method.startswith("lrp") and name in ("LSTM", "GRU") and device == "cuda":
            assert "cannot look into a GPU's fused cell" in theirs, method
            continue
        if isinstance(ours, str) or isinstance(theirs, str):
            assert ours == theirs, method
            continue
        compared += 1
        torch.testing.assert_close(theirs.scores.cpu(), ours.scores, rtol=1e-8, atol=1e-10)
        if isinstance(ours.input, Tensor):
            assert close(theirs.input, ours.input), method
        assert set(theirs.layers) == set(ours.layers), method
        for layer in ours.layers:
            assert close(theirs.layers[layer], ours.layers[layer]), (method, layer)
    assert compared >= 3


def close(found: Tensor, expected: Tensor) -> bool:
    largest = float(expected.detach().abs().nan_to_num().max()) if expected.numel() else 0.0
    return torch.allclose(found.cpu(), expected, rtol=1e-6, atol=1e-6 * largest + 1e-12, equal_nan=True)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory, device: str) -> list[Record]:
    images, labels = digits("test")
    folder = tmp_path_factory.mktemp("places")
    model = trained()
    found = []
    for place in ("cpu", device):
        before, drawn = Untouched(model), cuda_state()
        record = pellucid.inspect(
            model,
            list(zip(images[:200], labels[:200].tolist(), strict=True)),
            out=folder / str(len(found)),
            device=place,
            chosen=6,
        )
        found.append(record)
        assert changed(before) == []
        assert torch.equal(cuda_state(), drawn)
        assert next(model.parameters()).device.type == "cpu"
    return found


def test_an_inspection_finds_what_a_processor_finds(records: list[Record]) -> None:
    ours, theirs = records
    assert theirs.state == "complete"
    assert theirs.verify() == []
    np.testing.assert_allclose(column(theirs, "loss"), column(ours, "loss"), rtol=1e-4, atol=1e-6)
    assert (column(theirs, "prediction") == column(ours, "prediction")).all()
    counted = [[(stage.name, stage.forward, stage.backward) for stage in one.manifest.stages] for one in (ours, theirs)]
    assert counted[0] == counted[1]
    assert len(theirs.findings) == len(ours.findings)


def test_live_questions_are_answered_there(device: str, tmp_path: Path) -> None:
    images, labels = digits("test")
    model = trained().to(device)
    record = pellucid.inspect(
        model, list(zip(images[:60], labels[:60].tolist(), strict=True)), out=tmp_path / "net", chosen=4
    )
    live = record.live
    assert isinstance(live, LiveModel)
    before = Untouched(model)
    layer = "features.4"
    questions: dict[str, dict[str, list[str]]] = {
        "maps": {"row": ["3"], "layer": [layer]},
        "effective_field": {"layer": [layer], "examples": ["8"]},
        "attribute": {"row": ["3"], "method": ["saliency", "grad_cam", "integrated_gradients"]},
        "optimise": {"layer": [layer], "channel": ["0", "2"], "steps": ["4"]},
    }
    for name, asked in questions.items():
        _, answer = live.inquiry(name, asked)
        assert len(answer(lambda partial: partial() is not None)) > 100, name
        assert changed(before) == [], name


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_watched_training_is_the_same_and_its_numbers_are_those_of_a_processor(
    make: Any, device: str, tmp_path: Path
) -> None:
    found = []
    for number, place in enumerate(("cpu", device)):
        alone, watched = network().double().to(place), network().double().to(place)
        for net in (alone, watched):
            net[4].p = 0.0  # type: ignore[union-attr]
        outputs = []
        for net in (alone, watched):
            seed_everything()
            optimizer = make(net)
            watch = pellucid.watch(net, optimizer, out=tmp_path / str(number), every=1, histograms_every=2)
            if net is alone:
                outputs.append(train(net, optimizer, None, 6))
                continue
            with watch:
                outputs.append(train(net, optimizer, watch, 6))
        assert all(torch.equal(one, other) for one, other in zip(*outputs, strict=True))
        table, _ = Record(tmp_path / str(number)).training()
        found.append(
            {
                quantity: values(table, quantity, layer)
                for quantity, layer in (
                    ("loss", ""),
                    ("gradient_norm", "5"),
                    ("weight_norm", "0"),
                    ("update_ratio", "5"),
                )
            }
        )
    for quantity, ours in found[0].items():
        theirs = found[1][quantity]
        assert theirs.keys() == ours.keys()
        np.testing.assert_allclose(list(theirs.values()), list(ours.values()), rtol=1e-6, err_msg=quantity)


def test_a_watch_waits_for_the_device_only_where_it_flushes(device: str, tmp_path: Path) -> None:
    model = network().to(device)
    optimizer = OPTIMIZERS["AdamW"](model)
    data = [(inputs.to(device), targets.to(device)) for inputs, targets in batches((8, 1, 8, 8), 6)]
    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1, histograms_every=2) as watch:
        for place, (inputs, targets) in enumerate(data):
            # The first step may make what is kept.
            torch.cuda.set_sync_debug_mode("error" if place else "default")
            try:
                take_step(model, optimizer, watch, inputs, targets)
            finally:
                torch.cuda.set_sync_debug_mode("default")
    assert len(values(Record(tmp_path / "run").training()[0], "loss", "")) == 6


def test_training_in_short_numbers_is_watched(device: str, tmp_path: Path) -> None:
    model = network().to(device)
    optimizer = OPTIMIZERS["SGD with momentum"](model)
    scaler = torch.amp.GradScaler(device, enabled=device == "cuda")
    with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1, histograms_every=2) as watch:
        for inputs, targets in batches((8, 1, 8, 8), 6):
            with torch.autocast(device, torch.float16 if device == "cuda" else torch.bfloat16):
                outputs = model(inputs.to(device))
                loss = F.cross_entropy(outputs, targets.to(device))
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            watch.observe(outputs, targets.to(device), loss)
    table, _ = Record(tmp_path / "run").training()
    assert len(values(table, "gradient_norm", "5")) == 6


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_models_of_short_numbers_are_traced_and_explained(kind: torch.dtype, device: str) -> None:
    model = built(families.ResNet, "module").eval().to(device, kind)
    given = IMAGES.to(device, kind)
    assert pellucid.graph(model, given).error is None
    found = pellucid.attribute(model, given, 1, ["saliency", "grad_cam", "integrated_gradients"])
    assert all(torch.isfinite(one.input).all() for one in found.values())


def test_a_compiled_model_is_traced_and_explained(device: str) -> None:
    plain = built(families.ResNet, "module").eval().to(device)
    compiled: Any = torch.compile(plain)
    given = IMAGES.to(device)
    compiled(given)
    assert len(pellucid.graph(compiled, given).nodes) == len(pellucid.graph(plain, given).nodes)
    ours, theirs = (pellucid.attribute(model, given, 1, "grad_cam").input for model in (plain, compiled))
    assert close(theirs, ours.cpu())


def test_what_does_not_fit_the_memory_is_run_in_halves(device: str) -> None:
    if device != "cuda":
        pytest.skip("a processor's memory is not to be limited")
    model = nn.Sequential(nn.Conv2d(3, 256, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256 * 64 * 64, 3)).to(
        device
    )
    images = torch.randn(4, 3, 64, 64, device=device)
    expected = pellucid.attribute(model, images, 1, "occlusion").input
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 180e6) / whole)
    try:
        found = pellucid.attribute(model, images, 1, "occlusion")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert any("Memory did not suffice" in said for said in found.warnings)
    torch.testing.assert_close(found.input, expected, rtol=1e-4, atol=1e-5)

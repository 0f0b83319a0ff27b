"""The live questions of the Activations page, on a real inspection."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load
from torch import Tensor, nn

import pellucid
from pellucid.errors import LayerError, MethodError, OptionError, PellucidError, RecordError
from pellucid.inspection.live import LiveModel
from pellucid.record import Record


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(3, 5, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.two = nn.Conv2d(5, 4, 3)
        self.head = nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(torch.relu(self.two(self.pool(torch.relu(self.one(images))))).mean((2, 3)))


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    torch.manual_seed(0)
    images = torch.randn(20, 3, 12, 10, generator=torch.Generator().manual_seed(1))
    return pellucid.inspect(
        Net().eval(), [(image, at % 3) for at, image in enumerate(images)],
        out=tmp_path_factory.mktemp("live") / "net.pellucid", chosen=2,
        lenses=["graph", "predictions", "activations", "gradients", "mapping", "similarity"],
    )  # fmt: skip


def ask(record: Record, name: str, **given: Any) -> tuple[dict[str, Any], dict[str, np.ndarray], int]:
    """What is said, the tensors, and how many partial answers came."""
    live = record.live
    assert isinstance(live, LiveModel)
    told: list[bytes] = []
    words = {key: [str(one) for one in (value if isinstance(value, list) else [value])] for key, value in given.items()}
    _, answer = live.inquiry(name, words)
    content = answer(lambda partial: told.append(partial()) is None)
    (length,) = struct.unpack("<Q", content[:8])
    said = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][name])
    return said, load(content), len(told)


def test_maps_are_those_of_a_forward(record: Record) -> None:
    said, tensors, _ = ask(record, "maps", row=[3, 7], layer="one", channel=[4, 0])
    live = record.live
    assert isinstance(live, LiveModel)
    with torch.no_grad():
        expected = live.model.one(live.batch(3, 7).inputs)[:, [4, 0]].numpy()  # type: ignore[operator, union-attr]
    np.testing.assert_allclose(tensors["maps"] * np.float32(said["scales"]["maps"]), expected, atol=2e-3)
    assert (said["rows"], said["channels"], said["units"]) == ([3, 7], [4, 0], 5)
    strongest, _, _ = ask(record, "maps", row=3, layer="one")
    assert strongest["channels"] == expected_order(live, 3)


def expected_order(live: LiveModel, row: int) -> list[int]:
    with torch.no_grad():
        maps = live.model.one(live.batch(row).inputs)[0]  # type: ignore[operator, union-attr]
    return maps.flatten(1).amax(1).argsort(descending=True).tolist()


def test_the_effective_field_grows_with_its_examples_and_lies_in_its_box(record: Record) -> None:
    said, tensors, told = ask(record, "effective_field", layer="two", examples=20)
    assert (said["count"], said["total"], said["partial"]) == (20, 20, False)
    assert told == 3
    assert said["inside"] == pytest.approx(1)
    top, left, bottom, right = said["box"]
    assert (bottom - top, right - left) == (8, 8)
    outside = tensors["field"].copy()
    outside[top:bottom, left:right] = 0
    assert not outside.any()
    assert said["pixels"] == sorted(said["pixels"])


@pytest.mark.parametrize(
    ("question", "given", "of"),
    [
        ("effective_field", {"layer": "two", "examples": 20}, 8),
        ("places", {"layer": "relu()", "method": "pca", "examples": 20}, 64),
    ],
)
def test_memory_that_does_not_suffice_takes_fewer_examples_at_a_time_and_says_so(
    record: Record, question: str, given: dict[str, Any], of: int
) -> None:
    live = record.live
    assert isinstance(live, LiveModel)
    whole, expected, _ = ask(record, question, **given)
    assert whole["warnings"] == []

    def short(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if len(inputs[0]) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")

    handle = live.model.register_forward_pre_hook(short)
    try:
        said, tensors, _ = ask(record, question, **given)
    finally:
        handle.remove()
    size = 2 if of == 8 else 3  # 8, 4, 2; 20 of the 64, 10, 5, 3
    assert said["warnings"] == [f"Memory did not suffice for {of} examples at a time: {size} were used."]
    assert (said["count"], said["total"], said["partial"]) == (20, 20, False)
    for name, values in expected.items():
        np.testing.assert_allclose(np.abs(tensors[name]), np.abs(values), rtol=2e-3, atol=1e-5)


def test_any_number_of_examples_lies_where_the_principal_components_of_the_layer_put_them(record: Record) -> None:
    said, tensors, partial = ask(record, "places", layer="relu()", method="pca", examples=10)
    assert tensors["rows"].tolist() == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
    assert (said["count"], said["total"], said["units"], said["kept"], said["partial"]) == (10, 10, 5, 5, False)
    live = record.live
    assert isinstance(live, LiveModel)
    images = live.batch(*tensors["rows"].tolist()).inputs
    assert isinstance(images, Tensor)
    pooled = torch.relu(live.model.one(images)).mean((2, 3)).detach().double()
    _, sizes, axes = torch.linalg.svd(pooled - pooled.mean(0), full_matrices=False)
    expected = (pooled - pooled.mean(0)) @ axes[:2].T
    assert np.abs(tensors["places"]) == pytest.approx(expected.abs().numpy(), abs=1e-5)
    assert said["explained"] == pytest.approx((sizes[:2] ** 2 / (sizes**2).sum()).tolist())
    assert partial == 1


def test_the_sample_of_the_record_is_placed_without_a_pass(record: Record) -> None:
    said, tensors, partial = ask(record, "places", layer="head", method="pca")
    index = next(one.index for one in record.panel("similarity").layers if one.name == "head")  # type: ignore[union-attr]
    assert tensors["places"] == pytest.approx(record.array("similarity", f"{index}.principal"), abs=1e-6)
    assert (said["count"], partial) == (20, 0)


@pytest.mark.parametrize(
    ("name", "given", "error", "words"),
    [
        ("maps", {"row": 3, "layer": "head"}, MethodError, "has no maps"),
        ("maps", {"row": 3, "layer": "one", "channel": 5}, OptionError, "5 channels, 0 to 4"),
        ("maps", {"row": 99, "layer": "one"}, RecordError, "no row 99"),
        ("maps", {"row": 3, "layer": "on"}, MethodError, "Nearest names: one"),
        ("effective_field", {"layer": "head"}, MethodError, "middle of maps"),
        ("effective_field", {"layer": "one", "examples": 0}, OptionError, "1 to 4096"),
        ("places", {"layer": "nowhere"}, RecordError, "no examples in the space"),
        ("places", {"layer": "nowhere", "examples": 9, "method": "pca"}, LayerError, "no layer 'nowhere'"),
        ("places", {"layer": "head", "examples": 20001}, OptionError, "0 to 20,000; got 20001"),
    ],
)
def test_what_cannot_be_answered_says_why(
    record: Record, name: str, given: dict[str, Any], error: type[PellucidError], words: str
) -> None:
    with pytest.raises(error, match=words):
        ask(record, name, **given)


def test_the_stored_views_hold_what_the_functions_give(record: Record) -> None:
    panel = record.panel("mapping")
    assert [pool.kind for pool in panel.pools] == ["max", "average"]  # type: ignore[union-attr]
    assert record.array("mapping", "pool.0.rows").tolist() == [[2 * at, 2 * at + 1] for at in range(6)]
    layer = next(one for one in panel.layers if one.size == [8, 8])  # type: ignore[union-attr]
    assert record.array("mapping", f"{layer.index}.rows")[0].tolist() == [0, 7]
    space = record.panel("similarity")
    assert space.count == space.seen == 20  # type: ignore[union-attr]
    cka = record.array("similarity", "cka")
    np.testing.assert_allclose(np.diag(cka), 1, atol=1e-6)
    assert record.array("similarity", "rows").tolist() == list(range(20))


def test_the_model_is_left_as_it_was(record: Record) -> None:
    live = record.live
    assert isinstance(live, LiveModel)
    before = {name: value.clone() for name, value in live.model.state_dict().items()}  # type: ignore[union-attr]
    ask(record, "effective_field", layer="two", examples=8)
    after = live.model.state_dict()  # type: ignore[union-attr]
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(value.requires_grad and value.grad is None for value in live.model.parameters())  # type: ignore[union-attr]
    assert not any(module._forward_hooks for module in live.model.modules())  # type: ignore[union-attr]
    assert Path(record.path).exists()

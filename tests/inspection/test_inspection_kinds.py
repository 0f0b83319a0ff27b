"""One inspection of every kind of input and task: what is answered, and what is left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.data import Recipe, open_data
from support.inspected import column, numbers
from support.nets import digits, trained, untrained


class Two(nn.Module):
    """Takes two inputs, by place or by name."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(4, 3), nn.Linear(2, 3)

    def forward(self, left: Tensor, right: Tensor) -> dict[str, Tensor]:
        return {"hidden": left, "logits": torch.tanh(self.one(left)) + self.other(right)}


class Reader(nn.Module):
    """A small transformer over tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 16)
        self.body = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.head = nn.Linear(16, 4)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        hidden = self.body(self.embedding(input_ids), src_key_padding_mask=attention_mask == 0)
        logits: Tensor = self.head(hidden.mean(dim=1))
        return logits


@pytest.mark.parametrize("named", [False, True])
def test_inputs_may_be_tuples_or_dicts_and_logits_an_entry_of_the_output(named: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Two()
    left, right = numbers(12, 4), numbers(12, 2, seed=1)
    inputs = [{"left": a, "right": b} if named else (a, b) for a, b in zip(left, right, strict=True)]
    found = pellucid.inspect(
        model, [(one, row % 3) for row, one in enumerate(inputs)], out=tmp_path / "net", batch_size=5
    )
    expected = model(left, right)["logits"].argmax(dim=1)
    assert found.examples()["prediction"].to_pylist() == expected.tolist()
    names = ("left", "right") if named else ("0", "1")
    _, tensors = found.focus(3)
    for name, values in zip(names, (left, right), strict=True):
        scale = found.focus(3)[0].scales[f"input.{name}.values"]
        np.testing.assert_allclose(tensors[f"input.{name}.values"] * scale, values[3], atol=2e-3 * scale)
        assert np.abs(tensors[f"input.{name}.gradient"]).max() > 0
    assert found.examples()["media"].null_count == 12


def test_a_transformer_over_tokens_is_inspected_and_its_tokens_have_no_gradient(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tokens = torch.randint(0, 20, (10, 9), generator=torch.Generator().manual_seed(2))
    mask = torch.ones(9, dtype=torch.int64)
    items = [{"input_ids": row, "attention_mask": mask, "label": place % 4} for place, row in enumerate(tokens)]
    model = Reader().eval()
    found = pellucid.inspect(model, items, out=tmp_path / "net", batch_size=4)
    with torch.no_grad():
        expected = model(tokens, mask.expand(10, 9)).argmax(dim=1)
    assert found.examples()["prediction"].to_pylist() == expected.tolist()
    layers = {layer.name: layer for layer in found.panel("graph").layers}  # type: ignore[union-attr]
    assert layers["embedding"].layout == "tokens"
    focus, tensors = found.focus(0)
    assert "input.input_ids.gradient" not in tensors
    embedded = next(layer for layer in focus.layers if layer.name == "embedding")
    assert embedded.gradient_norm is not None
    assert embedded.gradient_norm > 0
    assert embedded.cam == "its 9 tokens are no patches of an image"  # nine, but words


def test_a_stream_of_unknown_length_is_counted_at_its_end(tmp_path: Path) -> None:
    class Stream:
        def __iter__(self) -> Iterator[tuple[Tensor, int]]:
            images, labels = digits("test")
            return ((images[row], int(labels[row])) for row in range(30))

    heard: list[int | None] = []
    found = pellucid.inspect(
        trained(), Stream(), out=tmp_path / "net", batch_size=8, progress=lambda *told: heard.append(told[2])
    )
    assert heard[:5] == [None] * 5
    assert found.manifest.data is not None
    assert (found.manifest.data.examples, found.manifest.examples, len(found.examples())) == (30, 30, 30)
    once = pellucid.inspect(trained(), iter(Stream()), out=tmp_path / "once", limit=9)
    assert once.manifest.examples == 9


def test_a_regression_has_squared_errors(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    inputs, targets = numbers(20, 4), numbers(20, seed=1)
    items = [
        (one, float(target) if row else None) for row, (one, target) in enumerate(zip(inputs, targets, strict=True))
    ]
    found = pellucid.inspect(model, items, out=tmp_path / "net")
    with torch.no_grad():
        outputs = model(inputs)[:, 0].double()
    assert found.manifest.task == "regression"
    np.testing.assert_allclose(column(found, "output"), outputs.numpy(), rtol=1e-6)
    errors = ((outputs - targets) ** 2).numpy()
    np.testing.assert_allclose(column(found, "loss")[1:], errors[1:], rtol=1e-5)
    loss = found.panel("loss")
    assert (loss.name, loss.count) == ("squared error", 19)  # type: ignore[union-attr]
    np.testing.assert_allclose(loss.mean, errors[1:].mean(), rtol=1e-5)  # type: ignore[union-attr]
    assert found.panel("accuracy").accuracy is None  # type: ignore[union-attr]


def test_examples_without_targets_are_inspected_without_a_loss(tmp_path: Path) -> None:
    images, _ = digits("test")
    found = pellucid.inspect(trained(), images[:20], out=tmp_path / "net", chosen=6)
    table = found.examples()
    assert table["target"].null_count == table["loss"].null_count == table["rank"].null_count == 20
    assert table["prediction"].null_count == 0
    assert found.panel("loss").mean is None  # type: ignore[union-attr]
    assert found.panel("accuracy").accuracy is None  # type: ignore[union-attr]
    assert found.panel("activations").count == 20
    assert len(found.focused) == 6


def test_a_single_logit_is_two_classes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, inputs = nn.Linear(4, 1), numbers(20, 4)
    found = pellucid.inspect(
        model, [(one, row % 2) for row, one in enumerate(inputs)], out=tmp_path / "net", classes=["no", "yes"]
    )
    with torch.no_grad():
        probability = model(inputs)[:, 0].double().sigmoid()
    assert found.manifest.task == "classification"
    assert found.examples()["prediction"].to_pylist() == (probability > 0.5).int().tolist()
    expected = torch.where(torch.arange(20) % 2 == 1, probability, 1 - probability).log().neg()
    np.testing.assert_allclose(column(found, "loss"), expected.numpy(), rtol=1e-6)


def test_an_output_that_is_no_score_is_kept_as_no_task(tmp_path: Path) -> None:
    model = nn.Conv2d(1, 2, 3, padding=1)
    found = pellucid.inspect(
        model, list(zip(*(part[:6] for part in digits("test")), strict=True)), out=tmp_path / "net"
    )
    assert found.manifest.task == "none"
    assert found.state == "complete"
    assert found.panel("loss").name == "none"  # type: ignore[union-attr]


class Undefined(nn.Module):
    """A classifier whose logits are NaN for the brightest images and infinite for the darkest."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.net, self.low, self.high = trained(), low, high

    def forward(self, images: Tensor) -> Tensor:
        logits = self.net(images)
        brightness = images.mean(dim=(1, 2, 3))
        logits = torch.where((brightness > self.high)[:, None], float("nan"), logits)
        return torch.where((brightness < self.low)[:, None], float("inf"), logits)


def test_logits_that_are_no_numbers_are_recorded_counted_and_found(tmp_path: Path) -> None:
    images, labels = digits("test")
    brightness = images[:60].mean(dim=(1, 2, 3))
    ordered = brightness.sort().values
    model = Undefined(float(ordered[3]), float(ordered[-5]))
    dark, bright = brightness < model.low, brightness > model.high
    rows = (dark | bright).nonzero()[:, 0].tolist()
    found = pellucid.inspect(
        model, list(zip(images[:60], labels[:60], strict=True)), out=tmp_path / "net", batch_size=8, chosen=60
    )
    table = found.examples()
    lost = len(rows)
    assert min(int(dark.sum()), int(bright.sum())) >= 2
    assert [row for row, undefined in enumerate(table["nonfinite"].to_pylist()) if undefined] == rows
    for name in ("prediction", "loss", "confidence", "entropy", "margin", "rank", "top_classes", "top_probabilities"):
        assert [row for row, value in enumerate(table[name].to_pylist()) if value is None] == rows, name
    assert table["target"].null_count == 0
    assert found.manifest.nonfinite == found.summary().nonfinite == lost
    assert found.panel("predictions").nonfinite == lost  # type: ignore[union-attr]
    loss, accuracy = found.panel("loss"), found.panel("accuracy")
    assert (loss.count, loss.nonfinite, accuracy.count) == (60 - lost, lost, 60 - lost)  # type: ignore[union-attr]
    finding = next(one for one in found.findings if one.kind == "nonfinite-output")
    assert finding.sentence == f"The model's output is NaN or infinite for {lost} of 60 examples."
    assert finding.selection == {"rows": ",".join(map(str, rows))}
    assert {found.focus(row)[0].prediction for row in rows} == {None}
    assert {found.focus(row)[0].score for row in rows} == {None}
    assert found.verify() == []


def test_labels_choose_what_is_explained_and_an_index_explains_one_class(tmp_path: Path) -> None:
    items = list(zip(*(part[:12] for part in digits("test")), strict=True))
    by_label = pellucid.inspect(untrained(), items, out=tmp_path / "label", target="label")
    by_class = pellucid.inspect(untrained(), items, out=tmp_path / "class", target=7)
    assert [by_label.focus(row)[0].explained for row in range(12)] == [int(label) for _, label in items]
    assert {by_class.focus(row)[0].explained for row in range(12)} == {7}
    with torch.no_grad():
        logits = untrained()(torch.stack([image for image, _ in items]))
    scores = [by_class.focus(row)[0].score for row in range(12)]
    np.testing.assert_allclose(scores, logits[:, 7].numpy(), rtol=1e-5, atol=1e-6)


def test_only_the_asked_lenses_answer(tmp_path: Path) -> None:
    items = list(zip(*(part[:12] for part in digits("test")), strict=True))
    found = pellucid.inspect(untrained(), items, out=tmp_path / "net", lenses=["accuracy", "graph"])
    assert set(found.panels) == {"accuracy", "graph"}
    assert [stage.name for stage in found.manifest.stages] == ["trace", "sweep"]
    assert len(found.examples()) == 12


def test_folders_under_the_models_names_get_the_models_indices(tmp_path: Path) -> None:
    from PIL import Image

    images, labels = digits("test")
    for row in range(40):
        place = tmp_path / "photos" / {7: "Seven", 3: "THREE"}.get(int(labels[row]), "")
        if place.name != "photos":
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray((images[row, 0].numpy() * 255).astype(np.uint8)).save(place / f"{row}.png")
    names = ["zero", "one", "two", "three, III", "four", "five", "six", "seven", "eight", "nine"]
    found = pellucid.inspect(
        trained(),
        open_data(str(tmp_path / "photos"), recipe=Recipe(grayscale=True)),
        out=tmp_path / "net",
        classes=names,
    )
    table = found.examples()
    assert set(table["target"].to_pylist()) == {3, 7}
    for name, target in zip(table["id"].to_pylist(), table["target"].to_pylist(), strict=True):
        assert name.startswith("Seven" if target == 7 else "THREE")
    assert found.manifest.data is not None
    assert found.manifest.data.classes == names

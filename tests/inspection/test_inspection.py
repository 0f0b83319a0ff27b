"""An inspection counts its passes, says what a bare loop would say, and leaves the model alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.data import Recipe, open_data
from pellucid.errors import (
    DataError,
    ForwardError,
    ModelError,
    OptionError,
    RecordError,
    TargetError,
    UnreadableError,
)
from pellucid.lenses import available
from pellucid.models.fingerprint import fingerprint
from pellucid.record import Record
from support.inspected import BATCH, SIZE, column, hundred_digits
from support.nets import TinyNet, digits, trained, untrained


@pytest.fixture(scope="module")
def model() -> TinyNet:
    return trained()


@pytest.fixture(scope="module")
def record(model: TinyNet, tmp_path_factory: pytest.TempPathFactory) -> Record:
    return hundred_digits(model, tmp_path_factory.mktemp("inspected") / "tiny.pellucid")


# --- passes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "batch", "chosen", "sweep", "focus"),
    [(40, 16, 20, 3, (3, 20)), (40, 40, 16, 1, (2, 16)), (5, 2, 48, 3, (3, 5)), (9, 3, 0, 3, (0, 0))],
)
def test_every_pass_is_counted_and_none_is_hidden(
    size: int, batch: int, chosen: int, sweep: int, focus: tuple[int, int], tmp_path: Path
) -> None:
    model = trained()
    calls: list[int] = []
    # What a forward leaves behind in the model is taken back where parameter gradients are taken: a hook counts outside.
    model.register_forward_pre_hook(lambda module, given: calls.append(1))
    images, labels = digits("test")
    found = pellucid.inspect(
        model,
        list(zip(images[:size], labels[:size], strict=True)),
        out=tmp_path / "net",
        batch_size=batch,
        chosen=chosen,
    )
    spent = {stage.name: stage for stage in found.manifest.stages}
    assert list(spent) == ["trace", "sweep", "features", "focus", "learn"]
    assert (spent["sweep"].forward, spent["sweep"].forward_examples, spent["sweep"].backward) == (sweep, size, 0)
    assert (spent["focus"].forward, spent["focus"].forward_examples) == focus
    assert (spent["focus"].backward, spent["focus"].backward_examples) == focus
    learned = found.panel("learning").count
    known = np.bincount(labels[:size])
    # All, for there are fewer than the sample holds: of classes with four or more, or together where there is none.
    assert learned == (known[known >= 4].sum() or size)
    learn = spent["learn"]
    assert (learn.forward_examples, learn.backward_examples) == (learned, learned)
    assert learn.forward == learn.backward == -(-learned // 32)
    crops = spent["features"]
    assert 0 < crops.examples <= size
    assert (crops.forward, crops.backward, crops.state) == (0, 0, "complete")
    assert [spent[name].examples for name in ("trace", "sweep", "focus", "learn")] == [
        0,
        size,
        min(chosen, size),
        learned,
    ]
    # The network counts for itself; the trace ran it once more, on tensors without values.
    assert len(calls) == 1 + sum(stage.forward for stage in spent.values())
    # Of the gradients by the parameters it sees one example a forward, which stands for all that are computed side by side.
    seen = sum(stage.forward_examples for stage in spent.values()) - learned
    assert model.seen == 1 + seen + learn.forward
    assert found.manifest.chosen == len(found.focused) == min(chosen, size)


def test_progress_is_heard_after_every_batch(tmp_path: Path) -> None:
    heard: list[tuple[str, int, int | None]] = []
    pellucid.inspect(
        untrained(),
        list(zip(*(part[:20] for part in digits("test")), strict=True)),
        out=tmp_path / "net",
        batch_size=8,
        chosen=10,
        progress=lambda stage, done, total: heard.append((stage, done, total)),
    )
    sweep = [("sweep", done, 20) for done in (0, 8, 16, 20)]
    assert heard == [*sweep, ("focus", 8, 10), ("focus", 10, 10), ("learn", 9, 9)]


# --- numbers -------------------------------------------------------------------------------------------------------


def test_the_examples_table_says_what_a_bare_loop_says(model: TinyNet, record: Record) -> None:
    images, labels = digits("test")
    with torch.no_grad():
        logits = torch.cat([model(part) for part in images[:SIZE].split(BATCH)]).double()
    log_probabilities = logits.log_softmax(dim=1)
    probabilities, order = log_probabilities.exp().sort(dim=1, descending=True, stable=True)
    table = record.examples()
    assert table["row"].to_pylist() == list(range(SIZE))
    assert table["id"].to_pylist() == [str(row) for row in range(SIZE)]
    assert table["target"].to_pylist() == [None] * 6 + labels[6:SIZE].tolist()
    assert table["prediction"].to_pylist() == logits.argmax(dim=1).tolist()
    losses = -log_probabilities.gather(1, labels[:SIZE, None])[:, 0]
    assert table["loss"].to_pylist()[:6] == [None] * 6
    np.testing.assert_allclose(column(record, "loss")[6:], losses[6:].numpy(), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(column(record, "confidence"), probabilities[:, 0].float().numpy(), rtol=1e-6)
    margins = (probabilities[:, 0] - probabilities[:, 1]).float()
    np.testing.assert_allclose(column(record, "margin"), margins.numpy(), rtol=1e-5, atol=1e-7)
    entropy = -(log_probabilities.exp() * log_probabilities).sum(dim=1)
    np.testing.assert_allclose(column(record, "entropy"), entropy.float().numpy(), rtol=1e-5, atol=1e-7)
    assert np.array_equal(np.stack(table["top_classes"].to_pylist()), order[:, :5].numpy())
    ranks = (logits > logits.gather(1, labels[:SIZE, None])).sum(dim=1)
    assert table["rank"].to_pylist() == [None] * 6 + ranks[6:].tolist()
    assert not any(table["nonfinite"].to_pylist())
    assert len({name for name in table["media"].to_pylist() if record.media(name)}) > 90


def test_the_panels_rest_on_the_same_examples(model: TinyNet, record: Record) -> None:
    known = ~record.examples()["target"].is_null().to_numpy()
    right = (column(record, "target") == column(record, "prediction"))[known]
    accuracy, loss = record.panel("accuracy"), record.panel("loss")
    assert (accuracy.count, accuracy.correct) == (94, int(right.sum()))  # type: ignore[union-attr]
    np.testing.assert_allclose(loss.mean, column(record, "loss")[known].mean(), rtol=1e-12)  # type: ignore[union-attr]
    confusion = record.panel("confusion")
    pairs = sorted(zip(confusion.rows, confusion.columns, confusion.counts, strict=True))  # type: ignore[union-attr]
    cells, counts = np.unique(
        np.stack([column(record, "target")[known], column(record, "prediction")[known]], axis=1),
        axis=0,
        return_counts=True,
    )
    assert pairs == [(int(true), int(said), int(count)) for (true, said), count in zip(cells, counts, strict=True)]
    assert record.panel("predictions").without_target == 6  # type: ignore[union-attr]
    # Crops are cut after the lenses, from what the activations lens kept.
    assert set(record.panels) == {*available(), "features"}


def test_activations_are_those_of_the_layer_over_all_examples(model: TinyNet, record: Record) -> None:
    images, _ = digits("test")
    with torch.no_grad():
        values = model.features(images[:SIZE])  # the last captured layer of the features
    layer = next(one for one in record.panel("activations").layers if one.name == "features.6")  # type: ignore[union-attr]
    assert layer.values == values.numel()
    np.testing.assert_allclose([layer.mean, layer.std], [float(values.mean()), float(values.std())], rtol=1e-3)
    np.testing.assert_allclose([layer.minimum, layer.maximum], [float(values.min()), float(values.max())], rtol=1e-5)
    strongest = values.amax(dim=(2, 3))
    rows = record.array("activations", f"{layer.index}.top_rows")
    assert np.array_equal(rows[:, 0], strongest.argmax(dim=0).numpy())
    places = record.array("activations", f"{layer.index}.top_positions")
    for unit in range(16):
        assert places[unit, 0] == int(values[rows[unit, 0], unit].flatten().argmax())


def test_the_same_inspection_gives_the_same_bytes_and_another_seed_chooses_others(tmp_path: Path) -> None:
    def inspected(name: str, seed: int) -> Record:
        items = list(zip(*(part[:80] for part in digits("test")), strict=True))
        return pellucid.inspect(untrained(), items, out=tmp_path / name, chosen=20, seed=seed)

    first, second, other = inspected("a", 0), inspected("b", 0), inspected("c", 1)
    for name in first.panels:
        path = f"panels/{name}.json"
        assert (first.path / path).read_bytes() == (second.path / path).read_bytes()
    assert first.focused == second.focused
    assert first.focused != other.focused


# --- the model stays as it was -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_left_as_it_was_also_after_an_error(fails: bool, tmp_path: Path) -> None:
    model = trained().train()
    model.classifier[1].weight.requires_grad_(False)
    handle = model.features[0].register_forward_hook(lambda module, inputs, output: None)
    model.classifier[4].weight.grad = torch.ones_like(model.classifier[4].weight)
    before, state = fingerprint(model), torch.get_rng_state()
    images, labels = digits("test")
    items: list[Any] = list(zip(images[:20], labels[:20], strict=True))
    if fails:
        items[15] = (images[15], 12)
        with pytest.raises(DataError, match="The label of 15 is 12, but the model has 10 outputs"):
            pellucid.inspect(model, items, out=tmp_path / "net", batch_size=4)
    else:
        pellucid.inspect(model, items, out=tmp_path / "net", batch_size=4)
    assert fingerprint(model) == before
    assert torch.equal(torch.get_rng_state(), state)
    assert all(module.training for module in model.modules())
    assert [name for name, one in model.named_parameters() if not one.requires_grad] == ["classifier.1.weight"]
    assert list(model.features[0]._forward_hooks) == [handle.id]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.classifier.modules())
    assert torch.equal(model.classifier[4].weight.grad, torch.ones_like(model.classifier[4].weight))
    assert sum(one.grad is not None for one in model.parameters()) == 1


def test_a_model_in_training_mode_is_inspected_in_evaluation_mode(tmp_path: Path) -> None:
    items = list(zip(*(part[:20] for part in digits("test")), strict=True))
    first = pellucid.inspect(trained().train(), items, out=tmp_path / "a")
    second = pellucid.inspect(trained().eval(), items, out=tmp_path / "b")
    assert first.examples().equals(second.examples())


# --- refusals ------------------------------------------------------------------------------------------------------


class Failing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 2)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.inner(images)
        return logits


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"classes": ["a", "b"]}, ModelError, r"There are 2 class names \(a, b, ...\) but the model has 10 outputs"),
        ({"lenses": ["loss", "taste"]}, OptionError, "There is no lens 'taste'. Installed lenses: accuracy, "),
        ({"batch_size": 0}, OptionError, "batch size must be at least 1; got 0"),
        ({"limit": 0}, OptionError, "limit must be at least 1 example; got 0"),
        ({"chosen": -1}, OptionError, "must be 0 or more; got -1"),
        ({"target": "truth"}, OptionError, "'prediction', 'label' or a class index >= 0; got 'truth'"),
        ({"target": -2}, OptionError, "a class index >= 0; got -2"),
        ({"target": 10}, TargetError, "The model has 10 outputs, 0 to 9; there is no output 10"),
        ({"device": "warp"}, OptionError, "There is no device 'warp'"),
        ({"device": "meta"}, OptionError, "'meta' has no numbers to inspect"),
    ],
)
def test_what_cannot_be_right_is_refused_in_words(
    settings: dict[str, Any], error: type[Exception], words: str, tmp_path: Path
) -> None:
    items = list(zip(*(part[:12] for part in digits("test")), strict=True))
    with pytest.raises(error, match=words):
        pellucid.inspect(untrained(), items, out=tmp_path / "net", **settings)


def test_a_model_that_raises_is_refused_with_the_shapes_and_the_record_says_so(tmp_path: Path) -> None:
    items = list(zip(*(part[:12] for part in digits("test")), strict=True))
    with pytest.raises(ForwardError, match=r"The model raised in its own forward: .*the first example, 0"):
        pellucid.inspect(Failing(), items, out=tmp_path / "net")
    left = Record(tmp_path / "net")
    assert left.state == "failed"
    assert left.manifest.error is not None
    assert left.manifest.error.startswith("The model raised in its own forward")


def test_labels_are_needed_where_they_are_to_be_explained(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="target='label' needs examples with a class as their target"):
        pellucid.inspect(untrained(), digits("test")[0][:12], out=tmp_path / "net", target="label")


def test_a_model_that_fails_half_way_keeps_what_was_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pellucid.inspection.run.PART_EXAMPLES", 16)
    images, labels = digits("test")
    items: list[Any] = list(zip(images[:40], labels[:40], strict=True))
    items[35] = (images[35], 11)
    with pytest.raises(DataError, match="The label of 35 is 11"):
        pellucid.inspect(untrained(), items, out=tmp_path / "net", batch_size=8)
    left = Record(tmp_path / "net")
    assert (left.state, left.manifest.examples, len(left.examples())) == ("failed", 32, 32)
    assert left.panels == ["graph", "weights", "mapping"]
    assert left.verify() == []


def test_unreadable_images_are_refused_or_counted_in_the_record(tmp_path: Path) -> None:
    from PIL import Image

    images, labels = digits("test")
    for row in range(24):
        place = tmp_path / "photos" / str(int(labels[row]))
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray((images[row, 0].numpy() * 255).astype(np.uint8)).save(place / f"{row}.png")
    bad = sorted((tmp_path / "photos").rglob("*.png"))[5]
    bad.write_text("no image")
    name = bad.relative_to(tmp_path / "photos").as_posix()
    model = trained()
    with pytest.raises(UnreadableError, match=name):
        pellucid.inspect(
            model, open_data(str(tmp_path / "photos"), recipe=Recipe(grayscale=True)), out=tmp_path / "net"
        )
    source = open_data(str(tmp_path / "photos"), recipe=Recipe(grayscale=True), skip_bad=True)
    found = pellucid.inspect(model, source, out=tmp_path / "net", overwrite=True)
    assert [(entry.id, entry.reason) for entry in found.manifest.skipped] == [
        (name, "it is no image of a known format")
    ]
    assert (found.manifest.examples, found.summary().skipped) == (23, 1)


def test_a_record_that_is_there_is_not_overwritten_unasked(tmp_path: Path) -> None:
    items = list(zip(*(part[:12] for part in digits("test")), strict=True))
    first = pellucid.inspect(untrained(), items, out=tmp_path / "net")
    before = first.manifest.created
    with pytest.raises(RecordError):
        pellucid.inspect(untrained(), items, out=tmp_path / "net")
    assert Record(tmp_path / "net").manifest.created == before
    assert pellucid.inspect(untrained(1), items, out=tmp_path / "net", overwrite=True).state == "complete"

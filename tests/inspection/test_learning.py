"""How the layers learn, in a record and on demand: the numbers of a plain loop, and the words where there are none."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.data import open_data
from pellucid.errors import OptionError, RecordError, TargetError
from pellucid.inspection import learning
from pellucid.inspection.live import LiveModel
from pellucid.inspection.live.learning import LearningOf
from pellucid.record import Record
from pellucid.record.schema import LearningPanel
from support.nets import digits, trained


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return pellucid.inspect(trained(), open_data("digits:test"), out=tmp_path_factory.mktemp("net") / "net", chosen=2)


def panel_of(record: Record) -> LearningPanel:
    panel = record.panel("learning")
    assert isinstance(panel, LearningPanel)
    return panel


def by_hand(rows: list[int]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Modules, and gradients of a plain loop as float64[example value], with where each module's values begin and end."""
    model = copy.deepcopy(trained()).eval()
    images, labels = digits("test")
    found = []
    for row in rows:
        model.zero_grad()
        nn.functional.cross_entropy(model(images[row : row + 1]), labels[row : row + 1]).backward()
        found.append(torch.cat([one.grad.reshape(-1) for one in model.parameters() if one.grad is not None]).double())
    names = list(dict.fromkeys(name.rpartition(".")[0] for name, _ in model.named_parameters()))
    sizes = [sum(one.numel() for one in model.get_submodule(name).parameters()) for name in names]
    return names, torch.stack(found).numpy(), np.cumsum([0, *sizes])


def test_norms_and_cosines_are_those_of_a_plain_loop(record: Record) -> None:
    panel = panel_of(record)
    rows = record.array("learning", "rows").tolist()
    names, gradients, ends = by_hand(rows)
    assert [layer.name for layer in panel.layers] == names
    assert (panel.count, panel.covered, panel.way, panel.why) == (len(rows), 1.0, "vmap", "")
    norms = np.stack([np.linalg.norm(gradients[:, ends[at] : ends[at + 1]], axis=1) for at in range(len(names))], 1)
    np.testing.assert_allclose(record.array("learning", "norms"), norms, rtol=1e-4, atol=1e-7)
    places = record.array("learning", "places")
    labels = digits("test")[1][rows].numpy()
    assert np.array_equal([panel.classes[place].index for place in places], labels)
    # All layers fit into the sketch: cosines are exact.
    assert all(layer.kept == layer.parameters and layer.deviation == 0 for layer in panel.layers)
    unit = gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
    cosine = record.array("learning", "cosine")[-1]
    for one, other in ((0, 1), (5, 8), (3, 3)):
        pairs = [[unit[i] @ unit[j] for i in np.flatnonzero(labels == a) for j in np.flatnonzero(labels == b) if i != j]
                 for a, b in ((one, other), (one, one), (other, other))]  # fmt: skip
        between, own, its = map(np.mean, pairs)
        expected = 1.0 if one == other else np.clip(between / np.sqrt(own * its), -1, 1)
        assert cosine[one, other] == pytest.approx(expected, abs=1e-3)
    shares = np.array([entry.examples for entry in panel.classes]) / 540
    squares = (gradients**2).sum(1)
    within = 0.0
    means = [gradients[labels == name] for name in range(10)]
    squared = 0.0
    for one in range(10):
        for other in range(10):
            products = means[one] @ means[other].T
            value = (
                (products.sum() - np.trace(products)) / (len(products) * (len(products) - 1))
                if one == other
                else products.mean()
            )
            squared += shares[one] * shares[other] * value
            within += shares[one] * value * (one == other)
    # The shares are those of 540 examples: what chance in them adds is taken off.
    squared -= (within - squared) / (540 - 1)
    trace = sum(shares[name] * squares[labels == name].mean() for name in range(10)) - squared
    assert panel.noise is not None
    assert panel.noise.squared_mean == pytest.approx(squared, rel=1e-3)
    assert panel.noise.trace == pytest.approx(trace, rel=1e-4)
    share = (norms**2).sum(0) / (norms**2).sum()
    np.testing.assert_allclose([layer.share for layer in panel.layers], share, rtol=1e-4)
    relative = np.sqrt((norms**2).mean(0))
    np.testing.assert_allclose([layer.relative * layer.weight_norm for layer in panel.layers], relative, rtol=1e-4)  # type: ignore[operator]


def test_a_sketch_too_small_for_a_layer_says_how_much_it_errs(record: Record, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning, "KEPT", 2048)
        small = pellucid.inspect(trained(), open_data("digits:test"), out=tmp_path / "net", chosen=0,
                                 lenses=["predictions", "loss", "learning"])  # fmt: skip
    exact, sketched = panel_of(record), panel_of(small)
    tight = [layer for layer in sketched.layers if layer.kept < layer.parameters]
    assert [layer.name for layer in tight] == ["features.4", "classifier.1"]
    for layer in tight:
        assert 0.4 / layer.kept**0.5 < layer.deviation < 2.5 / layer.kept**0.5
    for one, other in zip(exact.layers, sketched.layers, strict=True):
        assert other.mean_norm == pytest.approx(one.mean_norm, rel=1e-6)
    off = record.array("learning", "cosine")[-1] - small.array("learning", "cosine")[-1]
    assert 0 < float(np.nanstd(off)) < 0.15


def test_examples_are_asked_for_one_by_one(record: Record) -> None:
    live = LiveModel(record, trained(), open_data("digits:test"))
    rows = record.array("learning", "rows").tolist()
    asked = (rows[0], next(row for row in range(540) if row not in rows), rows[3])
    told: list[bytes] = []
    answer = LearningOf(row=asked).answer(live, lambda make: told.append(make()) is None)
    said: Any = answer.said
    assert (said.rows, said.way, said.partial) == (list(asked), "vmap", False)
    assert len(told) == 1
    _, gradients, ends = by_hand(list(asked))
    np.testing.assert_allclose(
        answer.tensors["norms"][:, -1], np.linalg.norm(gradients[:, ends[-2] :], axis=1), rtol=1e-4
    )
    unit = gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
    np.testing.assert_allclose(answer.tensors["between"], unit @ unit.T, atol=1e-4)
    # Of the sample, the mean of its class is without the example itself.
    _, every, _ = by_hand(rows)
    directions = every / np.linalg.norm(every, axis=1, keepdims=True)
    labels = digits("test")[1][rows].numpy()
    toward = answer.tensors["toward"]
    for place, row in ((0, asked[0]), (1, asked[1])):
        for name in range(10):
            others = directions[(labels == name) & (np.array(rows) != row)].mean(0)
            assert toward[place, name, -1] == pytest.approx(others @ unit[place] / np.linalg.norm(others), abs=3e-3)
    own = int(labels[0])
    assert toward[0, own, -1] == pytest.approx(float(record.array("learning", "agreement")[0]), abs=3e-3)


def test_questions_that_cannot_be_answered_say_why(record: Record, tmp_path: Path) -> None:
    live = LiveModel(record, trained(), open_data("digits:test"))
    with pytest.raises(OptionError, match="1 to 64 times; got 65"):
        LearningOf(row=tuple(range(65))).answer(live, lambda make: True)
    images, labels = digits("test")
    without = [
        (image, int(label) if place else None)
        for place, (image, label) in enumerate(zip(images[:80], labels[:80], strict=True))
    ]
    part = pellucid.inspect(trained(), without, out=tmp_path / "net", chosen=0, lenses=["predictions", "learning"])
    assert part.live is not None
    with pytest.raises(TargetError, match="The target of example '0' is not known"):
        LearningOf(row=(0,)).answer(part.live, lambda make: True)  # type: ignore[arg-type]
    bare = pellucid.inspect(trained(), without, out=tmp_path / "bare", chosen=0, lenses=["predictions"])
    assert [stage.name for stage in bare.manifest.stages] == ["trace", "sweep"]
    with pytest.raises(RecordError, match="keeps no gradients by the parameters"):
        LearningOf(row=(1,)).answer(bare.live, lambda make: True)  # type: ignore[arg-type]


class Hiding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = trained()

    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            found: Tensor = self.net(images)
        return found


def test_what_cannot_learn_is_refused_in_the_record_which_has_all_else(tmp_path: Path) -> None:
    images, labels = digits("test")
    examples = list(zip(images[:60], labels[:60], strict=True))
    hiding = panel_of(pellucid.inspect(Hiding(), examples, out=tmp_path / "hiding", chosen=0))
    assert "no gradient by the model's parameters" in hiding.refusal
    assert (hiding.count, hiding.layers, hiding.noise) == (0, [], None)
    unlabelled = pellucid.inspect(trained(), [(image, None) for image in images[:60]], out=tmp_path / "none", chosen=0)
    assert "Fewer than 4 examples" in panel_of(unlabelled).refusal
    assert unlabelled.manifest.state == "complete"


def test_examples_of_too_many_classes_are_looked_at_together(tmp_path: Path) -> None:
    images, labels = digits("test")
    few = [int(row) for name in range(10) for row in torch.nonzero(labels == name)[:2]]
    found = pellucid.inspect(
        trained(), [(images[row], int(labels[row])) for row in few], out=tmp_path / "few", chosen=0
    )
    panel = panel_of(found)
    assert [(one.index, one.count, one.examples) for one in panel.classes] == [(-1, 20, 20)]
    rows = [few[row] for row in found.array("learning", "rows")]
    _, gradients, _ = by_hand(rows)
    mean, squares = gradients.mean(0), (gradients**2).sum(1)
    assert panel.noise is not None
    assert panel.noise.trace == pytest.approx(20 / 19 * (squares.mean() - mean @ mean), rel=1e-4)
    assert panel.noise.squared_mean == pytest.approx((20 * mean @ mean - squares.mean()) / 19, rel=1e-3, abs=1e-6)
    assert found.live is not None
    answer = LearningOf(row=(0, 3)).answer(found.live, lambda make: True)  # type: ignore[arg-type]
    assert answer.tensors["toward"].shape == (2, 1, len(panel.layers) + 1)


@pytest.mark.parametrize(("asked", "taken"), [(100, 100), (20, 20), (0, None)])
def test_as_many_examples_are_taken_as_were_asked_for(asked: int, taken: int | None, tmp_path: Path) -> None:
    found = pellucid.inspect(
        trained(), open_data("digits:test"), out=tmp_path / "net", chosen=0, learned=asked, lenses=["loss", "learning"]
    )
    assert found.manifest.options["learned"] == asked
    if taken is None:
        assert "learning" not in found.panels
        assert "learn" not in [stage.name for stage in found.manifest.stages]
        return
    assert panel_of(found).count == taken
    spent = next(stage for stage in found.manifest.stages if stage.name == "learn")
    assert (spent.forward_examples, spent.backward_examples) == (taken, taken)


def test_the_sample_grows_with_the_data_within_bounds_and_costs_a_tenth_of_the_sweep() -> None:
    small = [learning.sample_size(number, 77_000_000, 290_000) for number in (0, 540, 5000, 10_000, 1_000_000)]
    assert small[:2] == [64, 64]
    assert 64 < small[2] < small[3] < 256 == small[4]
    # Of a large model few, however few the data are; never too few to say anything.
    assert learning.sample_size(100, 31_000_000_000, 138_000_000) == 16
    assert 16 < learning.sample_size(8192, 74_000_000, 11_000_000) < 64
    assert learning.sample_size(300, None, 1000) == 64


def test_parameters_behind_parametrizations_are_of_the_layer_that_has_them() -> None:
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)))
    assert {learning.module_of(name) for name, _ in model.named_parameters()} == {"0"}
    assert learning.module_of("cls_token") == ""


# --- other losses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("focal:gamma=2", "focal loss, gamma 2, nats"),
        ("cross-entropy:smoothing=0.2,weights=1/2/1/1/1/1/1/1/1/3", "cross-entropy, smoothing 0.2, weighted, nats"),
        ("hinge", "hinge loss, Crammer-Singer, logits"),
    ],
)
def test_gradients_are_those_of_the_loss_that_was_asked_for(spec: str, words: str, tmp_path: Path) -> None:
    lenses = ["loss", "learning"]
    record = pellucid.inspect(
        trained(),
        open_data("digits:test", limit=60),
        out=tmp_path / "net",
        lenses=lenses,
        loss=spec,
        chosen=1,
        learned=20,
    )
    panel = panel_of(record)
    assert (panel.loss, panel.refusal) == (words, "")
    rows, norms = record.array("learning", "rows").tolist(), record.array("learning", "norms")
    model = copy.deepcopy(trained()).eval()
    images, labels = digits("test")
    table = record.examples()["loss"].to_numpy()
    for place, row in enumerate(rows[:4]):
        model.zero_grad()
        logits, target = model(images[row : row + 1]).double(), int(labels[row])
        log_p = logits.log_softmax(1)[0]
        if spec == "hinge":
            others = torch.cat([logits[0, :target], logits[0, target + 1 :]])
            loss = (1 + others.max() - logits[0, target]).clamp(min=0)
        elif spec.startswith("focal"):
            loss = -((1 - log_p[target].exp()) ** 2) * log_p[target]
        else:
            weights = torch.tensor([1.0, 2, 1, 1, 1, 1, 1, 1, 1, 3], dtype=torch.float64)
            loss = -0.8 * weights[target] * log_p[target] - 0.2 * (weights * log_p).mean()
        loss.backward()
        assert loss.item() == pytest.approx(table[row], rel=1e-5, abs=1e-7)
        assert record.array("learning", "losses")[place] == pytest.approx(table[row], rel=1e-5, abs=1e-7)
        squares = [float(one.grad.double().square().sum()) for one in model.parameters() if one.grad is not None]
        assert float((norms[place].astype(np.float64) ** 2).sum()) == pytest.approx(sum(squares), rel=1e-3, abs=1e-9)
    # On demand they are of the record's loss too.
    live = LiveModel(record, trained(), open_data("digits:test", limit=60))
    answer = LearningOf(row=tuple(rows[:2])).answer(live, lambda make: True)
    np.testing.assert_allclose(answer.tensors["losses"], table[rows[:2]], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(answer.tensors["norms"], norms[:2], rtol=1e-4, atol=1e-7)


def test_of_a_loss_of_ones_own_there_are_no_gradients_and_the_record_says_why(tmp_path: Path) -> None:
    def own(outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(outputs, targets, reduction="none") ** 2

    record = pellucid.inspect(
        trained(),
        open_data("digits:test", limit=30),
        out=tmp_path / "net",
        lenses=["loss", "learning"],
        loss=own,
        chosen=1,
    )
    panel = panel_of(record)
    assert "a loss of your own. Give one of those by name" in panel.refusal
    assert panel.layers == []


class Masked(nn.Module):
    """Holds a parameter that training alone reads, as a mask, and one whose gradient is cut off."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self.mask, self.weight = nn.Parameter(torch.ones(64)), nn.Parameter(torch.ones(64))
        self.cut = cut
        if not cut:
            del self.weight

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        flat = images.flatten(1)
        return flat * self.weight.detach() if self.cut else flat.clone()


@pytest.mark.parametrize("cut", [False, True])
def test_parameters_that_no_forward_reads_are_not_said_to_have_no_gradient(cut: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(Masked(cut), nn.Linear(64, 10))
    record = pellucid.inspect(
        model, open_data("digits:test", limit=40), out=tmp_path / "net", lenses=["graph", "loss", "learning"], chosen=0
    )
    found = {one.kind: one.sentence for one in record.findings}
    assert "0.mask" in found["unused-parameters"]
    said = found.get("no-parameter-gradient")
    assert said == (
        None
        if not cut
        else f"None of {len(record.array('learning', 'rows'))} examples has any gradient by 0.weight (64 values): by this loss, "
        "in evaluation mode, training would not move them."
    )

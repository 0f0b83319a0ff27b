"""Whether a model suits data: pairs whose answer is known, wrong preparations that were planted, and what cannot be told."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pellucid.errors import DataError, OptionError
from pellucid.fitting import Fit, fit
from pellucid.fitting.labels import moved, places
from pellucid.fitting.probe import held_out, why_no_probe
from pellucid.fitting.variants import strangeness
from pellucid.fitting.writing import write_fit
from support.untouched import Untouched

pytestmark = pytest.mark.usefixtures("one_thread")

Pairs = list[tuple[Tensor, int | None]]
DIGITS = [str(number) for number in range(10)]


def digits() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    held = load_digits()
    order = np.random.default_rng(0).permutation(len(held.target))
    images = torch.tensor(held.images[order][:, None] / 16, dtype=torch.float32)
    return images, torch.tensor(held.target[order])


@pytest.fixture(scope="module")
def net() -> nn.Module:
    """A small network with batch normalisation that knows digits."""
    torch.manual_seed(0)
    images, targets = digits()
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
        nn.Flatten(), nn.Linear(96, 48), nn.ReLU(), nn.Linear(48, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(net.parameters(), 4e-3)
    for _ in range(6):
        for start in range(0, 1200, 64):
            loss = nn.functional.cross_entropy(net(images[start : start + 64]), targets[start : start + 64])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net.eval()


def pairs(start: int, end: int, change=lambda image: image, name=lambda target: target) -> Pairs:  # type: ignore[no-untyped-def]
    images, targets = digits()
    return [(change(images[row]), name(int(targets[row]))) for row in range(start, end)]


def asked(net: nn.Module, examples: Pairs, **named: object) -> Fit:
    return fit(net, examples, limit=300, **named)  # type: ignore[arg-type]


def suspected(found: Fit) -> list[str]:
    return [variant.name for variant in found.panel.variants if variant.suspected]


def test_the_task_that_it_was_trained_for_fits(net: nn.Module) -> None:
    before = Untouched(net)
    found = asked(net, pairs(1200, 1500), trained_on=pairs(0, 300))
    assert before.differences() == []
    assert found.verdict == "fits"
    assert suspected(found) == []
    own = found.panel.own
    assert own is not None
    assert own.correct == int((found.sample.logits.argmax(1) == found.sample.targets).sum())
    assert found.panel.layer == "11"
    assert found.panel.width == 48
    for score in found.panel.scores:
        assert score.interval is not None, score.why
        assert score.interval.low < 0.62, score.name  # unseen digits fit hardly worse than seen ones
        assert sum(score.data) == score.count == 300


@pytest.mark.parametrize(
    ("way", "change"),
    [
        ("divided by 255", lambda image: image * 255),
        ("light and dark exchanged", lambda image: 1 - image),
        ("0 to 1", lambda image: 2 * image - 1),
    ],
)
@pytest.mark.parametrize("labelled", [True, False])
def test_a_wrong_preparation_is_found_with_labels_and_without(
    net: nn.Module, way: str, change: object, labelled: bool
) -> None:
    found = asked(net, pairs(1200, 1500, change, (lambda target: target) if labelled else (lambda target: None)))
    assert found.verdict == "preprocess differently"
    assert way in suspected(found)
    assert found.panel.reasons[0].speaks_for == "preprocess differently"
    ways = {variant.name: variant for variant in found.panel.variants}
    if labelled:
        right, before = ways[way].correct, ways["as they are"].correct
        assert right is not None
        assert before is not None
        assert right > before
        assert (ways[way].fixed or 0) - (ways[way].broken or 0) == right - before
    else:
        assert ways[way].p_value is None
        assert (ways[way].strangeness or 0) < (ways["as they are"].strangeness or 0) / 5


def test_a_range_that_no_way_explains_is_still_told_by_the_model_s_memory(net: nn.Module) -> None:
    found = asked(net, pairs(1200, 1500, lambda image: 37 * image + 300, lambda target: None))
    assert found.verdict == "preprocess differently"
    assert "check the range" in found.panel.sentence


def test_other_classes_of_the_same_pictures_ask_for_a_new_head(net: nn.Module) -> None:
    found = fit(net, pairs(1200, 1797, name=lambda target: target % 2), classes=DIGITS)
    assert found.verdict == "retrain the head"
    probe = next(one for one in found.panel.probes if one.on == "features")
    assert probe.gain is not None
    assert probe.gain > 0
    assert [place.how for place in found.panel.labels] == ["none", "none"]


def test_labels_that_have_nothing_to_do_with_the_pictures_are_the_wrong_task(net: nn.Module) -> None:
    rng = np.random.default_rng(0)
    found = asked(net, pairs(1200, 1500, name=lambda target: int(rng.integers(0, 2))))
    assert found.verdict == "wrong task"


def test_pictures_of_another_world_do_not_look_like_the_training(net: nn.Module) -> None:
    rng = torch.Generator().manual_seed(0)
    noise: Pairs = [(torch.rand(1, 8, 8, generator=rng), None) for _ in range(200)]
    found = asked(net, noise, trained_on=pairs(0, 300))
    assert found.verdict == "cannot tell"
    area = {score.name: score for score in found.panel.scores}["Mahalanobis"]
    assert area.interval is not None
    assert area.interval.low > 0.9
    assert any("not what the model was trained on" in reason.sentence for reason in found.panel.reasons)


def test_without_a_reference_nothing_is_said_of_likeness(net: nn.Module) -> None:
    found = asked(net, pairs(1200, 1300))
    assert all(score.auroc is None and "--trained-on" in score.why for score in found.panel.scores)
    assert set(found.likeness.columns) == {"fit.confidence", "fit.energy"}


def test_what_cannot_be_probed_says_why(net: nn.Module) -> None:
    assert why_no_probe(np.array([-1, -1])) == "the data has no labels"
    assert why_no_probe(np.zeros(9, int)) == "all labels are the same class"
    assert "a class has 2 examples" in why_no_probe(np.array([0] * 20 + [1] * 2))
    found = asked(net, pairs(1200, 1300, name=lambda target: 3))
    assert found.panel.probes == []
    assert any("all labels are the same class" in reason.sentence for reason in found.panel.reasons)


def test_bad_input_is_refused(net: nn.Module) -> None:
    with pytest.raises(OptionError, match="at least 10 examples"):
        fit(net, pairs(0, 50), limit=3)
    with pytest.raises(DataError, match=r"\(1, 1, 9, 9\)"):
        asked(net, pairs(0, 50), trained_on=[(torch.zeros(1, 9, 9), 0)])


def test_a_model_on_a_table_has_no_other_preparations() -> None:
    torch.manual_seed(0)
    table = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
    rng = torch.Generator().manual_seed(1)
    rows: Pairs = [(torch.randn(6, generator=rng), row % 3) for row in range(60)]
    found = fit(table, rows)
    assert found.panel.variants == []
    assert found.panel.width == 16
    assert any("no images" in note for note in found.panel.notes)


def test_a_model_without_a_linear_head_has_no_features() -> None:
    head = nn.Sequential(nn.Conv2d(1, 10, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    found = fit(head, pairs(0, 60), limit=60)
    assert found.panel.layer == ""
    assert "no linear layer" in found.panel.features


def test_strangeness_is_the_divergence_of_two_normal_distributions() -> None:
    norm = nn.BatchNorm2d(3).eval()
    norm.running_mean = torch.tensor([0.0, 1.0, -2.0])
    norm.running_var = torch.tensor([1.0, 4.0, 0.25])
    holder = nn.Sequential(norm)
    mean, variance, count = torch.tensor([0.5, 1.0, 0.0]), torch.tensor([1.0, 1.0, 1.0]), 40.0
    sums = [(mean * count).double(), ((variance + mean**2) * count).double(), torch.tensor(count, dtype=torch.float64)]
    ones, zeros = norm.running_var.double() + norm.eps, norm.running_mean.double()
    arrived = torch.distributions.Normal(mean.double(), (variance.double() + norm.eps).sqrt())
    known = torch.distributions.Normal(zeros, ones.sqrt())
    expected = float(torch.distributions.kl_divergence(arrived, known).median())
    assert strangeness(holder, {"0": sums}) == pytest.approx(expected, rel=1e-5)
    assert strangeness(holder, {}) is None


def test_names_are_found_exactly_by_synonym_and_by_number() -> None:
    targets = np.array([0, 0, 1, 2, -1])
    found = places(("Tabby", "car", "dog"), ("tabby, tabby cat", "dog"), 2, targets)
    assert [(place.index, place.how, place.examples) for place in found] == [
        (0, "synonym", 2),
        (None, "none", 1),
        (1, "name", 1),
    ]
    assert moved(targets, found).tolist() == [0, 0, -1, 1, -1]
    assert [place.how for place in places(None, None, 3, targets)] == ["order"] * 3
    assert [place.how for place in places(None, None, 10, targets)] == ["none"] * 3
    assert places(None, None, 10, np.array([-1])) == []


def test_the_probe_is_honest_about_noise() -> None:
    rng = np.random.default_rng(5)
    targets = rng.integers(0, 2, 400)
    right = held_out(rng.normal(size=(400, 500)).astype(np.float32), targets, 0)
    assert 0.4 < right.mean() < 0.6


def test_a_record_of_it_holds_the_sample_and_the_panel(net: nn.Module, tmp_path: object) -> None:
    found = asked(net, pairs(1200, 1300), trained_on=pairs(0, 100), classes=DIGITS)
    record = write_fit(found, tmp_path / "fit.pellucid")  # type: ignore[operator]
    table = record.examples()
    assert table.num_rows == 100
    assert table["fit.energy"].to_numpy() == pytest.approx(found.likeness.columns["fit.energy"])
    assert table["target"].to_pylist() == found.sample.targets.tolist()
    assert record.panel("fit").verdict == found.verdict  # type: ignore[attr-defined]

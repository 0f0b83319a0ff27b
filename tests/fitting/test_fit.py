"""Whether a model suits data: pairs whose answer is known, wrong preparations that were planted, and what cannot be told."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from pellucid.cli.application import application
from pellucid.errors import DataError, ForwardError, OptionError, RecordError
from pellucid.fitting import Fit, fit
from pellucid.fitting.probe import held_out, why_no_probe
from pellucid.fitting.writing import check_out, write_fit
from pellucid.inspection.live import LiveModel
from pellucid.types import Example
from support.digits_net import DIGITS, Pairs, asked, pairs
from support.untouched import Untouched

pytestmark = pytest.mark.usefixtures("one_thread")


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
    # Far away, no hundredths of a nat, and thousands apart.
    assert re.search(r"is \d{1,3}(,\d{3})* nats", found.panel.sentence)


def test_other_classes_of_the_same_pictures_ask_for_a_new_head(net: nn.Module) -> None:
    found = fit(net, pairs(1200, 1797, name=lambda target: target % 2), classes=DIGITS)
    assert found.verdict == "retrain the head"
    probe = next(one for one in found.panel.probes if one.on == "features")
    assert probe.gain is not None
    assert probe.gain > 0
    assert [place.how for place in found.panel.labels] == ["unknown", "unknown"]
    assert "cannot be told: name them" in found.panel.sentence
    assert not any("no classes of the model" in reason.sentence for reason in found.panel.reasons)


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
    with pytest.raises(OptionError, match="batch size must be at least 1; got 0"):
        fit(net, pairs(0, 50), batch_size=0)
    with pytest.raises(OptionError, match="seed must be at least 0; got -1"):
        fit(net, pairs(0, 50), seed=-1)
    with pytest.raises(DataError, match="10 outputs, but 2 class names"):
        asked(net, pairs(0, 50), classes=("a", "b"))
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


def test_a_sample_without_the_last_class_is_still_of_the_model_s_classes(net: nn.Module) -> None:
    found = asked(net, [pair for pair in pairs(1200, 1600) if pair[1] != 9])
    assert found.verdict == "fits"
    assert [place.how for place in found.panel.labels] == ["order"] * 9
    assert "Taken by their numbers" in found.panel.sentence


class _Single(nn.Module):
    """Whether a digit is even, as one logit."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.head = net, nn.Linear(10, 1)
        with torch.no_grad():
            self.head.weight[:] = torch.tensor([[1.0, -1.0] * 5])

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.head(self.net(images).softmax(1))
        return found


def test_a_single_logit_has_a_head_and_features(net: nn.Module) -> None:
    found = asked(_Single(net).eval(), pairs(1200, 1500, name=lambda target: 1 - target % 2))
    assert (found.panel.layer, found.panel.width, found.panel.features) == ("head", 10, "")
    assert found.verdict == "fits"


class _Beside(nn.Module):
    """Positions laid beside the examples before the head, as of texts and patches."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8, 3)

    def forward(self, given: Tensor) -> Tensor:
        found: Tensor = self.head(given.reshape(-1, 8)).reshape(len(given), -1, 3).mean(1)
        return found


def test_positions_beside_the_examples_are_averaged() -> None:
    rows: Pairs = [(torch.full((4, 8), float(row)), row % 3) for row in range(60)]
    found = fit(_Beside(), rows)
    assert found.sample.features is not None
    np.testing.assert_allclose(found.sample.features, np.arange(60.0)[:, None] * np.ones(8))


def test_labels_that_are_no_classes_are_said_to_be_what_they_are(net: nn.Module) -> None:
    with pytest.raises(DataError, match=r"floating point \(such as \d\.5\), and a fit is about classifiers"):
        asked(net, pairs(1200, 1300, name=lambda target: target + 0.5))
    sets = [Example(str(row), image, classes=frozenset({0, row % 10})) for row, (image, _) in enumerate(pairs(0, 60))]
    found = asked(net, sets)  # type: ignore[arg-type]
    assert any("sets of classes" in reason.sentence for reason in found.panel.reasons)
    assert not any("no labels" in reason.sentence for reason in found.panel.reasons)


def test_outputs_that_are_not_finite_are_no_answers(net: nn.Module, tmp_path: Path) -> None:
    class Sometimes(nn.Module):
        def __init__(self, always: bool) -> None:
            super().__init__()
            self.net, self.always = net, always

        def forward(self, images: Tensor) -> Tensor:
            lost = (images[:, :, 2:4, 3:5].mean((1, 2, 3)) > 0.8) | self.always
            found: Tensor = self.net(images)
            return torch.where(lost[:, None] & (torch.arange(10) == 3), torch.nan, found)

    with pytest.raises(ForwardError, match="NaN or infinite on all 300 examples"):
        asked(Sometimes(True).eval(), pairs(1200, 1500))
    found = asked(Sometimes(False).eval(), pairs(1200, 1500), trained_on=pairs(0, 300))
    whole = np.isfinite(found.sample.logits).all(1)
    lost = int((~whole).sum())
    assert 20 < lost < 280
    own, right = found.panel.own, found.sample.logits[whole].argmax(1) == found.sample.targets[whole]
    assert own is not None
    assert (own.correct, own.count) == (int(right.sum()), 300)
    assert any(f"not finite on {lost} of 300 examples: no right" in note for note in found.panel.notes)
    assert all(score.count == 300 - lost for score in found.panel.scores)
    assert np.isnan(found.likeness.columns["fit.energy"]).tolist() == (~whole).tolist()
    counts = {one.count for one in found.panel.probes}
    assert len(counts) == 1
    assert 300 - lost - 4 <= counts.pop() <= 300 - lost, "without them, and without a class that they leave too few of"
    record = write_fit(found, tmp_path / "fit.pellucid")
    assert record.examples()["fit.energy"].null_count == lost


def test_data_that_fits_better_than_the_training_s_does_not_look_like_it(net: nn.Module) -> None:
    class Headless(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, images: Tensor) -> Tensor:
            found: Tensor = self.net(images) * images.mean((1, 2, 3))[:, None]
            return found

    bright = pairs(1200, 1500, lambda image: 4 * image, lambda target: None)
    found = asked(Headless().eval(), bright, trained_on=pairs(0, 300))
    area = {score.name: score.auroc for score in found.panel.scores}["negative energy"]
    assert area is not None
    assert area < 0.1
    told = [reason.sentence for reason in found.panel.reasons if "of pairs" in reason.sentence]
    assert "not what the model was trained on" in told[0]


def test_a_network_that_was_never_trained_remembers_no_training() -> None:
    torch.manual_seed(0)
    fresh = nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 10)
    )
    found = asked(fresh.eval(), pairs(1200, 1300, lambda image: 255 * image, lambda target: None))
    assert found.panel.normalisations == []
    assert found.verdict == "cannot tell"
    assert not any("remembers of its training" in reason.sentence for reason in found.panel.reasons)


def test_rare_classes_are_left_out_of_the_probe_and_counted(net: nn.Module) -> None:
    few = [pair for place, pair in enumerate(pairs(1200, 1500)) if pair[1] != 7 or place < 30]
    rare = sum(pair[1] == 7 for pair in few)
    assert 0 < rare < 5
    found = asked(net, few)
    assert [one.count for one in found.panel.probes] == [len(few) - rare] * 4
    assert found.panel.own is not None
    assert found.panel.own.count == len(few), "its own answers need no folds"
    assert any(f"{rare} examples are of classes with fewer than 5" in note for note in found.panel.notes)


def test_features_of_a_great_width_take_no_square_of_it() -> None:
    """A head on all places of a map: the covariance of 100,000 features would be 80 GB."""
    torch.manual_seed(0)
    wide = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.Upsample(scale_factor=20), nn.Flatten(), nn.Linear(102400, 10)
    )
    found = fit(wide.eval(), pairs(1200, 1260), trained_on=pairs(0, 60))
    assert found.panel.width == 102400
    assert [score.auroc is not None for score in found.panel.scores] == [True] * 4


def test_a_record_that_is_there_is_refused_before_anything_is_computed(net: nn.Module, tmp_path: Path) -> None:
    out = tmp_path / "fit.pellucid"
    write_fit(asked(net, pairs(1200, 1260)), out)
    with pytest.raises(RecordError, match="already"):
        check_out(out)
    check_out(out, overwrite=True)
    check_out(tmp_path / "new.pellucid")
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match="is a file"):
        check_out(tmp_path / "file")
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "thesis.txt").touch()
    with pytest.raises(RecordError, match="no record"):
        check_out(tmp_path / "strange")
    runner, model = CliRunner(), tmp_path / "model.py"
    model.write_text("raise SystemError('opened')\n")
    said = runner.invoke(application, ["fit", f"{model}:build", "--data", "digits", "--out", str(out)])
    assert isinstance(said.exception, RecordError) or said.exit_code == 2
    assert not isinstance(said.exception, SystemError)


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
    manifest = record.manifest
    assert manifest.model is not None
    assert (manifest.model.name, manifest.model.parameters) == (
        "Sequential",
        sum(one.numel() for one in net.parameters()),
    )
    assert manifest.data is not None
    assert manifest.data.source == found.panel.data
    assert manifest.saved is not None
    assert manifest.saved.name == "a sample for pellucid fit"
    assert "sample that pellucid fit looked at" in LiveModel(record, net, found.sample.source).reason

"""Small networks made by hand, whose answers and whose preparation are known without training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, IterableDataset

from pellucid.errors import DataError
from pellucid.fitting import fit

pytestmark = pytest.mark.usefixtures("one_thread")

MEANS, DEVIATIONS = (0.49, 0.46, 0.41), (0.22, 0.23, 0.22)
"""What the model was trained with: near ImageNet's, and not the same."""


class _Size(nn.Module):
    def forward(self, given: Tensor) -> Tensor:
        return given.abs()


class _Named(Dataset[tuple[Tensor, int]]):
    """Three of a model's six classes."""

    def __init__(self, inputs: Tensor, targets: Tensor) -> None:
        self.inputs, self.targets, self.classes = inputs, targets, ["a", "b", "c"]

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return self.inputs[row], int(self.targets[row])


def _some_classes() -> tuple[Tensor, Tensor]:
    """The size of the number at an example's class is greatest, but for noise; all signs are exchanged in half of them."""
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 300)
    sizes = rng.uniform(0, 1, (300, 6)) + 0.9 * np.eye(6)[targets]
    signs = rng.choice([-1, 1], (300, 1))
    return torch.tensor(sizes * signs, dtype=torch.float32), torch.tensor(targets)


def _head(weight: Tensor, bias: Tensor) -> nn.Module:
    head = nn.Linear(6, 6)
    with torch.no_grad():
        head.weight[:], head.bias[:] = weight, bias
    return nn.Sequential(_Size(), head).eval()


OTHERS_ABOVE = torch.tensor([0.0, 0.0, 0.0, 0.6, 0.6, 0.6])


def test_classes_that_the_data_declare_and_hold_no_example_of_take_no_part() -> None:
    inputs, targets = _some_classes()
    data = _Named(inputs, targets)
    data.classes = ["a", "b", "c", "lorry", "ship"]
    found = fit(_head(torch.eye(6), torch.zeros(6)), data, classes=list("abcdef"))
    assert [place.examples > 0 for place in found.panel.labels] == [True, True, True, False, False]
    assert found.verdict == "fits"
    assert not any("no class" in reason.sentence for reason in found.panel.reasons)


def test_examples_that_can_only_be_iterated_are_as_many_as_come() -> None:
    inputs, targets = _some_classes()

    class Stream(IterableDataset[tuple[Tensor, int]]):
        def __iter__(self) -> Iterator[tuple[Tensor, int]]:
            return zip(inputs[:50], targets[:50].tolist(), strict=True)

    found = fit(_head(torch.eye(6), torch.zeros(6)), Stream())
    assert found.panel.count == len(found.sample) == 50


def test_a_layer_of_the_head_s_width_further_in_is_no_head() -> None:
    class Cosine(nn.Module):
        """Its classes are directions, which no linear layer holds."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 20)
            self.directions = nn.Parameter(torch.randn(6, 20))

        def forward(self, inputs: Tensor) -> Tensor:
            states = nn.functional.normalize(self.second(self.first(inputs).relu()).relu())
            return nn.functional.linear(states, nn.functional.normalize(self.directions))

    torch.manual_seed(0)
    inputs, targets = _some_classes()
    found = fit(Cosine().eval(), _Named(inputs, targets), classes=list("abcdef"))
    assert (found.panel.layer, found.panel.width) == ("", 0)
    assert "no linear layer of this model gives its 6 outputs" in found.panel.features


def test_whole_numbers_for_one_output_are_a_regression() -> None:
    inputs, targets = _some_classes()
    data = [(one, int(target) + 3) for one, target in zip(inputs, targets, strict=True)]
    with pytest.raises(DataError, match=r"one number.*a regression"):
        fit(nn.Sequential(nn.Linear(6, 1)), data)


def test_a_head_that_is_right_among_the_data_s_classes_needs_no_training() -> None:
    inputs, targets = _some_classes()
    found = fit(_head(torch.eye(6), OTHERS_ABOVE), _Named(inputs, targets), classes=list("abcdef"))
    outputs = inputs.abs().numpy() + OTHERS_ABOVE.numpy()
    right = (outputs.argmax(1) == targets.numpy()).mean()
    among = (outputs[:, :3].argmax(1) == targets.numpy()).mean()
    assert among > right + 0.2
    own, features = found.panel.own, next(one for one in found.panel.probes if one.on == "features")
    assert own is not None
    assert own.accuracy == pytest.approx(right)
    assert own.gain_interval is not None
    assert own.gain_interval.high < -0.05, "among all outputs it is far behind a probe"
    assert among > features.accuracy - 0.05
    assert found.verdict == "fits"
    assert "where it is asked for the classes of these examples alone" in found.panel.sentence
    assert f"it answers {right:.1%} of 300 examples rightly" in found.panel.sentence
    assert (
        f"among the 3 classes of these examples alone the head is right on {among:.1%}: where no others come, leave its "
        "other outputs out, no training is needed" in found.panel.sentence
    )


def test_a_head_that_is_behind_among_the_data_s_classes_too_is_to_be_trained() -> None:
    inputs, targets = _some_classes()
    weight = torch.diag(torch.tensor([0.4, 1.0, 1.0, 1.0, 1.0, 1.0]))
    found = fit(_head(weight, OTHERS_ABOVE), _Named(inputs, targets), classes=list("abcdef"))
    among = ((inputs.abs().numpy() * weight.diag().numpy())[:, :3].argmax(1) == targets.numpy()).mean()
    features = next(one for one in found.panel.probes if one.on == "features")
    assert found.verdict == "retrain the head"
    behind = 100 * (features.accuracy - among)
    assert behind > 5
    assert any(
        f"the head is right on {among:.1%}, {behind:.1f} points fewer than a linear classifier of its features"
        in reason.sentence
        for reason in found.panel.reasons
    )
    assert not any("no training is needed" in reason.sentence for reason in found.panel.reasons)


def test_a_sample_of_all_classes_is_asked_about_no_fewer() -> None:
    inputs, targets = _some_classes()
    head = nn.Linear(6, 3)
    with torch.no_grad():
        head.weight[:], head.bias[:] = torch.eye(6)[:3], 0.0
    found = fit(nn.Sequential(_Size(), head).eval(), _Named(inputs, targets), classes=list("abc"))
    assert found.verdict == "fits"
    assert not any("of these examples alone" in reason.sentence for reason in found.panel.reasons)


def _pictures(channels: int) -> tuple[Tensor, Tensor]:
    """Pictures of 0 to 1 whose brightest channel is the class, or of one channel whose brighter half is."""
    rng = np.random.default_rng(1)
    targets = rng.integers(0, channels if channels > 1 else 2, 128)
    pictures = rng.normal(0.0, 0.22, (128, channels, 8, 8))
    for row, target in enumerate(targets):
        if channels > 1:
            pictures[row, target] += 0.05
        else:
            pictures[row, :, :, 4 * target : 4 * target + 4] += 0.05
    centre = np.array(MEANS if channels == 3 else (0.5,))[:, None, None]
    return torch.tensor(np.clip(pictures + centre, 0, 1), dtype=torch.float32), torch.tensor(targets)


def _remembering(channels: int, expected: Tensor) -> nn.Module:
    """A network that remembers these pictures as its training, and tells bright from dark only where they are in its range."""
    norm = nn.BatchNorm2d(channels)
    norm.running_mean, norm.running_var = expected.mean((0, 2, 3)), expected.var((0, 2, 3))
    head = nn.Linear(2 * channels, max(2, channels), bias=False)
    with torch.no_grad():
        head.weight[:] = torch.eye(2) if channels == 1 else torch.eye(3).repeat_interleave(2, 1)
    return nn.Sequential(norm, nn.Tanh(), nn.AdaptiveAvgPool2d((1, 2)), nn.Flatten(), head).eval()


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize(
    ("way", "channels"), [("divided by 255, then normalised", 3), ("divided by 255, then -1 to 1", 1)]
)
def test_raw_values_for_a_model_that_normalises_are_found(way: str, channels: int, labelled: bool) -> None:
    pictures, targets = _pictures(channels)
    if channels == 3:
        expected = (pictures - torch.tensor(MEANS)[:, None, None]) / torch.tensor(DEVIATIONS)[:, None, None]
    else:
        expected = 2 * pictures - 1
    model = _remembering(channels, expected)
    examples = [(255 * one, int(target) if labelled else None) for one, target in zip(pictures, targets, strict=True)]
    found = fit(model, examples)
    assert found.verdict == "preprocess differently"
    assert f"({way}: " in found.panel.reasons[0].sentence
    tried = {one.name: one for one in found.panel.variants}
    assert tried[way].suspected
    assert (tried[way].strangeness or 0.0) < 0.04
    if labelled:
        with torch.no_grad():
            best = int((model(expected).argmax(1) == targets).sum())
        assert tried[way].correct == pytest.approx(best, abs=6), "as many as with the model's own constants, or nearly"


def test_the_way_that_comes_nearest_is_named_where_none_comes_near() -> None:
    pictures, _ = _pictures(3)
    model = _remembering(3, (pictures - 0.2) / 0.1)
    found = fit(model, [(255 * one, None) for one in pictures])
    assert found.verdict == "preprocess differently"
    others = [one for one in found.panel.variants if one.name != "as they are"]
    nearest = min(others, key=lambda one: one.strangeness or 0.0)
    assert nearest.strangeness is not None
    assert not any(one.suspected for one in others)
    assert f"'{nearest.name}' comes nearest, with {nearest.strangeness:.2f}: check" in found.panel.sentence
    assert "no other preparation" not in found.panel.sentence

"""Every loss against torch, torchvision or scikit-learn, and against numbers that can be told by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from pellucid.errors import OptionError
from pellucid.measures.losses import DEFAULTS, NAMES, Floats, default_loss, loss_named, own_loss

CLASSES = 6
quick = settings(max_examples=40, deadline=None, derandomize=True, database=None)
GENERATOR = np.random.default_rng(0)
LOGITS: Floats = GENERATOR.normal(size=(80, CLASSES)) * 3
LOGITS[0] *= 200  # a loss of hundreds of nats
TARGETS = GENERATOR.integers(CLASSES, size=80)
SOFT = GENERATOR.dirichlet(np.full(CLASSES, 0.3), size=80)
SETS = (GENERATOR.random((80, CLASSES)) < 0.3).astype(np.float64)
WEIGHTS = (0.5, 1.0, 2.0, 0.0, 1.5, 3.0)
WRITTEN = "/".join(f"{one:g}" for one in WEIGHTS)
OUTPUTS, NUMBERS = GENERATOR.normal(size=(80, 1)) * 4, GENERATOR.normal(size=80)


def tensor(values: object) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("weights", [(), WEIGHTS])
@pytest.mark.parametrize("targets", [TARGETS, SOFT], ids=["hard", "soft"])
def test_cross_entropy_is_that_of_torch(smoothing: float, weights: tuple[float, ...], targets: Floats) -> None:
    spec = f"cross-entropy:smoothing={smoothing}" + (f",weights={WRITTEN}" if weights else "")
    expected = functional.cross_entropy(
        tensor(LOGITS),
        tensor(targets),
        weight=tensor(weights) if weights else None,
        label_smoothing=smoothing,
        reduction="none",
    )
    np.testing.assert_allclose(loss_named(spec).of(LOGITS, targets), expected.numpy(), rtol=1e-11, atol=1e-12)


def test_multilabel_and_single_logits_are_those_of_torch() -> None:
    loss = loss_named("binary-cross-entropy")
    expected = functional.binary_cross_entropy_with_logits(tensor(LOGITS), tensor(SETS), reduction="none").mean(dim=1)
    np.testing.assert_allclose(loss.of(LOGITS, SETS), expected.numpy(), rtol=1e-12)
    soft_margin = functional.multilabel_soft_margin_loss(tensor(LOGITS[1:]), tensor(SETS[1:]), reduction="none")
    np.testing.assert_allclose(loss.of(LOGITS[1:], SETS[1:]), soft_margin.numpy(), rtol=1e-8)
    weighted = loss_named(f"binary-cross-entropy:weights={WRITTEN}").of(LOGITS, SETS)
    costs = functional.binary_cross_entropy_with_logits(
        tensor(LOGITS), tensor(SETS), weight=tensor(WEIGHTS), reduction="none"
    )
    np.testing.assert_allclose(weighted, costs.mean(dim=1).numpy(), rtol=1e-12)
    # A single logit z stands for the two (0, z), and then the cross-entropy is the binary one.
    single = LOGITS[:, 0]
    two = np.stack([np.zeros_like(single), single], axis=1)
    binary = functional.binary_cross_entropy_with_logits(tensor(single), tensor(SETS[:, 0]), reduction="none")
    found = loss_named("cross-entropy").of(two, SETS[:, 0].astype(np.int64))
    np.testing.assert_allclose(found, binary.numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_the_focal_loss_is_its_formula_and_torchvisions_for_two_classes(gamma: float) -> None:
    found = loss_named(f"focal:gamma={gamma}").of(LOGITS[1:], TARGETS[1:])
    p = np.exp(LOGITS[1:]) / np.exp(LOGITS[1:]).sum(axis=1, keepdims=True)
    own = p[np.arange(79), TARGETS[1:]]
    np.testing.assert_allclose(found, (1 - own) ** gamma * -np.log(own), rtol=1e-7)
    expected = sigmoid_focal_loss(tensor(LOGITS), tensor(SETS), alpha=-1, gamma=gamma).mean(dim=1)
    np.testing.assert_allclose(loss_named(f"binary-focal:gamma={gamma}").of(LOGITS, SETS), expected.numpy(), rtol=1e-7)


def test_gamma_of_zero_is_the_cross_entropy() -> None:
    plain = loss_named("cross-entropy").of(LOGITS, SOFT)
    np.testing.assert_allclose(loss_named("focal:gamma=0").of(LOGITS, SOFT), plain, rtol=1e-12)


def test_both_hinges_are_those_of_scikit_learn_and_torch() -> None:
    found = loss_named("hinge").of(LOGITS, TARGETS)
    expected = [metrics.hinge_loss([t], [z], labels=range(CLASSES)) for t, z in zip(TARGETS, LOGITS, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    other = functional.multi_margin_loss(tensor(LOGITS), tensor(TARGETS), reduction="none")
    np.testing.assert_allclose(
        loss_named("hinge:variant=weston-watkins").of(LOGITS, TARGETS), other.numpy(), rtol=1e-12
    )


def test_losses_of_numbers_are_those_of_torch() -> None:
    outputs, targets = tensor(OUTPUTS[:, 0]), tensor(NUMBERS)
    pairs = {
        "squared-error": functional.mse_loss(outputs, targets, reduction="none"),
        "absolute-error": functional.l1_loss(outputs, targets, reduction="none"),
        "huber": functional.huber_loss(outputs, targets, reduction="none"),
        "huber:delta=2.5": functional.huber_loss(outputs, targets, reduction="none", delta=2.5),
    }
    for spec, expected in pairs.items():
        np.testing.assert_allclose(loss_named(spec).of(OUTPUTS, NUMBERS), expected.numpy(), rtol=1e-12)


def test_what_can_be_told_by_hand() -> None:
    level = np.zeros((1, 4))
    assert loss_named("cross-entropy").of(level, np.array([2]))[0] == pytest.approx(math.log(4), rel=1e-15)
    assert loss_named("focal:gamma=2").of(level, np.array([2]))[0] == pytest.approx(0.75**2 * math.log(4), rel=1e-15)
    assert loss_named("hinge").of(level, np.array([2]))[0] == 1.0
    assert loss_named("hinge:variant=weston-watkins").of(level, np.array([2]))[0] == 0.75
    assert loss_named("binary-cross-entropy").of(level, np.array([[0.0, 1, 1, 0]]))[0] == pytest.approx(math.log(2))
    sure = np.array([[1e4, 0.0]])
    assert loss_named("cross-entropy").of(sure, np.array([0]))[0] == 0.0
    assert loss_named("cross-entropy").of(sure, np.array([1]))[0] == 1e4


@quick
@given(st.integers(0, 10_000), st.floats(-50, 50))
def test_what_all_classes_gain_changes_no_loss_of_classes(seed: int, shift: float) -> None:
    generator = np.random.default_rng(seed)
    logits, targets = generator.normal(size=(5, 4)) * 5, generator.integers(4, size=5)
    for spec in ("cross-entropy", "cross-entropy:smoothing=0.2", "focal", "hinge", "hinge:variant=weston-watkins"):
        loss = loss_named(spec)
        found = loss.of(logits, targets)
        np.testing.assert_allclose(loss.of(logits + shift, targets), found, rtol=1e-9, atol=1e-9)
        assert (found >= 0).all()
        # A label that is certain is the label.
        if "hinge" not in spec:
            np.testing.assert_allclose(loss.of(logits, np.eye(4)[targets]), found, rtol=1e-12, atol=1e-15)


def test_every_loss_says_what_it_is_and_every_task_has_its_own() -> None:
    for name in NAMES:
        loss = loss_named(name)
        assert loss.spec == name
        assert loss.formula.endswith(".")
        assert loss.unit
    for task, name in DEFAULTS.items():
        found = default_loss(task)
        assert found is not None
        assert found.spec == name
        assert task in found.tasks
    assert default_loss("none") is None
    assert [name for name in NAMES if loss_named(name).plain] == ["cross-entropy"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("entropy", "There is no loss 'entropy'. Expected cross-entropy, focal, "),
        ("focal:alpha=1", "--loss focal takes gamma=, weights=; got 'alpha=1'"),
        ("squared-error:x=1", "takes no settings"),
        ("cross-entropy:smoothing=1", "from 0 to below 1; got 1"),
        ("cross-entropy:smoothing=a", "takes one number; got 'a'"),
        ("cross-entropy:smoothing=nan", "takes one number; got 'nan'"),
        ("cross-entropy:weights=1/-1", "numbers of at least 0"),
        ("cross-entropy:weights=0/0", "numbers of at least 0"),
        ("focal:gamma=-1", "at least 0; got -1"),
        ("hinge:variant=soft", "crammer-singer and weston-watkins; got 'soft'"),
        ("huber:delta=0", "above 0; got 0"),
    ],
)
def test_what_no_loss_is_called_is_refused_with_what_there_is(spec: str, words: str) -> None:
    with pytest.raises(OptionError) as refused:
        loss_named(spec)
    assert words in str(refused.value)


def test_a_loss_of_ones_own_must_give_one_number_an_example() -> None:
    mine = own_loss("mine.py:zero_one", lambda outputs, targets: (outputs.argmax(axis=1) != targets).astype(float))
    assert mine.name == "zero_one"
    np.testing.assert_array_equal(mine.of(LOGITS, TARGETS), LOGITS.argmax(axis=1) != TARGETS)
    with pytest.raises(OptionError, match=r"one number an example, shape \(80,\); it gave shape \(\)"):
        own_loss("mine", lambda outputs, targets: outputs.mean()).of(LOGITS, TARGETS)
    with pytest.raises(OptionError, match="has 2 class weights; the model has 6 outputs"):
        loss_named("cross-entropy:weights=1/2").of(LOGITS, TARGETS)

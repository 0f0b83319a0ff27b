"""Losses on tensors, directions, planes and lines against closed forms and slow twins."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pellucid.landscape import (
    Barrier,
    Labelled,
    Objective,
    between,
    held,
    losses_at,
    moved_to,
    objective_of,
    random_direction,
    recalculated,
    surveyed,
)
from pellucid.landscape.losses import on_tensors
from pellucid.landscape.weights import normalised, state_of, steps_of, values_of
from pellucid.measures.losses import NAMES, loss_named
from support.untouched import Untouched
from support.weighed import CROSS_ENTROPY, examples, net, random, together


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# --- losses -----------------------------------------------------------------------------------------------------


def specs() -> list[str]:
    weighted = [
        "cross-entropy:smoothing=0.1,weights=1/2/3",
        "focal:gamma=1,weights=1/2/3",
        "hinge:variant=weston-watkins",
    ]
    return [*NAMES, *weighted, "binary-cross-entropy:weights=1/2/3", "huber:delta=0.5"]


@pytest.mark.parametrize("spec", specs())
def test_every_loss_by_name_is_the_same_on_tensors(spec: str) -> None:
    loss = loss_named(spec)
    task = next(iter(loss.tasks))
    outputs = 3 * torch.randn(9, 3, generator=random(1), dtype=torch.float64)
    labels: list[Tensor] = [torch.randint(0, 3, (9,), generator=random(2))]
    if task == "multilabel":
        labels = [(torch.rand(9, 3, generator=random(2)) < 0.5).double()]
    elif task == "regression":
        outputs, labels = outputs[:, 0], [torch.randn(9, generator=random(2), dtype=torch.float64)]
    elif not spec.startswith("hinge"):
        labels.append(torch.softmax(torch.randn(9, 3, generator=random(3), dtype=torch.float64), 1))
        labels.append(nn.functional.one_hot(labels[0], 3).double())
    ours = on_tensors(loss)
    assert ours is not None
    for targets in labels:
        found = ours(outputs, targets)
        np.testing.assert_allclose(found.numpy(), loss.of(outputs.numpy(), targets.numpy()), rtol=1e-12, atol=1e-14)


# --- directions -------------------------------------------------------------------------------------------------


def test_filter_normalisation_against_a_slow_twin() -> None:
    model = net(kind="conv")
    generator = random(3)
    direction = random_direction(model, "filter", generator)
    again = random(3)
    moved = 0
    for name, weights in model.named_parameters():
        if weights.ndim < 2:
            assert name not in direction.changes, "biases and normalisations stay"
            continue
        drawn = torch.randn(weights.shape, generator=again).double()
        axis = 1 if name == "4.weight" else 0  # of a transposed convolution
        for place in range(weights.shape[axis]):
            own, wanted = drawn.select(axis, place), weights.detach().select(axis, place)
            expected = own / own.norm() * wanted.norm()
            torch.testing.assert_close(direction.changes[name].select(axis, place), expected)
        moved += weights.numel()
    assert direction.moved == moved
    matrices = [one for one in model.parameters() if one.ndim > 1]
    assert direction.norm == pytest.approx(float(torch.cat([one.detach().reshape(-1) for one in matrices]).norm()))


def test_other_normalisations_filters_of_zeros_and_frozen_parameters() -> None:
    weights = torch.zeros(3, 4)
    weights[0] = 2.0
    drawn = torch.randn(3, 4, generator=random())
    found = normalised(drawn, weights, "filter")
    assert found[1:].abs().max() == 0
    assert float(found[0].norm()) == pytest.approx(4.0)
    assert float(normalised(drawn, weights, "layer").norm()) == pytest.approx(4.0)
    assert normalised(drawn, weights, "none") is drawn
    model = net()
    model[0].weight.requires_grad_(False)  # type: ignore[index, union-attr, operator]
    assert list(random_direction(model, "filter", random()).changes) == ["2.weight"]


# --- planes and lines -------------------------------------------------------------------------------------------


def test_the_plane_of_a_linear_regression_is_exactly_quadratic() -> None:
    model = nn.Linear(4, 1).double()
    inputs = torch.randn(30, 4, generator=random(), dtype=torch.float64)
    targets = torch.randn(30, generator=random(1), dtype=torch.float64)
    batches = [Labelled(inputs[:20], targets[:20]), Labelled(inputs[20:], targets[20:])]
    one, other = (random_direction(model, "none", random(seed)) for seed in (1, 2))
    steps = steps_of(2.0, 5)
    assert steps == [-2.0, -1.0, 0.0, 1.0, 2.0]
    values = values_of(model)
    points = [
        lambda a=a, b=b: moved_to(values, [(a, one), (b, other)])  # type: ignore[misc]
        for b in steps
        for a in steps
    ]
    found = surveyed(model, objective_of("squared-error", "regression"), batches, points)
    rest = (model(inputs)[:, 0] - targets).detach()
    along = [(inputs @ direction.changes["weight"][0]) for direction in (one, other)]
    for place, (b, a) in enumerate((b, a) for b in steps for a in steps):
        each = (rest + a * along[0] + b * along[1]) ** 2
        assert found.mean(place) == pytest.approx(float(each.mean()), rel=1e-12)
        assert found.standard_error(place) == pytest.approx(float(each.std() / 30**0.5), rel=1e-9)
    assert (found.count, found.judged) == (30, False)


def test_the_plane_does_not_depend_on_the_batches_and_is_that_of_the_moved_model() -> None:
    model = net(kind="norm")
    direction = random_direction(model, "filter", random(1))
    values = values_of(model)
    points = [lambda step=step: moved_to(values, [(step, direction)]) for step in (-0.5, 0.0, 1.0)]  # type: ignore[misc]
    found = surveyed(model, CROSS_ENTROPY, examples(), points)
    whole = surveyed(model, CROSS_ENTROPY, examples(sizes=(20,)), points)
    np.testing.assert_allclose(found.totals, whole.totals, rtol=1e-12)
    np.testing.assert_array_equal(found.right, whole.right)
    inputs, targets = together(examples())
    for place, step in enumerate((-0.5, 0.0, 1.0)):
        twin = net(kind="norm")
        with torch.no_grad():
            for name, parameter in twin.named_parameters():
                if name in direction.changes:
                    parameter += step * direction.changes[name]
            logits = twin(inputs)
        assert found.mean(place) == pytest.approx(float(nn.functional.cross_entropy(logits, targets)), rel=1e-12)
        assert found.right[place] == int((logits.argmax(1) == targets).sum())


def test_statistics_of_the_batch_and_recalculated_ones_are_those_of_torch() -> None:
    model, batches = net(kind="conv"), examples(count=20, sizes=(10, 10))
    own = {name: value.clone() for name, value in model.state_dict().items()}
    values = values_of(model)
    trained = net(kind="conv").train()
    inputs = [one.inputs for one in batches]
    expected = [nn.functional.cross_entropy(trained(one.inputs), one.targets).detach() for one in batches]
    found = surveyed(model, CROSS_ENTROPY, batches, [lambda: values], "train")
    assert found.mean(0) == pytest.approx(float(sum(expected) / 2), rel=1e-12)
    twin = net(kind="conv")
    torch.optim.swa_utils.update_bn(inputs, twin)
    with held(model):
        statistics = recalculated(model, values, batches)
    for name, value in statistics.items():
        torch.testing.assert_close(value, twin.state_dict()[name], rtol=1e-12, atol=1e-14)
    twin.eval()
    inputs_, targets = together(batches)
    again = surveyed(model, CROSS_ENTROPY, batches, [lambda: values], "recalculate")
    assert again.mean(0) == pytest.approx(
        float(nn.functional.cross_entropy(twin(inputs_), targets).detach()), rel=1e-12
    )
    assert all(torch.equal(value, own[name]) for name, value in model.state_dict().items())
    assert (
        len(
            {
                round(float(one.mean(0) or 0), 9)
                for one in (found, again, surveyed(model, CROSS_ENTROPY, batches, [dict]))
            }
        )
        == 3
    )


def test_the_line_between_two_checkpoints_and_its_barrier() -> None:
    start, end, batches = net(0, "norm"), net(1, "norm"), examples()
    steps = [0.0, 0.25, 0.5, 0.75, 1.0]
    here, there = state_of(start), state_of(end)
    points = [lambda step=step: between(here, there, step) for step in steps]  # type: ignore[misc]
    barrier = Barrier(steps)
    seen = []
    with held(start):
        for losses, _ in losses_at(start, CROSS_ENTROPY, batches, points):
            barrier.add(losses)
            seen.append(losses)
    losses = np.concatenate(seen, axis=1)
    inputs, targets = together(batches)
    for place, step in enumerate(steps):
        twin = net(0, "norm")
        twin.load_state_dict(
            {
                name: value if not value.is_floating_point() else (1 - step) * value + step * end.state_dict()[name]
                for name, value in start.state_dict().items()
            }
        )
        expected = nn.functional.cross_entropy(twin(inputs), targets, reduction="none").detach().numpy()
        np.testing.assert_allclose(losses[place], expected, rtol=1e-9)
    above = losses.mean(1) - [(1 - t) * losses[0].mean() + t * losses[-1].mean() for t in steps]
    np.testing.assert_allclose(barrier.totals / barrier.count, above, rtol=1e-9, atol=1e-12)
    highest = barrier.highest()
    assert highest is not None
    place, height, interval = highest
    assert (place, height) == (int(above.argmax()), pytest.approx(above.max()))
    each = losses[place] - ((1 - steps[place]) * losses[0] + steps[place] * losses[-1])
    assert interval is not None
    # Student's quantile of 19 degrees at 1 - 0.05 / 3 / 2, for three steps lie between the ends.
    assert interval.high - height == pytest.approx(2.625107 * each.std(ddof=1) / 20**0.5, rel=1e-5)
    broken = Barrier(steps)
    broken.add(np.full((5, 4), np.nan))
    assert broken.highest() is None


def test_a_line_that_sinks_has_no_barrier_and_one_of_infinite_losses_none_to_tell() -> None:
    sinking = Barrier([0.0, 0.5, 1.0])
    sinking.add(np.array([[1.0, 2.0], [0.5, 0.5], [1.0, 2.0]]))
    assert sinking.highest() == (0, 0.0, None)
    endless = Barrier([0.0, 0.5, 1.0])
    endless.add(np.array([[1.0, 2.0], [np.inf, 0.5], [np.inf, 2.0]]))
    assert endless.highest() is None


def test_losses_that_are_not_finite_are_counted_and_make_no_mean() -> None:
    model = net()
    points = [dict, lambda: {"0.weight": torch.full((6, 4), torch.nan, dtype=torch.float64)}]
    found = surveyed(model, CROSS_ENTROPY, examples(), points)
    assert found.mean(0) is not None
    assert (found.mean(1), found.standard_error(1), found.interval(1)) == (None, None, None)
    assert found.broken.tolist() == [0, 20]


def test_objectives_of_a_single_logit_and_of_sets() -> None:
    single = Objective(loss_named("cross-entropy"), "classification")
    logits = torch.tensor([[1.0], [-2.0]])
    targets = torch.tensor([1, 1])
    found = single.losses(single.outputs(logits), targets)
    expected = nn.functional.binary_cross_entropy_with_logits(logits[:, 0].double(), targets.double(), reduction="none")
    torch.testing.assert_close(found, expected)
    sets = Objective(loss_named("binary-cross-entropy"), "multilabel")
    assert sets.right(sets.outputs(torch.randn(2, 3)), torch.ones(2, 3)) is None


@given(scale=st.floats(0.05, 20.0), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_a_scale_that_the_next_layer_takes_back_changes_nothing(scale: float, seed: int) -> None:
    """The law that filter normalisation is for (Li et al. 2018, section 4); without it the surface changes."""
    plain = nn.Sequential(nn.Linear(4, 5, bias=False), nn.ReLU(), nn.Linear(5, 3, bias=False)).double()
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.normal_(generator=random(seed))
    other = copy.deepcopy(plain)
    with torch.no_grad():
        other[0].weight.mul_(scale)  # type: ignore[operator]
        other[2].weight.div_(scale)  # type: ignore[operator]
    found = []
    for model in (plain, other):
        direction = random_direction(model, "filter", random(seed))
        points = [
            lambda step=step, of=(model, direction): moved_to(values_of(of[0]), [(step, of[1])]) for step in (-1.0, 0.5)
        ]  # type: ignore[misc]
        found.append(surveyed(model, CROSS_ENTROPY, examples(), points).totals)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9)


def test_a_parameter_of_two_modules_moves_in_both() -> None:
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Tanh(), nn.Linear(4, 4, bias=False), nn.Linear(4, 3)).double()
    model[2].weight = model[0].weight
    doubled = {name: 2 * value for name, value in values_of(model).items()}
    before = Untouched(model, versions=True)
    found = surveyed(model, CROSS_ENTROPY, examples(), [lambda: doubled])
    assert before.differences() == []
    inputs, targets = together(examples())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
        expected = nn.functional.cross_entropy(model(inputs), targets)
    assert found.mean(0) == pytest.approx(float(expected), rel=1e-12)


def test_a_module_that_stands_twice_moves_once() -> None:
    first = nn.Linear(4, 4, bias=False).double()
    model = nn.Sequential(first, nn.Tanh(), first, nn.Linear(4, 3)).double()
    direction = random_direction(model, "filter", random(1))
    assert list(direction.changes) == ["0.weight", "3.weight"]
    before = Untouched(model, versions=True)
    found = surveyed(model, CROSS_ENTROPY, examples(), [lambda: moved_to(values_of(model), [(0.5, direction)])])
    assert before.differences() == [], "torch itself leaves the moved weights in a module that stands twice"
    twin = copy.deepcopy(model)
    with torch.no_grad():
        twin[0].weight.add_(0.5 * direction.changes["0.weight"])  # type: ignore[union-attr, operator]
        twin[3].weight.add_(0.5 * direction.changes["3.weight"])  # type: ignore[union-attr, operator]
        inputs, targets = together(examples())
        expected = nn.functional.cross_entropy(twin(inputs), targets)
    assert found.mean(0) == pytest.approx(float(expected), rel=1e-12)

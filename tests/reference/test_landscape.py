"""Planes, lines and curvature against closed forms, dense Hessians, and slow twins."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from pellucid.landscape import (
    Barrier,
    Curvature,
    Labelled,
    Objective,
    batch_norms,
    between,
    extreme_eigenvalues,
    held,
    losses_at,
    moved_to,
    objective_of,
    random_direction,
    recalculated,
    spectral_density,
    surveyed,
    trace_of,
    twice_differentiable,
)
from pellucid.landscape import sharpness as sharp
from pellucid.landscape.curvature import Matrix
from pellucid.landscape.losses import on_tensors
from pellucid.landscape.weights import normalised, state_of, steps_of, values_of
from pellucid.measures.losses import NAMES, loss_named

CROSS_ENTROPY = objective_of("cross-entropy", "classification")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def net(seed: int = 0, kind: str = "plain") -> nn.Module:
    """Small networks in float64, so that a dense Hessian is exact."""
    torch.manual_seed(seed)
    parts: dict[str, list[nn.Module]] = {
        "plain": [nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)],
        "wide": [nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 8), nn.Softplus(), nn.Linear(8, 3)],
        "norm": [nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3)],
        "conv": [
            nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 4, 2, padding=1), nn.BatchNorm2d(4), nn.SiLU(),
            nn.ConvTranspose2d(4, 2, 2), nn.Flatten(), nn.Linear(32, 3),
        ],
    }  # fmt: skip
    model = nn.Sequential(*parts[kind]).double()
    with torch.no_grad():
        for module in batch_norms(model).values():
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(generator=random(seed))
            module.running_var.uniform_(0.5, 2.0, generator=random(seed))
    return model.eval()


def examples(count: int = 20, sizes: tuple[int, ...] = (8, 7, 5), classes: int = 3) -> list[Labelled]:
    inputs = torch.randn(count, 4, generator=random(7), dtype=torch.float64)
    targets = torch.randint(0, classes, (count,), generator=random(8))
    return [Labelled(x, y) for x, y in zip(inputs.split(sizes), targets.split(sizes), strict=True)]


def together(batches: list[Labelled]) -> tuple[Tensor, Tensor]:
    return torch.cat([one.inputs for one in batches]), torch.cat([one.targets for one in batches])  # type: ignore[misc]


def dense(model: nn.Module, loss: Callable[[dict[str, Tensor]], Tensor]) -> Tensor:
    """The Hessian by every trainable parameter, by torch's own second derivatives."""
    named = {name: one for name, one in model.named_parameters() if one.requires_grad}
    sizes = [one.numel() for one in named.values()]

    def of(flat: Tensor) -> Tensor:
        parts = zip(named.items(), flat.split(sizes), strict=True)
        return loss({name: part.view_as(one) for (name, one), part in parts})

    flat = torch.cat([one.detach().reshape(-1) for one in named.values()])
    found: Tensor = torch.autograd.functional.hessian(of, flat)
    return found


def mean_loss(model: nn.Module, batches: list[Labelled]) -> Callable[[dict[str, Tensor]], Tensor]:
    inputs, targets = together(batches)
    return lambda values: nn.functional.cross_entropy(functional_call(model, values, (inputs,)), targets)


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
    highest = barrier.highest()
    assert highest is not None
    place, height, interval = highest
    assert (place, height) == (int(above.argmax()), pytest.approx(above.max()))
    each = losses[place] - ((1 - steps[place]) * losses[0] + steps[place] * losses[-1])
    assert interval is not None
    assert interval.high - height == pytest.approx(2.093024 * each.std(ddof=1) / 20**0.5, rel=1e-5)
    broken = Barrier(steps)
    broken.add(np.full((5, 4), np.nan))
    assert broken.highest() is None


def test_losses_that_are_not_finite_are_counted_and_make_no_mean() -> None:
    model = net()
    points = [dict, lambda: {"0.weight": torch.full((6, 4), torch.nan, dtype=torch.float64)}]
    found = surveyed(model, CROSS_ENTROPY, examples(), points)
    assert found.mean(0) is not None
    assert (found.mean(1), found.standard_error(1), found.interval(1)) == (None, None, None)
    assert found.broken.tolist() == [0, 20]


# --- curvature --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "norm", "conv"])
def test_the_whole_matrix_is_the_dense_hessian(kind: str) -> None:
    model, batches = net(kind=kind), examples()
    expected = dense(model, mean_loss(model, batches)).numpy()
    with held(model), twice_differentiable(model):
        curvature = Curvature(model, CROSS_ENTROPY, batches, 20)
        basis = np.linalg.qr(np.random.default_rng(0).standard_normal((curvature.size, 12)))[0]
        found = np.stack([curvature.times(one) for one in basis.T], axis=1)
        np.testing.assert_allclose(found, expected @ basis, atol=1e-12)
        assert curvature.products == 12


def test_gauss_newton_is_the_jacobian_around_the_loss() -> None:
    model, batches = net(), examples()
    inputs, targets = together(batches)
    parameters = dict(model.named_parameters())
    jacobians = torch.func.jacrev(lambda values: functional_call(model, values, (inputs,)))(parameters)
    jacobian = torch.cat([one.reshape(20, 3, -1) for one in jacobians.values()], dim=2).detach()
    p = torch.softmax(model(inputs), 1).detach()
    inner = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    expected = torch.einsum("nki,nkl,nlj->ij", jacobian, inner, jacobian).numpy() / 20
    with held(model), twice_differentiable(model):
        found = sharp.whole(Curvature(model, CROSS_ENTROPY, batches, 20, "ggn"))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert targets.shape == (20,)


@pytest.mark.parametrize(("kind", "matrix"), [("plain", "hessian"), ("wide", "hessian"), ("wide", "ggn")])
def test_eigenvalues_and_trace_are_those_of_the_dense_matrix(kind: str, matrix: Matrix) -> None:
    model, batches = net(kind=kind), examples(60, (32, 28))
    with held(model), twice_differentiable(model):
        curvature = Curvature(model, CROSS_ENTROPY, batches, 60, matrix)
        found = extreme_eigenvalues(curvature)
        trace = trace_of(curvature, found.vectors)
        whole = sharp.whole(curvature)
    if matrix == "hessian":
        np.testing.assert_allclose(whole, dense(model, mean_loss(model, batches)).numpy(), atol=1e-10)
    every = np.linalg.eigvalsh(whole)[::-1]
    expected = np.concatenate([every[: sharp.TOP], every[-sharp.BOTTOM :]])
    np.testing.assert_allclose(found.values[: sharp.TOP], expected[: sharp.TOP], atol=1e-6)
    np.testing.assert_allclose(found.values, expected, atol=1e-4 * expected[0])
    nearest = np.abs(found.values[:, None] - every).min(axis=1)
    assert (nearest <= found.residuals + 1e-9).all(), "an eigenvalue lies within the bound that is told"
    exact = float(np.trace(whole))
    if curvature.size <= sharp.DENSE:
        assert (trace.value, trace.standard_error, trace.probes) == (pytest.approx(exact), None, 0)
    else:
        assert trace.standard_error is not None
        assert abs(trace.value - exact) < 4 * trace.standard_error
        assert trace.standard_error < 0.05 * abs(exact)
        assert trace.probes == sharp.PROBES


def test_within_a_ten_thousandth_in_float32_too() -> None:
    model, batches = net(kind="wide"), examples(60, (32, 28))
    exact = np.linalg.eigvalsh(dense(model, mean_loss(model, batches)).numpy())[::-1]
    single = net(kind="wide").float()
    singles = [Labelled(one.inputs.float(), one.targets) for one in batches]  # type: ignore[union-attr]
    with held(single), twice_differentiable(single):
        found = extreme_eigenvalues(Curvature(single, CROSS_ENTROPY, singles, 60))
    np.testing.assert_allclose(found.values[: sharp.TOP], exact[: sharp.TOP], atol=1e-4 * exact[0])


def test_the_interval_of_the_trace_holds_it_as_often_as_it_says() -> None:
    """Over 200 seeds, on a matrix that is known: 95% of them, within the noise of 200 trials."""

    class Known:
        size = 200
        whole = None

        def times(self, vector: np.ndarray) -> np.ndarray:
            return matrix @ vector

    source = np.random.default_rng(5)
    matrix = source.standard_normal((200, 200))
    matrix = (matrix + matrix.T) / 2 + np.diag(source.exponential(3, 200))
    exact = float(np.trace(matrix))
    known = np.linalg.eigh(matrix)[1][:, -5:]
    inside = 0
    for seed in range(200):
        interval = trace_of(Known(), known, seed=seed).interval  # type: ignore[arg-type]
        assert interval is not None
        inside += interval.low <= exact <= interval.high
    assert 0.90 <= inside / 200 <= 0.99


def test_the_density_is_that_of_the_dense_matrix_with_the_same_bells() -> None:
    model, batches = net(kind="wide"), examples(60, (32, 28))
    with held(model), twice_differentiable(model):
        curvature = Curvature(model, CROSS_ENTROPY, batches, 60)
        eigenvalues = np.linalg.eigvalsh(sharp.whole(curvature))
        lowest, highest = float(eigenvalues[0]), float(eigenvalues[-1])
        found = spectral_density(curvature, lowest, highest, runs=8)
    bells = np.exp(-0.5 * ((found.grid[:, None] - eigenvalues) / found.width) ** 2)
    expected = (bells / (found.width * np.sqrt(2 * np.pi))).mean(axis=1)
    gap = np.abs(found.values - expected)
    # The mass that is put elsewhere, a share of 1: the curves are the same up to the noise of 8 random starts.
    assert np.trapezoid(gap, found.grid) < 0.15
    assert np.trapezoid(found.values, found.grid) == pytest.approx(1.0, abs=0.02)
    assert np.mean(gap <= 4 * found.standard_errors + 0.01 * expected.max()) > 0.95
    assert (found.runs, found.steps) == (8, sharp.STEPS)


def test_a_small_matrix_has_its_density_from_every_eigenvalue() -> None:
    model, batches = net(), examples()
    with held(model), twice_differentiable(model):
        curvature = Curvature(model, CROSS_ENTROPY, batches, 20)
        values = extreme_eigenvalues(curvature, top=curvature.size).values
        found = spectral_density(curvature, float(values[-1]), float(values[0]))
    assert (found.runs, found.steps) == (0, 0)
    assert np.trapezoid(found.values, found.grid) == pytest.approx(1.0, abs=0.02)
    assert curvature.products == curvature.size, "all of it was asked for once"


def test_both_ways_to_a_product_agree() -> None:
    model, batches = net(kind="norm"), examples()
    with held(model), twice_differentiable(model):
        curvature = Curvature(model, CROSS_ENTROPY, batches, 20)
        assert curvature.way == "forward over reverse"
        plain = sharp.whole(curvature)
        other = Curvature(_no_forward(model), CROSS_ENTROPY, batches, 20)
        assert other.way == "reverse over reverse"
        np.testing.assert_allclose(sharp.whole(other), plain, atol=1e-12)


class _Squared(torch.autograd.Function):
    """Differentiable backward as often as one likes, forward never."""

    @staticmethod
    def forward(ctx: object, given: Tensor) -> Tensor:
        ctx.save_for_backward(given)  # type: ignore[attr-defined]
        return given.clone()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return gradient.clone()


def _no_forward(model: nn.Module) -> nn.Module:
    class Ending(nn.Module):
        def forward(self, given: Tensor) -> Tensor:
            found: Tensor = _Squared.apply(given)  # type: ignore[no-untyped-call]
            return found

    return nn.Sequential(model, Ending()).eval()


def test_objectives_of_a_single_logit_and_of_sets() -> None:
    single = Objective(loss_named("cross-entropy"), "classification")
    logits = torch.tensor([[1.0], [-2.0]])
    targets = torch.tensor([1, 1])
    found = single.losses(single.outputs(logits), targets)
    expected = nn.functional.binary_cross_entropy_with_logits(logits[:, 0].double(), targets.double(), reduction="none")
    torch.testing.assert_close(found, expected)
    sets = Objective(loss_named("binary-cross-entropy"), "multilabel")
    assert sets.right(sets.outputs(torch.randn(2, 3)), torch.ones(2, 3)) is None

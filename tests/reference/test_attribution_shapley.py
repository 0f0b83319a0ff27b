"""KernelSHAP, LIME and sampled Shapley values against enumeration and closed forms; Captum does the arithmetic."""

from __future__ import annotations

import itertools
import math
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.attribution import KernelShap, Lime, ShapleySampling
from pellucid.errors import MethodError, MissingExtraError, OptionError

TABLE = torch.tensor([[1.0, -2.0, 0.5, 3.0], [0.3, 1.0, -1.0, 2.0]]).double()


class Joint(nn.Module):
    """Columns that act alone, together, and not at all."""

    def forward(self, table: Tensor) -> Tensor:
        a, b, c, d = table.unbind(1)
        return torch.stack([2 * a + b * d + c * c * a, -a], dim=1) + 0 * d[:, None]


def enumerated(row: Tensor, baseline: Tensor) -> Tensor:
    """Shapley values by their definition, over all sets of columns."""
    count = len(row)

    def value(there: set[int]) -> float:
        mixed = torch.stack([row[at] if at in there else baseline[at] for at in range(count)])
        return float(Joint()(mixed[None])[0, 0])

    found = torch.zeros(count).double()
    for feature in range(count):
        others = [at for at in range(count) if at != feature]
        for size in range(count):
            weight = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
            for some in itertools.combinations(others, size):
                found[feature] += weight * (value({*some, feature}) - value(set(some)))
    return found


def test_kernel_shap_and_sampled_values_are_those_of_the_definition_and_add_up() -> None:
    baseline = torch.tensor([0.5, 0.0, 1.0, -1.0]).double()
    expected = torch.stack([enumerated(row, baseline) for row in TABLE])
    asked = [
        KernelShap(samples=4_000, baseline=baseline, batch_size=2000),
        ShapleySampling(samples=400, baseline=baseline, batch_size=100),
    ]
    states = torch.random.get_rng_state()
    found = pellucid.attribute(Joint(), TABLE, 0, asked)
    assert torch.equal(torch.random.get_rng_state(), states)
    torch.testing.assert_close(found["kernel_shap"].input, expected, rtol=0.05, atol=0.2)
    torch.testing.assert_close(found["shapley_sampling"].input, expected, rtol=0.1, atol=0.3)
    for one in found.values():
        assert float(one.check.abs().max()) < 1e-3
        assert one.passes.backward == 0
        assert one.passes.forward_examples > 800
    again = pellucid.attribute(Joint(), TABLE[1:], 0, asked[0])
    torch.testing.assert_close(again.input, found["kernel_shap"].input[1:])


def test_lime_is_the_weighted_least_squares_of_the_sets_that_the_model_was_shown() -> None:
    """Ribeiro et al. 2016, eq. 2, on numpy: a set weighs by its similarity to the whole; the penalty is next to nothing."""

    given: list[Tensor] = []  # outside of the model, from which it would be taken back

    class Showing(Joint):
        def forward(self, table: Tensor) -> Tensor:
            given.append(table.detach().clone())
            return super().forward(table)

    model, baseline = Showing(), torch.tensor([0.5, 0.0, 1.0, -1.5]).double()
    row, samples = TABLE[:1], 150
    found = pellucid.attribute(model, row, 0, Lime(samples=samples, penalty=1e-9, baseline=baseline)).input[0]
    shown = torch.cat(given)[-samples:].numpy()
    there = (shown == row.numpy()).astype(float)
    np.testing.assert_array_equal(shown, np.where(there, row, baseline))
    cosine = there.sum(1) / (np.linalg.norm(there, axis=1) * 2 + 1e-12)
    root = np.exp(-((1 - cosine) ** 2) / 4)[:, None]
    scores = Joint()(torch.from_numpy(shown))[:, :1].numpy()
    columns = np.concatenate([np.ones((samples, 1)), there], axis=1)
    expected = np.linalg.lstsq(root * columns, root * scores, rcond=None)[0][1:, 0]
    np.testing.assert_allclose(
        found.numpy(), expected, rtol=3e-4
    )  # scikit-learn's descent ends at a duality gap of 1e-4


@pytest.mark.parametrize(
    "method", [KernelShap(samples=100), ShapleySampling(samples=2), Lime(samples=200, penalty=1e-6)]
)
def test_on_a_linear_model_all_are_weight_times_value(method: KernelShap | ShapleySampling | Lime) -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 3).double()
    found = pellucid.attribute(model, TABLE, [2, 0], method)
    torch.testing.assert_close(found.input, model.weight.detach()[[2, 0]] * TABLE, rtol=1e-3, atol=1e-3)


def test_images_are_hidden_by_cells_or_superpixels_and_a_planted_quadrant_has_it_all() -> None:
    model = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 2, bias=False))
    with torch.no_grad():
        model[2].weight.zero_()
        model[2].weight[1].view(3, 4)[0, 2] = 1.0  # red of the third quadrant
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) + 1
    for method in (KernelShap(samples=64, cells=2), ShapleySampling(samples=2, cells=2)):
        found = pellucid.attribute(model, images, 1, method).input
        total = found.sum(1).reshape(2, 2, 4, 2, 4).sum((2, 4)).flatten(1)
        torch.testing.assert_close(total[:, 2], images[:, 0, 4:, :4].mean((1, 2)), rtol=1e-3, atol=1e-3)
        assert float(total[:, [0, 1, 3]].abs().max()) < 1e-3
    halves = (torch.arange(8) >= 4).long()[:, None].expand(8, 8)
    found = pellucid.attribute(model, images, 1, ShapleySampling(samples=2, features=halves)).input
    assert float(found[:, :, :4].abs().max()) < 1e-6
    torch.testing.assert_close(found.sum((1, 2, 3)), images[:, 0, 4:, :4].mean((1, 2)))


def test_tokens_are_replaced_by_an_id_and_a_dummy_has_nothing() -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(10, 2)

        def forward(self, ids: Tensor) -> Tensor:
            return self.words(ids)[:, :3].sum(1)

    torch.manual_seed(0)
    model, ids = Words(), torch.tensor([[1, 2, 3, 4]])
    found = pellucid.attribute(model, ids, 1, ShapleySampling(samples=3, baseline=7))
    table = model.words.weight.detach()[:, 1]
    expected = table[ids[0]] - table[7]
    expected[3] = 0
    torch.testing.assert_close(found.input[0], expected, rtol=1e-4, atol=1e-5)


def test_memory_that_fails_halves_the_rows_and_a_watcher_stops() -> None:
    class Narrow(nn.Linear):
        def forward(self, values: Tensor) -> Tensor:
            if len(values) > 8:
                raise torch.OutOfMemoryError("no")
            return super().forward(values)

    torch.manual_seed(0)
    model = Narrow(4, 2).double()
    found = pellucid.attribute(model, TABLE, 0, KernelShap(samples=40))
    assert "8 were used" in found.warnings[0]
    torch.testing.assert_close(found.input, model.weight.detach()[0] * TABLE, rtol=1e-3, atol=1e-3)
    told: list[tuple[int, int]] = []

    def watch(progress: pellucid.attribution.Progress) -> bool:
        told.append((progress.done, progress.total))
        return progress.done < 60

    stopped = pellucid.attribute(model, TABLE, 0, KernelShap(samples=40, batch_size=8), watch=watch)
    assert told == [(done, 80) for done in range(8, 65, 8)]
    assert stopped.warnings[-1] == "Stopped after 64 of 80 sets of features."
    torch.testing.assert_close(stopped.input, found.input, rtol=1e-3, atol=1e-3)  # of the second from 24 sets
    first = pellucid.attribute(model, TABLE, 0, ShapleySampling(samples=5), watch=lambda progress: progress.done < 1)
    assert first.warnings[-1] == "Stopped after 1 of 10 orders of features."
    assert bool(first.input[1].isnan().all())
    assert bool(first.error.isnan().all()), "a single order has no spread"


ERRING = [KernelShap(samples=120), Lime(samples=120, penalty=0.02), ShapleySampling(samples=12)]


@pytest.mark.parametrize("method", ERRING, ids=lambda method: method.name)
def test_the_error_is_the_spread_of_maps_made_with_other_seeds(method: KernelShap | Lime | ShapleySampling) -> None:
    """By simulation: over seeds the map deviates by what each single map says of itself, and covers its own mean."""
    seeds = 40
    found = [pellucid.attribute(Joint(), TABLE[:1], 0, replace(method, seed=seed)) for seed in range(seeds)]
    maps, errors = torch.cat([one.input for one in found]), torch.cat([one.error for one in found])
    spread, said = maps.std(0), errors.square().mean(0).sqrt()
    acting = spread > 1e-3 * maps.abs().amax()
    assert int(acting.sum()) >= 2
    # A standard deviation of 40 is known to a tenth; the jackknife over ten groups says a little too much.
    ratio = said[acting] / spread[acting]
    assert bool((ratio > 0.7).all()), ratio
    assert bool((ratio < 1.5).all()), ratio
    assert bool((errors[:, ~acting] < 0.02).all()), "what never differs has no error"
    near = ((maps - maps.mean(0)).abs() <= 2 * errors)[:, acting].double().mean()
    assert float(near) > 0.85


@pytest.mark.parametrize("method", ERRING, ids=lambda method: method.name)
def test_the_estimate_so_far_ends_at_what_captum_says(method: KernelShap | Lime | ShapleySampling) -> None:
    told: list[tuple[int, float | None, Tensor]] = []

    def watch(progress: pellucid.attribution.Progress) -> None:
        told.append((progress.done, progress.error(), progress.estimate()))

    found = pellucid.attribute(Joint(), TABLE[:1], 0, replace(method, batch_size=10), watch=watch)
    done = [one for one, _, _ in told]
    assert done == sorted(done)
    known = [error for _, error, _ in told if error is not None]
    assert len(known) >= 5
    assert known[-1] < known[0]
    if not isinstance(method, ShapleySampling):  # its last order ends after the watcher was told
        assert done[-1] == 120
        torch.testing.assert_close(told[-1][2], found.input, rtol=1e-4, atol=1e-5)
        size = float(found.error.abs().sum() / found.input.abs().sum())
        assert known[-1] == pytest.approx(size, rel=1e-3)


def test_too_few_sets_for_an_error_have_none() -> None:
    found = pellucid.attribute(Joint(), TABLE[:1], 0, KernelShap(samples=15))
    assert bool(found.input.isfinite().all())
    assert bool(found.error.isnan().all())
    spread = pellucid.attribute(Joint(), TABLE[:1], 0, KernelShap(samples=40)).error
    assert bool(spread.isfinite().all())


def test_what_cannot_be_right_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Linear(4, 2).double()
    with pytest.raises(OptionError, match="samples, cells and batch_size of 1 or more"):
        KernelShap(samples=0)
    with pytest.raises(OptionError, match="needs 2 or more; got 1"):
        pellucid.attribute(model, TABLE, 0, Lime(features=torch.zeros(4, dtype=torch.int64)))
    with pytest.raises(OptionError, match=r"must broadcast to the input \(2, 4\)"):
        pellucid.attribute(model, TABLE, 0, Lime(features=torch.arange(3)))
    with pytest.raises(OptionError, match=r"integers from 0 on; got torch\.float32"):
        pellucid.attribute(model, TABLE, 0, Lime(features=torch.rand(4)))
    with pytest.raises(MethodError, match="give one example, or a class"):
        pellucid.attribute(model, TABLE, lambda output: output[:, 0], "kernel_shap")
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(
        MissingExtraError, match=r"LIME needs the package 'captum'. Install it: pip install 'pellucid\[shapley\]'"
    ):
        pellucid.attribute(model, TABLE, 0, "lime")

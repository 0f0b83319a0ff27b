"""The sample of positions behind zero shares, saturated units and histograms, against counts of all values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.lenses.reductions import SAMPLE, spread, summarise
from pellucid.record import Record
from pellucid.record.schema import ActivationLayer, ActivationsPanel
from pellucid.types import Layer, Layout

EXAMPLES, BATCH = 128, 32


def zero_share(values: Tensor, layout: Layout, units: int) -> tuple[float, int]:
    """Share of zeros in the sample of EXAMPLES equal examples, and how many positions were looked at."""
    layer = Layer(0, "layer", "ReLU", tuple(values.shape), layout, "relu")
    zeros = sampled = 0
    for seen in range(0, EXAMPLES, BATCH):
        found = summarise(values.expand(BATCH, *values.shape), layer, None, 9, seen)
        zeros, sampled = zeros + int(found["zeros"].sum()), sampled + int(found["sampled"].sum())
    return zeros / sampled, sampled // units


def assert_near(values: Tensor, layout: Layout, units: int) -> None:
    """Two standard errors of as many positions that are drawn at random."""
    found, positions = zero_share(values, layout, units)
    exact = float((values == 0).float().mean())
    assert positions == EXAMPLES * max(1, SAMPLE // units)
    assert abs(found - exact) < 2 * (exact * (1 - exact) / positions) ** 0.5


@pytest.mark.parametrize("units", [32, 512])
@pytest.mark.parametrize("width", [8, 16, 31, 32, 33])
@pytest.mark.parametrize("dead", ["column", "row", "middle column", "border", "diagonal", "checks"])
def test_what_is_dead_in_one_place_of_a_map_has_its_exact_share(dead: str, width: int, units: int) -> None:
    if width**2 < 2 * (SAMPLE // units):
        pytest.skip("counted whole")
    alive = torch.ones(units, width, width)
    place = torch.arange(width)
    if dead == "border":
        alive[:, 0] = alive[:, -1] = alive[:, :, 0] = alive[:, :, -1] = 0
    elif dead == "diagonal":
        alive[:, place, place] = 0
    elif dead == "checks":
        alive[:, (place[:, None] + place) % 2 == 0] = 0
    elif dead == "row":
        alive[:, 0] = 0
    else:
        alive[:, :, 0 if dead == "column" else width // 2] = 0
    assert_near(alive, "maps", units)


@pytest.mark.parametrize("extents", [(9, 40), (64,), (500,), (6, 10, 12)])
def test_what_is_dead_in_one_place_of_sequences_volumes_and_oblong_maps(extents: tuple[int, ...]) -> None:
    alive = torch.ones(64, *extents)
    alive[..., :2] = 0
    assert_near(alive, "maps" if len(extents) == 2 else "channels", 64)
    if len(extents) == 1:
        assert_near(alive.T, "tokens", 64)


def test_over_the_examples_every_position_is_seen_about_equally_often() -> None:
    for extents in ((8, 8), (64,), (4, 4, 4)):
        counts = np.bincount(spread(0, 4096, 1, extents).ravel().numpy(), minlength=64)
        assert len(counts) == 64
        assert counts.sum() == 4096
        assert np.abs(counts - 64).max() <= 8  # one standard deviation of random draws


def test_batches_go_on_where_the_last_one_ended() -> None:
    whole = spread(0, 24, 5, (16, 32))
    pieces = [spread(seen, size, 5, (16, 32)) for seen, size in ((0, 1), (1, 7), (8, 16))]
    assert torch.equal(torch.cat(pieces), whole)
    assert len({tuple(row) for row in whole.tolist()}) == 24


def first_layer(record: Record) -> ActivationLayer:
    panel = record.panel("activations")
    assert isinstance(panel, ActivationsPanel)
    return panel.layers[0]


def network(bias: float) -> nn.Sequential:
    """Sigmoids that on dark pixels are at 0 where the bias is low; only the middle of the pictures is bright."""
    torch.manual_seed(0)
    convolution = nn.Conv2d(1, 32, 3, padding=1)
    nn.init.uniform_(convolution.weight, 0, 1.5)
    assert convolution.bias is not None
    nn.init.constant_(convolution.bias, bias)
    return nn.Sequential(convolution, nn.Sigmoid(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)).eval()


def pictures(count: int) -> list[tuple[Tensor, int]]:
    found = torch.zeros(count, 1, 32, 32)
    found[..., 8:24, 8:24] = 0.5 + torch.rand(count, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    return [(picture, row % 10) for row, picture in enumerate(found)]


@pytest.mark.parametrize(("bias", "saturated"), [(-5.0, 0), (-30.0, 32)])
def test_units_are_saturated_where_all_their_positions_are(bias: float, saturated: int, tmp_path: Path) -> None:
    model, examples = network(bias), pictures(64)
    with torch.no_grad():
        values = model[:2](torch.stack([picture for picture, _ in examples]))
    at_bound = ((values <= 0.01) | (values >= 0.99)).float().mean(dim=(0, 2, 3))
    assert int((at_bound >= 0.95).sum()) == saturated
    record = pellucid.inspect(model, examples, out=tmp_path / "record")
    assert first_layer(record).saturated_units == saturated
    assert any(finding.kind == "saturated-layer" for finding in record.findings) == bool(saturated)


def test_the_sample_of_an_inspection_depends_on_no_batch_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pellucid.inspection.run.PART_EXAMPLES", 16)
    examples = [(picture.round(), label) for picture, label in pictures(40)]  # sums that no order of adding changes
    found = []
    for size in (1, 8, 16):
        record = pellucid.inspect(network(0.0), examples, out=tmp_path / str(size), batch_size=size)
        layer = first_layer(record)
        assert layer.histogram_values == 40 * SAMPLE
        found.append(layer.histogram)
    assert found[0] == found[1] == found[2]

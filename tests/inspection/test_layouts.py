"""Sequences and volumes are summed up by channel, and only tokens of images lie on a grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.attribution.cam import no_cam
from pellucid.graph import trace
from pellucid.types import Grid, Layer


def labelled(inputs: Tensor) -> list[tuple[Tensor, int]]:
    return [(one, row % 2) for row, one in enumerate(inputs)]


def convolving(axes: int) -> tuple[nn.Sequential, Tensor]:
    """A convolution over so many axes, of which one channel is dead, its mean over positions, and a head; and inputs."""
    torch.manual_seed(0)
    convolution, pool = {1: (nn.Conv1d, nn.AdaptiveAvgPool1d), 3: (nn.Conv3d, nn.AdaptiveAvgPool3d)}[axes]
    model = nn.Sequential(convolution(2, 6, 3, padding=1), nn.ReLU(), pool(1), nn.Flatten(), nn.Linear(6, 2)).eval()
    with torch.no_grad():
        model[0].bias[1] = -100.0
    return model, torch.rand(64, 2, *{1: (40,), 3: (5, 6, 7)}[axes])


@pytest.mark.parametrize("axes", [1, 3])
def test_channels_of_sequences_and_volumes_are_the_units(axes: int, tmp_path: Path) -> None:
    model, inputs = convolving(axes)
    record = pellucid.inspect(model, labelled(inputs), out=tmp_path / "r", chosen=4)
    with torch.no_grad():
        fired = model[:2](inputs).flatten(2).numpy()  # example, channel, position
    activations = record.panel("activations").layers[0]  # type: ignore[union-attr]
    assert (activations.units, activations.dead_units) == (6, 1)
    maxima = fired.max(2)
    rows = record.array("activations", "0.top_rows")
    places = record.array("activations", "0.top_positions")
    for unit in (0, 2, 3, 4, 5):
        np.testing.assert_array_equal(rows[unit], np.argsort(-maxima[:, unit], kind="stable")[:9])
        np.testing.assert_array_equal(places[unit], fired[rows[unit], unit].argmax(1))
    np.testing.assert_allclose(record.array("activations", "0.mean"), fired.mean((0, 2)), rtol=1e-5)
    similarity = record.panel("similarity")
    assert [layer.units for layer in similarity.layers] == [6, 6, 2]  # type: ignore[union-attr]
    np.testing.assert_allclose(
        record.array("similarity", "0.features").astype(np.float32) * similarity.layers[0].scale,  # type: ignore[union-attr]
        fired.mean(2),
        atol=1e-3,
    )
    assert record.array("similarity", "cka")[0, 1] == pytest.approx(1, abs=1e-3)  # with its own mean over positions
    focus, tensors = record.focus(record.focused[0])
    assert (focus.layers[0].height, focus.layers[0].width) == (1, 1)
    np.testing.assert_allclose(tensors["0.values"] * focus.scales["0.values"], fired[focus.row].mean(1), atol=1e-3)
    assert f"its channels have {axes} ax" in focus.layers[0].cam


class Reader(nn.Module):
    """Reads words, or patches of a picture where `patches` is said."""

    def __init__(self, *, patches: bool = False) -> None:
        super().__init__()
        self.tokens = nn.Linear(4, 8) if patches else nn.Embedding(60, 8)
        self.act, self.answer = nn.ReLU(), nn.Linear(8, 3)
        self.patches = patches

    def forward(self, inputs: Tensor) -> Tensor:
        given = nn.functional.unfold(inputs, 2, stride=2).transpose(1, 2) if self.patches else inputs
        logits: Tensor = self.answer(self.act(self.tokens(given)).mean(1))
        return logits


def test_words_lie_on_no_grid_however_many_they_are_and_patches_do(tmp_path: Path) -> None:
    words = torch.randint(0, 60, (24, 16), generator=torch.Generator().manual_seed(0))
    record = pellucid.inspect(Reader(), labelled(words), out=tmp_path / "words", chosen=4)
    refusals = [layer.no_cam for layer in record.panel("gradients").layers]  # type: ignore[union-attr]
    assert refusals == ["its 16 tokens are no patches of an image", "its output has no spatial extent"]
    focus, tensors = record.focus(record.focused[0])
    assert (focus.layers[0].height, focus.layers[0].width) == (1, 1)
    assert tensors["0.values"].shape == (8,)
    assert "0.grad_cam" not in tensors
    record = pellucid.inspect(Reader(patches=True), labelled(torch.rand(24, 1, 8, 8)), out=tmp_path / "r", chosen=4)
    focus, tensors = record.focus(record.focused[0])
    assert tensors["0.grad_cam"].shape == (4, 4)


def test_texts_of_many_lengths_are_looked_at_one_at_a_time(tmp_path: Path) -> None:
    torch.manual_seed(0)
    texts = [(torch.randint(0, 60, (9 if row == 0 else 8,)), row % 2) for row in range(20)]
    record = pellucid.inspect(Reader(), texts, out=tmp_path / "r", chosen=20, batch_size=1)
    assert len(record.focused) == 20


def test_pictures_of_many_sizes_have_maps_of_their_own_size(tmp_path: Path) -> None:
    torch.manual_seed(0)
    pictures = [(torch.rand(1, 8, 6 if row == 5 else 8), row % 2) for row in range(12)]
    record = pellucid.inspect(Reader(patches=True), pictures, out=tmp_path / "r", chosen=12, batch_size=1)
    square, tensors = record.focus(0)
    assert (square.layers[0].cam, tensors["0.grad_cam"].shape) == ("ok", (4, 4))
    other, tensors = record.focus(5)
    assert other.layers[0].cam == "it has 12 tokens here, and 16 where the graph told which of them are patches"
    assert "0.grad_cam" not in tensors


@pytest.mark.parametrize(
    ("shape", "dtype", "image"),
    [
        ((3, 8, 8), torch.float32, True),
        ((3, 8, 8), torch.uint8, True),
        ((16, 8), torch.float32, False),
        ((2, 3, 8), torch.long, False),
    ],
)
def test_an_image_is_an_input_of_four_axes_that_holds_no_ids(
    shape: tuple[int, ...], dtype: torch.dtype, image: bool
) -> None:
    class Summing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, given: Tensor) -> Tensor:
            return self.act(given.float())

    graph = trace(Summing(), torch.ones(1, *shape).to(dtype))
    assert graph.of_image is image
    assert {layer.of_image for layer in graph.layers} == {image}


def test_a_grid_is_one_of_an_image_alone() -> None:
    grid = Grid(4, 4, tuple(range(1, 17)), 17)
    assert no_cam(Layer(0, "a", "Linear", (17, 8), "tokens", grid=grid)) is None
    assert "26 tokens here, and 17" in (no_cam(Layer(0, "a", "Linear", (26, 8), "tokens", grid=grid)) or "")
    assert "no patches of an image" in (no_cam(Layer(0, "a", "Linear", (17, 8), "tokens", of_image=False)) or "")

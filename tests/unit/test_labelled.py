"""Labelled pictures from a folder: what is read, how it is brought to the model's size, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid.data.labelled import open_labelled
from pellucid.errors import DataError
from pellucid.features.concepts import Concept
from pellucid.recipe import Recipe


def write(place: Path, values: np.ndarray) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(place)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        write(tmp_path / "images" / f"{name}.png", random.integers(0, 255, (20, 30, 3), np.uint8))
    objects = np.zeros((20, 30), np.uint8)
    objects[:10, :10], objects[10:, 20:] = 1, 2
    write(tmp_path / "masks" / "object" / "a.png", objects)
    (tmp_path / "masks" / "object" / "names.txt").write_text("cat\ndog\n")
    write(tmp_path / "masks" / "part" / "ear" / "a.png", (objects == 1).astype(np.uint8) * 255)
    write(tmp_path / "masks" / "part" / "tail" / "b.png", (objects == 2).astype(np.uint8) * 255)
    return tmp_path


def test_indices_and_folders_of_masks_become_planes_and_images_without_any_are_left_out(folder: Path) -> None:
    found = open_labelled(folder, (3, 20, 30))
    assert found.concepts == (
        Concept("cat", "object"),
        Concept("dog", "object"),
        Concept("ear", "part"),
        Concept("tail", "part"),
    )
    assert len(found) == 2
    expected = np.zeros((2, 20, 30), np.int16)
    expected[0, :10, :10], expected[0, 10:, 20:], expected[1, :10, :10] = 1, 2, 1
    np.testing.assert_array_equal(found.planes(0), expected)
    assert found.planes(1)[0].max() == 0
    assert np.unique(found.planes(1)[1]).tolist() == [0, 2]
    picture = np.asarray(Image.open(folder / "images" / "a.png"), np.float32).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(found.picture(0), picture)


def test_masks_are_resized_and_cropped_as_their_images_are(folder: Path) -> None:
    found = open_labelled(folder, (1, 40, 40), Recipe(resize=40, crop=(40, 40)))
    assert found.picture(0).shape == (1, 40, 40)
    cat = found.planes(0)[0] == 1  # of 60 columns the middle 40 stay
    assert cat[:20, :10].all()
    assert cat.sum() == 200
    assert (found.planes(0)[0] == 2)[20:, 30:].all()


def test_large_indices_keep_their_value(tmp_path: Path) -> None:
    write(tmp_path / "images" / "a.png", np.zeros((16, 16), np.uint8))
    write(tmp_path / "masks" / "object" / "a.png", np.full((16, 16), 300, np.uint16))
    (tmp_path / "masks" / "object" / "names.txt").write_text("\n".join(f"thing {at}" for at in range(1, 301)))
    assert np.unique(open_labelled(tmp_path, (3, 16, 16)).planes(0)).tolist() == [300]


def test_what_does_not_fit_is_refused_by_name(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(DataError, match=r"holds no images/ and masks/ beside each other"):
        open_labelled(tmp_path_factory.mktemp("cats"), (3, 20, 30))
    with pytest.raises(DataError, match="one channel or three; the model takes 5"):
        open_labelled(folder, (5, 20, 30))
    write(folder / "masks" / "object" / "a.png", np.full((20, 30), 7, np.uint8))
    with pytest.raises(DataError, match=r"holds the index 7, but .* names 2"):
        open_labelled(folder, (3, 20, 30)).planes(0)
    write(folder / "masks" / "object" / "a.png", np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(DataError, match="a picture of colours"):
        open_labelled(folder, (3, 20, 30)).planes(0)
    write(folder / "masks" / "object" / "a.png", np.zeros((10, 30), np.uint8))
    with pytest.raises(DataError, match="its image is"):
        open_labelled(folder, (3, 20, 30)).planes(0)
    (folder / "masks" / "object" / "a.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="cannot be decoded"):
        open_labelled(folder, (3, 20, 30)).planes(0)
    (folder / "masks" / "object" / "a.png").unlink()
    write(folder / "masks" / "part" / "tail" / "a.png", np.full((20, 30), 255, np.uint8))
    with pytest.raises(DataError, match="'ear' overlap"):
        open_labelled(folder, (3, 20, 30)).planes(0)
    (folder / "masks" / "object" / "names.txt").unlink()
    with pytest.raises(DataError, match=r"neither names\.txt"):
        open_labelled(folder, (3, 20, 30))

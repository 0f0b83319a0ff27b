"""Opening data: folders, Parquet, digits, code and what a program holds; images of every kind; what is refused."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pellucid.data import Recipe, Source, images, listed, open_data
from pellucid.data.images import MOST_PIXELS, UndecodableImageError, decode, picture_of, picture_of_tensor
from pellucid.errors import DataError, UnreadableError
from support.pictures import encoded, picture, rows_of

# --- folders -------------------------------------------------------------------------------------------------------


# --- folders -------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three classes with 4, 3 and 2 images, one of them deeper, and files that are no images."""
    for number, (name, count) in enumerate({"owl": 2, "cat": 4, "dog": 3}.items()):
        (tmp_path / "animals" / name).mkdir(parents=True)
        for place in range(count):
            picture(10 * number + place).save(tmp_path / "animals" / name / f"{place}.png")
    root = tmp_path / "animals"
    (root / "dog" / "2.png").rename(root / "dog" / "2.PNG")
    (root / "cat" / "more").mkdir()
    (root / "cat" / "3.png").rename(root / "cat" / "more" / "3.png")
    (root / "cat" / "notes.txt").write_text("no image")
    (root / "cat" / ".hidden.png").write_text("no image")
    (root / ".thumbnails").mkdir()
    (root / ".thumbnails" / "0.png").write_text("no image")
    (root / "empty").mkdir()
    return root


def test_a_folder_of_class_folders_gives_sorted_classes_and_ids_that_are_paths(folder: Path) -> None:
    source = open_data(str(folder))
    assert isinstance(source, Source)
    assert (source.name, source.source, source.classes) == ("animals", str(folder), ("cat", "dog", "owl"))
    assert rows_of(source) == [
        ("cat/0.png", 0), ("cat/1.png", 0), ("cat/2.png", 0), ("cat/more/3.png", 0),
        ("dog/0.png", 1), ("dog/1.png", 1), ("dog/2.PNG", 1), ("owl/0.png", 2), ("owl/1.png", 2),
    ]  # fmt: skip
    assert len(source) == 9
    expected = torch.from_numpy(np.asarray(picture(10)).transpose(2, 0, 1) / np.float32(255))
    torch.testing.assert_close(source.example(0).inputs, expected, rtol=0, atol=0)


def test_ids_and_fingerprints_are_the_same_at_every_visit_and_say_what_changed(folder: Path) -> None:
    first, second = open_data(str(folder)), open_data(str(folder))
    list(first.batches(4))
    assert first.fingerprint() == second.fingerprint()
    (folder / "owl" / "1.png").rename(folder / "dog" / "1b.png")
    assert open_data(str(folder)).fingerprint() != first.fingerprint()


@pytest.mark.parametrize(("limit", "ids"), [(3, ["cat/0.png", "cat/more/3.png", "dog/2.PNG"]), (100, None)])
def test_a_limit_takes_examples_evenly_from_all_classes(folder: Path, limit: int, ids: list[str] | None) -> None:
    found = [name for name, _ in rows_of(open_data(str(folder), limit=limit))]
    assert found == ids if ids else len(found) == 9


@pytest.mark.parametrize("start", [0, 3, 7, 9])
def test_a_sweep_can_go_on_from_any_row(folder: Path, start: int) -> None:
    whole, rest = open_data(str(folder)), open_data(str(folder))
    names = [name for name, _ in rows_of(whole)]
    assert [name for batch in rest.batches(2, start=start) for name in batch.ids] == names[start:]


def test_a_recipe_prepares_images_and_the_picture_is_of_what_the_model_sees(folder: Path) -> None:
    source = open_data(str(folder), recipe=Recipe(resize=8, crop=(8, 8), mean=(0.5,) * 3, std=(0.25,) * 3))
    example, kept = source.example(0), next(source.batches(1)).media[0]
    assert example.inputs.shape == (3, 8, 8)
    assert example.media is None, "the small picture is for records"
    assert kept is not None
    shown = np.asarray(Image.open(io.BytesIO(kept.content)))
    np.testing.assert_allclose(example.inputs.numpy(), (shown.transpose(2, 0, 1) / 255 - 0.5) / 0.25, atol=1e-5)
    assert [step["step"] for step in source.preprocessing.steps] == ["resize", "centre crop", "scale", "normalise"]


def test_an_empty_folder_a_folder_of_loose_images_and_one_of_one_class_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no images. Expected one folder a class.*/cat/1.jpg\); formats: .bmp"):
        open_data(str(tmp_path))
    picture().save(tmp_path / "a.png")
    with pytest.raises(DataError, match="holds 1 images, but no class folders"):
        open_data(str(tmp_path))
    (tmp_path / "cat").mkdir()
    picture().save(tmp_path / "cat" / "a.png")
    with pytest.raises(DataError, match=r"holds one class only, 'cat' \(1 images\).*at least two class folders"):
        open_data(str(tmp_path))


@pytest.mark.parametrize("spec", ["no/such/folder", "photographs.zip"])
def test_data_that_is_not_there_is_refused_with_what_could_be(spec: str) -> None:
    with pytest.raises(DataError, match=f"There is no data at '{spec}'. Expected a folder of class folders"):
        open_data(spec)


# --- unreadable images ---------------------------------------------------------------------------------------------


@pytest.fixture
def spoilt(folder: Path) -> Path:
    """The folder with an image that is text and one that is cut short."""
    (folder / "cat" / "1.png").write_text("I am no image")
    whole = (folder / "dog" / "0.png").read_bytes()
    (folder / "dog" / "0.png").write_bytes(whole[: len(whole) // 2])
    return folder


def test_an_unreadable_image_is_refused_by_name(spoilt: Path) -> None:
    source = open_data(str(spoilt))
    with pytest.raises(UnreadableError, match=r"The image cat/1.png of .* cannot be read: .*--skip-bad") as raised:
        list(source.batches(4))
    assert raised.value.names == ("cat/1.png",)
    with pytest.raises(UnreadableError, match=r"cat/1\.png .*cannot be read: it is no image of a known format"):
        source.example(1)


def test_unreadable_images_are_left_out_counted_and_named_when_asked(spoilt: Path) -> None:
    source = open_data(str(spoilt), skip_bad=True)
    names = [name for name, _ in rows_of(source)]
    assert names == ["cat/0.png", "cat/2.png", "cat/more/3.png", "dog/1.png", "dog/2.PNG", "owl/0.png", "owl/1.png"]
    assert [entry.id for entry in source.skipped] == ["cat/1.png", "dog/0.png"]
    assert all(entry.reason for entry in source.skipped)
    assert len(source) == 7
    assert [name for name, _ in rows_of(source)] == names, "a second visit counts nothing twice"
    assert len(source.skipped) == 2


@pytest.mark.parametrize("start", [1, 3, 6])
def test_rows_count_readable_images_also_when_a_sweep_goes_on(spoilt: Path, start: int) -> None:
    whole = [name for name, _ in rows_of(open_data(str(spoilt), skip_bad=True))]
    source = open_data(str(spoilt), skip_bad=True)
    assert [name for batch in source.batches(2, start=start) for name in batch.ids] == whole[start:]
    fresh = open_data(str(spoilt), skip_bad=True)
    assert [fresh.example(row).id for row in reversed(range(7))] == whole[::-1]


def test_a_row_beyond_the_readable_ones_is_refused(spoilt: Path) -> None:
    with pytest.raises(DataError, match=r"There is no example 7: .* has 7 readable ones"):
        open_data(str(spoilt), skip_bad=True).example(7)


def test_one_example_is_read_without_those_before_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [name for name, _ in rows_of(open_data(str(folder)))]
    read: list[bytes] = []

    def counted(content: bytes) -> Image.Image:
        read.append(content)
        return decode(content)

    monkeypatch.setattr(listed, "decode", counted)
    assert open_data(str(folder)).example(len(names) - 1).id == names[-1]
    assert len(read) == 1


def test_an_image_that_vanishes_is_refused_by_name(folder: Path) -> None:
    source = open_data(str(folder))
    (folder / "owl" / "0.png").unlink()
    with pytest.raises(UnreadableError, match=r"owl/0\.png"):
        list(source.batches(4))


def test_decoding_in_threads_leaves_pythons_warning_filters_as_they_were(folder: Path) -> None:
    before = list(warnings.filters)
    for _ in range(20):
        list(open_data(str(folder)).batches(3))
    assert warnings.filters == before


# --- images of every kind ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
def test_lossless_formats_give_their_pixels(kind: str) -> None:
    settings = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(np.asarray(decode(encoded(picture(), kind, **settings))), np.asarray(picture()))


def test_grey_images_stay_grey_and_bits_become_black_and_white() -> None:
    grey = picture(mode="L")
    assert decode(encoded(grey)).mode == "L"
    bits = decode(encoded(grey.convert("1")))
    assert set(np.unique(np.asarray(bits))) == {0, 255}


def test_a_palette_is_looked_up() -> None:
    palette = picture().quantize(16)
    assert np.array_equal(np.asarray(decode(encoded(palette))), np.asarray(palette.convert("RGB")))
    assert np.array_equal(np.asarray(decode(encoded(palette, "GIF"))), np.asarray(palette.convert("RGB")))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(mode: str) -> None:
    if mode == "P":
        image = picture().quantize(4)
        content = encoded(image, transparency=bytes([0, 255, 255, 255]))
        clear = np.asarray(image) == 0
    else:
        image = picture(mode="RGBA")
        clear = np.zeros((10, 12), bool)
        clear[:5] = True
        image.putalpha(Image.fromarray(np.where(clear, 0, 255).astype(np.uint8)))
        content = encoded(image.convert(mode))
    found = np.asarray(decode(content))
    assert found.shape == (10, 12, 3)
    assert clear.any()
    assert (found[clear] == 255).all()
    assert not (found[~clear] == 255).all()


def test_cmyk_becomes_the_same_colours() -> None:
    flat = Image.new("RGB", (16, 16), (200, 40, 90))
    found = np.asarray(decode(encoded(flat.convert("CMYK"), "JPEG", quality=100)), np.int64)
    assert found.shape == (16, 16, 3)
    assert np.abs(found - [200, 40, 90]).max() <= 4


@pytest.mark.parametrize("brightest", [65535, 255, 40])
def test_sixteen_bits_are_scaled_to_eight_however_dark_the_image_is(brightest: int) -> None:
    values = np.linspace(0, brightest, 120).reshape(10, 12).round().astype(np.uint16)
    found = np.asarray(decode(encoded(Image.fromarray(values))))
    assert np.abs(found - values / 257).max() <= 0.5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_that_lies_on_its_side_is_put_upright(orientation: int) -> None:
    marked = Image.new("RGB", (32, 16))
    marked.paste((255, 0, 0), (0, 0, 16, 8))  # red at the top left, as the sensor saw it
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = np.asarray(decode(encoded(marked, "JPEG", exif=exif, quality=95)))[..., 0] > 128
    height, width = found.shape
    assert (width, height) == ((16, 32) if orientation >= 5 else (32, 16))
    ways = [
        lambda a: a, np.fliplr, lambda a: np.rot90(a, 2), np.flipud,
        lambda a: a.T, lambda a: np.rot90(a, -1), lambda a: np.rot90(a, 2).T, np.rot90,
    ]  # fmt: skip
    seen = np.zeros((16, 32), bool)
    seen[:8, :16] = True
    assert (found == ways[orientation - 1](seen)).mean() > 0.98


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be so large."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(8001, 8000), (12_000, 8_000), (60_000, 60_000), (2**31 - 1, 1)])
def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "_plain", lambda image: pytest.fail("it was decoded"))
    with pytest.raises(UndecodableImageError, match="pixels"):
        decode(bomb(*size))
    assert MOST_PIXELS == 64_000_000


def test_whatever_is_done_to_an_image_it_is_read_or_refused() -> None:
    rng = np.random.default_rng(7)
    read = 0
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"):
        content = encoded(picture(), kind)
        for _ in range(120):
            altered = bytearray(content)
            for place in rng.integers(0, len(altered), 6):
                altered[place] = int(rng.integers(0, 256))
            with contextlib.suppress(UndecodableImageError):
                assert decode(bytes(altered)).mode in ("RGB", "L")
                read += 1
    assert 100 < read < 620, "some were read and some refused, none with another error"


def test_pictures_are_small_and_small_ones_are_kept_exactly() -> None:
    kept = picture_of(picture())
    assert kept.extension == "png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(kept.content))), np.asarray(picture()))
    large = picture_of(picture(size=(500, 250)))
    assert large.extension == "webp"
    assert Image.open(io.BytesIO(large.content)).size == (160, 80)


def test_a_tensor_that_is_an_image_has_a_picture_and_others_have_none() -> None:
    values = torch.linspace(-2, 5, 48).reshape(1, 6, 8)
    shown = picture_of_tensor(values)
    assert shown is not None
    pixels = np.asarray(Image.open(io.BytesIO(shown.content)))
    assert (pixels.min(), pixels.max(), pixels.shape) == (0, 255, (6, 8))
    assert np.abs(pixels - (values[0].numpy() + 2) / 7 * 255).max() <= 0.5
    assert picture_of_tensor(torch.zeros(3, 6, 8)) is not None
    for other in (torch.zeros(2, 6, 8), torch.zeros(6, 8), torch.zeros(3, 1, 8), values * float("nan"), {"a": values}):
        assert picture_of_tensor(other) is None


# --- digits --------------------------------------------------------------------------------------------------------


def test_the_digits_are_all_or_split_into_two_that_share_none() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    whole, train, test = (open_data(spec) for spec in ("digits", "digits:train", "digits:test"))
    assert (len(whole), len(train), len(test)) == (1797, 1257, 540)
    names = [{name for name, _ in rows_of(source, 600)} for source in (whole, train, test)]
    assert names[1] | names[2] == names[0]
    assert not names[1] & names[2]
    counts = np.bincount([int(target or 0) for _, target in rows_of(test, 600)])
    assert counts.min() >= 52  # stratified: all ten are there in their shares
    example = whole.example(5)
    np.testing.assert_array_equal(example.inputs[0].numpy() * 16, datasets.load_digits().images[5])
    assert (example.id, example.target, whole.classes) == ("digit-0005", 5, tuple("0123456789"))


def test_the_digits_have_no_other_split_and_need_no_recipe() -> None:
    with pytest.raises(DataError, match=r"no split 'validation'\. Expected digits, digits:train or digits:test"):
        open_data("digits:validation")
    with pytest.raises(DataError, match=r"come prepared.*leave --resize"):
        open_data("digits", recipe=Recipe(resize=8, origin="flags"))
    assert len(open_data("digits:test", limit=7, recipe=Recipe(resize=8, origin="model"))) == 7

"""Opening data: folders, Parquet, digits, code and what a program holds; images of every kind; what is refused."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import sys
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from pellucid.data import Recipe, Source, from_python, images, listed, open_data
from pellucid.data.batching import check_targets, collate
from pellucid.data.images import MOST_PIXELS, UndecodableImageError, decode, picture_of, picture_of_tensor
from pellucid.errors import DataError, OptionError, UnreadableError
from pellucid.types import Example, Media
from support.shared import REASON, SHARED


def picture(seed: int = 0, size: tuple[int, int] = (12, 10), mode: str = "RGB") -> Image.Image:
    """Random pixels; width and height."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], channels), np.uint8)
    return Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels, mode if channels != 2 else None)


def encoded(image: Image.Image, kind: str = "PNG", **settings: Any) -> bytes:
    sink = io.BytesIO()
    image.save(sink, kind, **settings)
    return sink.getvalue()


def rows_of(source: Source, batch_size: int = 4) -> list[tuple[str, int | float | None]]:
    """Ids and targets as batches say them; single examples must say the same."""
    found: list[tuple[str, int | float | None]] = []
    for batch in source.batches(batch_size):
        assert batch.start == len(found)
        targets = [None] * len(batch) if batch.targets is None else batch.targets.tolist()
        found += zip(batch.ids, targets, strict=True)
    for row, (name, target) in enumerate(found):
        example = source.example(row)
        assert example.id == name
        assert example.target == (None if target == -1 else target)
    return found


# --- folders --------------------------------------------------------------------------------------------------


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


# --- unreadable images ----------------------------------------------------------------------------------------


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


# --- images of every kind -------------------------------------------------------------------------------------


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


# --- Parquet --------------------------------------------------------------------------------------------------


def write_parquet(path: Path, rows: int, names: list[str] | None = None, **columns: list[Any]) -> Path:
    """A file in the Hugging Face layout, in row groups of two."""
    pictures = [{"bytes": encoded(picture(row)), "path": f"{row}.png"} for row in range(rows)]
    image = pa.array(pictures, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    table = pa.table({"image": image, **columns})
    if names is not None:
        told = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}, "image": {"_type": "Image"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(told)})
    pq.write_table(table, path, row_group_size=2)
    return path


def test_parquet_in_the_hugging_face_layout_gives_images_labels_names_and_what_came_along(tmp_path: Path) -> None:
    place = write_parquet(
        tmp_path / "test.parquet", 5, ["cat", "dog"], label=[0, 1, None, 1, -1], place=["a", None, "c", "d", "e"]
    )
    source = open_data(str(place))
    assert (source.name, source.classes, len(source)) == ("test", ("cat", "dog"), 5)
    assert [source.example(row).target for row in range(5)] == [0, 1, None, 1, -1]
    assert [batch.targets.tolist() for batch in source.batches(3) if batch.targets is not None] == [[0, 1, -1], [1, -1]]
    assert [source.example(row).columns for row in (0, 1)] == [{"place": "a"}, {"place": None}]
    expected = torch.from_numpy(np.asarray(picture(4)).transpose(2, 0, 1) / np.float32(255))
    torch.testing.assert_close(source.example(4).inputs, expected, rtol=0, atol=0)
    assert source.example(4).id == "4"


def test_a_folder_of_parquet_files_is_one_source_in_order_of_name(tmp_path: Path) -> None:
    write_parquet(tmp_path / "b.parquet", 3, label=["owl", "cat", "owl"], id=["b0", "b1", "b2"])
    write_parquet(tmp_path / "a.parquet", 2, label=["dog", "cat"], id=["a0", "a1"])
    source = open_data(str(tmp_path))
    assert source.classes == ("cat", "dog", "owl")
    assert rows_of(source, 2) == [("a0", 1), ("a1", 0), ("b0", 2), ("b1", 0), ("b2", 2)]
    assert rows_of(open_data(str(tmp_path), limit=3)) == [("a0", 1), ("a1", 0), ("b0", 2)]
    assert [name for batch in source.batches(2, start=3) for name in batch.ids] == ["b1", "b2"]


def test_parquet_without_labels_has_no_targets_and_images_may_be_bare_bytes(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": [encoded(picture(1)), encoded(picture(2))]}), tmp_path / "bare.parquet")
    source = open_data(str(tmp_path / "bare.parquet"))
    assert source.classes is None
    assert rows_of(source) == [("0", None), ("1", None)]


def test_a_damaged_image_in_parquet_is_refused_by_its_id_or_left_out(tmp_path: Path) -> None:
    pictures = [{"bytes": encoded(picture(0))}, {"bytes": b"nothing"}, {"bytes": None}, {"bytes": encoded(picture(1))}]
    pq.write_table(pa.table({"image": pictures, "id": ["a", "b", "c", "d"]}), tmp_path / "some.parquet")
    with pytest.raises(UnreadableError, match="The image b of"):
        rows_of(open_data(str(tmp_path / "some.parquet")))
    source = open_data(str(tmp_path / "some.parquet"), skip_bad=True)
    assert [name for name, _ in rows_of(source)] == ["a", "d"]
    assert [(entry.id, entry.reason) for entry in source.skipped][1] == ("c", "the row holds no image bytes")


def test_a_row_group_is_read_once_however_many_threads_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_data(str(write_parquet(tmp_path / "some.parquet", 8, label=[0, 1] * 4)))
    read: list[int] = []
    real = pq.ParquetFile.read_row_group

    def counted(self: pq.ParquetFile, group: int, **named: Any) -> pa.Table:
        read.append(group)
        return real(self, group, **named)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    list(source.batches(3))
    assert sorted(read) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"picture": [b""], "label": [0]}, "has the columns picture: binary, label: int64; expected image: struct"),
        ({"image": ["a.png"], "label": [0]}, "has the columns image: string, label: int64; expected image: struct"),
        ({"image": [{"path": "a.png"}]}, "expected image: struct<bytes: binary, path: string> and label"),
        ({"image": [b""], "label": [{"of": 1}]}, "The column 'label' of .* is struct<.*>; expected one class an image"),
    ],
)
def test_parquet_of_another_layout_is_refused_with_its_columns(
    columns: dict[str, list[Any]], words: str, tmp_path: Path
) -> None:
    pq.write_table(pa.table(columns), tmp_path / "other.parquet")
    with pytest.raises(DataError, match=words):
        open_data(str(tmp_path / "other.parquet"))


def test_parquet_that_is_empty_cut_short_or_of_two_minds_is_refused(tmp_path: Path) -> None:
    place = write_parquet(tmp_path / "some.parquet", 4, label=[0, 1, 0, 1])
    content = place.read_bytes()
    (tmp_path / "cut.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"cut\.parquet is no Parquet file that can be read"):
        open_data(str(tmp_path / "cut.parquet"))
    write_parquet(tmp_path / "none.parquet", 0, label=[])
    with pytest.raises(DataError, match="holds no rows"):
        open_data(str(tmp_path / "none.parquet"))
    two = tmp_path / "two"
    two.mkdir()
    write_parquet(two / "a.parquet", 2, label=[0, 1])
    write_parquet(two / "b.parquet", 2)
    with pytest.raises(DataError, match=r"b.parquet lacks the columns label that .*a.parquet has"):
        open_data(str(two))
    write_parquet(tmp_path / "unknown.parquet", 2, ["cat", "dog"], label=["cat", "owl"])
    with pytest.raises(DataError, match="The label 'owl' is none of the classes cat, dog"):
        open_data(str(tmp_path / "unknown.parquet"))


@pytest.mark.data
@pytest.mark.skipif(SHARED is None, reason=REASON)
def test_cifar_10_opens_with_its_labels_and_32_pixels() -> None:
    assert SHARED is not None
    source = open_data(str(SHARED / "data" / "cifar10" / "test.parquet"), limit=100)
    batch = next(iter(source.batches(100)))
    assert batch.inputs.shape == (100, 3, 32, 32)  # type: ignore[union-attr]
    assert batch.targets is not None
    assert (len(source), int(batch.targets.min()), int(batch.targets.max())) == (100, 0, 9)
    assert batch.targets[:4].tolist() == [3, 8, 8, 0]  # cat, ship, ship, airplane: the original order


# --- digits ---------------------------------------------------------------------------------------------------


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


# --- what a program holds -------------------------------------------------------------------------------------


class Squares(Dataset[tuple[torch.Tensor, int]]):
    classes: list[str] = ["even", "odd"]  # noqa: RUF012 - as torchvision's data sets have it

    def __len__(self) -> int:
        return 5

    def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
        if place >= 5:
            raise IndexError(place)
        return torch.full((2,), float(place**2)), place % 2


class Stream(IterableDataset[tuple[torch.Tensor, int]]):
    def __iter__(self) -> Iterator[tuple[torch.Tensor, int]]:
        return iter([Squares()[place] for place in range(5)])


class Again:
    """An iterable that can be visited again, without a length."""

    def __iter__(self) -> Iterator[tuple[torch.Tensor, int]]:
        return iter([Squares()[place] for place in range(5)])


PAIRS = [("0", 0), ("1", 1), ("2", 0), ("3", 1), ("4", 0)]


@pytest.mark.parametrize(
    "make",
    [
        Squares,
        lambda: DataLoader(Squares(), batch_size=2, shuffle=True),
        lambda: [Squares()[place] for place in range(5)],
        lambda: tuple(Squares()[place] for place in range(5)),
        lambda: (Squares()[place] for place in range(5)),
        lambda: TensorDataset(torch.stack([Squares()[place][0] for place in range(5)]), torch.arange(5) % 2),
        lambda: [(np.full(2, place**2, np.float32), np.int64(place % 2)) for place in range(5)],
        lambda: [([float(place**2)] * 2, np.array([place % 2])) for place in range(5)],
        lambda: [{"image": torch.full((2,), float(place**2)), "label": place % 2} for place in range(5)],
        lambda: [Example(str(place), torch.full((2,), float(place**2)), place % 2) for place in range(5)],
        Stream,
        lambda: DataLoader(Stream(), batch_size=2),
        Again,
    ],
    ids=["dataset", "loader", "list", "tuple", "generator", "tensors", "arrays", "numbers", "dicts", "examples",
         "stream", "stream loader", "iterable"],
)  # fmt: skip
def test_everything_that_gives_examples_is_a_source_of_the_same_ones(make: Any) -> None:
    source = from_python(make())
    assert isinstance(source, Source)
    assert rows_of(source, 2) == PAIRS
    assert torch.equal(source.example(3).inputs, torch.tensor([9.0, 9.0]))
    assert rows_of(source, 3) == PAIRS, "and again"
    assert [name for batch in source.batches(2, start=3) for name in batch.ids] == ["3", "4"]
    assert [name for name, _ in rows_of(from_python(make(), limit=2))] == ["0", "1"]
    assert source.fingerprint() == from_python(make()).fingerprint()
    with pytest.raises(DataError, match="There is no example 5"):
        source.example(5)


def test_names_come_from_the_data_set_or_from_the_caller() -> None:
    assert from_python(Squares()).classes == ("even", "odd")
    assert from_python(DataLoader(Squares())).classes == ("even", "odd")
    assert from_python(Squares(), classes=["a", "b"]).classes == ("a", "b")
    assert from_python([torch.ones(2)]).classes is None


def test_an_input_may_be_a_tuple_a_dict_or_alone() -> None:
    pair = from_python([((torch.ones(2), torch.zeros(3)), 1)]).example(0)
    assert isinstance(pair.inputs, tuple)
    assert [part.shape for part in pair.inputs] == [(2,), (3,)]
    tokens = from_python([{"input_ids": [1, 2], "attention_mask": [1, 1], "labels": 3, "id": "a"}]).example(0)
    assert isinstance(tokens.inputs, dict)
    assert (tokens.id, tokens.target, sorted(tokens.inputs)) == ("a", 3, ["attention_mask", "input_ids"])
    assert tokens.inputs["input_ids"].tolist() == [1, 2]
    assert from_python(torch.ones(3, 2)).example(1).target is None
    assert from_python(TensorDataset(torch.ones(3, 2))).example(1).inputs[0].shape == (2,)
    batch = next(iter(from_python([((torch.ones(2), {"a": torch.zeros(3)}), 1)] * 4).batches(4)))
    assert isinstance(batch.inputs, tuple)
    assert (batch.inputs[0].shape, batch.inputs[1]["a"].shape) == ((4, 2), (4, 3))


def test_targets_may_be_numbers_missing_or_some_of_them() -> None:
    def targets(*values: object) -> torch.Tensor | None:
        return next(iter(from_python([(torch.ones(1), value) for value in values]).batches(8))).targets

    assert targets(0.5, None, 2) is not None
    torch.testing.assert_close(targets(0.5, None, 2), torch.tensor([0.5, float("nan"), 2.0]), equal_nan=True)
    assert targets(3, None, True).tolist() == [3, -1, 1]  # type: ignore[union-attr]
    assert targets(None, None) is None


def test_pictures_are_made_of_tensors_that_are_images_and_given_ones_are_kept() -> None:
    kept = Media(b"mine", "png")
    source = from_python([torch.rand(3, 8, 8), torch.rand(8), Example("a", torch.rand(3, 8, 8), None, kept)])
    found = [source.example(row).media for row in range(3)]
    assert found[0] is not None
    assert found[1] is None
    assert found[2] is kept


def test_a_fingerprint_tells_other_values_and_other_lengths() -> None:
    def of(*values: float) -> str:
        return from_python([(torch.tensor([value]), 0) for value in values]).fingerprint()

    assert len({of(1.0), of(1.0, 2.0), of(1.0, 3.0), of(0.0, 2.0), of(1.0, 5.0, 2.0)}) == 5
    assert of(1.0, 2.0) == of(1.0, 2.0)


@pytest.mark.parametrize(
    ("examples", "words"),
    [
        ([], "The list is empty: there is nothing to inspect"),
        (iter(()), "gave no examples: there is nothing to inspect"),
        (Image.new("RGB", (2, 2)), "must be a Dataset, a DataLoader or an iterable.*; got Image"),
        (3, "must be a Dataset, a DataLoader or an iterable.*; got int"),
        ("photos/", "must be a Dataset, a DataLoader or an iterable.*; got str"),
        ({"image": torch.ones(3)}, "must be a Dataset, a DataLoader or an iterable.*; got dict"),
    ],
)
def test_what_gives_no_examples_is_refused(examples: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        from_python(examples)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ((Image.new("RGB", (2, 2)), 0), "Example 0 is a Image; expected a tensor.*Turn images into tensors first"),
        (("text", 0), "Example 0 is a str; expected a tensor"),
        ((torch.ones(2), "cat"), "The target of example 0 is a str; expected a class index, a number or None"),
        ((torch.ones(2), torch.eye(2)), "The target of example 0 is a Tensor; expected a class index"),
    ],
)
def test_an_example_that_no_model_takes_is_refused_by_its_number(item: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        next(iter(from_python([item]).batches(1)))


def test_a_data_set_that_raises_is_refused_with_the_row() -> None:
    class Broken(Squares):
        def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
            if place == 3:
                raise OSError("the disk is gone")
            return super().__getitem__(place)

    with pytest.raises(DataError, match="Broken raised OSError at example 3: the disk is gone"):
        list(from_python(Broken()).batches(8))


def test_examples_of_one_batch_must_have_one_shape() -> None:
    examples = [Example("a", torch.ones(3, 8, 8)), Example("b", torch.ones(3, 8, 8)), Example("c", torch.ones(3, 8, 9))]
    with pytest.raises(
        DataError, match=r"a has \(3, 8, 8\), c has \(3, 8, 9\).*--size, --resize, --crop.*--batch-size 1"
    ):
        collate(examples, 0)
    assert [batch.ids for batch in from_python(examples).batches(1)] == [("a",), ("b",), ("c",)]


def test_labels_that_the_model_has_no_output_for_are_refused_by_name() -> None:
    batch = collate([Example("a", torch.ones(1), 2), Example("b", torch.ones(1), 7), Example("c", torch.ones(1))], 0)
    with pytest.raises(DataError, match=r"The label of b is 7, but the model has 7 outputs, 0 to 6 \(1 such"):
        check_targets(batch, 7)
    check_targets(batch, 8)
    with pytest.raises(DataError, match="The label of a is -2"):
        check_targets(collate([Example("a", torch.ones(1), -2)], 0), 8)
    check_targets(collate([Example("a", torch.ones(1), 9.5)], 0), 1)


# --- code -----------------------------------------------------------------------------------------------------


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    modules = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    place = tmp_path / "users_data.py"
    place.write_text(
        "import torch\n"
        "ready = [(torch.ones(2), 1), (torch.zeros(2), 0)]\n"
        "def make():\n    return ready\n"
        "def stream():\n    yield from ready\n"
        "def opened():\n    from pellucid.data import open_data\n    return open_data('digits:test', limit=3)\n"
        "def fails():\n    raise ValueError('no such split')\n"
    )
    yield place
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.mark.parametrize(("name", "count"), [("make", 2), ("stream", 2), ("ready", 2)])
def test_a_function_a_generator_and_a_list_of_a_file_are_opened(code: Path, name: str, count: int) -> None:
    source = open_data(f"{code}:{name}")
    assert (source.source, source.name, len(source)) == (f"{code}:{name}", name, count)
    assert len(open_data(f"{code}:{name}", limit=1)) == 1


def test_a_function_may_return_a_source(code: Path) -> None:
    assert len(open_data(f"{code}:opened")) == 3


def test_a_function_that_raises_and_flags_that_do_not_apply_are_refused(code: Path) -> None:
    with pytest.raises(DataError, match="raised ValueError: no such split"):
        open_data(f"{code}:fails")
    with pytest.raises(DataError, match=r"has no 'absent'\. It has: .*make"):
        open_data(f"{code}:absent")
    with pytest.raises(OptionError, match="--resize, --size, --crop"):
        open_data(f"{code}:make", recipe=Recipe(resize=8, origin="flags"))
    assert len(open_data(f"{code}:make", recipe=Recipe(resize=8, origin="model"))) == 2

"""Bad input: each kind is refused with what was expected, what arrived and what to do, with exit code 2."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from pellucid.record import Record, schema
from support.program import Ended, Program, alone

INSPECT = ("inspect", "net.py:make", "--data", "digits:test", "--limit", 64, "--chosen", 0, "--out", "r")


def inspect(pellucid: Program, *changes: object, **options: object) -> Ended:
    """The ordinary inspection with options in other words: `model=...`, `data=...`, and what follows it."""
    arguments = list(INSPECT)
    arguments[1] = options.get("model", arguments[1])
    arguments[3] = options.get("data", arguments[3])
    return pellucid(*arguments, *changes)


def picture(place: Path, shade: int) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((8, 8), shade, np.uint8)
    pixels[::2] = 255 - shade
    Image.fromarray(pixels).save(place)


@pytest.fixture
def photographs(workplace: Path) -> Path:
    """Ten classes of two small images each."""
    for label in range(10):
        for number in range(2):
            picture(workplace / "photos" / f"class{label}" / f"{number}.png", 20 * label + number)
    return workplace / "photos"


# --- models ---------------------------------------------------------------------------------------------------


def test_a_model_that_raises_in_its_forward(pellucid: Program, workplace: Path) -> None:
    said = inspect(pellucid, model="net.py:Broken").refusal
    assert "The model raised in its own forward: RuntimeError: expected 3 channels, got 1" in said
    assert "digit-0010" in said
    assert "Check that the examples have the shape" in said
    record = Record(workplace / "r")
    assert record.state == "failed"
    assert "expected 3 channels" in (record.manifest.error or "")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("net.py:missing", "net.py has no 'missing'. It has: "),
        ("nowhere.py:make", "There is no file nowhere.py. Expected 'file.py:function'"),
        ("net", "'net' names no model. Expected 'file.py:function'"),
        ("net.py:not_a_model", "net.py:not_a_model gave an int; expected a torch.nn.Module"),
        ("net.py:raises", "net.py:raises raised ValueError: no such checkpoint"),
    ],
)
def test_a_model_that_is_none(pellucid: Program, workplace: Path, model: str, said: str) -> None:
    assert said in inspect(pellucid, model=model).refusal
    assert not (workplace / "r").exists()


def test_nan_and_infinite_logits_are_recorded_and_counted(pellucid: Program, workplace: Path) -> None:
    answered = inspect(pellucid, "--json", model="net.py:Doubtful")
    assert (answered.code, answered.err) == (0, "")
    summary = answered.json
    assert summary["examples"] == 64
    rows = Record(workplace / "r").examples().to_pylist()
    odd = [row for row in rows if row["nonfinite"]]
    assert summary["nonfinite"] == len(odd)
    assert 0 < len(odd) < 64
    assert all(row["target"] is not None and row["confidence"] is None for row in odd)
    finding = next(one for one in summary["findings"] if one["kind"] == "nonfinite-output")
    assert f"for {len(odd)} of 64 examples" in finding["sentence"]
    assert f"64, {len(odd)} with NaN or infinite logits" in pellucid("show", "r").out


# --- weights --------------------------------------------------------------------------------------------------


def weights_of(outputs: int) -> dict[str, torch.Tensor]:
    return {
        "0.weight": torch.zeros(4, 1, 3, 3), "0.bias": torch.zeros(4),
        "3.weight": torch.zeros(outputs, 256), "3.bias": torch.arange(float(outputs)),
    }  # fmt: skip


def test_weights_that_do_not_fit(pellucid: Program) -> None:
    save_file(weights_of(7), "seven.safetensors")
    said = inspect(pellucid, "--weights", "seven.safetensors").refusal
    assert "The weights in seven.safetensors do not fit the model" in said
    assert "3.weight is (7, 256), the model wants (10, 256)" in said
    assert "the number of classes" in said


def test_weights_that_fit_are_loaded(pellucid: Program, workplace: Path) -> None:
    save_file(weights_of(10), "ten.safetensors")
    assert inspect(pellucid, "--weights", "ten.safetensors").code == 0
    # The largest bias wins everywhere.
    assert set(Record(workplace / "r").examples()["prediction"].to_pylist()) == {9}


def test_weights_that_are_missing_or_damaged(pellucid: Program, workplace: Path) -> None:
    assert inspect(pellucid, "--weights", "no.pt").refusal == "There is no weights file no.pt."
    (workplace / "cut.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    said = inspect(pellucid, "--weights", "cut.safetensors").refusal
    assert "cut.safetensors is damaged or no safetensors file" in said
    (workplace / "cut.pt").write_bytes(b"PK\x03\x04 not a zip")
    assert "cut.pt" in inspect(pellucid, "--weights", "cut.pt").refusal


class _Booby:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str, str], object], tuple[str, str]]:
        return open, ("sprung", "w")


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the trap does not close its file
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_weights_that_hold_code_are_opened_only_when_trusted(pellucid: Program, workplace: Path) -> None:
    torch.save({"state_dict": weights_of(10), "trap": _Booby()}, "trap.pt")
    said = inspect(pellucid, "--weights", "trap.pt").refusal
    assert "trap.pt holds more than tensors: opening it would run code from it" in said
    assert "--trust" in said
    assert not (workplace / "sprung").exists()
    assert inspect(pellucid, "--weights", "trap.pt", "--json").json["kind"] == "TrustError"
    assert inspect(pellucid, "--weights", "trap.pt", "--trust").code == 0
    assert (workplace / "sprung").exists()
    assert set(Record(workplace / "r").examples()["prediction"].to_pylist()) == {9}


# --- classes --------------------------------------------------------------------------------------------------


def test_a_list_of_class_names_of_the_wrong_length(pellucid: Program, workplace: Path) -> None:
    (workplace / "names.txt").write_text("\n".join("0123456789X") + "\n", encoding="utf-8")
    said = inspect(pellucid, "--classes", "names.txt").refusal
    assert "There are 11 class names" in said
    assert "the model has 10 outputs" in said
    assert "--classes FILE" in said


def test_a_list_of_class_names_that_is_missing_or_empty(pellucid: Program, workplace: Path) -> None:
    assert "The class names in names.txt cannot be read" in inspect(pellucid, "--classes", "names.txt").refusal
    (workplace / "names.txt").write_text("\n\n", encoding="utf-8")
    assert "names.txt holds no class names" in inspect(pellucid, "--classes", "names.txt").refusal
    (workplace / "names.json").write_text('{"cat": 0}', encoding="utf-8")
    assert "must hold a list of names" in inspect(pellucid, "--classes", "names.json").refusal


# --- data -----------------------------------------------------------------------------------------------------


def test_data_that_is_not_there(pellucid: Program) -> None:
    said = inspect(pellucid, data="nowhere").refusal
    assert said.startswith("There is no data at 'nowhere'. Expected a folder of class folders")


def test_a_folder_that_is_empty(pellucid: Program, workplace: Path) -> None:
    (workplace / "photos").mkdir()
    said = inspect(pellucid, data="photos").refusal
    assert said.startswith("The folder photos holds no images. Expected one folder a class with images in it")
    picture(workplace / "photos" / "1.png", 3)
    assert "holds 1 images, but no class folders" in inspect(pellucid, data="photos").refusal


def test_a_folder_of_one_class(pellucid: Program, workplace: Path) -> None:
    picture(workplace / "photos" / "cat" / "1.png", 3)
    said = inspect(pellucid, data="photos").refusal
    assert "The folder photos holds one class only, 'cat' (1 images)" in said
    assert "at least two class folders" in said


def test_an_image_that_cannot_be_read_is_named_and_can_be_left_out(
    pellucid: Program, photographs: Path, workplace: Path
) -> None:
    (photographs / "class3" / "0.png").write_bytes(b"this is no image")
    picture(photographs / "class5" / "2.png", 9)
    (photographs / "class5" / "2.png").write_bytes((photographs / "class5" / "2.png").read_bytes()[:-30])
    said = inspect(pellucid, "--grayscale", data="photos").refusal
    assert said.startswith("The image class3/0.png of photos cannot be read: ")
    assert said.endswith("leave such images out with --skip-bad.")

    answered = inspect(pellucid, "--grayscale", "--skip-bad", "--overwrite", data="photos")
    assert answered.code == 0, answered.err
    assert "19, 2 skipped" in answered.out
    record = Record(workplace / "r")
    assert sorted(one.id for one in record.manifest.skipped) == ["class3/0.png", "class5/2.png"]
    assert all(one.reason for one in record.manifest.skipped)
    table = record.examples()
    assert table["row"].to_pylist() == list(range(19))
    assert not {"class3/0.png", "class5/2.png"} & set(table["id"].to_pylist())
    assert pellucid("show", "r", "--json").json["skipped"] == 2


def test_images_that_are_all_unreadable(pellucid: Program, photographs: Path) -> None:
    for place in photographs.rglob("*.png"):
        place.write_bytes(b"nothing")
    answered = inspect(pellucid, "--grayscale", "--skip-bad", data="photos")
    assert "photos" in answered.refusal


def test_labels_that_the_model_has_no_output_for(pellucid: Program) -> None:
    said = inspect(pellucid, data="net.py:labels_out_of_range").refusal
    assert "is 11, but the model has 10 outputs, 0 to 9" in said
    assert "(1 such labels in this batch)" in said
    assert "Is this the data that the model was trained for?" in said


def test_images_of_the_wrong_shape(pellucid: Program, photographs: Path) -> None:
    said = inspect(pellucid, data="photos").refusal  # three channels, where the model takes one
    assert "The model raised in its own forward" in said
    assert "class0/0.png" in said


# --- options --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--crop", "224x224", "--crop takes whole numbers with commas between; got '224x224'"),
        ("--size", "1,2,3", "--size takes 1 or 2 whole numbers of at least 1; got '1,2,3'"),
        ("--mean", "bright", "--mean takes numbers with commas between, like 0.5,0.5,0.5; got 'bright'"),
        ("--target", "dog", "--target is 'prediction', 'label' or a class index; got 'dog'"),
        ("--batch-size", "0", "The batch size must be at least 1; got 0"),
        ("--chosen", "-1", "The number of chosen examples must be 0 or more; got -1"),
        ("--learned", "-1", "The number of examples to learn from must be 0 or more; got -1"),
        ("--lens", "nonsense", "nonsense"),
    ],
)
def test_an_option_that_cannot_be_right(pellucid: Program, option: str, value: str, said: str) -> None:
    assert said in inspect(pellucid, option, value).refusal


# --- records --------------------------------------------------------------------------------------------------


def test_a_record_that_is_there_already(pellucid: Program, copied: Path) -> None:
    arguments = [*INSPECT[:-1], copied]
    said = pellucid(*arguments).refusal
    assert "--resume" in said
    assert "--overwrite" in said
    assert Record(copied).manifest.examples == 96


def test_a_record_of_a_newer_schema(pellucid: Program, copied: Path) -> None:
    manifest = json.loads((copied / "manifest.json").read_bytes())
    manifest["schema_version"] = schema.SCHEMA_VERSION + 1
    manifest["state"] = {"a": "shape that this version does not know"}
    (copied / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    for command in (["show", copied], ["open", copied, "--no-open"], ["export", copied, "-o", "x.html"]):
        said = pellucid(*command).refusal
        assert f"was written with record schema {schema.SCHEMA_VERSION + 1}" in said
        assert "pip install --upgrade pellucid" in said


def _truncated(place: Path) -> None:
    place.write_bytes(place.read_bytes()[:-7])


def _altered(place: Path) -> None:
    content = bytearray(place.read_bytes())
    content[len(content) // 2] ^= 1
    place.write_bytes(content)


def _removed(place: Path) -> None:
    place.unlink()


@pytest.mark.parametrize("damage", [_truncated, _altered, _removed])
@pytest.mark.parametrize("path", ["examples/part-000000.parquet", "panels/loss.json", "arrays/activations.safetensors"])
def test_show_verify_names_a_file_that_is_damaged(
    pellucid: Program, copied: Path, path: str, damage: Callable[[Path], None]
) -> None:
    damage(copied / path)
    said = pellucid("show", copied, "--verify").refusal
    assert f"{copied / path} is damaged: " in said
    assert "Restore it from a copy, or make the record again" in said
    assert said.count("is damaged") == 1
    answered = pellucid("show", copied, "--verify", "--json")
    assert (answered.json["kind"], answered.json["message"]) == ("DamagedError", said)


def test_a_manifest_that_is_truncated(pellucid: Program, copied: Path) -> None:
    _truncated(copied / "manifest.json")
    said = pellucid("show", copied).refusal
    assert "manifest.json is truncated or altered" in said
    assert "--overwrite" in said


# --- as JSON --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("ForwardError", ["inspect", "net.py:Broken", "--data", "digits:test", "--out", "r"]),
        ("ModelError", ["graph", "net.py:missing", "--input", "1,1,8,8"]),
        ("OptionError", ["graph", "net.py:make"]),
        ("DataError", ["inspect", "net.py:make", "--data", "nowhere", "--out", "r"]),
        ("RecordError", ["show", "nowhere"]),
        ("RecordError", ["export", "nowhere", "-o", "x.html"]),
        ("OptionError", ["open", "nowhere"]),
    ],
)
def test_a_refusal_with_json_is_one_document_of_kind_and_message(
    pellucid: Program, kind: str, arguments: list[str]
) -> None:
    if arguments[0] == "open":
        arguments = [*arguments, "--weights", "w.pt", "--no-open"]
    answered = pellucid(*arguments, "--json")
    assert (answered.code, answered.err) == (2, "")
    error = msgspec.json.decode(answered.out, type=schema.ErrorAnswer)
    assert list(answered.json) == ["kind", "message"]
    assert (error.kind, bool(error.message)) == (kind, True)


def test_a_process_of_its_own_ends_with_code_2_and_no_traceback(workplace: Path) -> None:
    said = alone("show", "nowhere", folder=workplace).refusal
    assert said.startswith("There is no record at nowhere")

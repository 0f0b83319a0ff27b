"""A study in its record: its settings, its tokens, its pictures, and what is refused."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from pellucid.errors import DamagedError, OptionError, RecordError, SchemaError
from pellucid.record import Record
from pellucid.record.folder import refuse_human
from pellucid.server.trials import Design, Study, build_trials_app
from pellucid.server.trials.pictures import choose, plain_png
from pellucid.server.trials.study import refuse_changes, studies
from support.asking import HOST
from support.trials import small_record, small_study

# --- the study in the record ----------------------------------------------------------------------------------


def test_a_study_is_kept_with_the_record_and_more_can_be_invited(tmp_path: Path) -> None:
    study = small_study(tmp_path / "r.pellucid", observers=1)
    before, token = study.plan.observers["subject-trials-01"], study.tokens["subject-trials-01"]
    study.invite(3)
    again = Study(Record(tmp_path / "r.pellucid"), "trials")
    assert list(again.plan.observers) == ["subject-trials-01", "subject-trials-02", "subject-trials-03"]
    assert again.plan.observers["subject-trials-01"] == before
    assert again.tokens["subject-trials-01"] == token
    assert len({*again.tokens.values()}) == 3
    assert all(len(one) >= 32 for one in again.tokens.values())
    if os.name != "nt":
        assert stat.S_IMODE((again.folder / "invitations.json").stat().st_mode) == 0o600
    assert studies(again.record) == ["trials"]
    with pytest.raises(RecordError, match="people's responses"):
        refuse_human(tmp_path / "r.pellucid")
    assert again.record.verify() == []


def test_tokens_are_for_their_owner_at_every_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = small_study(tmp_path / "r.pellucid", observers=1)
    modes: list[int] = []
    real = Path.replace

    def watched(self: Path, target: Path) -> Path:
        if target.name == "invitations.json":
            modes.append(stat.S_IMODE(self.stat().st_mode))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    before = os.umask(0)
    try:
        study.invite(2)
    finally:
        os.umask(before)
    if os.name != "nt":
        assert modes == [0o600]


def test_nobody_is_invited_behind_the_back_of_a_server(tmp_path: Path) -> None:
    study = small_study(tmp_path / "r.pellucid", observers=1)
    app = build_trials_app(study, [HOST])
    with pytest.raises(RecordError, match="is being written by process"):
        Study(study.record, "trials").invite(2)
    app.state.close()
    Study(study.record, "trials").invite(2)
    assert list(Study(study.record, "trials").tokens) == ["subject-trials-01", "subject-trials-02"]


def test_what_begins_in_one_way_does_not_go_on_in_another(tmp_path: Path) -> None:
    study = small_study(tmp_path / "r.pellucid", Design(block=8))
    refuse_changes(study, Design(block=9), ["seed", "record"])
    with pytest.raises(OptionError, match=r"has begun with --block 8, not 9; --mask 200, not 0\. Go on"):
        refuse_changes(study, msgspec.structs.replace(Design(block=9), timing=msgspec.structs.replace(Design().timing, mask=0)),
                       ["block", "mask", "seed"])  # fmt: skip
    with pytest.raises(RecordError, match="has a study 'trials' already"):
        Study.begin(study.record, "trials", choose(study.record), Design())


def test_studies_that_are_missing_newer_or_altered_are_refused(tmp_path: Path) -> None:
    study = small_study(tmp_path / "r.pellucid")
    with pytest.raises(RecordError, match=r"has no study 'other'\. It has: trials"):
        Study(study.record, "other")
    for name in ("../up", "a/b", ".hidden", ""):
        with pytest.raises(RecordError, match="name of a study"):
            Study(study.record, name)
    path = study.folder / "study.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | {"version": 2}))
    with pytest.raises(SchemaError, match="newer pellucid"):
        Study(study.record, "trials")
    path.write_text(json.dumps({"version": 1}))
    with pytest.raises(DamagedError, match="was altered"):
        Study(study.record, "trials")


def test_a_study_that_was_passed_on_without_its_tokens_gets_new_ones(tmp_path: Path) -> None:
    study = small_study(tmp_path / "r.pellucid")
    (study.folder / "invitations.json").unlink()
    again = Study(study.record, "trials")
    assert again.tokens == {}
    again.invite(1)
    assert list(again.tokens) == ["subject-trials-01", "subject-trials-02"]
    assert not set(again.tokens.values()) & set(study.tokens.values())


@pytest.mark.parametrize("change", [{"picture": 24}, {"picture": -1}, {"category": 4}, {"category": -1}, {"mask": 8}])
def test_a_trial_that_cannot_be_is_named(tmp_path: Path, change: dict[str, int]) -> None:
    study = small_study(tmp_path / "r.pellucid")
    said = json.loads((study.folder / "study.json").read_text())
    said["observers"]["subject-trials-02"][0] |= change
    (study.folder / "study.json").write_text(json.dumps(said))
    with pytest.raises(DamagedError, match=r"Trial 0 of subject-trials-02 in .* cannot be"):
        Study(study.record, "trials")


# --- pictures -------------------------------------------------------------------------------------------------


def test_pictures_of_a_folder_are_matched_by_id_and_carry_nothing_but_pixels(tmp_path: Path) -> None:
    record = small_record(tmp_path / "r.pellucid", 8)
    folder = tmp_path / "images"
    for number in range(6):
        place = folder / "somewhere" / f"example-{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((50, 40, 3), number, np.uint8)).save(place, pnginfo=None)
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(folder / "stranger.png")
    (folder / "somewhere" / "example-6.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("not looked at")
    chosen = choose(record, images=folder, categories=None)
    assert [picture.example for picture in chosen.pictures] == [f"example-{number}" for number in range(6)]
    assert chosen.left_out == {
        "its file cannot be read as a picture (ValueError)": 1,
        "no file is named like it": 1,
        "files that are no example of the record": 1,
    }
    study = Study.begin(record, "full", chosen, Design())
    content, extension = study.picture(3)
    assert extension == "png"
    assert b"somewhere" not in content
    Image.open(study.folder / "pictures" / study.plan.pictures[3].file).verify()
    (study.folder / "pictures" / study.plan.pictures[3].file).write_bytes(b"another")
    with pytest.raises(DamagedError, match="is not what its name says"):
        study.picture(3)


def test_what_a_file_says_of_itself_is_left_out(tmp_path: Path) -> None:
    pixels = Image.fromarray(np.arange(300, dtype=np.uint8).reshape(10, 10, 3))
    exif = Image.Exif()
    exif[0x010E] = "a cat named Felix"
    exif[0x0112] = 6  # lies on its side
    pixels.save(tmp_path / "a.png", exif=exif)
    assert b"Felix" in (tmp_path / "a.png").read_bytes()
    plain = plain_png((tmp_path / "a.png").read_bytes())
    assert b"Felix" not in plain
    (tmp_path / "b.png").write_bytes(plain)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "b.png")), np.rot90(np.asarray(pixels), -1))


def test_categories_gather_classes_by_name_and_by_index(tmp_path: Path) -> None:
    record = small_record(tmp_path / "r.pellucid", 16)
    file = tmp_path / "categories.json"
    file.write_text(json.dumps({"pet": ["cat", 1], "plane": ["airplane"]}))
    chosen = choose(record, categories=file)
    assert chosen.categories == ("pet", "plane")
    assert {picture.category for picture in chosen.pictures} == {"pet", "plane"}
    assert chosen.left_out == {"no category stands for its class": 4}
    for said, message in (
        ({"pet": ["wolf"], "plane": [3]}, "names 'wolf', which is no class of the record"),
        ({"pet": [9]}, "names 9"),
        ({"pet": [True]}, "names True"),
        ({"pet": [0], "beast": [0]}, "class 'cat' is in two categories, 'pet' and 'beast'"),
        (["cat"], "must be JSON that lists of each category its classes"),
        ({"pet": "cat"}, "must be JSON"),
    ):
        file.write_text(json.dumps(said))
        with pytest.raises(OptionError, match=message):
            choose(record, categories=file)
    with pytest.raises(OptionError, match="cannot be read"):
        choose(record, categories=tmp_path / "none.json")


def test_columns_that_are_missing_and_pictures_that_are_are_named(tmp_path: Path) -> None:
    record = small_record(tmp_path / "r.pellucid", 8)
    with pytest.raises(OptionError, match="--conditions names a column of the examples; 'blur' is none"):
        choose(record, conditions="blur")
    with pytest.raises(OptionError, match="--once-per names a column"):
        choose(record, origins="blur")
    with pytest.raises(OptionError, match="--images is a folder of pictures"):
        choose(record, images=tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(OptionError, match=r"There is no picture to show \(8: no file is named like it\)"):
        choose(record, images=tmp_path / "empty")

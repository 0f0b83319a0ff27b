"""Odd answers and odd files: flagged, counted or refused, and nothing dropped in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pellucid.errors import DataError, OptionError
from pellucid.human import import_people
from pellucid.measures.intervals import wilson
from pellucid.record import Record
from support.answered import answered
from support.judged import model_vs_human
from support.pets import IMAGES, TRUE, observer


def test_odd_observers_are_flagged_and_kept_and_can_be_left_out(record: Path, tmp_path: Path) -> None:
    images, true = [f"x{row}.png" for row in range(20)], ["cat", "dog"] * 10
    for name, answers, seconds in (
        ("steady", true, [0.7] * 20),
        ("stuck", ["cat"] * 20, [0.7] * 20),
        ("quick", ["dog", "cat"] * 10, [0.05] * 3 + [0.7] * 17),
        ("slip", true, [0.05] * 2 + [0.7] * 18),
    ):
        model_vs_human(tmp_path / "t" / f"exp_{name}_session_1.csv", name, images, true, answers, seconds=seconds)
    place = tmp_path / "people.pellucid"
    panel = import_people(tmp_path / "t", place)
    assert {one.name: one.flags for one in panel.observers if one.flags} == {
        "stuck": ["same answer"],
        "quick": ["too fast"],
    }
    assert panel.people.pairs + panel.people.undefined == 6
    assert sorted(one.kind for one in panel.findings) == ["odd-observer", "odd-observer"]
    left = import_people([], place, exclude=["flagged"])
    assert [one.name for one in left.observers if one.excluded] == ["quick", "stuck"]
    assert (left.match.excluded, left.match.counted) == (40, 40)
    assert left.people.undefined == 1
    assert {pair.first for pair in left.pairs} | {pair.second for pair in left.pairs} == {1, 2}
    assert import_people([], place, exclude=["stuck"]).match.excluded == 20
    with pytest.raises(OptionError, match="no observer 'nobody' to leave out"):
        import_people([], place, exclude=["nobody"])


def test_trials_given_twice_conditions_written_twice_and_strange_images_are_counted(
    record: Path, tmp_path: Path
) -> None:
    images = [*IMAGES[:3], IMAGES[0], "unknown.png"]
    path = model_vs_human(
        tmp_path / "exp_subject-01_session_1.csv", "a", images,
        ["cat", "cat", "dog", "cat", "cat"], ["cat", "dog", "dog", "bird", "cow"],
        conditions=["0.60", "0.6", "0.60", "0.600", "0.6"],
    )  # fmt: skip
    panel = import_people(path, record)
    match = panel.match
    assert (match.judgements, match.counted, match.repeated) == (5, 4, 1)
    assert match.merged == [["0.6", "0.60", "0.600"]]
    assert panel.conditions == ["0.6"]
    assert (match.unmatched, match.unmatched_names, match.matched, match.unanswered) == (1, ["unknown.png"], 3, 3)
    assert match.unmapped == {"cow": 1}
    assert observer(panel, "a").correct == 2
    assert any("answered before" in note for note in panel.notes)
    assert any("'0.6' is also written '0.60'" in note for note in panel.notes)
    assert any(one.kind == "unmatched-images" for one in panel.findings)


def test_an_example_that_two_images_claim_is_neithers(record: Path, tmp_path: Path) -> None:
    images = ["cat0.png", "cat0.jpg", "cat1.png"]
    path = model_vs_human(tmp_path / "exp_a_session_1.csv", "a", images, ["cat"] * 3, ["cat"] * 3)
    match = import_people(path, record).match
    assert (match.matched, match.unmatched_names) == (1, ["cat0.png", "cat0.jpg"])


def test_images_under_several_conditions_are_found_under_their_own_only(tmp_path: Path) -> None:
    images, true = [one for one in IMAGES for _ in range(2)], [one for one in TRUE for _ in range(2)]
    path = model_vs_human(tmp_path / "exp_a_session_1.csv", "a", images, true, true, conditions=["0.10", "1"] * 6)
    targets = [row // 4 for row in range(12)]
    without = answered(tmp_path / "without.pellucid", targets[::2], targets[::2], ids=IMAGES)
    panel = import_people(path, without)
    assert panel.match.matched == 0
    assert any("under 2 conditions" in note for note in panel.notes)
    once = model_vs_human(tmp_path / "exp_b_session_1.csv", "b", IMAGES, TRUE, TRUE, conditions=["0.10", "1"] * 3)
    by_id = answered(tmp_path / "once.pellucid", targets[::2], targets[::2], ids=IMAGES)
    assert import_people(once, by_id).match.matched == 6
    in_folders = answered(
        tmp_path / "folders.pellucid", targets[::2], targets[::2], ids=[f"x/{name}" for name in IMAGES]
    )
    assert import_people(once, in_folders).match.matched == 0, (
        "the same name may be of the picture that was not changed"
    )
    ids = [f"{condition}/{name}" for name, condition in zip(images, ["weak", "strong"] * 6, strict=True)]
    apart = answered(
        tmp_path / "apart.pellucid", targets, [*targets[:-1], 0], ids=ids, columns={"condition": [0.1, 1.0] * 6}
    )
    panel = import_people(path, apart)
    assert (panel.match.matched, panel.conditions) == (12, ["0.1", "1"])
    model = {
        one.group: one.correct for one in panel.accuracies if one.observer == panel.model and one.by == "condition"
    }
    assert model == {"0.1": 6, "1": 5}


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", b"", "a.csv is empty. Expected one of"),
        ("a.csv", b" \n", "is empty"),
        ("a.csv", b"observer,example,response\n", "no rows: it holds no answers"),
        ("a.csv", b"who,what\na,b\n", "has the columns who, what. Expected one of"),
        ("a.csv", b"observer,example,response\na,,cat\n", "Row 1 of .* has no example"),
        ("a.csv", b"observer,example,response,seconds\na,x,cat,soon\n", "'soon'; expected seconds"),
        ("a.csv", b"observer,example,response,seconds\na,x,cat,-1\n", "'-1'; expected seconds"),
        ("a.csv", b"observer,example,response,observer\na,x,cat,b\n", "two columns of one name"),
        ("a.csv", b"observer,example,response\na,x\n", "cannot be read as a table"),
        ("a.csv", b"\xff\xfe\x00", "cannot be read as a table"),
        ("a.csv", b"id,cat,dog\nx,0.5,0.5\n", "no counts"),
        ("a.csv", b"id,cat,dog\nx,-1,5\n", "no counts"),
        ("a.csv", b"id,cat,dog\nx,0,0\n", "All counts in a.csv are 0"),
        ("a.parquet", b"PAR1", "cannot be read"),
        ("a.npy", b"\x93NUMPY", "no array that can be read"),
        ("a.txt", b"cat", "ends in none of"),
    ],
)  # fmt: skip
def test_what_is_no_file_of_answers_is_refused_with_what_was_expected(
    tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=told):
        import_people(path, tmp_path / "people.pellucid")
    assert not (tmp_path / "people.pellucid").exists()


def test_missing_files_empty_folders_and_two_experiments_are_refused(record: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        import_people(tmp_path / "nowhere.csv", record)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no file of answers"):
        import_people(tmp_path / "empty", record)
    with pytest.raises(DataError, match="There are no answers to compare"):
        import_people([], record)
    one = model_vs_human(tmp_path / "edge_subject-01_session_1.csv", "a", IMAGES, TRUE, TRUE)
    two = model_vs_human(tmp_path / "sketch_subject-01_session_1.csv", "b", IMAGES, TRUE, TRUE[::-1])
    with pytest.raises(DataError, match="2 experiments: edge, sketch"):
        import_people([one, two], record)
    assert "human" not in Record(record).panels
    counts = tmp_path / "counts.npy"
    np.save(counts, np.ones((6, 4), np.int64))
    with pytest.raises(DataError, match="counts of 4 classes, but 3 names"):
        import_people(counts, record)
    np.save(counts, np.array([["a"]]))
    with pytest.raises(DataError, match="expected whole numbers of shape"):
        import_people(counts, record)


def test_hostile_names_stay_names(tmp_path: Path) -> None:
    names = ["<script>alert(1)</script>", "=cmd()", "../../etc/passwd", "a\u202eb", "'; drop", "c"]
    path = tmp_path / "answers.parquet"
    pq.write_table(
        pa.table({"observer": ["<b>x</b>"] * 6, "example": names, "response": names, "category": names}), path
    )
    panel = import_people(path, tmp_path / "people.pellucid")
    assert sorted(panel.categories) == sorted(names)
    assert Record(tmp_path / "people.pellucid").verify() == []


@pytest.mark.parametrize(
    ("column", "times", "seconds", "said"),
    [
        ("rt", [0.4, 0.8, 1.2, 700.0], [0.4, 0.8, 1.2, 700.0], ""),
        ("rt", [400, 812.5, 1200, 55], [0.4, 0.8125, 1.2, 0.055], "read as milliseconds: one.csv"),
        ("response_time", [400, 800, 1200, 50], [0.4, 0.8, 1.2, 0.05], "read as milliseconds: one.csv"),
        ("milliseconds", [40, 80, 90, 50], [0.04, 0.08, 0.09, 0.05], "read as milliseconds: one.csv"),
        ("seconds", [400, 800, 1200, 50], [400, 800, 1200, 50], "call their column 'milliseconds'"),
    ],
)
def test_times_in_milliseconds_are_told_by_name_or_size(
    tmp_path: Path, column: str, times: list[float], seconds: list[float], said: str
) -> None:
    rows = [f"anna,i{row}.png,cat,cat,{time}" for row, time in enumerate(times)]
    (tmp_path / "one.csv").write_text("\n".join([f"observer,example,response,category,{column}", *rows]))
    panel = import_people(tmp_path / "one.csv", tmp_path / "r.pellucid")
    kept = Record(tmp_path / "r.pellucid").table("human/part-000000.parquet")
    assert kept["seconds"].to_pylist() == pytest.approx(seconds)
    assert any(said in note for note in panel.notes) if said else not panel.notes
    assert import_people([], tmp_path / "r.pellucid").notes == panel.notes


def two_alike(file: Path) -> None:
    """Two people who answer alike to four images."""
    rows = [
        f"{who},i{row}.png,{said},cat"
        for who in ("anna", "ben")
        for row, said in enumerate(["cat", "dog", "cat", "dog"])
    ]
    file.write_text("\n".join(["observer,example,response,category", *rows]))


def test_one_pair_and_one_image_are_no_plural(tmp_path: Path) -> None:
    two_alike(tmp_path / "one.csv")
    assert "over 1 pair and 4 images" in import_people(tmp_path / "one.csv", tmp_path / "r.pellucid").answer


def test_people_who_always_agree_leave_room_for_those_who_would_not(tmp_path: Path) -> None:
    two_alike(tmp_path / "one.csv")
    soft = import_people(tmp_path / "one.csv", tmp_path / "r.pellucid").soft
    assert soft is not None
    assert (soft.pairwise, soft.entropy, soft.entropy_interval) == (1.0, 0.0, None)
    assert soft.pairwise_interval == wilson(4, 4)
    (tmp_path / "two.csv").write_text((tmp_path / "one.csv").read_text().replace("ben,i0.png,cat", "ben,i0.png,dog"))
    soft = import_people(tmp_path / "two.csv", tmp_path / "s.pellucid").soft
    assert soft is not None
    assert soft.pairwise_interval is not None
    assert (soft.pairwise, soft.pairwise_interval.high) == (0.75, 1.0)
    assert soft.entropy_interval is not None
    assert soft.entropy_interval.low == 0.0

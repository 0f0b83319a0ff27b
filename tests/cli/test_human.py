"""`pellucid human import`, as a person would use it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pellucid.record import Record
from support.answered import answered
from support.judged import model_vs_human
from support.program import Program, in_process

CLASSES = ("cat", "dog", "bird")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forty cue conflicts, two people who follow the shape nearly always, a model that follows the texture."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    shapes = rng.integers(0, 3, 40)
    textures = (shapes + rng.integers(1, 3, 40)) % 3
    names = [
        f"{CLASSES[a]}{row}-{CLASSES[b]}{row}.png" for row, (a, b) in enumerate(zip(shapes, textures, strict=True))
    ]
    true = [CLASSES[one] for one in shapes]
    for person in range(2):
        slips = rng.random(40) < 0.2
        said = [CLASSES[b if slip else a] for a, b, slip in zip(shapes, textures, slips, strict=True)]
        model_vs_human(
            Path(f"people/cue_subject-0{person + 1}_session_1.csv"), f"subject-0{person + 1}", names, true, said
        )
    answered("net.pellucid", shapes.tolist(), textures.tolist(), ids=names)
    return tmp_path


@pytest.fixture
def program(folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return in_process(capfd, monkeypatch)


def test_people_alone_make_a_record_and_the_json_has_kappa_and_shape_bias(program: Program) -> None:
    done = program("human", "import", "people", "--record", "people.pellucid", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["kappa_pairs"] == 1
    assert found["kappa_interval"]["low"] <= found["kappa"] <= found["kappa_interval"]["high"]
    assert found["kappa_with_model"] is None
    assert found["match"]["matched"] == found["match"]["images"] == 40
    assert set(found["shape_bias"]) == {"people", "subject-01", "subject-02"}
    assert found["shape_bias"]["people"]["bias"] > 0.6
    assert Record("people.pellucid").state == "complete"


def test_a_model_beside_people_is_printed_with_what_parts_them(program: Program) -> None:
    done = program("human", "import", "people", "--record", "net.pellucid")
    assert done.code == 0, done.err
    assert "80 of 80 answers count, to 40 images; 40 are examples of the record." in done.out
    assert "shape bias of all people: 0." in done.out
    assert "shape bias of net: 0.000" in done.out
    assert "[medium] Where shape and texture differ the model follows the shape in 0%" in done.out
    assert "[medium] People and model part at" in done.out
    assert "pellucid open net.pellucid" in done.err
    again = program("human", "import", "--record", "net.pellucid", "--exclude", "subject-02", "--json")
    found = json.loads(again.out)
    assert found["match"]["excluded"] == 40
    assert found["kappa"] is None
    assert found["kappa_why"] == "two people are needed"
    assert Record("net.pellucid").verify() == []


def test_refusals_are_answers_too(program: Program) -> None:
    Path("empty.csv").write_text("", encoding="utf-8")
    done = program("human", "import", "empty.csv", "--record", "net.pellucid", "--json")
    assert done.code == 2
    assert json.loads(done.out)["kind"] == "DataError"
    assert "empty.csv is empty. Expected one of" in json.loads(done.out)["message"]
    assert program("human", "import", "people").code == 2


def test_power_says_where_more_people_do_not_help(program: Program) -> None:
    few = program(
        "human", "power", "--accuracy-difference", "0.1", "--images", 50, "--observers", 5, "--simulations", 0
    )
    assert few.out.split() == ["5", "people,", "50", "images:", "found", "with", "a", "probability", "of", "52.8%"]
    said = " ".join(few.err.split())
    assert (
        "With 50 images no number of people finds it with a probability of 80%: with any number it stays below 60.0%"
        in said
    )
    enough = program(
        "human", "power", "--accuracy-difference", "0.1", "--images", 90, "--observers", 1, "--simulations", 0
    )
    assert "More images or people find it more surely" in enough.err
    beyond = program("human", "power", "--accuracy-difference", "0.3", "--images", 50)
    assert "got 1.1, people's 0.8 and the difference 0.3" in " ".join(beyond.err.split())
    assert program("human", "power", "--accuracy-difference", "0.1", "--images", 50, "--power", "2").code == 2

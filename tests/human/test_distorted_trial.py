"""From images to curves as a user types it: distort, inspect, people's answers in, thresholds."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid.record import Record, schema
from support.judged import model_vs_human
from support.program import Program, in_process

# Light or dark: what the model says falls to chance as contrast goes.
MODEL = """
import torch
def make():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.tensor(8.0))
        def forward(self, x):
            left, right = x[..., :8].mean((1, 2, 3)), x[..., 8:].mean((1, 2, 3))
            light = self.scale * (left - right)
            return torch.stack([light, -light + 0.4], 1)
    return Net()
"""
LEVELS = ("1", "0.5", "0.25", "0.1", "0.03")


@pytest.fixture
def program(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return in_process(capfd, monkeypatch)


def test_a_series_goes_from_images_to_thresholds(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for image in range(24):
        left = image % 2 == 0
        pixels = rng.uniform(90, 110, (16, 16, 3))
        pixels[:, :8] += (1 if left else -1) * (10 + 3 * (image // 2))
        place = tmp_path / "photos" / ("left" if left else "right") / f"{image}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(place)
    made = program(
        "human",
        "distort",
        "photos",
        "--out",
        "series",
        "--series",
        f"contrast={','.join(LEVELS)}",
        "--before",
        "colour=0",
        "--json",
    ).json
    assert (made["images"], made["pictures"], made["skipped"]) == (24, 120, [])
    again = program("human", "distort", "photos", "--out", "series", "--series", "contrast=1")
    assert "holds a series already" in again.refusal
    assert "Missing option '--series'" in program("human", "distort", "photos", "--out", "other").refusal
    assert "holds no image files" in program("human", "distort", "digits", "--out", "o", "--series", "jpeg=5").refusal

    (tmp_path / "net.py").write_text(MODEL)
    done = program(
        "inspect", "net.py:make", "--data", "series", "--out", "net.pellucid", "--lens", "predictions", "--chosen", "0",
        "--no-progress",
    )  # fmt: skip
    assert done.code == 0, done.err
    with (tmp_path / "series" / "series.csv").open() as file:
        shown = list(csv.DictReader(file))
    right = rng.random(len(shown)) < np.array([0.5 + 0.48 * float(row["level"]) ** 0.2 for row in shown])
    other = {"left": "right", "right": "left"}
    model_vs_human(
        tmp_path / "answers" / "trials_subject-01_session_1.csv",
        "subject-01",
        [row["id"] for row in shown],
        [row["label"] for row in shown],
        [row["label"] if hit else other[row["label"]] for row, hit in zip(shown, right, strict=True)],
        conditions=[row["condition"] for row in shown],
    )
    found = program("human", "import", "answers", "--record", "net.pellucid", "--json").json
    assert (found["match"]["matched"], found["match"]["unmatched"]) == (120, 0)
    panel = program("human", "thresholds", "net.pellucid", "--json").json
    (series,) = panel["series"]
    assert series["distortion"] == "contrast"
    assert [curve["kind"] for curve in series["curves"]] == ["people", "model"]
    assert [point["count"] for point in series["curves"][1]["points"]] == [24] * 5
    accuracies = [point["accuracy"] for point in series["curves"][1]["points"]]
    assert accuracies == sorted(accuracies)
    assert isinstance(Record("net.pellucid").panel("psychometrics"), schema.PsychometricsPanel)
    said = program("human", "thresholds", "net.pellucid", "--scale", "linear")
    assert "contrast" in said.out

    learned = program("human", "learning", "net.pellucid", "--record", "net.pellucid", "--steps", "3")
    assert "step 3" in learned.out
    assert (
        "whole numbers"
        in program("human", "learning", "net.pellucid", "--record", "net.pellucid", "--steps", "x").refusal
    )
    (tmp_path / "clicks.csv").write_text(f"observer,example,x,y\ns,{shown[0]['id']},0.2,0.2\ns,none.png,0.1,0.1\n")
    looked = program("human", "maps", "net.pellucid", "clicks.csv")
    assert "keeps no attribution maps" in looked.out
    assert "1 place." in looked.err


def test_power_is_asked_and_refused_in_words(program: Program) -> None:
    rows = program(
        "human", "power", "--kappa-above-chance", "0.1", "--observers", "4", "--simulations", "200", "--json"
    ).json["rows"]
    assert len(rows) == 1
    assert rows[0]["power"] >= 0.8
    assert rows[0]["interval"]["low"] <= rows[0]["simulated"] <= rows[0]["interval"]["high"]
    said = program("human", "power", "--accuracy-difference", "-0.1", "--images", "50", "--simulations", "0")
    assert said.out.count("\n") == 6
    assert "50 images: found with a probability of" in said.out
    assert "no number of people finds it with a probability of 80%" in said.err
    assert "one of --accuracy-difference" in program("human", "power").refusal
    assert "lies between" in program("human", "power", "--kappa-difference", "0.9").refusal

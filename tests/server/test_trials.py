"""A study from its plan to its files: what is kept survives a kill, and comes out as it went in."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest

from pellucid.errors import DamagedError, OptionError, StorageError
from pellucid.record import Record
from pellucid.server.trials import Study, build_trials_app, export_trials, start_trials
from pellucid.server.trials.journal import Journal, whole_lines
from support import killed_trials
from support.asking import HOST
from support.trials import CLASSES, given, request, respond, small_study

# --- durable --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_kill_loses_at_most_the_trial_on_screen(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, killed_trials.__file__, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    roots = sorted(tmp_path.iterdir())
    assert len(roots) > 30
    halves = 0
    for root in roots:
        path = root / killed_trials.JOURNAL
        acknowledged = len((root / killed_trials.ACKNOWLEDGED).read_text().split())
        halves += path.exists() and not path.read_bytes().endswith(b"\n") and path.stat().st_size > 0
        kept = whole_lines(path)
        assert acknowledged <= len(kept) <= acknowledged + 1
        killed_trials.answer(root, lambda trial: None)
        assert whole_lines(path) == [killed_trials.response(trial) for trial in range(killed_trials.TRIALS)]
    assert halves > 5, "the test has found half lines"


def test_every_cut_of_the_file_opens_with_its_whole_lines(tmp_path: Path) -> None:
    killed_trials.answer(tmp_path, lambda trial: None)
    content = (tmp_path / killed_trials.JOURNAL).read_bytes()
    cut = tmp_path / "cut.jsonl"
    for length in range(0, len(content), 7):
        cut.write_bytes(content[:length])
        journal = Journal(cut)
        assert len(journal.responses) == content[:length].count(b"\n")
        assert cut.read_bytes() == content[: content[:length].rfind(b"\n") + 1], "half a line is cut off at once"
        journal.append(killed_trials.response(9))
        journal.close()
        assert cut.read_bytes().count(b"\n") == content[:length].count(b"\n") + 1
        assert whole_lines(cut)[-1] == killed_trials.response(9)


def test_an_altered_line_is_named(tmp_path: Path) -> None:
    killed_trials.answer(tmp_path, lambda trial: None)
    path = tmp_path / killed_trials.JOURNAL
    path.write_bytes(path.read_bytes().replace(b'"trial":1', b'"trial":x'))
    with pytest.raises(DamagedError, match=r"Line 2 of .*responses\.jsonl is no response"):
        Journal(path)


def test_a_full_disk_refuses_and_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "responses.jsonl")
    journal.append(killed_trials.response(0))
    before = (tmp_path / "responses.jsonl").read_bytes()
    real = os.write

    def full(descriptor: int, content: bytes) -> int:
        if len(content) < 100:
            raise OSError(28, "No space left on device")
        return real(descriptor, content[:60])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageError, match="No space left"):
        journal.append(killed_trials.response(1))
    assert (tmp_path / "responses.jsonl").read_bytes() == before
    monkeypatch.undo()
    journal.append(killed_trials.response(1))
    journal.close()
    assert whole_lines(tmp_path / "responses.jsonl") == [killed_trials.response(0), killed_trials.response(1)]


def test_an_answer_over_http_is_on_the_disk_before_it_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = small_study(tmp_path / "r.pellucid")
    app = build_trials_app(study, [HOST])
    token = study.tokens["subject-trials-01"]
    order: list[str] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (real(descriptor), order.append("flushed"))[0])
    assert respond(app, token, 0, 1).status_code == 200
    order.append("acknowledged")
    assert order == ["flushed", "acknowledged"]
    app.state.close()


# --- trials ---------------------------------------------------------------------------------------------------


def test_trials_are_answered_in_order_once_and_gone_on_with(tmp_path: Path) -> None:
    study = small_study(tmp_path / "r.pellucid")
    one, other = study.tokens["subject-trials-01"], study.tokens["subject-trials-02"]
    app = build_trials_app(study, [HOST])
    first = respond(app, one, 0, 2)
    right = CLASSES[study.plan.observers["subject-trials-01"][0].category]
    assert first.json() == {"done": 1, "right": right == "bird", "answer": right}, "practice is told the answer"
    assert respond(app, one, 0, 3).json()["done"] == 1, "the same trial again changes nothing"
    assert respond(app, one, 3).status_code == 409
    assert respond(app, other, 0).json()["done"] == 1
    app.state.close()
    # A new server goes on where the old one ended.
    study = Study(Record(tmp_path / "r.pellucid"), "trials")
    app = build_trials_app(study, [HOST])
    assert request(app, "/api/session", one).json()["done"] == 1
    for trial in range(1, 6):
        kept = respond(app, one, trial, None).json()
        counts = study.plan.observers["subject-trials-01"][trial].kind != "practice"
        assert (kept["right"] is None, kept["answer"] == "") == (counts, counts)
    app.state.close()
    answered = [response for response in study.responses() if response.observer == "subject-trials-01"]
    assert [response.trial for response in answered] == list(range(6))
    assert answered[0].response == "bird"
    assert answered[0].seconds == 0.6125
    assert answered[1].response is None


def test_masks_are_the_same_again_and_the_page_may_be_missing(tmp_path: Path) -> None:
    study = small_study(tmp_path / "r.pellucid")
    app = build_trials_app(study, [HOST], app_dir=tmp_path / "nowhere")
    token = study.tokens["subject-trials-01"]
    masks = [request(app, f"/api/masks/{number}", token).content for number in (0, 1, 0)]
    assert masks[0] == masks[2] != masks[1]
    assert request(app, "/", token).status_code == 503
    app.state.close()


# --- out again ------------------------------------------------------------------------------------------------


def answer_all(study: Study, choose_for: Callable[[int, int], int | None]) -> None:
    app = build_trials_app(study, [HOST])
    for observer, (code, trials) in enumerate(study.plan.observers.items()):
        for place, trial in enumerate(trials):
            response = choose_for(observer, trial.category)
            answer = respond(app, study.tokens[code], place, response, left=place == 5, **(
                {} if response is None else {"milliseconds": 400 + 1000 * ((place * 7919) % 1000) / 999}
            ))  # fmt: skip
            assert answer.status_code == 200
    app.state.close()


def test_an_export_reads_back_to_the_same_numbers(tmp_path: Path) -> None:
    study = small_study(tmp_path / "r.pellucid", conditions="condition", origins="original")
    draw = np.random.default_rng(0)
    answer_all(
        study, lambda observer, category: [category, category, int(draw.integers(4)), None][int(draw.integers(4))]
    )
    report = export_trials(study, tmp_path / "out")
    assert [path.name for path in report.files] == [
        "trials_subject-trials-01_session_1.csv",
        "trials_subject-trials-02_session_1.csv",
    ]
    counted = [response for response in study.responses() if response.kind == "trial"]
    read = []
    for path in report.files:
        with path.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert list(rows[0]) == [
            "subj",
            "session",
            "trial",
            "rt",
            "object_response",
            "category",
            "condition",
            "imagename",
        ]
        assert [int(row["trial"]) for row in rows] == list(range(1, len(rows) + 1))
        read += rows
    assert len(read) == len(counted) == report.trials
    for row, response in zip(read, sorted(counted, key=lambda one: one.observer), strict=True):
        assert row["subj"] == response.observer
        assert (row["imagename"], row["category"], row["condition"]) == (
            response.example,
            response.category,
            response.condition,
        )
        assert row["object_response"] == ("na" if response.response is None else response.response)
        assert row["rt"] == "NaN" if response.response is None else float(row["rt"]) == response.seconds
        assert row["condition"] in ("full", "low")
    # Accuracies and times by another reader, as people who analyse such files do.
    frame = pd.concat([pd.read_csv(path, keep_default_na=False) for path in report.files])
    frame["rt"] = frame["rt"].astype(float)
    for code, own in frame.groupby("subj"):
        mine = [response for response in counted if response.observer == code]
        assert (own["object_response"] == own["category"]).sum() == sum(one.response == one.category for one in mine)
        expected = float(np.median([one.seconds for one in mine if one.seconds is not None and one.response]))
        assert own["rt"].median() == pytest.approx(expected, rel=1e-15)
    assert report.no_response == (frame["object_response"] == "na").sum()
    assert report.practice == 4 * 2
    assert report.left == 2
    checks = [response for response in study.responses() if response.kind == "check"]
    assert sum(asked for _, asked in report.checks.values()) == len(checks)
    assert sum(passed for passed, _ in report.checks.values()) == sum(one.response == one.category for one in checks)


def test_nothing_answered_is_nothing_to_export(tmp_path: Path) -> None:
    study = small_study(tmp_path / "r.pellucid")
    with pytest.raises(OptionError, match="Nobody has answered"):
        export_trials(study, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# --- a real server --------------------------------------------------------------------------------------------


def test_invitations_open_a_real_server_on_loopback(tmp_path: Path) -> None:
    study = small_study(tmp_path / "r.pellucid")
    with start_trials(study) as running:
        assert [one.code for one in running.invitations] == ["subject-trials-01", "subject-trials-02"]
        url = running.invitations[1].url
        assert url.startswith("http://127.0.0.1:")
        base = url.partition("/?")[0]
        with httpx.Client(base_url=base, timeout=20) as browser:
            assert browser.get("/api/session").status_code == 401
            assert browser.get(url).status_code == 303
            assert browser.get("/api/session").json()["code"] == "subject-trials-02"
            answer = browser.post("/api/responses", json=given(0), headers={"Origin": base})
            assert answer.json()["done"] == 1
            assert browser.post("/api/responses", json=given(1)).status_code == 403
    with start_trials(Study(study.record, "trials")) as running:
        assert [(one.done, one.trials) for one in running.invitations][1] == (
            1,
            len(study.plan.observers["subject-trials-02"]),
        )

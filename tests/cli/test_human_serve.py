"""`pellucid human serve` and `human export`: a study that is begun, gone on with, killed, and written out."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import pytest

from pellucid.record import Record
from pellucid.server import trials
from pellucid.server.trials import Invitation, Study
from pellucid.server.trials.serving import invitations
from support.program import COMMAND, Ended, Program
from support.trials import given, small_record


@pytest.fixture
def serve(pellucid: Program, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """Serves until the invitations are told, and ends there as an interrupt would end it."""
    if not (workplace / "r.pellucid").exists():
        small_record(workplace / "r.pellucid")

    def told(study: Study, *, host: str, port: int, announce: Callable[[Sequence[Invitation]], None]) -> None:
        announce(invitations(study, f"http://{host}:{port}"))
        raise KeyboardInterrupt

    monkeypatch.setattr(trials, "serve_trials", told)
    return lambda *arguments: pellucid("human", "serve", "r.pellucid", "--port", 8765, *arguments)


def test_a_study_is_begun_and_gone_on_with(serve: Callable[..., Ended], workplace: Path) -> None:
    begun = serve("--observers", 2, "--block", 8, "--practice", 4, "--seed", 3)
    assert begun.code == 0
    lines = begun.out.splitlines()
    assert [line.split()[0] for line in lines] == ["subject-trials-01", "subject-trials-02"]
    # 20 in three blocks, 3 checks, 4 for practice
    assert lines[0].endswith("0 of 27 trials done")
    assert "pellucid human export r.pellucid OUT --study trials" in begun.err
    again = serve("--observers", 3).out.splitlines()
    assert again[:2] == lines, "the same addresses"
    assert len(again) == 3
    plan = Study(Record(workplace / "r.pellucid"), "trials").plan
    assert (plan.design.block, plan.design.practice, plan.design.seed) == (8, 4, 3)


def test_what_has_begun_cannot_change(serve: Callable[..., Ended]) -> None:
    serve("--block", 8)
    assert serve("--block", 8).code == 0
    said = serve("--mask", 0, "--label").refusal
    assert said.startswith("The study 'trials' has begun with --label off, not on; --mask 200, not 0. Go on with it")
    assert serve("--study", "other", "--mask", 0).code == 0


def test_json_and_what_is_not_shown(serve: Callable[..., Ended], workplace: Path) -> None:
    (workplace / "categories.json").write_text('{"pet": ["cat", "dog"], "thing": [3]}')
    answered = serve("--categories", "categories.json", "--conditions", "condition", "--once-per", "original", "--json")
    assert "Not shown: 6 (no category stands for its class)." in answered.err
    assert answered.json["study"] == "trials"
    assert set(answered.json["invitations"][0]) == {"code", "url", "done", "trials"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--conditions", "blur"), "--conditions names a column of the examples; 'blur' is none"),
        (("--images", "nowhere"), "--images is a folder of pictures; nowhere is none"),
        (("--presentation", "0"), "--presentation lasts 1 to 600,000 ms; got 0"),
        (("--study", "../up"), "The name of a study must be at most 128 letters"),
        (("--observers", "0"), "Invalid value for '--observers'"),
        (("--categories", "nowhere.json"), "The categories nowhere.json cannot be read"),
    ],
)
def test_bad_options_leave_nothing_behind(
    serve: Callable[..., Ended], workplace: Path, arguments: tuple[str, ...], said: str
) -> None:
    assert said in serve(*arguments).refusal
    assert not (workplace / "r.pellucid" / "human").exists()


def test_an_export_of_nothing_and_of_no_study(pellucid: Program, serve: Callable[..., Ended]) -> None:
    assert "has no study 'trials'. It has: none" in pellucid("human", "export", "r.pellucid", "out").refusal
    serve()
    assert "Nobody has answered a trial" in pellucid("human", "export", "r.pellucid", "out").refusal


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_server_killed_with_nine_loses_nothing_that_was_acknowledged(workplace: Path, pellucid: Program) -> None:
    small_record(workplace / "r.pellucid")
    command = [*COMMAND, "human", "serve", "r.pellucid", "--practice", "2"]
    url, acknowledged = "", 0
    for round_ in range(2):
        server = subprocess.Popen(command, cwd=workplace, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert server.stdout is not None
            _, url, done, *_ = server.stdout.readline().split()
            assert int(done) == acknowledged
            base = url.partition("/?")[0]
            with httpx.Client(base_url=base, timeout=30) as browser:
                browser.get(url)
                for trial in range(acknowledged, acknowledged + 6):
                    kept = browser.post("/api/responses", json=given(trial, trial % 4), headers={"Origin": base})
                    assert kept.json()["done"] == trial + 1
            acknowledged += 6
            os.kill(server.pid, signal.SIGKILL)
        finally:
            server.kill()
            server.wait()
            server.stdout and server.stdout.close()
        assert len(Study(Record(workplace / "r.pellucid"), "trials").responses()) == 6 * (round_ + 1)
    exported = pellucid("human", "export", "r.pellucid", "out", "--json").json
    with Path(exported["files"][0]).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == exported["trials"]
    said = pellucid("human", "export", "r.pellucid", "out")
    assert f"{exported['trials']} trials, 0 of them without a response" in said.err
    assert "Compare with the model: pellucid human import out --record r.pellucid" in said.err


def test_a_page_that_was_not_built_is_said(
    serve: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "trial.html").write_text("page")
    assert trials.without_page(tmp_path) == ""
    said = trials.without_page(tmp_path / "none")
    assert "The page of trials is not built" in said
    monkeypatch.setattr(trials, "without_page", lambda: said)
    assert "The page of trials is not built" in " ".join(serve().err.split())

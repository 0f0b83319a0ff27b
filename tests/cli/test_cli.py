"""The program: what its commands print, where they print it, and how they end."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from pellucid import __version__
from pellucid.record import Record
from support.program import COMMAND, PATIENCE, Program, alone

COMMANDS = ("inspect", "open", "show", "export", "graph", "features", "hierarchy", "compare", "demo")
MARKUP = "</script><img src=x onerror=alert(1)>"


# --- the program itself ---------------------------------------------------------------------------------------


def test_help_names_every_command_and_imports_no_torch(tmp_path: Path) -> None:
    code = (
        "import atexit, sys; from pellucid.cli import main; "
        "atexit.register(lambda: print('imported:', *sorted({'torch', 'numpy', 'pyarrow', 'scipy'} & set(sys.modules)))); "
        "sys.argv = ['pellucid', '--help']; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=PATIENCE)
    assert done.returncode == 0
    assert done.stdout.rstrip().endswith("imported:")
    assert all(re.search(rf"^  {command}  ", done.stdout, re.MULTILINE) for command in COMMANDS)


def test_show_needs_no_torch(inspected: Path) -> None:
    code = (
        "import atexit, sys; from pellucid.cli import main; "
        "atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr)); "
        "sys.argv = ['pellucid', 'show', 'net.pellucid']; main()"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=inspected.parent, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, "False\n")


def test_version_is_that_of_the_package(pellucid: Program) -> None:
    answered = pellucid("--version")
    assert (answered.code, answered.out, answered.err) == (0, f"pellucid {__version__}\n", "")


def test_the_package_is_the_program() -> None:
    command = [sys.executable, "-m", "pellucid", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"pellucid {__version__}\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(pellucid: Program, command: str) -> None:
    answered = pellucid(command, "--help")
    assert answered.code == 0
    assert answered.out.startswith(f"Usage: pellucid {command} ")
    # Each option has its sentence.
    options = re.findall(r"^  (?:-\w, )?--[\w-]+.*?(?=^  -|\Z)", answered.out, re.MULTILINE | re.DOTALL)
    assert options
    for option in options:
        assert re.search(r"\s{2,}\S.*\.", option.partition("--")[2], re.DOTALL), option


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "No command was given."),
        (["nonsense"], "No such command 'nonsense'"),
        (["show"], "Missing argument 'RECORD'"),
        (["show", "x", "--nonsense"], "No such option"),
        (["inspect", "net.py:make", "--out", "x"], "Missing option '--data'"),
        (["inspect", "net.py:make", "--data", "d", "--out", "x", "--device", "tpu"], "'--device'"),
        (["inspect", "net.py:make", "--data", "d", "--out", "x", "--limit", "0"], "'--limit'"),
    ],
    ids=["nothing", "command", "argument", "option", "missing option", "choice", "range"],
)
def test_a_command_line_that_cannot_be_read_is_refused(pellucid: Program, arguments: list[str], said: str) -> None:
    assert said in pellucid(*arguments).refusal
    answered = pellucid(*arguments, "--json")
    assert answered.code == 2
    if arguments and arguments[0] in COMMANDS:
        assert answered.json["kind"] == "OptionError"
        assert said in answered.json["message"]
        assert answered.err == ""


# --- inspect and show -----------------------------------------------------------------------------------------


def test_inspect_prints_the_summary_and_where_to_look_and_draws_no_bars_outside_a_terminal(inspected: Path) -> None:
    printed = (inspected.parent / "printed.txt").read_text(encoding="utf-8")
    assert re.search(r"^  examples   96$", printed, re.MULTILINE)
    assert re.search(r"^  accuracy   [\d.]+%  \[[\d.]+%, [\d.]+%\] at 95%$", printed, re.MULTILINE)
    assert re.search(r"^  mean loss  [\d.]+ \(cross-entropy\)$", printed, re.MULTILINE)
    said = (inspected.parent / "said.txt").read_text(encoding="utf-8")
    assert said == "Look at it: pellucid open net.pellucid\n"


def test_show_answers_a_person_with_the_same_lines_and_a_program_with_json(pellucid: Program, inspected: Path) -> None:
    shown = pellucid("show", inspected)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out == (inspected.parent / "printed.txt").read_text(encoding="utf-8")

    answered = pellucid("show", inspected, "--json")
    assert (answered.code, answered.err) == (0, "")
    summary = answered.json
    table = Record(inspected).examples()
    right = [a == b for a, b in zip(table["target"].to_pylist(), table["prediction"].to_pylist(), strict=True)]
    assert (summary["examples"], summary["state"], summary["skipped"], summary["nonfinite"]) == (96, "complete", 0, 0)
    assert summary["accuracy"] == pytest.approx(sum(right) / 96)
    interval = summary["accuracy_interval"]
    assert interval["low"] < summary["accuracy"] < interval["high"]
    assert interval["level"] == 0.95
    losses = table["loss"].to_pylist()
    assert summary["mean_loss"] == pytest.approx(sum(losses) / 96)
    passes = {one["name"]: (one["forward"], one["backward"], one["state"]) for one in summary["passes"]}
    assert {name: spent[:2] for name, spent in passes.items()} == {
        "trace": (6, 0),
        "sweep": (3, 0),
        "features": (0, 0),
        "focus": (1, 1),
        "learn": (2, 2),
    }
    assert {state for *_, state in passes.values()} == {"complete"}
    # An untrained network: something is wrong with it.
    assert {"kind", "severity", "sentence", "count", "evidence", "selection"} <= summary["findings"][0].keys()
    assert {"confusion", "gradients", "activations"} <= set(summary["panels"])


def test_inspect_with_json_prints_the_summary_alone(pellucid: Program) -> None:
    answered = pellucid(
        "inspect", "net.py:make", "--data", "digits:test", "--limit", 40, "--out", "r", "--lens", "accuracy",
        "--lens", "loss", "--title", "A title", "--json",
    )  # fmt: skip
    assert (answered.code, answered.err) == (0, "")
    assert (answered.json["examples"], answered.json["title"]) == (40, "A title")
    assert answered.json["panels"] == ["loss", "accuracy"]


def test_show_verify_finds_nothing_wrong_with_a_whole_record(pellucid: Program, inspected: Path) -> None:
    assert pellucid("show", inspected, "--verify").code == 0


class Terminal(io.StringIO):
    """What was drawn, kept."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("quiet", [False, True])
def test_progress_bars_are_drawn_in_a_terminal_unless_told_not_to(
    pellucid: Program, monkeypatch: pytest.MonkeyPatch, quiet: bool
) -> None:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    arguments = ["inspect", "net.py:make", "--data", "digits:test", "--limit", 40, "--lens", "accuracy", "--out", "r"]
    assert pellucid(*arguments, *(["--no-progress"] if quiet else [])).code == 0
    drawn = terminal.getvalue()
    assert drawn.endswith("Look at it: pellucid open r\n")
    if quiet:
        assert drawn.count("\n") == 1
    else:
        assert "Sweeping" in drawn
        assert "40/40" in drawn


# --- features -------------------------------------------------------------------------------------------------


def test_features_adds_to_a_record_what_was_asked_for(pellucid: Program, copied: Path) -> None:
    layer = Record(copied).panel("activations").layers[0].name  # type: ignore[union-attr]
    given = (copied, "--model", "net.py:make", "--data", "digits:test", "--no-progress")
    answered = pellucid("features", *given, "--stimuli", "--layer", layer)
    assert answered.code == 0, answered.err
    stages = re.findall(r"^(\w+): ([\d,]+) forward and 0 backward of an example each, ", answered.out, re.MULTILINE)
    assert [name for name, _ in stages] == ["features", "stimuli"]
    panel = Record(copied).panel("tuning")
    assert [row.name for row in panel.layers] == [layer]  # type: ignore[union-attr]
    assert int(stages[1][1].replace(",", "")) == panel.count > 0


def test_features_makes_pictures_and_keeps_those_of_other_methods(pellucid: Program, copied: Path) -> None:
    layer = Record(copied).panel("activations").layers[0].name  # type: ignore[union-attr]
    given = (copied, "--model", "net.py:make", "--data", "digits:test", "--no-progress", "--optimise", "--steps", 3)
    answered = pellucid("features", *given, "--layer", layer, "--channel", 2, "--channel", 0, "--variants", 2)
    assert answered.code == 0, answered.err
    assert re.search(r"^optimise: [\d,]+ forward and 12 backward", answered.out, re.MULTILINE)
    assert pellucid("features", *given, "--layer", layer, "--channel", 1, "--method", "maco").code == 0
    record = Record(copied)
    panel = record.panel("optimised")
    made = [(row.name, row.method, row.stored, row.variants) for row in panel.layers]  # type: ignore[union-attr]
    assert made == [(layer, "fourier", 2, 2), (layer, "maco", 1, 1)]
    assert panel.count == 5
    assert record.verify() == []
    refused = pellucid("features", *given, "--method", "makko").refusal
    assert "must be fourier or maco; got 'makko'" in refused


def test_what_a_record_says_of_its_model_opens_it_again(pellucid: Program, workplace: Path) -> None:
    code = (
        "import net; from safetensors.torch import save_file; "
        "save_file({name: value + 1 for name, value in net.make().state_dict().items()}, 'w.safetensors')"
    )
    subprocess.run([sys.executable, "-c", code], cwd=workplace, check=True, timeout=PATIENCE)
    given = ("--data", "digits:test", "--no-progress")
    made = pellucid(
        "inspect", "net.py:make", "--weights", "w.safetensors", *given, "--limit", 20, "--chosen", 0, "--out", "r"
    )
    assert made.code == 0, made.err
    model = Record(workplace / "r").manifest.model
    assert model is not None
    assert (model.source, model.weights) == ("net.py:make", "w.safetensors")
    again = pellucid("features", "r", "--model", model.source, "--weights", model.weights, *given)
    assert again.code == 0, again.err
    assert "not the inspected one" in pellucid("features", "r", "--model", model.source, *given).refusal


def test_features_refuses_another_model_and_a_layer_that_is_not_there(pellucid: Program, copied: Path) -> None:
    given = (copied, "--data", "digits:test", "--no-progress")
    assert "not the inspected one" in pellucid("features", *given, "--model", "net.py:three").refusal
    said = pellucid("features", *given, "--model", "net.py:make", "--layer", "nowhere", "--stimuli").refusal
    assert said.startswith("There is no layer 'nowhere'.")
    assert "tuning" not in Record(copied).panels


# --- open, export, graph, demo --------------------------------------------------------------------------------


@pytest.mark.parametrize("as_json", [False, True])
def test_open_prints_an_address_that_answers_and_ends_with_an_interrupt(inspected: Path, as_json: bool) -> None:
    command = [*COMMAND, "open", "net.pellucid", "--no-open", "--port", "0", *(["--json"] if as_json else [])]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=inspected.parent, env={**os.environ}
    )
    guard = threading.Timer(PATIENCE, process.kill)
    guard.start()
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        if as_json:
            while not said.rstrip().endswith("}"):
                said += process.stdout.readline()
            document = json.loads(said)
            assert list(document) == ["url"]
            url = document["url"]
        else:
            url = said.strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{32,}", url)
        with httpx.Client(timeout=PATIENCE) as browser:
            base = url.partition("/?")[0]
            assert browser.get(f"{base}/api/summary").status_code == 401
            assert browser.get(url, follow_redirects=True).status_code == 200
            answered = browser.get(f"{base}/api/summary")
            assert (answered.status_code, answered.json()["examples"]) == (200, 96)
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=PATIENCE)
    finally:
        guard.cancel()
        process.kill()
        process.wait()
    assert (process.returncode, rest) == (0, ("", ""))


def test_open_refuses_half_of_a_live_model(pellucid: Program, inspected: Path) -> None:
    said = pellucid("open", inspected, "--model", "net.py:make", "--no-open").refusal
    assert said == "--model needs the inspected data too: --data digits:test."
    assert "--model, which is missing" in pellucid("open", inspected, "--data", "digits", "--no-open").refusal
    said = pellucid("open", inspected, "--model", "net.py:three", "--data", "digits:test", "--no-open").refusal
    assert said.startswith("--model does not go with this record: ")


def test_open_refuses_a_short_token_and_a_record_that_is_not_there(pellucid: Program, inspected: Path) -> None:
    assert "16" in pellucid("open", inspected, "--no-open", "--token", "short").refusal
    assert pellucid("open", "nowhere", "--no-open").refusal.startswith("There is no record at nowhere")


def test_export_writes_one_file_and_says_how_large_it_is(pellucid: Program, inspected: Path, workplace: Path) -> None:
    answered = pellucid("export", inspected, "-o", "net.html", "--json")
    assert (answered.code, answered.err) == (0, "")
    assert answered.json == {"path": "net.html", "bytes": (workplace / "net.html").stat().st_size, "left_out": []}
    printed = pellucid("export", inspected, "--output", "again.html")
    assert re.fullmatch(r"again\.html: \d\.\d\d MB\n", printed.out)
    assert (workplace / "again.html").read_bytes() == (workplace / "net.html").read_bytes()


def test_graph_prints_layers_with_shapes_and_the_same_as_json(pellucid: Program) -> None:
    answered = pellucid("graph", "net.py:make", "--input", "1,1,8,8")
    assert (answered.code, answered.err) == (0, "")
    lines = answered.out.splitlines()
    assert lines[0].split() == ["operation", "output", "parameters", "FLOPs"]
    assert lines[1].split()[:4] == ["0", "Conv2d", "1x4x8x8", "40"]
    assert lines[-1] == "2,610 parameters (2,610 trainable), 9.73 k FLOPs for a batch of 1"
    panel = pellucid("graph", "net.py:make", "--input", "1,1,8,8", "--json").json
    assert (panel["parameters"], panel["error"]) == (2610, None)
    modules = [node["operation"] for node in panel["nodes"] if node["kind"] == "module"]
    assert modules == ["Conv2d", "ReLU", "Flatten", "Linear"]


def test_graph_says_what_to_do_where_the_model_does_not_say_what_it_takes(pellucid: Program) -> None:
    said = pellucid("graph", "net.py:make").refusal
    assert said == (
        "This model does not say what it takes: give the shape of its input, --input 1,3,224,224 (whole numbers: --input "
        "1,16:int; several arguments: once for each)."
    )


def test_graph_of_a_model_that_stops_half_way_shows_that_half_and_ends_with_2(pellucid: Program) -> None:
    answered = pellucid("graph", "net.py:make", "--input", "1,1,9,9")
    assert answered.code == 2
    assert "Flatten" in answered.out
    assert answered.err.startswith("pellucid: The forward stopped half-way, the graph above ends there: ")
    assert "zeros of shape (1, 1, 9, 9); --input gives another" in answered.err
    refused = pellucid("graph", "net.py:make", "--input", "1,1,9,9", "--json")
    assert (refused.code, refused.err) == (2, "")
    assert refused.json["kind"] == "ForwardError"


# --- names as text --------------------------------------------------------------------------------------------


def test_hostile_names_of_classes_are_printed_as_text(pellucid: Program, workplace: Path) -> None:
    names = [MARKUP, "\x1b[31mred\x1b[0m", "\u202eabc", "a\x07b", "\x9b2J", *"fghij"]
    (workplace / "names.json").write_text(json.dumps(names), encoding="utf-8")
    arguments = [
        "inspect", "net.py:make", "--data", "digits:test", "--limit", 96, "--chosen", 0, "--out", "r",
        "--classes", "names.json", "--title", "\x1b]0;\x9btitle\x07",
    ]  # fmt: skip
    answered = pellucid(*arguments)
    assert answered.code == 0, answered.err
    assert Record(workplace / "r").panel("confusion").classes == names  # type: ignore[union-attr]
    assert MARKUP in answered.out
    assert "\\x1b[31mred\\x1b[0m" in answered.out
    assert answered.out.startswith("\\x1b]0;\\x9btitle\\x07\n")
    assert all(letter.isprintable() or letter == "\n" for letter in answered.out)
    as_json = pellucid("show", "r", "--json")
    assert as_json.out.isascii()
    assert as_json.json["title"] == "\x1b]0;\x9btitle\x07"
    assert "\x1b" not in as_json.out


def test_hostile_names_of_layers_are_printed_as_text(pellucid: Program) -> None:
    answered = pellucid("graph", "net.py:Hostile", "--input", "1,4")
    assert answered.code == 0
    assert MARKUP in answered.out
    assert "\\x1b[31mred\\u202e" in answered.out
    assert all(letter.isprintable() or letter == "\n" for letter in answered.out)


def test_hostile_names_in_an_error_are_printed_as_text(pellucid: Program) -> None:
    said = pellucid("show", "\x1b[2Jnowhere").refusal
    assert "\\x1b[2Jnowhere" in said
    assert "\x1b" not in said


def test_names_that_the_terminal_cannot_show_do_not_stop_it(inspected: Path) -> None:
    answered = alone("show", "Ünbekannt\u4e16", folder=inspected.parent, PYTHONIOENCODING="ascii")
    assert answered.refusal.startswith("There is no record at \\xdcnbekannt\\u4e16:")

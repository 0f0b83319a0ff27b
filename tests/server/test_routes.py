"""What each address answers: the record's own numbers, by ids that never become paths."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from safetensors.numpy import load
from starlette.applications import Starlette

from pellucid.record import Record, Writer, schema
from pellucid.record.encoding import focus_of
from pellucid.server import build_app
from support.asking import HOST, TOKEN, Ask, ask_raw, asker

LEAVING = [
    "..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%2e%2e%2fmanifest.json", "..%5c..%5cwindows", "%00", "loss%00.json",
    "/etc/passwd", "%2fetc%2fpasswd", "..;/manifest.json", "%252e%252e%252fmanifest.json", "C:%5cwindows", "~root",
    "loss.json", "./loss", "\u2025", "\uff0e\uff0e", "a" * 4000,
]  # fmt: skip
SEGMENTS = [
    "/api/panels/{}", "/api/arrays/{}/0.mean", "/api/arrays/activations/{}", "/api/media/{}", "/api/focus/{}",
    "/api/live/focus/{}", "/assets/{}", "/{}", "/api/{}",
]  # fmt: skip


def table_in(content: bytes) -> pa.Table:
    return pa.ipc.open_stream(io.BytesIO(content)).read_all()


def test_the_manifest_and_the_summary_are_those_of_the_record(ask: Ask, whole: Path) -> None:
    record = Record(whole)
    assert ask("/api/manifest").json() == json.loads((whole / "manifest.json").read_text())
    summary = ask("/api/summary").json()
    assert summary["examples"] == record.manifest.examples
    assert summary["accuracy"] == record.summary().accuracy
    assert len(summary["findings"]) == len(record.findings)


def test_every_panel_and_every_array_is_served_whole(ask: Ask, whole: Path) -> None:
    record = Record(whole)
    assert record.panels
    for lens in record.panels:
        assert ask(f"/api/panels/{lens}").json() == json.loads((whole / "panels" / f"{lens}.json").read_text())
    names = record.arrays("activations")
    for tensor in names[:3]:
        held = load(ask(f"/api/arrays/activations/{tensor}").content)
        assert list(held) == [tensor]
        assert (held[tensor] == record.array("activations", tensor)).all()


def test_examples_and_training_come_as_arrow(ask: Ask, whole: Path) -> None:
    record = Record(whole)
    assert table_in(ask("/api/examples").content).equals(record.examples())
    answer = ask("/api/training?cursor=0")
    table, cursor = record.training()
    assert table_in(answer.content).equals(table)
    assert answer.headers["x-cursor"] == str(cursor)
    assert cursor > 0
    later = ask(f"/api/training?cursor={cursor}")
    assert table_in(later.content).num_rows == 0
    assert later.headers["x-cursor"] == str(cursor)


@pytest.mark.parametrize("cursor", ["-1", "x", "1e3", "1.5", "9" * 40, "", "٣"])
def test_a_cursor_that_is_no_number_is_refused(ask: Ask, cursor: str) -> None:
    for address in ("/api/training", "/api/events"):
        answer = ask(f"{address}?cursor={cursor}")
        assert (answer.status_code, answer.json()["kind"]) == (400, "OptionError")
        assert "cursor" in answer.json()["message"]


def test_focus_files_and_pictures_are_the_stored_bytes(ask: Ask, whole: Path) -> None:
    record = Record(whole)
    row = record.focused[0]
    answer = ask(f"/api/focus/{row}")
    assert answer.content == record.focus_bytes(row)
    assert focus_of(answer.content).row == row
    name = record.examples()["media"][0].as_py()
    picture = ask(f"/api/media/{name}")
    assert picture.content == (whole / "media" / name).read_bytes()
    assert picture.headers["content-type"] == "image/png"
    assert "immutable" in picture.headers["cache-control"]
    assert "content-encoding" not in picture.headers


@pytest.mark.parametrize(
    "address",
    ["/api/panels/none", "/api/arrays/none/x", "/api/arrays/activations/none", "/api/focus/999999999999999999999",
     "/api/media/" + "0" * 64 + ".png", "/api/nothing", "/nothing", "/assets/none.js", "/api/manifest/"],
)  # fmt: skip
def test_what_is_not_there_is_answered_with_404_in_the_one_shape_of_errors(ask: Ask, address: str) -> None:
    answer = ask(address)
    assert answer.status_code == 404
    assert set(answer.json()) == {"kind", "message"}
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("shape", SEGMENTS)
def test_no_name_leads_out_of_the_record(make_app: Callable[..., Starlette], shape: str) -> None:
    app = make_app()
    for leaving in LEAVING:
        status, body = ask_raw(app, shape.format(leaving))
        assert status == 404, f"{shape} {leaving!r}: {status}"
        assert set(json.loads(body)) == {"kind", "message"}


def test_a_symbolic_link_in_the_record_is_not_followed_out_of_it(
    copy: Path, make_app: Callable[..., Starlette], tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    panel = copy / "panels" / "loss.json"
    secret.write_bytes(panel.read_bytes())  # the right bytes, so that only the link can be the reason
    panel.unlink()
    panel.symlink_to(secret)
    picture = next((copy / "media").iterdir())
    (tmp_path / picture.name).write_bytes(picture.read_bytes())
    picture.unlink()
    picture.symlink_to(tmp_path / picture.name)
    ask = asker(make_app(copy))
    assert ask("/api/panels/loss").json()["kind"] == "DamagedError"
    assert ask(f"/api/media/{picture.name}").json()["kind"] == "DamagedError"


def test_the_app_is_served_from_the_files_that_were_there_at_the_start(ask: Ask, app_dir: Path) -> None:
    page = ask("/")
    assert page.text == (app_dir / "index.html").read_text()
    assert page.headers["content-type"].startswith("text/html")
    script = ask("/assets/index-4f3c2a1b.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "immutable" in script.headers["cache-control"]
    assert ask("/assets/secret.txt").status_code == 404
    (app_dir / "assets" / "late-12345678.js").write_text("late")
    assert ask("/assets/late-12345678.js").status_code == 404


def test_without_a_built_app_the_page_says_so_and_the_record_is_still_served(whole: Path, tmp_path: Path) -> None:
    ask = asker(build_app(whole, TOKEN, [HOST], app_dir=tmp_path / "none"))
    assert ask("/").status_code == 503
    assert "npm" in ask("/").json()["message"]
    assert ask("/api/manifest").status_code == 200


def test_a_client_that_holds_a_finished_file_is_not_sent_it_again(ask: Ask) -> None:
    for address in ("/api/panels/confusion", "/api/examples", "/api/arrays/activations/0.mean", "/"):
        first = ask(address)
        assert first.headers["cache-control"] == "private, no-cache"
        again = ask(address, if_none_match=first.headers["etag"])
        assert (again.status_code, again.content) == (304, b"")
        assert ask(address, if_none_match='W/"other"').status_code == 200
    assert ask("/api/manifest").headers["cache-control"] == "no-store"


def test_large_answers_are_compressed_for_those_who_take_it(ask: Ask) -> None:
    packed = ask("/api/examples", accept_encoding="gzip")
    plain = ask("/api/examples", accept_encoding="identity")
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content  # the client unpacks
    assert int(packed.headers["content-length"]) < 0.7 * len(plain.content)
    assert "content-encoding" not in ask("/api/examples", accept_encoding="gzip;q=0").headers


def test_a_damaged_record_serves_what_is_readable_and_says_what_is_not(
    copy: Path, make_app: Callable[..., Starlette]
) -> None:
    ask = asker(make_app(copy))
    panel = copy / "panels" / "confusion.json"
    panel.write_bytes(panel.read_bytes()[:-10])
    part = copy / "examples" / "part-000000.parquet"
    part.write_bytes(part.read_bytes()[:-10])
    training = copy / "training" / "part-000000.parquet"
    training.write_bytes(training.read_bytes()[:-10])
    answer = ask("/api/panels/confusion")
    assert (answer.status_code, answer.json()["kind"]) == (500, "DamagedError")
    assert ask("/api/panels/loss").status_code == 200
    summary = ask("/api/summary").json()
    first, second, *_ = summary["findings"]
    assert {first["kind"], second["kind"]} == {"damaged-file"}
    assert "confusion.json" in first["sentence"]
    assert "part-000000" in second["sentence"]
    assert summary["accuracy"] is not None
    assert "confusion" not in summary["panels"]
    rows = table_in(ask("/api/examples").content)["row"].to_pylist()
    assert rows == list(range(256, 300))
    parts = Record(copy).manifest.files
    number = sum(entry.path.startswith("training/") for entry in parts)
    later = ask("/api/training?cursor=0")
    assert later.status_code == 200
    assert later.headers["x-cursor"] == str(number)


def test_a_record_without_examples_yet_is_served(tmp_path: Path, make_app: Callable[..., Starlette]) -> None:
    with Writer.create(tmp_path / "empty.pellucid", schema.Manifest(title="early")) as writer:
        ask = asker(make_app(writer.path))
        assert ask("/api/manifest").json()["state"] == "running"
        assert table_in(ask("/api/examples").content).num_rows == 0
        assert ask("/api/summary").json()["examples"] == 0
    # The writer left without sealing: nobody writes, so it is not running.
    assert ask("/api/manifest").json()["state"] == "interrupted"


def test_importing_the_server_needs_no_torch() -> None:
    script = "import sys, pellucid.server; assert not {'torch', 'scipy', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)

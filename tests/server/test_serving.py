"""A real server on loopback: the way of the cookie, events while a run is written, live answers, closing."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pyarrow as pa
import pytest
from starlette.applications import Starlette

from pellucid import server
from pellucid.errors import OptionError, RecordError
from pellucid.record import Writer, schema
from pellucid.record.tables import empty_training, parquet_bytes
from pellucid.server.live import NO_MODEL
from support.asking import TOKEN, asker

PATIENCE = 20.0  # seconds until a test that waits for the server gives up


@pytest.fixture
def running(whole: Path) -> Iterator[server.Running]:
    with server.start(whole, token=TOKEN) as running:
        yield running


def base(running: server.Running) -> str:
    parts = urlsplit(running.url)
    return f"{parts.scheme}://{parts.netloc}"


def owner(running: server.Running) -> httpx.Client:
    return httpx.Client(base_url=base(running), headers={"Authorization": f"Bearer {TOKEN}"}, timeout=PATIENCE)


def test_the_printed_address_leads_to_the_app_and_the_cookie_opens_the_rest(running: server.Running) -> None:
    assert running.url.startswith("http://127.0.0.1:")
    assert running.url.endswith(f"/?token={TOKEN}")
    with httpx.Client(base_url=base(running), timeout=PATIENCE) as browser:
        assert browser.get("/api/manifest").status_code == 401
        entered = browser.get(running.url)
        assert entered.status_code == 303
        assert browser.get("/api/manifest").status_code == 200
        assert "server" not in entered.headers


def test_each_server_makes_a_token_of_its_own(whole: Path) -> None:
    with server.start(whole) as one, server.start(whole) as other:
        tokens = {running.url.partition("token=")[2] for running in (one, other)}
        assert len(tokens) == 2
        assert all(len(token) >= 32 for token in tokens)


def test_a_path_that_climbs_is_refused_on_the_wire(running: server.Running) -> None:
    parts = urlsplit(running.url)
    for path in ("/../../etc/passwd", "/assets/../../etc/passwd", "//etc/passwd", "/assets/%2e%2e/%2e%2e/etc/passwd"):
        with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE) as connection:
            said = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close"
            connection.sendall(f"{said}\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 404"), path
        assert b"root:" not in answer


def test_a_closed_server_answers_no_more_even_with_a_stream_open(whole: Path) -> None:
    running = server.start(whole, token=TOKEN)
    with owner(running) as client, client.stream("GET", "/api/events?cursor=0") as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("retry")
        running.close()
        with contextlib.suppress(httpx.RemoteProtocolError):
            list(lines)  # the stream ends, or this waits until the client gives up
    with pytest.raises(httpx.ConnectError):
        httpx.get(base(running), timeout=PATIENCE)
    running.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [({"port": 70000}, "between 0 and 65535"), ({"host": "no such host"}, "no address of this machine"),
     ({"host": "192.0.2.1"}, "Could not listen"), ({"token": "short"}, "at least 16")],
)  # fmt: skip
def test_an_address_that_cannot_be_served_is_refused_in_words(
    whole: Path, options: dict[str, object], words: str
) -> None:
    with pytest.raises(OptionError, match=words):
        server.start(whole, **options)


def test_a_port_that_is_taken_is_refused_in_words(running: server.Running, whole: Path) -> None:
    with pytest.raises(OptionError, match=r"Choose another --port"):
        server.start(whole, port=urlsplit(running.url).port or 0)


def test_there_must_be_a_record(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no record"):
        server.start(tmp_path / "none")


# --- events ---------------------------------------------------------------------------------------------------


class Stream:
    """The events of a server, one at a time."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.lines = lines

    def next(self) -> tuple[str, str]:
        """Name and data of the next event."""
        name = ""
        for line in self.lines:
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                return name, line.removeprefix("data: ")
        return "end", ""


def training_part(step: int) -> bytes:
    row = {"step": step, "seconds": 0.5, "layer": "", "quantity": "loss", "value": 1.0, "bins": None, "counts": None}
    table: pa.Table = pa.Table.from_pylist([row], schema=empty_training().schema)
    return parquet_bytes(table)


def test_events_tell_of_new_training_parts_and_of_the_end_and_of_nothing_else(tmp_path: Path) -> None:
    writer = Writer.create(tmp_path / "run.pellucid", schema.Manifest(watched=True))
    with writer, server.start(writer.path, token=TOKEN) as running, owner(running) as client:
        writer.write_file("training/part-000000.parquet", training_part(0), rows=1)
        assert client.get("/api/manifest").json()["state"] == "running"
        with client.stream("GET", "/api/events?cursor=0") as opened:
            stream = Stream(opened.iter_lines())
            assert opened.headers["content-type"].startswith("text/event-stream")
            assert stream.next() == ("training", '{"cursor": 1}')
            writer.write_file("training/part-000001.parquet", training_part(1), rows=1)
            assert stream.next() == ("training", '{"cursor": 2}')
            assert stream.next() == ("manifest", "{}")
            later = client.get("/api/training?cursor=1")
            assert later.headers["x-cursor"] == "2"
            assert pa.ipc.open_stream(later.content).read_all()["step"].to_pylist() == [1]
            writer.finish("complete")
            assert stream.next() == ("manifest", "{}")
        assert client.get("/api/manifest").json()["state"] == "complete"
        # Who knows everything is told nothing: the stream's first event is the next change.
        with client.stream("GET", "/api/events?cursor=2") as opened:
            stream = Stream(opened.iter_lines())
            writer.update(title="renamed")
            assert stream.next() == ("manifest", "{}")


def test_the_stream_ends_when_the_record_is_removed(copy: Path) -> None:
    with server.start(copy, token=TOKEN) as running, owner(running) as client:
        client.get("/api/manifest")
        with client.stream("GET", "/api/events?cursor=0") as opened:
            stream = Stream(opened.iter_lines())
            assert stream.next()[0] == "training"
            (copy / "manifest.json").unlink()
            assert stream.next() == ("end", "")
        answer = client.get("/api/manifest")
        assert (answer.status_code, answer.json()["kind"]) == (404, "RecordError")


def test_a_stream_whose_reader_left_ends(whole: Path, make_app: Callable[..., Starlette]) -> None:
    """With nothing to tell, the departure alone has to end it: else each closed tab would leave one behind."""
    import anyio

    from pellucid.server.events import changes
    from pellucid.server.shelf import Shelf

    async def gone() -> bool:
        return True

    async def read() -> list[bytes]:
        return [chunk async for chunk in changes(Shelf(whole), 0, gone, threading.Event())]

    with_deadline = anyio.run(read)
    assert with_deadline == [b"retry: 2000\n\n"]


# --- live -----------------------------------------------------------------------------------------------------


class PretendedModel:
    """Answers with what it was asked, one question at a time."""

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        self.asked: list[tuple[int, int | None]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()
        self.prepared = 0

    def prepare(self) -> None:
        self.prepared += 1

    def focus(self, row: int, explained: int | None) -> bytes:
        self.asked.append((row, explained))
        self.begun.set()
        assert self.gate.wait(PATIENCE)
        if row > 100:
            raise RecordError(f"There is no row {row}.")
        return f"{row} {explained}".encode()


def test_live_answers_come_from_the_model_and_are_kept(make_app: Callable[..., Starlette]) -> None:
    model = PretendedModel()
    ask = asker(make_app(live=model))
    assert ask("/api/live").json() == {"available": True, "reason": ""}
    assert ask("/api/live").json() == {"available": True, "reason": ""}
    assert ask("/api/live/focus/3").content == b"3 None"
    assert model.prepared == 1  # by the first page that opened, before anything was asked
    assert ask("/api/live/focus/3?explained=7").content == b"3 7"
    assert ask("/api/live/focus/3").content == b"3 None"
    assert model.asked == [(3, None), (3, 7)]
    assert ask("/api/live/focus/101").status_code == 404
    assert ask("/api/live/focus/3?explained=-1").status_code == 400


@pytest.mark.parametrize("model", [None, PretendedModel("the weights are others")])
def test_without_a_fitting_model_the_reason_is_said(
    make_app: Callable[..., Starlette], model: PretendedModel | None
) -> None:
    ask = asker(make_app(live=model))
    reason = model.reason if model else NO_MODEL
    assert ask("/api/live").json() == {"available": False, "reason": reason}
    answer = ask("/api/live/focus/3")
    assert (answer.status_code, answer.json()) == (422, {"kind": "ModelError", "message": reason})


def test_a_question_whose_asker_left_before_its_turn_is_never_put_to_the_model() -> None:
    import anyio

    from pellucid.server.live import Desk

    model = PretendedModel()
    model.gate.clear()
    desk = Desk(model)

    async def stays() -> bool:
        return False

    async def leaves() -> bool:
        return True

    async def both() -> tuple[bytes | None, bytes | None]:
        answers: dict[str, bytes | None] = {}

        async def ask(name: str, row: int, gone: Callable[..., object]) -> None:
            answers[name] = await desk.focus(row, None, gone)  # type: ignore[arg-type]

        async with anyio.create_task_group() as group:
            group.start_soon(ask, "stays", 1, stays)
            await anyio.to_thread.run_sync(model.begun.wait)
            await ask("leaves", 2, leaves)
            model.gate.set()
        return answers["stays"], answers["leaves"]

    assert anyio.run(both) == (b"1 None", None)
    assert model.asked == [(1, None)]
    desk.close()


def test_kept_answers_stay_within_their_bytes() -> None:
    import anyio

    from pellucid.server.live import Desk

    model = PretendedModel()
    desk = Desk(model, kept_bytes=12)  # two answers of six bytes

    async def stays() -> bool:
        return False

    async def asked() -> None:
        for row in (1, 2, 1, 3, 1, 2):
            assert await desk.focus(row, None, stays) == f"{row} None".encode()

    anyio.run(asked)
    assert [row for row, _ in model.asked] == [1, 2, 3, 2]
    desk.close()

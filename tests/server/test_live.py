"""Questions over HTTP: whole or in parts, shared, stopped where everybody left, errors in the one shape."""

from __future__ import annotations

import asyncio
import json
import struct
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path

import httpx
import pytest
import torch
from starlette.applications import Starlette
from torch import nn

import pellucid
from pellucid.data import from_python
from pellucid.errors import MethodError, OptionError
from pellucid.server import start
from pellucid.server.frames import FRAMES, framed
from pellucid.server.live import Desk, Said
from pellucid.types import Example
from support.asking import asker

WAIT = 20  # seconds, for what takes milliseconds

Tell = Callable[[Callable[[], bytes]], bool]


class Slow:
    """A model at hand whose answers wait for the test: each question counts up to `steps` as the test lets it."""

    reason = ""

    def __init__(self) -> None:
        self.computed: list[str] = []
        self.stopped: list[str] = []
        self.begun = threading.Event()
        self.allowed = threading.Semaphore(0)
        self.prepared: list[str] = []

    def prepare(self) -> None:
        self.prepared.append(threading.current_thread().name)

    def focus(self, row: int, explained: int | None) -> bytes:
        return b"focus"

    def inquiry(self, name: str, given: Mapping[str, Sequence[str]]) -> tuple[Hashable, Callable[[Tell], bytes]]:
        if name != "count":
            raise OptionError(f"No {name}; there is count.")
        steps, fails = int(given["steps"][0]), "fails" in given

        def answer(tell: Tell) -> bytes:
            self.computed.append(str(steps))
            for step in range(steps):
                self.begun.set()
                assert self.allowed.acquire(timeout=WAIT)
                if not tell(lambda step=step: f"{step + 1} of {steps}".encode()):  # type: ignore[misc]
                    self.stopped.append(str(steps))
                    return b"cut short"
            if fails:
                raise MethodError("It cannot be counted that far.")
            return f"all {steps}".encode()

        return (name, steps, fails), answer


async def stays() -> bool:
    return False


def parts(content: bytes) -> list[tuple[str, bytes]]:
    found = []
    while content:
        kind, length = content[:1].decode(), struct.unpack("<I", content[1:5])[0]
        found.append((kind, content[5 : 5 + length]))
        content = content[5 + length :]
    return found


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    monkeypatch.setattr("pellucid.server.live._TOLD_EVERY", 0.0)
    monkeypatch.setattr("pellucid.server.live._LOOKS_EVERY", 0.01)
    return Slow()


def test_a_page_that_asks_for_the_model_has_it_made_ready_once_in_its_own_thread(
    slow: Slow, make_app: Callable[..., Starlette]
) -> None:
    ask = asker(make_app(live=slow))
    for _ in range(2):
        assert ask("/api/live").json() == {"available": True, "reason": ""}
    assert ask("/api/live/count?steps=0").status_code == 200, "it waits its turn behind that"
    assert [name.startswith("pellucid-live") for name in slow.prepared] == [True]


def test_an_answer_is_whole_for_those_who_ask_plainly(slow: Slow, make_app: Callable[..., Starlette]) -> None:
    ask = asker(make_app(live=slow))
    slow.allowed.release(3)
    answer = ask("/api/live/count?steps=3")
    assert (answer.status_code, answer.content) == (200, b"all 3")
    assert answer.headers["cache-control"] == "no-store"
    assert ask("/api/live/count?steps=3").content == b"all 3"
    assert slow.computed == ["3"], "the second answer was kept from the first"


def test_partial_answers_come_in_frames_before_the_whole(slow: Slow) -> None:
    async def listen() -> list[Said]:
        desk = Desk(slow)
        heard = []
        slow.allowed.release()
        async for said in desk.ask("count", {"steps": ["3"]}, stays):
            heard.append(said)
            slow.allowed.release()
        desk.close()
        return heard

    heard = asyncio.run(listen())
    assert heard[-1] == Said(b"all 3", final=True)
    assert heard[0] == Said(b"1 of 3", final=False)
    assert not any(said.final for said in heard[:-1])


def test_frames_over_http_hold_the_same(slow: Slow, make_app: Callable[..., Starlette]) -> None:
    ask = asker(make_app(live=slow))
    slow.allowed.release(2)
    answer = ask("/api/live/count?steps=2", accept=FRAMES)
    assert answer.headers["content-type"].startswith(FRAMES)
    assert parts(answer.content)[-1] == ("a", b"all 2")
    assert parts(ask("/api/live/count?steps=2", accept=FRAMES).content) == [("a", b"all 2")]


def test_two_who_ask_the_same_are_answered_by_one_run_that_ends_when_both_left(slow: Slow) -> None:
    gone = [False, False]

    async def leaving(place: int) -> bool:
        return gone[place]

    async def ask(desk: Desk, place: int) -> list[Said]:
        return [said async for said in desk.ask("count", {"steps": ["5"]}, lambda: leaving(place))]

    async def both() -> tuple[list[Said], list[Said]]:
        desk = Desk(slow)
        first, second = asyncio.create_task(ask(desk, 0)), asyncio.create_task(ask(desk, 1))
        await asyncio.to_thread(slow.begun.wait, WAIT)
        gone[0] = True
        left = await first
        slow.allowed.release()  # the other still waits, so it goes on
        while not second.done() and not slow.stopped:
            gone[1] = True
            await asyncio.sleep(0.01)
            if second.done():
                slow.allowed.release()
        await second
        slow.allowed.release(5)
        again = [said async for said in desk.ask("count", {"steps": ["5"]}, stays)]
        desk.close()
        return left, again

    left, again = asyncio.run(both())
    assert not any(said.final for said in left)
    assert again[-1] == Said(b"all 5", final=True), "what was cut short is not kept"
    assert slow.stopped == ["5"]
    assert slow.computed == ["5", "5"]


def test_who_leaves_the_queue_costs_the_model_nothing(slow: Slow) -> None:
    async def leaves() -> bool:
        return True

    async def ask() -> None:
        desk = Desk(slow)
        running = asyncio.create_task(_all(desk, "2"))
        await asyncio.to_thread(slow.begun.wait, WAIT)
        assert [said async for said in desk.ask("count", {"steps": ["7"]}, leaves)] == []
        slow.allowed.release(2)
        assert (await running)[-1].content == b"all 2"
        desk.close()

    asyncio.run(ask())
    assert slow.computed == ["2"]


async def _all(desk: Desk, steps: str) -> list[Said]:
    return [said async for said in desk.ask("count", {"steps": [steps]}, stays)]


def test_a_question_that_cannot_be_asked_is_an_error_like_any_other(
    slow: Slow, make_app: Callable[..., Starlette]
) -> None:
    ask = asker(make_app(live=slow))
    for accepted in ("*/*", FRAMES):
        answer = ask("/api/live/cuont?steps=3", accept=accepted)
        assert (answer.status_code, answer.json()["kind"]) == (400, "OptionError")
    slow.allowed.release()
    answer = ask("/api/live/count?steps=1&fails=1")
    assert (answer.status_code, answer.json()["message"]) == (422, "It cannot be counted that far.")


def test_what_fails_after_the_first_part_ends_the_stream_with_an_error(caplog: pytest.LogCaptureFixture) -> None:
    async def failing(error: Exception) -> bytes:
        async def following():  # type: ignore[no-untyped-def]
            yield Said(b"half", final=False)
            raise error

        return b"".join([one async for one in framed(Said(b"begun", final=False), following())])

    *before, (kind, said) = parts(asyncio.run(failing(MethodError("NaN in layer 'x'."))))
    assert before == [("p", b"begun"), ("p", b"half")]
    assert (kind, json.loads(said)) == ("e", {"kind": "MethodError", "message": "NaN in layer 'x'."})
    kind, said = parts(asyncio.run(failing(ZeroDivisionError("a secret of the inside"))))[-1]
    assert json.loads(said)["kind"] == "InternalError"
    assert b"secret" not in said
    assert "a secret of the inside" in caplog.text


def test_without_a_model_every_question_says_how_to_get_one(make_app: Callable[..., Starlette]) -> None:
    answer = asker(make_app())("/api/live/attribute?row=0")
    assert (answer.status_code, answer.json()["kind"]) == (422, "ModelError")
    assert "--model" in answer.json()["message"]


def test_a_real_model_over_a_real_socket_is_asked_stopped_and_asked_again(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    inputs = torch.randn(6, 1, 8, 8)
    data = from_python([Example(str(row), one, row % 3) for row, one in enumerate(inputs)])
    record = pellucid.inspect(model, data, out=tmp_path / "real.pellucid", chosen=1)
    with start(record.path, live=record.live) as running:
        address, _, token = running.url.partition("/?token=")
        headers = {"authorization": f"Bearer {token}"}
        with httpx.Client(base_url=address, headers=headers, timeout=WAIT) as client:
            answer = client.get("/api/live/attribute", params={"row": 4, "method": ["saliency", "grad_cam"]})
            assert answer.status_code == 200
            assert b"grad_cam.input" in answer.content
            wrong = client.get("/api/live/attribute", params={"row": 4, "layers": "nothing like it"})
            assert (wrong.status_code, wrong.json()["kind"]) == (422, "LayerError")
            # Two hours of masks, of which nobody waits for the second part.
            long = {"row": 4, "method": "rise", "options": '{"masks": 20000000}'}
            with client.stream("GET", "/api/live/attribute", params=long, headers={"accept": FRAMES}) as stream:
                assert next(stream.iter_bytes())[:1] == b"p"
            assert client.get("/api/live/attribute", params={"row": 5}).status_code == 200

"""Small studies, and requests to their application without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from pellucid.record import Record
from pellucid.server.trials import Design, Study
from pellucid.server.trials.design import Picture
from pellucid.server.trials.pictures import choose
from support.answered import answered
from support.asking import HOST

CLASSES = ("cat", "dog", "bird", "airplane")


def small_record(path: Path, examples: int = 24, classes: Sequence[str] = CLASSES) -> Record:
    """Every class equally often; examples 2 k and 2 k + 1 are two contrasts of one original."""
    targets = [number // 2 % len(classes) for number in range(examples)]
    answered(
        path,
        targets,
        targets,
        classes=classes,
        pictures=list(range(examples)),
        columns={
            "condition": [("full", "low")[number % 2] for number in range(examples)],
            "original": [f"original-{number // 2}" for number in range(examples)],
        },
    )
    return Record(path)


def small_study(path: Path, design: Design | None = None, observers: int = 2, **options: Any) -> Study:
    record = small_record(path)
    study = Study.begin(record, "trials", choose(record, **options), design or Design(block=8, practice=4))
    study.invite(observers)
    return study


def invented(categories: int, each: int, conditions: int = 1) -> list[Picture]:
    """Pictures of so many categories, `each` originals of each, every original under every condition."""
    return [
        Picture(f"{category}-{number}-{condition}", f"c{category}", f"k{condition}", f"{category}-{number}", "x.png")
        for category in range(categories)
        for number in range(each)
        for condition in range(conditions)
    ]


def given(trial: int, response: int | None = 0, **changes: object) -> dict[str, object]:
    """What a browser says of a trial."""
    said: dict[str, object] = {
        "trial": trial,
        "response": response,
        "milliseconds": None if response is None else 612.5,
        "by": None if response is None else "key",
        "fixation": 300.1,
        "shown": 199.9,
        "mask": 200.0,
        "frame": 16.7,
        "dropped": 0,
        "left": False,
    }
    return said | changes


def request(
    app: Starlette, path: str, token: str | None, method: str = "GET", *, json: object = None, content: bytes | None = None,
    **headers: str,
) -> httpx.Response:  # fmt: skip
    """One request, as the study's own page would send it unless told otherwise."""
    said = {"host": HOST, **({"origin": f"http://{HOST}"} if method == "POST" else {})}
    if content is not None:
        said["content-type"] = "application/json"
    said |= {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        said["authorization"] = f"Bearer {token}"

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
            return await client.request(method, path, headers=said, json=json, content=content)

    return asyncio.run(send())


def respond(app: Starlette, token: str, trial: int, response: int | None = 0, **changes: object) -> httpx.Response:
    return request(app, "/api/responses", token, "POST", json=given(trial, response, **changes))

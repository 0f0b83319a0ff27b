"""What an invited observer's browser can ask for: the page, the trials of this observer, their pictures, a place to answer."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response as Answer
from starlette.routing import Route

from pellucid.errors import OptionError, RecordError
from pellucid.server.answers import IMMUTABLE, JSON, REVALIDATED, answer, error_body, json_answer
from pellucid.server.assets import Asset
from pellucid.server.trials.design import Kind, Timing, Trial
from pellucid.server.trials.journal import Journal, Response
from pellucid.server.trials.mask import mask_png
from pellucid.server.trials.plan import MASKS
from pellucid.server.trials.study import Study

RESPONSES = "/api/responses"
_LARGEST = 4096  # bytes of a response
_LONGEST = 86_400_000.0  # ms; a day


class SessionTrial(msgspec.Struct, frozen=True):
    """A trial as its observer may know it; `word` is what a check asks for, "" in others."""

    kind: Kind
    block: int
    mask: int
    word: str


class Session(msgspec.Struct, frozen=True):
    """What a browser needs to run the trials of one observer; `done` of them are answered."""

    code: str
    label: bool
    timing: Timing
    size: int
    categories: tuple[str, ...]
    trials: list[SessionTrial]
    done: int


class Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a browser says of a trial; durations in ms."""

    trial: int
    response: int | None
    milliseconds: float | None
    by: Literal["key", "mouse", "touch"] | None
    fixation: float | None
    shown: float | None
    mask: float | None
    frame: float | None
    dropped: int
    left: bool


class Kept(msgspec.Struct, frozen=True):
    """That a response is on the disk; after practice `right` and the name of the right answer."""

    done: int
    right: bool | None
    answer: str


@dataclass(frozen=True)
class TrialRoutes:
    """The routes of a study. Nothing of the record is behind any of them but the pictures of the observer's own trials."""

    study: Study
    journal: Journal
    assets: Mapping[str, Asset]
    _one: threading.Lock = field(default_factory=threading.Lock)
    _masks: dict[int, bytes] = field(default_factory=dict)

    def all(self) -> list[Route]:
        """Every route of the server."""
        return [
            Route("/", self.index),
            Route("/assets/{name}", self.asset),
            Route("/api/session", self.session),
            Route("/api/pictures/{trial:int}", self.picture),
            Route("/api/masks/{number:int}", self.mask),
            Route(RESPONSES, self.respond, methods=["POST"]),
        ]

    def index(self, request: Request) -> Answer:
        """The page."""
        page = self.assets.get("trial.html")
        if page is None:
            text = b"<!doctype html><meta charset=utf-8><title>pellucid</title><p>This installation lacks the page of trials: "
            text += b"pip install pellucid, or in a checkout pip install --editable ."
            return answer(request, text, "text/html", status=503)
        return answer(request, page.content, page.media_type, sha256=page.sha256, cache=REVALIDATED)

    def asset(self, request: Request) -> Answer:
        """A script or style of the page."""
        asset = self.assets.get(f"assets/{request.path_params['name']}")
        if asset is None:
            raise RecordError("The page has no such file. Reload it.")
        cache = IMMUTABLE if asset.immutable else REVALIDATED
        return answer(request, asset.content, asset.media_type, sha256=asset.sha256, cache=cache)

    def session(self, request: Request) -> Answer:
        """The observer's trials, without what would tell the answers."""
        code = _code(request)
        plan = self.study.plan
        trials = [
            SessionTrial(one.kind, one.block, one.mask, plan.categories[one.category] if one.kind == "check" else "")
            for one in self._trials(code)
        ]
        design = plan.design
        done = self._done(code)
        return json_answer(
            request, Session(code, design.label, design.timing, design.size, plan.categories, trials, done)
        )

    def picture(self, request: Request) -> Answer:
        """The picture of one of the observer's own trials."""
        trials, place = self._trials(_code(request)), request.path_params["trial"]
        if place >= len(trials) or trials[place].picture < 0:
            raise RecordError(f"There is no picture in trial {place}.")
        content, extension = self.study.picture(trials[place].picture)
        return answer(request, content, f"image/{'jpeg' if extension == 'jpg' else extension}")

    def mask(self, request: Request) -> Answer:
        """A mask."""
        number = request.path_params["number"]
        if number >= MASKS:
            raise RecordError(f"There are {MASKS} masks; {number} is none of them.")
        with self._one:
            if number not in self._masks:
                self._masks[number] = mask_png(number + MASKS * (self.study.plan.design.seed % (1 << 32)))
        return answer(request, self._masks[number], "image/png")

    async def respond(self, request: Request) -> Answer:
        """Keeps a response; answers once the disk has it. The same trial sent again changes nothing."""
        content = b""
        async for piece in request.stream():
            content += piece
            if len(content) > _LARGEST:
                return _refused(413, "TooLarge", f"A response has at most {_LARGEST:,} bytes.")
        try:
            given = msgspec.json.decode(content, type=Given)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise OptionError(f"This is no response: {error}.") from error
        return await run_in_threadpool(self._keep, request, _code(request), given)

    # --- how --------------------------------------------------------------------------------------------------

    def _keep(self, request: Request, code: str, given: Given) -> Answer:
        trials = self._trials(code)
        if not 0 <= given.trial < len(trials):
            raise OptionError(f"The trials are numbered 0 to {len(trials) - 1}; got {given.trial}.")
        trial = trials[given.trial]
        response = self._response(code, given, trial)
        with self._one:
            done = self._done(code)
            if given.trial > done:
                return _refused(409, "OutOfOrder", f"Trial {done} is next, not {given.trial}. Reload the page.")
            if given.trial == done:
                self.journal.append(response)
                done += 1
        practised = trial.kind == "practice"
        right = self.study.plan.categories[trial.category]
        return json_answer(
            request, Kept(done, response.response == right if practised else None, right if practised else "")
        )

    def _response(self, code: str, given: Given, trial: Trial) -> Response:
        categories = self.study.plan.categories
        if given.response is not None and not 0 <= given.response < len(categories):
            raise OptionError(f"The categories are numbered 0 to {len(categories) - 1}; got {given.response}.")
        durations = (given.milliseconds, given.fixation, given.shown, given.mask, given.frame)
        if any(value is not None and not 0 <= value <= _LONGEST for value in durations) or not 0 <= given.dropped < 1e9:
            raise OptionError("A duration lies between 0 ms and a day.")
        if (given.response is None) != (given.by is None):
            raise OptionError("A response says what it was given with; the lack of one does not.")
        picture = self.study.plan.pictures[trial.picture] if trial.picture >= 0 else None
        return Response(
            observer=code,
            trial=given.trial,
            kind=trial.kind,
            block=trial.block,
            example=picture.example if picture else "",
            category=categories[trial.category],
            condition=picture.condition if picture else "",
            response=None if given.response is None else categories[given.response],
            seconds=None if given.milliseconds is None else given.milliseconds / 1000,
            by=given.by,
            fixation=given.fixation,
            shown=given.shown,
            mask=given.mask,
            frame=given.frame,
            dropped=given.dropped,
            left=given.left,
        )

    def _trials(self, code: str) -> list[Trial]:
        return self.study.plan.observers[code]

    def _done(self, code: str) -> int:
        return sum(1 for one in self.journal.responses if one.observer == code)


def _code(request: Request) -> str:
    """Whose invitation came along: the guard has checked it."""
    return str(request.scope["holder"])


def _refused(status: int, kind: str, message: str) -> Answer:
    return Answer(error_body(kind, message), status, media_type=JSON)

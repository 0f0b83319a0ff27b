"""What each address answers; docs/architecture.md lists them. Clients name ids, never paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from pellucid.errors import RecordError
from pellucid.record.schema import ErrorAnswer
from pellucid.record.tables import stream_bytes
from pellucid.server.answers import (
    ARROW,
    BYTES,
    IMMUTABLE,
    JSON,
    REVALIDATED,
    UNKEPT,
    answer,
    holds,
    json_answer,
    sha256_of,
    whole_number,
)
from pellucid.server.assets import Asset
from pellucid.server.events import changes
from pellucid.server.frames import FRAMES, framed
from pellucid.server.live import Desk
from pellucid.server.questions import Asking
from pellucid.server.shelf import Shelf

_PICTURES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp"}
EVENTS = "text/event-stream"
_LEFT = 499  # the client closed the connection; nobody reads this


@dataclass(frozen=True)
class Routes:
    """The routes over one record.

    Attributes:
        shelf: the record.
        asking: questions about the examples.
        desk: the model, where one is at hand.
        assets: the built app.
        closing: set when the server closes; ends the streams.
    """

    shelf: Shelf
    asking: Asking
    desk: Desk
    assets: Mapping[str, Asset]
    closing: Event

    def all(self) -> list[Route]:
        """Every route of the server."""
        return [
            Route("/", self.index),
            Route("/assets/{name}", self.asset),
            Route("/api/manifest", self.manifest),
            Route("/api/summary", self.summary),
            Route("/api/panels/{lens}", self.panel),
            Route("/api/arrays/{lens}/{tensor}", self.array),
            Route("/api/examples", self.examples),
            Route("/api/questions", self.questions),
            Route("/api/questions/{asked}", self.question),
            Route("/api/training", self.training),
            Route("/api/focus/{row:int}", self.focus),
            Route("/api/media/{name}", self.media),
            Route("/api/live", self.live),
            Route("/api/live/focus/{row:int}", self.live_focus),
            Route("/api/live/{question}", self.ask),
            Route("/api/events", self.events),
        ]

    # --- the app ----------------------------------------------------------------------------------------------

    def index(self, request: Request) -> Response:
        """The app's page."""
        page = self.assets.get("index.html")
        if page is None:
            said = ErrorAnswer(
                "AppMissing",
                "This installation holds no web app. Install a released wheel, or build it in a checkout: npm --prefix "
                "web ci && npm --prefix web run build. The record itself is served under /api.",
            )
            return json_answer(request, said, status=503)
        return answer(request, page.content, page.media_type, sha256=page.sha256)

    def asset(self, request: Request) -> Response:
        """A script, style or font of the app."""
        asset = self.assets.get(f"assets/{request.path_params['name']}")
        if asset is None:
            raise RecordError("The app has no such file. Reload the page.")
        cache = IMMUTABLE if asset.immutable else REVALIDATED
        return answer(request, asset.content, asset.media_type, sha256=asset.sha256, cache=cache)

    # --- the record -------------------------------------------------------------------------------------------

    def manifest(self, request: Request) -> Response:
        """How the record came to be."""
        return json_answer(request, self.shelf.manifest())

    def summary(self, request: Request) -> Response:
        """The main numbers and all findings."""
        return json_answer(request, self.shelf.summary())

    def panel(self, request: Request) -> Response:
        """A lens's answer."""
        lens = request.path_params["lens"]
        panel = self.shelf.record().panel(lens)
        return json_answer(request, panel, sha256=self.shelf.sha256(f"panels/{lens}.json"))

    def array(self, request: Request) -> Response:
        """One tensor of a lens's large answer."""
        lens, tensor = request.path_params["lens"], request.path_params["tensor"]
        record = self.shelf.record()
        file_hash = self.shelf.sha256(f"arrays/{lens}.safetensors") if lens in record.panels else None
        if file_hash is None:
            raise RecordError(f"The record has no arrays of a lens {lens[:80]!r}.")
        tag = sha256_of(file_hash, tensor)
        content = b"" if holds(request, tag) else record.array_bytes(lens, tensor)
        return answer(request, content, BYTES, sha256=tag)

    def examples(self, request: Request) -> Response:
        """The examples table."""
        table, tag = self.shelf.examples()
        content = b"" if holds(request, tag) else stream_bytes(table)
        return answer(request, content, ARROW, sha256=tag)

    def questions(self, request: Request) -> Response:
        """What can be asked about the examples, where they are too many to be sent."""
        return json_answer(request, self.asking.about())

    def question(self, request: Request) -> Response:
        """The answer to a question about the selected examples, a table."""
        table = self.asking.answer(request.path_params["asked"], request.query_params.multi_items())
        return answer(request, stream_bytes(table), ARROW)

    def training(self, request: Request) -> Response:
        """What a Watch saw since the cursor."""
        cursor = whole_number(request.query_params.get("cursor"), "cursor", 0) or 0
        table, following = self.shelf.training(cursor)
        return answer(request, stream_bytes(table), ARROW, headers={"X-Cursor": str(following)})

    def focus(self, request: Request) -> Response:
        """The stored closer look at an example."""
        row = request.path_params["row"]
        content = self.shelf.record().focus_bytes(row)
        return answer(request, content, BYTES, sha256=self.shelf.sha256(f"arrays/focus/{row}.safetensors"))

    def media(self, request: Request) -> Response:
        """A picture, named by its SHA-256."""
        name = request.path_params["name"]
        content = self.shelf.record().media(name)
        stem, _, extension = name.partition(".")
        return answer(request, content, _PICTURES.get(extension, BYTES), sha256=stem, cache=IMMUTABLE)

    # --- live -------------------------------------------------------------------------------------------------

    def live(self, request: Request) -> Response:
        """Whether any example can be computed now, and if not, why. Who asks is a page: the model is made ready for it."""
        reason = self.desk.reason
        self.desk.prepare()
        return json_answer(request, {"available": not reason, "reason": reason})

    async def live_focus(self, request: Request) -> Response:
        """A closer look computed now."""
        explained = whole_number(request.query_params.get("explained"), "explained", None)
        content = await self.desk.focus(request.path_params["row"], explained, request.is_disconnected)
        if content is None:
            return Response(status_code=_LEFT, media_type=JSON)
        return answer(request, content, BYTES)

    async def ask(self, request: Request) -> Response:
        """Any question to the model: the whole answer, or partial ones before it for those who accept frames."""
        parameters = request.query_params
        given = {name: parameters.getlist(name) for name in parameters}
        answers = self.desk.ask(request.path_params["question"], given, request.is_disconnected)
        if FRAMES in request.headers.get("accept", "") and request.method == "GET":
            # The first file decides the status: what is wrong with a question is an error like any other.
            first = await anext(answers, None)
            if first is None:
                return Response(status_code=_LEFT, media_type=JSON)
            return StreamingResponse(framed(first, answers), media_type=FRAMES, headers={"Cache-Control": UNKEPT})
        content = None
        async for said in answers:
            content = said.content if said.final else None
        if content is None:
            return Response(status_code=_LEFT, media_type=JSON)
        return answer(request, content, BYTES)

    async def events(self, request: Request) -> Response:
        """What changes from now on."""
        cursor = whole_number(request.query_params.get("cursor"), "cursor", 0) or 0
        headers = {"Cache-Control": UNKEPT}
        if request.method == "HEAD":  # of a stream there is no end to wait for
            return Response(media_type=EVENTS, headers=headers)
        stream = changes(self.shelf, cursor, request.is_disconnected, self.closing)
        return StreamingResponse(stream, media_type=EVENTS, headers=headers)

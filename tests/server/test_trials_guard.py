"""The trials' server: every route, one added later included, is shut to all but an invited observer, who gets nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pellucid.errors import OptionError, RecordError
from pellucid.server.guard import HEADERS
from pellucid.server.trials import Study, build_trials_app
from support.asking import HOST, ask_raw
from support.trials import given, request, small_study

VALUES = {"name": "x", "trial:int": "0", "number:int": "0"}
ROUTES = [
    "/",
    "/assets/{name}",
    "/api/session",
    "/api/pictures/{trial:int}",
    "/api/masks/{number:int}",
    "/api/responses",
]

ATTACKS: dict[str, tuple[dict[str, str | None], int]] = {
    "a rebound name": ({"host": "evil.example.com:8765"}, 403),
    "our name on another port": ({"host": "127.0.0.1:9999"}, 403),
    "our name without a port": ({"host": "127.0.0.1"}, 403),
    "an empty Host": ({"host": ""}, 403),
    "no token": ({"token": None}, 401),
    "a wrong token": ({"token": "x" * 32}, 401),
    "an observer's code for a token": ({"token": "subject-trials-01"}, 401),
    "an empty token": ({"token": ""}, 401),
    "a wrong cookie": ({"token": None, "cookie": "pellucid_8765=wrong"}, 401),
    "a foreign origin": ({"origin": "http://evil.example.com"}, 403),
    "no origin of its own": ({"origin": "null"}, 403),
    "an origin on another port": ({"origin": "http://127.0.0.1:9999"}, 403),
    "a cross-site request": ({"sec_fetch_site": "cross-site"}, 403),
    "another local program's page": ({"sec_fetch_site": "same-site"}, 403),
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return small_study(tmp_path_factory.mktemp("guard") / "r.pellucid")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    (folder / "assets").mkdir()
    (folder / "trial.html").write_text(
        '<!doctype html><script type="module" src="./assets/trial-4f3c2a1b.js"></script>'
    )
    (folder / "assets" / "trial-4f3c2a1b.js").write_text("// the page\n" * 200)
    (folder / "assets" / "secret.txt").symlink_to("/etc/hostname")
    return folder


@pytest.fixture
def app(study: Study, page: Path) -> Iterator[Starlette]:
    application = build_trials_app(study, [HOST, "localhost:8765"], app_dir=page)

    async def dummy(request: object) -> PlainTextResponse:
        return PlainTextResponse("let through")

    application.router.routes.append(Route("/added/later", dummy, methods=["GET", "POST"]))
    yield application
    application.state.close()


def addresses(app: Starlette) -> list[str]:
    found = []
    for route in app.routes:
        assert isinstance(route, Route)
        address = route.path
        for name, value in VALUES.items():
            address = address.replace(f"{{{name}}}", value)
        assert "{" not in address
        found.append(address)
    return found


def test_these_are_all_routes_and_none_of_them_is_of_the_record(app: Starlette) -> None:
    assert [route.path for route in app.routes if isinstance(route, Route)] == [*ROUTES, "/added/later"]


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_attacker_gets_nothing_from_any_route(app: Starlette, study: Study, attack: str, method: str) -> None:
    changes, status = ATTACKS[attack]
    headers: dict[str, str] = {name: value for name, value in changes.items() if name != "token" and value is not None}
    token = changes.get("token", study.tokens["subject-trials-01"])
    for address in addresses(app):
        if method == "POST" and address != "/api/responses":
            continue
        answer = request(app, address, token, method, json=given(0) if method == "POST" else None, **headers)
        assert answer.status_code == status, f"{attack}: {address}"
        assert set(answer.json()) == {"kind", "message"}
        assert "set-cookie" not in answer.headers
        assert all(one not in answer.text for one in study.tokens.values())
    assert study.responses() == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_can_be_written_but_responses(app: Starlette, study: Study, method: str) -> None:
    for address in addresses(app):
        if (address, method) != ("/api/responses", "POST"):
            answer = request(app, address, study.tokens["subject-trials-01"], method)
            assert answer.status_code == 405, address
            assert "let through" not in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "application/x-www-form-urlencoded"}, 415),
        ({"content_type": "multipart/form-data"}, 415),
        ({"content_type": ""}, 415),
        ({"origin": ""}, 403),
        ({"origin": "http://localhost:8765"}, 403),
        ({"origin": f"https://{HOST}"}, 403),
    ],
)
def test_a_form_of_another_page_cannot_write(
    app: Starlette, study: Study, headers: dict[str, str], status: int
) -> None:
    token = study.tokens["subject-trials-01"]
    answer = request(app, "/api/responses", token, "POST", content=b"{}", **headers)
    assert answer.status_code == status
    assert study.responses() == []


def test_an_invitation_becomes_a_strict_cookie_of_its_observer(app: Starlette, study: Study) -> None:
    token = study.tokens["subject-trials-02"]
    answer = request(app, f"/?token={token}", None)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"pellucid_8765={token};")
    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()
    session = request(app, "/api/session", None, cookie=f"pellucid_8765={token}")
    assert session.json()["code"] == "subject-trials-02"


@pytest.mark.parametrize("address", ["/", "/api/session", "/api/nothing", "/added/later", "/api/pictures/9999"])
def test_every_answer_carries_the_strict_headers(app: Starlette, study: Study, address: str) -> None:
    for token in (study.tokens["subject-trials-01"], None):
        answer = request(app, address, token)
        for name, value in HEADERS.items():
            assert answer.headers.get_list(name) == [value]
        assert "cache-control" in answer.headers


def test_what_is_the_owners_is_at_no_address(app: Starlette, study: Study) -> None:
    token = study.tokens["subject-trials-01"]
    media = study.plan.pictures[0].file
    for address in (
        "/api/manifest", "/api/summary", "/api/examples", "/api/panels/human", "/api/arrays/human/row", "/api/events",
        f"/api/media/{media}", "/api/live", "/index.html", "/trial.html", "/human/trials/trials/invitations.json",
    ):  # fmt: skip
        assert request(app, address, token).status_code == 404, address


def test_a_session_tells_nothing_of_answers_examples_or_other_observers(app: Starlette, study: Study) -> None:
    session = request(app, "/api/session", study.tokens["subject-trials-01"])
    assert set(session.json()) == {"code", "label", "timing", "size", "categories", "trials", "done"}
    assert {tuple(sorted(one)) for one in session.json()["trials"]} == {("block", "kind", "mask", "word")}
    assert all(bool(one["word"]) == (one["kind"] == "check") for one in session.json()["trials"])
    for secret in ("example-", "original-", "subject-trials-02", study.plan.pictures[0].file, *study.tokens.values()):
        assert secret not in session.text


def test_an_observer_sees_the_pictures_of_the_own_trials_alone(app: Starlette, study: Study) -> None:
    for code, token in study.tokens.items():
        for place, trial in enumerate(study.plan.observers[code]):
            answer = request(app, f"/api/pictures/{place}", token)
            if trial.kind == "check":
                assert answer.status_code == 404
            else:
                assert answer.content == study.record.media(study.plan.pictures[trial.picture].file)
                assert answer.headers["content-type"] == "image/png"
        assert request(app, f"/api/pictures/{len(study.plan.observers[code])}", token).status_code == 404
    for address in ("/api/pictures/-1", "/api/pictures/x", "/api/masks/8", "/api/masks/-1"):
        assert request(app, address, study.tokens["subject-trials-01"]).status_code == 404


def test_no_path_climbs(app: Starlette, study: Study) -> None:
    for address in ("/../../etc/passwd", "/assets/../../etc/passwd", "/assets/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
                    "/assets/secret.txt", "/assets/..", "//etc/passwd"):  # fmt: skip
        assert ask_raw(app, address)[0] == 401, "without an invitation"
        status, body = ask_raw(app, address, study.tokens["subject-trials-01"])
        assert status == 404, address
        assert b"root:" not in body


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"trial": 0}', b'{"trial": "0"}', b"[" * 3000,
     str(given(0)).encode()],
)  # fmt: skip
def test_what_is_no_response_is_refused_in_words(app: Starlette, study: Study, content: bytes) -> None:
    answer = request(app, "/api/responses", study.tokens["subject-trials-01"], "POST", content=content)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("This is no response")


@pytest.mark.parametrize(
    "changes",
    [
        {"trial": -1}, {"trial": 10**6}, {"response": 4}, {"response": -1}, {"milliseconds": -1.0}, {"shown": 1e12},
        {"dropped": -1}, {"by": None}, {"by": "mind"}, {"response": None, "by": "key"},
        {"observer": "subject-trials-02"}, {"left": 1},
    ],
)  # fmt: skip
def test_a_response_that_cannot_be_is_refused(app: Starlette, study: Study, changes: dict[str, object]) -> None:
    answer = request(app, "/api/responses", study.tokens["subject-trials-01"], "POST", json=given(0) | changes)
    assert answer.status_code == 400
    assert study.responses() == []


def test_an_endless_body_is_cut_off(app: Starlette, study: Study) -> None:
    answer = request(app, "/api/responses", study.tokens["subject-trials-01"], "POST", content=b" " * 5000)
    assert answer.status_code == 413


def test_a_study_is_served_once_and_to_somebody(study: Study, page: Path, app: Starlette, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="is being written by process"):
        build_trials_app(study, [HOST], app_dir=page)
    with pytest.raises(OptionError, match="at least one observer"):
        build_trials_app(small_study(tmp_path / "nobody.pellucid", observers=0), [HOST])

"""Every route of the application, one added later included, is shut to all but its owner."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pellucid.errors import OptionError
from pellucid.server.application import checked_token
from pellucid.server.guard import HEADERS
from pellucid.server.serving import allowed_hosts
from support.asking import HOST, TOKEN, Ask, asker

VALUES = {
    "name": "x",
    "lens": "loss",
    "tensor": "0.mean",
    "row": "0",
    "row:int": "0",
    "question": "attribute",
    "asked": "totals",
}
METHODS = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "CONNECT"]

# What each attacker sends besides the path, and the status that answers it.
ATTACKS: dict[str, tuple[dict[str, str | None], int]] = {
    "a rebound name": ({"host": "evil.example.com"}, 403),
    "a rebound name with our port": ({"host": "evil.example.com:8765"}, 403),
    "our name on another port": ({"host": "127.0.0.1:9999"}, 403),
    "our name without a port": ({"host": "127.0.0.1"}, 403),
    "our name as a prefix": ({"host": "127.0.0.1:8765.evil.example.com"}, 403),
    "an empty Host": ({"host": ""}, 403),
    "no token": ({"token": None}, 401),
    "a wrong token": ({"token": TOKEN[:-1] + "x"}, 401),
    "a token's beginning": ({"token": TOKEN[:-1]}, 401),
    "an empty token": ({"token": ""}, 401),
    "a wrong cookie": ({"token": None, "cookie": "pellucid_8765=wrong"}, 401),
    "another port's cookie": ({"token": None, "cookie": f"pellucid_1234={TOKEN}"}, 401),
    "another scheme": ({"token": None, "authorization": f"Basic {TOKEN}"}, 401),
    "a foreign origin": ({"origin": "http://evil.example.com"}, 403),
    "no origin of its own": ({"origin": "null"}, 403),
    "an origin on another port": ({"origin": "http://127.0.0.1:9999"}, 403),
    "our origin by another scheme": ({"origin": f"https://{HOST}"}, 403),
    "our other name's origin": ({"origin": "http://localhost:8765"}, 403),
    "a cross-site request": ({"sec_fetch_site": "cross-site"}, 403),
    "another local program's page": ({"sec_fetch_site": "same-site"}, 403),
    "a frame elsewhere": (
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"},
        403,
    ),
}


@pytest.fixture
def app(make_app: Callable[..., Starlette]) -> Starlette:
    application = make_app()

    async def dummy(request: object) -> PlainTextResponse:
        return PlainTextResponse("let through")

    application.router.routes.append(Route("/added/later", dummy, methods=["GET", "POST", "DELETE", "OPTIONS"]))
    return application


def addresses(app: Starlette) -> list[str]:
    """An address for every route that the application has."""
    found = []
    for route in app.routes:
        assert isinstance(route, Route), f"{route} is of a kind that this test cannot address"
        address = route.path
        for name, value in VALUES.items():
            address = address.replace(f"{{{name}}}", value)
        assert "{" not in address, f"give the parameter of {address} a value"
        found.append(address)
    assert "/added/later" in found
    assert len(found) == 17
    return found


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attacker_gets_nothing_from_any_route(app: Starlette, attack: str) -> None:
    ask = asker(app)
    headers, status = ATTACKS[attack]
    for address in addresses(app):
        answer = ask(address, **headers)
        assert answer.status_code == status, f"{attack}: {address}"
        assert set(answer.json()) == {"kind", "message"}
        assert TOKEN not in answer.text
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("method", METHODS)
def test_no_route_takes_a_method_that_could_write(app: Starlette, method: str) -> None:
    ask = asker(app)
    for address in addresses(app):
        answer = ask(address, method)
        assert answer.status_code == 405, address
        assert answer.headers["allow"] == "GET, HEAD"
        assert "let through" not in answer.text


def test_the_owner_gets_through_with_the_same_requests(app: Starlette) -> None:
    ask = asker(app)
    assert ask("/added/later").text == "let through"
    assert ask("/added/later", token=None, cookie=f"other=[}}; pellucid_8765={TOKEN}").text == "let through"
    assert ask("/added/later", host="LocalHost:8765", origin="http://localhost:8765").text == "let through"
    assert ask("/added/later", sec_fetch_site="same-origin").text == "let through"
    for address in addresses(app):
        if address != "/api/events":
            assert ask(address).status_code in (200, 404, 422), address


def test_the_token_in_an_address_counts_on_the_first_page_only(app: Starlette) -> None:
    ask = asker(app)
    for address in addresses(app):
        answer = ask(f"{address}?token={TOKEN}", token=None)
        assert answer.status_code == (303 if address == "/" else 401), address
    assert ask("/?token=wrong", token=None).status_code == 401
    # One wrong token is not made good by another that is right.
    assert ask(f"/?token={TOKEN}&token=wrong", token=None).status_code == 401


def test_the_first_page_sets_a_strict_cookie_and_takes_the_token_out_of_the_address(app: Starlette) -> None:
    answer = asker(app)(f"/?token={TOKEN}", token=None)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith(f"pellucid_8765={TOKEN.lower()}")
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_a_link_on_another_site_opens_the_page_but_nothing_else(app: Starlette) -> None:
    ask = asker(app)
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    answer = ask(f"/?token={TOKEN}", token=None, **link)
    # A redirect would go on without the strict cookie; a page's own refresh takes it along.
    assert answer.status_code == 200
    assert 'content="0;url=/"' in answer.text
    assert ask("/", token=None, **link).status_code == 401
    assert ask("/api/manifest", **link).status_code == 403


@pytest.mark.parametrize("address", ["/", "/api/manifest", "/api/nothing", "/added/later", "/api/panels/none"])
@pytest.mark.parametrize("token", [TOKEN, None])
def test_every_answer_carries_the_strict_headers(app: Starlette, address: str, token: str | None) -> None:
    answer = asker(app)(address, token=token)
    for name, value in HEADERS.items():
        assert answer.headers.get_list(name) == [value]
    assert "cache-control" in answer.headers


def test_the_policy_allows_no_inline_code_and_no_other_host() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "*" not in policy
    assert "worker-src 'self' blob:;" in policy
    for directive in ("base-uri", "form-action", "frame-ancestors"):
        assert f"{directive} 'none'" in policy


def test_a_failure_tells_the_client_nothing_of_its_inside(app: Starlette, caplog: pytest.LogCaptureFixture) -> None:
    def failing(request: object) -> None:
        raise ZeroDivisionError("the secret of the inside")

    app.router.routes.append(Route("/failing", failing))
    answer = asker(app)("/failing")
    assert answer.status_code == 500
    assert answer.json()["kind"] == "InternalError"
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert "the secret of the inside" in caplog.text
    assert answer.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]


def test_a_host_other_than_loopback_adds_its_own_name_alone() -> None:
    assert allowed_hosts("127.0.0.1", 8000) == ["127.0.0.1:8000", "localhost:8000", "[::1]:8000"]
    assert allowed_hosts("Box.lan", 8000)[-1] == "box.lan:8000"
    everywhere = allowed_hosts("0.0.0.0", 8000)  # noqa: S104 - the address under test
    assert "0.0.0.0:8000" not in everywhere
    assert all(host.endswith(":8000") for host in everywhere)
    assert "localhost" in allowed_hosts("127.0.0.1", 80)


@pytest.mark.parametrize(
    "token", ["", "short", "spaces are not allowed", "semicolon;in-the-cookie", "ünïcödé-ünïcödé-1"]
)
def test_a_token_that_can_be_guessed_or_does_not_fit_an_address_is_refused(token: str) -> None:
    with pytest.raises(OptionError, match="at least 16"):
        checked_token(token)


def test_head_is_answered_like_get(ask: Ask) -> None:
    assert ask("/api/manifest", "HEAD").status_code == 200
    assert ask("/api/events", "HEAD").headers["content-type"].startswith("text/event-stream")

"""Sessions of the browser app: a cookie for a token, what other origins cannot do with it, and sign-in by OIDC."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from pydantic import SecretStr

from photofeed import database
from photofeed.ids import decode_id
from photofeed.tokens import TokenVerifier, mint_token
from serving.oidc import OidcProvider
from serving.session_cookies import APP_HEADER, SESSION, SIGN_IN, remembered_as
from serving.sessions import Sessions
from tests.oidc_provider import CLIENT, IS_INSTALLED, MISSING, SECRET, Provider, signing_key
from tools.listening import free_port

if TYPE_CHECKING:
    from tests.api.conftest import App, Person

OURS = {APP_HEADER: "web", "Sec-Fetch-Site": "same-origin"}
_DAY = 86_400.0


@dataclass
class Browser:
    """A browser with the cookies that it was given."""

    app: "App"
    cookies: dict[str, str]

    def call(self, method: str, path: str, headers: dict[str, str] | None = None, **arguments: Any) -> httpx2.Response:
        """A request with the cookies, by default one of the app itself; redirects are not followed."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = (OURS if headers is None else headers) | ({"Cookie": cookies} if cookies else {})
        reply = self.app.http.request(method, path, headers=sent, follow_redirects=False, **arguments)
        for name, morsel in _cookies(reply).items():
            self.cookies.pop(name, None)
            if morsel["max-age"] != "0":
                self.cookies[name] = morsel.value
        return reply

    def person(self) -> Any:
        """Who is signed in; None if nobody is."""
        return self.call("GET", "/v1/session").json()["person"]


def _cookies(reply: httpx2.Response) -> dict[str, "Morsel[str]"]:
    jar: SimpleCookie = SimpleCookie()
    for line in reply.headers.get_list("set-cookie"):
        jar.load(line)
    return dict(jar)


def _token(app: "App", person: "Person", hours: float = 24) -> dict[str, str]:
    return {"Authorization": f"Bearer {mint_token(app.settings, decode_id(person.id), hours=hours)}"}


def _signed_in(app: "App", person: "Person", hours: float = 24) -> Browser:
    browser = Browser(app, {})
    reply = browser.call("POST", "/v1/session", _token(app, person, hours))
    assert reply.status_code == 201, reply.text
    assert reply.json()["person"]["id"] == person.id
    return browser


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(app: "App") -> None:
    reply = Browser(app, {}).call("POST", "/v1/session", _token(app, app.person()))
    cookie = _cookies(reply)[SESSION]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (True, "lax", "/", "")
    assert reply.headers["cache-control"] == "no-store"
    assert cookie.value not in reply.text
    assert 23.9 * 3600 < int(cookie["max-age"]) <= 24 * 3600  # it ends with its token


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_no_cache_keeps_who_is_signed_in(app: "App", method: str) -> None:
    assert _signed_in(app, app.person()).call(method, "/v1/session").headers["cache-control"] == "no-store"


def test_a_public_url_elsewhere_makes_cookies_secure(app: "App") -> None:
    assert app.settings.model_copy(update={"public_url": "https://photos.example"}).secure_cookies
    assert app.settings.model_copy(update={"public_url": "http://photos.example"}).secure_cookies


def test_a_session_acts_as_the_person_until_it_is_signed_out(app: "App") -> None:
    person = app.person()
    browser = _signed_in(app, person)
    copied = Browser(app, dict(browser.cookies))
    assert browser.person()["handle"] == person.handle
    assert browser.call("PATCH", "/v1/me", json={"bio": "from a browser"}).json()["bio"] == "from a browser"
    assert browser.call("DELETE", "/v1/session").json() == {"providerUrl": None}
    assert browser.cookies == {}
    assert (browser.call("GET", "/v1/me").status_code, browser.person()) == (401, None)
    assert copied.call("GET", "/v1/me").status_code == 401


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        pytest.param("PATCH", {"Sec-Fetch-Site": "same-origin"}, id="without the header of the app"),
        pytest.param("PATCH", OURS | {"Sec-Fetch-Site": "same-site"}, id="another port of this host"),
        pytest.param("PATCH", OURS | {"Sec-Fetch-Site": "cross-site"}, id="another site"),
        pytest.param("PATCH", {APP_HEADER: "web", "Origin": "https://evil.example"}, id="another origin"),
        pytest.param("PATCH", {APP_HEADER: "web", "Origin": "null"}, id="an origin without a name"),
        pytest.param("DELETE", {"Sec-Fetch-Site": "cross-site"}, id="sign-out by another site"),
        pytest.param("GET", {"Sec-Fetch-Site": "cross-site"}, id="a read by another site"),
    ],
)
def test_another_origin_cannot_use_the_cookie(app: "App", method: str, headers: dict[str, str]) -> None:
    browser = _signed_in(app, app.person())
    path = "/v1/session" if method == "DELETE" else "/v1/me"
    body = {"json": {"bio": "forged"}} if method == "PATCH" else {}
    reply = browser.call(method, path, headers, **body)
    assert (reply.status_code, reply.json()["code"]) == (403, "cross_origin")
    me = browser.call("GET", "/v1/me")
    assert (me.status_code, me.json()["bio"]) == (200, "")


def test_the_origin_of_the_api_itself_may_write(app: "App") -> None:
    browser = _signed_in(app, app.person())
    for origin in (app.settings.upload_origins[0], "http://127.0.0.1"):
        headers = {APP_HEADER: "web", "Origin": origin}
        assert browser.call("PATCH", "/v1/me", headers, json={"bio": "mine"}).status_code == 200


def test_a_bearer_token_needs_no_header_of_the_app_and_goes_before_the_cookie(app: "App") -> None:
    one, other = app.person(), app.person()
    browser = _signed_in(app, one)
    headers = _token(app, other) | {"Origin": "https://client.example", "Sec-Fetch-Site": "cross-site"}
    assert browser.call("PATCH", "/v1/me", headers, json={"bio": "client"}).json()["id"] == other.id


def test_a_cookie_is_no_bearer_token_and_starts_no_other_session(app: "App") -> None:
    browser = _signed_in(app, app.person())
    assert browser.call("GET", "/v1/me").status_code == 200  # the verifier remembers it now
    (secret,) = browser.cookies.values()
    assert app.http.get("/v1/me", headers={"Authorization": f"Bearer {secret}"}).status_code == 401
    assert browser.call("POST", "/v1/session").status_code == 401


def test_a_service_has_no_session(app: "App") -> None:
    reply = app.service.call("POST", "/v1/session", headers={"Act-As": app.person().id})
    assert (reply.status_code, reply.json()["code"]) == (403, "forbidden")


def test_a_session_ends_with_its_token_and_after_the_longest_time(app: "App") -> None:
    services, now = app.http.app_state["services"], time.time()
    short, long = _signed_in(app, app.person(), hours=1), _signed_in(app, app.person(), hours=24 * 365)
    longest = app.settings.session_hours * 3600
    for seconds, whose, is_valid in ((3500, short, True), (3700, short, False), (longest + 60, long, False)):
        later = replace(services.sessions, clock=lambda seconds=seconds: now + seconds)
        app.http.app_state["services"] = replace(services, sessions=later)
        try:
            assert (whose.person() is not None) is is_valid, seconds
        finally:
            app.http.app_state["services"] = services
            services.verifier.forget_token(f"session\n{whose.cookies[SESSION]}")


@contextmanager
def _a_minute_later(app: "App", browser: Browser, **settings: object) -> Iterator[None]:
    """The session has to be renewed, by a verifier with these settings."""
    state = app.http.app_state
    services = state["services"]
    verifier = TokenVerifier(app.settings.model_copy(update=settings))
    later = replace(services.sessions, verifier=verifier, clock=lambda: time.time() + 61)
    services.verifier.forget_token(remembered_as(browser.cookies[SESSION]))
    state["services"] = replace(services, sessions=later)
    yield
    state["services"] = services
    services.verifier.forget_token(remembered_as(browser.cookies[SESSION]))


def test_a_session_ends_when_the_key_of_its_token_is_withdrawn(app: "App") -> None:
    person = app.person()
    browser = _signed_in(app, person)
    with _a_minute_later(app, browser):
        assert browser.call("GET", "/v1/me").status_code == 200
    nobody = f"http://127.0.0.1:{free_port()}/"
    with _a_minute_later(app, browser, jwt_jwks_url=nobody):  # the provider is away: nobody is signed out
        assert browser.call("GET", "/v1/me").status_code == 200  # checked a moment before
        with database.connect(app.settings) as connection:
            connection.execute("update sessions set fresh_until = now() where user_id = %s", (decode_id(person.id),))
        app.http.app_state["services"].verifier.forget_token(remembered_as(browser.cookies[SESSION]))
        assert browser.call("GET", "/v1/me").status_code == 503
    with _a_minute_later(app, browser, jwt_secret=SecretStr("another secret of 32 characters.")):
        reply = browser.call("GET", "/v1/me")
        assert (reply.status_code, reply.json()["code"]) == (401, "unauthenticated")
    assert browser.call("GET", "/v1/me").status_code == 401  # also by a server that has the key still


def test_the_token_of_a_new_session_is_checked_again_after_a_minute(app: "App") -> None:
    browser = _signed_in(app, app.person())
    with _a_minute_later(app, browser, jwt_secret=SecretStr("another secret of 32 characters.")):
        assert browser.call("GET", "/v1/me").status_code == 401


def test_the_database_holds_no_cookie_and_no_token(app: "App") -> None:
    person = app.person()
    token = _token(app, person)["Authorization"].partition(" ")[2]
    browser = Browser(app, {})
    browser.call("POST", "/v1/session", {"Authorization": f"Bearer {token}"})
    (secret,) = browser.cookies.values()
    with database.connect(app.settings) as connection:
        rows = connection.execute("select * from sessions where user_id = %s", (decode_id(person.id),)).fetchall()
    assert len(rows) == 1
    assert secret not in str(rows)
    assert secret.encode() not in rows[0]["digest"]
    assert token.encode() not in rows[0]["refresh_token"]


def test_a_new_session_removes_sessions_that_have_ended(app: "App") -> None:
    ended, going_on = app.person(), app.person()
    for person in (ended, going_on):
        _signed_in(app, person)
    with database.connect(app.settings) as connection:
        connection.execute(
            "update sessions set ends_at = now() - interval '1 minute' where user_id = %s", (decode_id(ended.id),)
        )
        _signed_in(app, app.person())
        query = "select user_id from sessions where user_id = any(%s)"
        rows = connection.execute(query, ([decode_id(ended.id), decode_id(going_on.id)],)).fetchall()
    assert [row["user_id"] for row in rows] == [decode_id(going_on.id)]


def test_a_deleted_account_has_no_sessions(app: "App") -> None:
    person = app.person()
    one, other = _signed_in(app, person), _signed_in(app, person)
    reply = one.call("DELETE", "/v1/me", OURS | {"Confirm-Deletion": person.handle})
    assert reply.status_code == 202, reply.text
    assert [browser.call("GET", "/v1/me").status_code for browser in (one, other)] == [401, 401]
    with database.connect(app.settings) as connection:
        left = connection.execute("select from sessions where user_id = %s", (decode_id(person.id),)).rowcount
    assert left == 0


@pytest.mark.parametrize("to", ["//evil.example", "/\\evil.example", "https://evil.example", "", "/a\nb", "x"])
def test_sign_in_leads_to_pages_of_the_app_only(app: "App", to: str) -> None:
    reply = Browser(app, {}).call("GET", "/v1/session/sign-in", params={"to": to})
    assert reply.status_code == 303
    assert reply.headers["location"] == "/sign-in?problem=no_provider&to=%2F"


@pytest.fixture
def provider(app: "App", tmp_path: Path) -> Iterator[Provider]:
    """A provider at which the API signs people in, for the test."""
    if not IS_INSTALLED:
        pytest.skip(MISSING)
    provider = Provider(tmp_path, free_port(), app.settings.public_url)
    state = app.http.app_state
    services = state["services"]
    settings = app.settings.model_copy(
        update={
            "oidc_issuer": provider.url,
            "oidc_client_id": CLIENT,
            "oidc_client_secret": SecretStr(SECRET),
            "jwt_scopes_claim": "roles",
        }
    )
    identities = replace(services.identities, provision=True)
    client = OidcProvider(settings)
    sessions = Sessions(settings, services.database, client, services.verifier)
    state["services"] = replace(services, settings=settings, identities=identities, sessions=sessions)
    yield provider
    state["services"] = services
    assert app.http.portal is not None
    app.http.portal.call(client.aclose)


def _begin(browser: Browser, to: str = "/p/15XpcTgttGo") -> str:
    """Begin to sign in; the address at the provider."""
    reply = browser.call("GET", "/v1/session/sign-in", params={"to": to})
    assert reply.status_code == 303, reply.text
    return reply.headers["location"]


def _back(browser: Browser, address: str) -> httpx2.Response:
    """What the API answers when the provider sends the browser back."""
    parts = urlsplit(address)
    return browser.call("GET", f"{parts.path}?{parts.query}", {"Sec-Fetch-Site": "cross-site"})


def _sign_in(app: "App", provider: Provider, name: str) -> Browser:
    browser = Browser(app, {})
    reply = _back(browser, provider.visit(_begin(browser), name))
    assert (reply.status_code, reply.headers["location"]) == (303, "/p/15XpcTgttGo")
    assert browser.cookies.keys() == {SESSION}
    return browser


def test_a_person_signs_in_at_the_provider_and_comes_back_to_their_page(app: "App", provider: Provider) -> None:
    name = f"marta_{secrets.token_hex(4)}"
    with provider.running(signing_key("one")):
        asked = parse_qs(urlsplit(_begin(Browser(app, {}))).query)
        assert asked["code_challenge_method"] == ["S256"]
        first, again = (_sign_in(app, provider, name).person() for _ in range(2))
        moderator = _sign_in(app, provider, f"moderator_{secrets.token_hex(4)}").call("GET", "/v1/session").json()
    assert first == again
    assert (first["handle"], first["displayName"]) == (name, f"{name} of the provider")
    assert moderator["roles"] == ["moderator", "user"]  # a browser is never a service, whatever the provider says


def test_under_another_name_of_this_machine_sign_in_begins_at_the_public_url(app: "App", provider: Provider) -> None:
    with provider.running(signing_key("one")):
        browser = Browser(app, {})
        there = browser.call(
            "GET", "/v1/session/sign-in", OURS | {"Host": "localhost:1234"}, params={"to": "/saved?a=b"}
        )
        here = browser.call("GET", "/v1/session/sign-in")
    expected = f"{app.settings.public_url}/v1/session/sign-in?to=%2Fsaved%3Fa%3Db"
    assert (there.status_code, there.headers["location"]) == (303, expected)
    assert here.headers["location"].startswith(provider.url)
    assert (here.headers["cache-control"], _cookies(here)[SIGN_IN]["max-age"]) == ("no-store", "600")


def test_the_provider_can_end_its_own_session_at_sign_out(app: "App", provider: Provider) -> None:
    with provider.running(signing_key("one")):
        url = _sign_in(app, provider, f"p_{secrets.token_hex(4)}").call("DELETE", "/v1/session").json()["providerUrl"]
    assert url.startswith(f"{provider.url}/session/end?")
    assert parse_qs(urlsplit(url).query)["post_logout_redirect_uri"] == [f"{app.settings.public_url}/sign-in"]


def test_a_reply_for_another_browser_starts_no_session(app: "App", provider: Provider) -> None:
    with provider.running(signing_key("one")):
        mallory, victim = Browser(app, {}), Browser(app, {})
        back = provider.visit(_begin(mallory), "mallory")
        without = _back(victim, back)
        _begin(victim, "/saved")
        other_state = _back(victim, back)
        forged = _back(
            mallory, f"{back.partition('?')[0]}?code=forged&state={parse_qs(urlsplit(back).query)['state'][0]}"
        )
    assert without.headers["location"] == "/sign-in?problem=expired&to=%2F"
    assert other_state.headers["location"] == "/sign-in?problem=expired&to=%2Fsaved"
    assert forged.headers["location"] == "/sign-in?problem=failed&to=%2Fp%2F15XpcTgttGo"
    assert victim.cookies == mallory.cookies == {}


def test_an_id_token_of_another_sign_in_starts_no_session(app: "App", provider: Provider) -> None:
    with provider.running(signing_key("one")):
        browser = Browser(app, {})
        address = _begin(browser)
        nonce = parse_qs(urlsplit(address).query)["nonce"][0]
        reply = _back(browser, provider.visit(address.replace(nonce, "another"), "mallory"))
    assert reply.headers["location"] == "/sign-in?problem=failed&to=%2Fp%2F15XpcTgttGo"
    assert browser.cookies == {}


def test_a_refused_consent_and_a_provider_that_is_away_lead_back_to_sign_in(app: "App", provider: Provider) -> None:
    away = Browser(app, {}).call("GET", "/v1/session/sign-in", params={"to": "/saved"})
    assert away.headers["location"] == "/sign-in?problem=unavailable&to=%2Fsaved"
    with provider.running(signing_key("one")):
        browser = Browser(app, {})
        state = parse_qs(urlsplit(_begin(browser)).query)["state"][0]
        reply = browser.call("GET", f"/v1/session/callback?error=access_denied&state={state}")
    assert reply.headers["location"] == "/sign-in?problem=refused&to=%2Fp%2F15XpcTgttGo"
    assert SIGN_IN not in browser.cookies


def test_a_session_is_refreshed_and_ends_when_the_provider_says_no(app: "App", provider: Provider) -> None:
    state, key = app.http.app_state, signing_key("one")
    with provider.running(key):
        browser = _sign_in(app, provider, f"p_{secrets.token_hex(4)}")
        services = state["services"]

        def after(days: float) -> Any:
            """Who is signed in so much later, when the provider's last answer is no longer fresh."""
            services.verifier.forget_token(f"session\n{browser.cookies[SESSION]}")
            now = time.time() + days * _DAY
            state["services"] = replace(services, sessions=replace(services.sessions, clock=lambda: now))
            return browser.call("GET", "/v1/me")

        renewed = [after(days).status_code for days in (0.1, 0.2)]  # each refresh token counts once
    away = after(0.3)
    with provider.running(key):  # another process of it, which does not know the refresh token
        refused = after(0.3)
    assert renewed == [200, 200]
    assert (away.status_code, away.json()["code"]) == (503, "try_again")
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    assert after(0.0).status_code == 401


def test_a_role_that_the_provider_took_away_ends_with_the_next_refresh(app: "App", provider: Provider) -> None:
    state = app.http.app_state
    with provider.running(signing_key("one")):
        browser = _sign_in(app, provider, f"p_{secrets.token_hex(4)}")
        services, person = state["services"], decode_id(browser.person()["id"])
        with database.connect(app.settings) as connection:
            connection.execute("update sessions set scopes = '{admin,user}' where user_id = %s", (person,))

        def health(days: float) -> int:
            """The status of a page for admins so much later."""
            services.verifier.forget_token(remembered_as(browser.cookies[SESSION]))
            now = time.time() + days * _DAY
            state["services"] = replace(services, sessions=replace(services.sessions, clock=lambda: now))
            return int(browser.call("GET", "/v1/admin/dead-letters").status_code)

        try:
            assert [health(0), health(0.1)] == [200, 403]
        finally:
            state["services"] = services

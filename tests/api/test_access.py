"""Authorisation of the endpoints, and the replies to invalid calls."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx2
import pytest

from photofeed import database
from photofeed.ids import decode_id, encode_id
from photofeed.tokens import TokenVerifier, mint_token
from tests.doubles.identity_provider import SHARED_SECRET, IdentityProvider, running_identity_provider

if TYPE_CHECKING:
    from tests.api.conftest import App

OPEN = {"/healthz", "/readyz", "/metrics", "/photos/{photo_id}/{name}", "/v1/dev/people", "/v1/dev/tokens"} | {
    "/v1/dev/progress",
    "/v1/session",
}


def _calls(app: "App") -> list[tuple[str, str]]:
    paths = app.http.get("/openapi.json").json()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods if path not in OPEN]


def test_every_call_but_health_and_images_needs_a_token(app: "App") -> None:
    calls = _calls(app)
    assert len(calls) >= 25
    for method, path in calls:
        for headers in ({}, {"Authorization": "Bearer forged"}, {"Authorization": "Basic eDp5"}):
            reply = app.http.request(method, path.replace("{", "").replace("}", ""), headers=headers)
            assert reply.status_code == 401, (method, path)
            assert reply.json()["code"] == "unauthenticated"
            assert reply.headers["www-authenticate"] == "Bearer"


def test_with_an_identity_provider_only_its_tokens_count(app: "App") -> None:
    person, state = app.person(), app.http.app_state
    services = state["services"]
    with running_identity_provider() as provider:
        settings = app.settings.model_copy(update={"jwt_jwks_url": provider.url, "jwt_subjects": "ids"})
        state["services"] = replace(services, verifier=TokenVerifier(settings))
        try:
            for token, status in (
                (provider.token("RS256", provider.rsa_key, "rs", sub=person.id, scope="user"), 200),
                (provider.token("ES256", provider.ec_key, "es", sub=person.id, scope="user"), 200),
                (provider.token("HS256", SHARED_SECRET, "hs", sub=person.id), 401),
                (mint_token(app.settings, decode_id(person.id)), 401),
            ):
                for _ in range(2):  # checked, then remembered
                    reply = app.http.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
                    assert reply.status_code == status, reply.text
        finally:
            state["services"] = services


def test_health_needs_no_token(app: "App") -> None:
    assert app.http.get("/healthz").json() == {"status": "ok"}
    assert app.http.get("/readyz").json()["status"] == "ready"
    assert "photofeed_feed_stage_seconds" in app.http.get("/metrics").text


def test_only_services_act_for_others_and_add_people(app: "App") -> None:
    one, other = app.person(), app.person()
    assert one.call("GET", "/v1/me", headers={"Act-As": other.id}).status_code == 403
    assert one.call("POST", "/v1/users", json={"handle": "x_y", "displayName": "X"}).status_code == 403
    assert app.service.get("/v1/me", headers={"Act-As": other.id})["id"] == other.id
    assert app.service.call("GET", "/v1/me").status_code == 403


@pytest.mark.parametrize("path", ["/v1/users/{}", "/v1/photos/{}", "/v1/posts/{}/comments", "/v1/nothing"])
@pytest.mark.parametrize("unknown", [encode_id(12345), "nonsense"])
def test_what_does_not_exist_is_a_404_problem(app: "App", path: str, unknown: str) -> None:
    reply = app.person().call("GET", path.format(unknown))
    assert reply.status_code == 404
    assert reply.headers["content-type"] == "application/problem+json"
    assert set(reply.json()) >= {"type", "title", "status", "detail", "code"}


def test_a_token_of_a_deleted_user_gets_a_clear_answer(app: "App") -> None:
    headers = {"Authorization": f"Bearer {mint_token(app.settings, 12345)}"}
    assert app.http.get("/v1/feed", headers=headers).json()["code"] == "user_not_found"


def test_a_body_that_is_too_large_is_refused(app: "App") -> None:
    person = app.person()
    reply = person.call("POST", "/v1/events", content=b"[" * 2_000_000)
    assert reply.status_code == 413
    assert reply.json()["code"] == "body_too_large"


def test_a_body_that_is_not_json_is_refused(app: "App") -> None:
    reply = app.person().call("POST", "/v1/events", content=b"{nope", headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()["code"]) == (400, "bad_request")


def test_a_handle_is_unique(app: "App") -> None:
    person = app.person()
    reply = app.service.call("POST", "/v1/users", json={"handle": person.handle, "displayName": "Again"})
    assert reply.status_code == 409
    assert reply.json()["code"] == "handle_taken"


@contextmanager
def _identity_provider(app: "App", **settings: object) -> Iterator[IdentityProvider]:
    """An ordinary identity provider, whose tokens the API accepts while the context is open."""
    state = app.http.app_state
    services = state["services"]
    with running_identity_provider() as provider:
        changed = app.settings.model_copy(update={"jwt_jwks_url": provider.url} | settings)
        identities = replace(services.identities, provision=changed.jwt_provision)
        state["services"] = replace(services, verifier=TokenVerifier(changed), identities=identities)
        try:
            yield provider
        finally:
            state["services"] = services


def _me(app: "App", provider: IdentityProvider, **claims: object) -> httpx2.Response:
    token = provider.token("RS256", provider.rsa_key, "rs", **{"scope": "openid user"} | claims)
    return app.http.get("/v1/me", headers={"Authorization": f"Bearer {token}"})


def test_the_first_login_of_a_subject_adds_a_user_and_later_ones_find_it(app: "App") -> None:
    subject, handle = f"auth0|{uuid.uuid4().hex}", f"Ada.{uuid.uuid4().hex[:8]}"
    with _identity_provider(app) as provider:
        first = _me(
            app, provider, sub=subject, preferred_username=f"{handle}@example.com", name="Ada\n Lovelace"
        ).json()
        assert (first["handle"], first["displayName"]) == (handle.lower(), "Ada Lovelace")
        assert _me(app, provider, sub=subject, name="Ada L.").json()["id"] == first["id"]
        other = _me(app, provider, sub=f"{subject}x", preferred_username=handle).json()
        assert other["id"] != first["id"]
        assert other["handle"].startswith(handle.lower() + "_")
        names = {"preferred_username": f"{subject[6:]}{'x' * 30}", "name": "N" * 99}
        long = _me(app, provider, sub=str(uuid.uuid4()), **names).json()
        assert (long["handle"], long["displayName"]) == (subject[6:36], "N" * 80)
        nameless = _me(app, provider, sub=str(uuid.uuid4()), preferred_username="!").json()
        assert nameless["handle"].startswith("user_")


def test_concurrent_first_calls_of_a_person_add_one_user(app: "App") -> None:
    subject = uuid.uuid4().hex
    with _identity_provider(app) as provider, ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda n: _me(app, provider, sub=subject, jti=str(n)), range(8)))
    assert len({reply.json()["id"] for reply in replies}) == 1


def test_a_login_of_a_deleted_account_makes_no_new_account(app: "App") -> None:
    subject = f"auth0|{uuid.uuid4().hex}"
    with _identity_provider(app) as provider:
        me = _me(app, provider, sub=subject).json()
        token = provider.token("RS256", provider.rsa_key, "rs", sub=subject, scope="user")
        headers = {"Authorization": f"Bearer {token}"}
        deleted = [
            app.http.request("DELETE", "/v1/me", headers=headers | confirmation)
            for confirmation in ({"Confirm-Deletion": me["handle"]}, {})
        ]
        assert [reply.status_code for reply in deleted] == [202, 202]
        assert {reply.json()["userId"] for reply in deleted} == {me["id"]}
        later = _me(app, provider, sub=subject, jti="a token issued afterwards")
        assert (later.status_code, later.json()["code"]) == (401, "account_deleted")
        with database.connect(app.settings) as connection:
            connection.execute("delete from erased_identities")  # as the eraser does after 30 days
        assert _me(app, provider, sub=subject, jti="much later").json()["id"] != me["id"]


def test_a_subject_is_never_taken_for_an_id_of_photofeed(app: "App") -> None:
    victim = app.person()
    with _identity_provider(app) as provider:
        assert _me(app, provider, sub=victim.id).json()["id"] != victim.id


def test_a_subject_of_another_issuer_is_somebody_else(app: "App") -> None:
    subject, person = uuid.uuid4().hex, app.person()
    with database.connect(app.settings) as connection:
        values = ("https://another.example", subject, decode_id(person.id))
        connection.execute("insert into identities (issuer, subject, user_id) values (%s, %s, %s)", values)
    with _identity_provider(app) as provider:
        assert _me(app, provider, sub=subject).json()["id"] != person.id


def test_without_provisioning_only_known_subjects_have_an_account(app: "App") -> None:
    subject, person = uuid.uuid4().hex, app.person()
    with _identity_provider(app, jwt_provision=False) as provider:
        refused = _me(app, provider, sub=subject)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        with database.connect(app.settings) as connection:
            values = (app.settings.jwt_issuer, subject, decode_id(person.id))
            connection.execute("insert into identities (issuer, subject, user_id) values (%s, %s, %s)", values)
        assert _me(app, provider, sub=subject).json()["id"] == person.id


@pytest.mark.parametrize("scope", ["", "openid email", "users", "moderator"])
def test_a_token_without_the_scope_of_users_is_refused(app: "App", scope: str) -> None:
    with _identity_provider(app) as provider:
        token = provider.token("RS256", provider.rsa_key, "rs", sub=uuid.uuid4().hex, scope=scope)
        event = {"events": [{"id": "12345678", "type": "open", "postId": "00000000000"}]}
        for method, path, body in (
            ("GET", "/v1/me", None),
            ("GET", "/v1/feed", None),
            ("POST", "/v1/photos/initiate", None),
            ("POST", "/v1/events", event),
        ):
            reply = app.http.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})
            assert (reply.status_code, reply.json()["code"]) == (403, "forbidden"), path


def test_a_provider_that_is_away_is_a_503(app: "App") -> None:
    with _identity_provider(app) as provider:
        provider.published = b"no keys"
        reply = _me(app, provider)
        assert (reply.status_code, reply.json()["code"]) == (503, "try_again")
        assert "keys" not in reply.json()["detail"]


def test_a_service_of_the_provider_is_no_user(app: "App") -> None:
    person = app.person()
    with _identity_provider(app) as provider:
        token = provider.token("RS256", provider.rsa_key, "rs", sub="importer@clients", scp=["service"])
        headers = {"Authorization": f"Bearer {token}"}
        assert app.http.get("/v1/me", headers=headers).status_code == 403
        assert app.http.get("/v1/me", headers=headers | {"Act-As": person.id}).json()["id"] == person.id

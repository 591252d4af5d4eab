"""Attacks on tokens, roles, private accounts, blocks and deleted accounts."""

import time

import jwt

from photofeed.ids import decode_id, encode_id
from photofeed.tokens import ADMIN, USER, mint_token
from tools.attack import attack, expect, refuse
from tools.attack.world import World

_NOBODY = encode_id(12_345)


def _with(world: World, token: str) -> None:
    expect(world.http.get("/v1/me", headers={"Authorization": f"Bearer {token}"}), 401)


def _claims(world: World, **changes: object) -> dict[str, object]:
    settings = world.settings
    valid = {"iss": settings.jwt_issuer, "aud": settings.jwt_audience, "sub": world.people["owner"].id, "scope": USER}
    return {name: value for name, value in (valid | {"exp": int(time.time()) + 60} | changes).items() if value}


def _signed(world: World, **changes: object) -> str:
    return jwt.encode(_claims(world, **changes), world.settings.jwt_secret.get_secret_value(), "HS256")


@attack("tokens")
def no_token(world: World) -> None:
    """Call without a token."""
    expect(world.http.get("/v1/me"), 401)


@attack("tokens")
def garbage(world: World) -> None:
    """Send something that is no token."""
    _with(world, "x.y.z")


@attack("tokens")
def unsigned(world: World) -> None:
    """Send a token with the algorithm none."""
    _with(world, jwt.encode(_claims(world), "", "none"))


@attack("tokens")
def guessed_secret(world: World) -> None:
    """Sign a token with a guessed secret."""
    _with(world, jwt.encode(_claims(world), "photofeed-dev" * 3, "HS256"))


@attack("tokens")
def expired(world: World) -> None:
    """Use an expired token."""
    _with(world, _signed(world, exp=int(time.time()) - 1))


@attack("tokens")
def endless(world: World) -> None:
    """Use a token that never expires."""
    _with(world, _signed(world, exp=None))


@attack("tokens")
def other_audience(world: World) -> None:
    """Use a token that was issued for another service."""
    _with(world, _signed(world, aud="another"))


@attack("tokens")
def other_issuer(world: World) -> None:
    """Use a token of another issuer."""
    _with(world, _signed(world, iss="another"))


@attack("tokens")
def in_the_query(world: World) -> None:
    """Send the token in the query, where logs keep it."""
    expect(world.http.get("/v1/me", params={"access_token": _signed(world)}), 401)


@attack("roles")
def act_as(world: World) -> None:
    """Act for somebody else as a person."""
    expect(world.people["stranger"].call("GET", "/v1/me", headers={"Act-As": world.people["owner"].id}), 403)


@attack("roles")
def add_people(world: World) -> None:
    """Add accounts as a person."""
    expect(world.people["stranger"].call("POST", "/v1/users", json={"handle": "bot_1", "displayName": "B"}), 403)


@attack("roles")
def read_the_queue(world: World) -> None:
    """Read the moderation queue as a person and as an admin."""
    for person in (world.people["stranger"], world.person((USER, ADMIN))):
        expect(person.call("GET", "/v1/moderation/queue"), 403)


@attack("roles")
def moderate(world: World) -> None:
    """Decide about a photo as its owner."""
    ruling = {"decision": "approve", "reason": "mine"}
    expect(world.people["owner"].call("POST", f"/v1/moderation/{world.post}/decisions", json=ruling), 403)


@attack("roles")
def backdate(world: World) -> None:
    """Backdate a photo."""
    body = {"createdAt": "2021-01-01T00:00:00Z"}
    expect(world.people["stranger"].call("POST", "/v1/photos/initiate", json=body), 403)


@attack("roles")
def no_scope(world: World) -> None:
    """Use a token of the provider that was issued for no scope of photofeed."""
    token = mint_token(world.settings, decode_id(world.people["stranger"].id), frozenset({"openid"}))
    expect(world.http.get("/v1/me", headers={"Authorization": f"Bearer {token}"}), 403)


@attack("private accounts")
def read_a_private_post(world: World) -> None:
    """Read a private post and photo as a stranger, as a requester and as somebody who was blocked."""
    for name in ("stranger", "requester", "blocked"):
        for kind in ("posts", "photos"):
            expect(world.people[name].call("GET", f"/v1/{kind}/{world.post}"), 404)


@attack("private accounts")
def act_on_a_private_post(world: World) -> None:
    """Like, save, share, hide, report and comment a private post."""
    for method, name in (("PUT", "like"), ("PUT", "save"), ("POST", "share"), ("PUT", "hide"), ("POST", "report")):
        expect(world.people["stranger"].call(method, f"/v1/posts/{world.post}/{name}"), 404)
    expect(world.people["stranger"].call("POST", f"/v1/posts/{world.post}/comments", json={"text": "x"}), 404)


@attack("private accounts")
def find_a_private_post(world: World) -> None:
    """Find a private post by its words, its tag, its author, and in explore."""
    owner = world.people["owner"].id
    for path in (
        "/v1/search?q=confidential",
        "/v1/tags/confidential/posts",
        f"/v1/users/{owner}/posts",
        "/v1/explore",
        "/v1/feed",
    ):
        found = expect(world.people["stranger"].call("GET", path), 200)
        refuse(broken=world.post in found.text, what=f"{path} shows the private post")


@attack("private accounts")
def preview_of_a_private_post(world: World) -> None:
    """Read the preview of a private post's page without a token."""
    for path in (f"/p/{world.post}", f"/@{world.people['owner'].handle}"):
        page = world.http.get(path)
        refuse(broken="confidential" in page.text or "Attack" in page.text, what=f"{path} has a preview")


@attack("private accounts")
def who_follows_a_private_account(world: World) -> None:
    """List the followers of a private account."""
    for kind in ("followers", "following"):
        expect(world.people["stranger"].call("GET", f"/v1/users/{world.people['owner'].id}/{kind}"), 403)


@attack("private accounts")
def accept_oneself(world: World) -> None:
    """Accept one's own follow request."""
    requester = world.people["requester"]
    expect(requester.call("PUT", f"/v1/me/follow-requests/{world.people['owner'].id}"), 404)
    expect(requester.call("GET", f"/v1/posts/{world.post}"), 404)


@attack("private accounts")
def edit_the_post_of_another(world: World) -> None:
    """Edit and delete a post as its reader."""
    follower = world.people["follower"]
    expect(follower.call("PATCH", f"/v1/posts/{world.post}", json={"caption": "mine"}), 403)
    expect(follower.call("DELETE", f"/v1/photos/{world.post}"), 404)


@attack("blocks")
def tell_a_block_from_nobody(world: World) -> None:
    """Tell who blocked me from somebody who does not exist, by every call about a person."""
    blocked, owner = world.people["blocked"], world.people["owner"].id
    calls = [
        ("GET", "/v1/users/{}", None),
        ("GET", "/v1/users/{}/posts", None),
        ("GET", "/v1/users/{}/followers", None),
        ("PUT", "/v1/users/{}/follow", None),
        ("PUT", "/v1/users/{}/block", None),
        ("PUT", "/v1/users/{}/mute", None),
        ("POST", "/v1/users/{}/report", {"reason": "spam"}),
        ("DELETE", "/v1/me/followers/{}", None),
    ]
    for method, path, body in calls:
        seen = [blocked.call(method, path.format(one), json=body) for one in (owner, _NOBODY)]
        answers = [(one.status_code, one.json()["code"], one.json()["detail"]) for one in seen]
        refuse(broken=answers[0] != answers[1], what=f"{method} {path}: {answers}")


@attack("blocks")
def comment_before_the_block(world: World) -> None:
    """Leave an insult on a post, and be blocked by its author."""
    author, insulter = world.people["author"], world.person()
    insulter.call("POST", f"/v1/posts/{world.public_post}/comments", json={"text": "insult"}).raise_for_status()
    author.call("PUT", f"/v1/users/{insulter.id}/block").raise_for_status()
    seen = world.people["stranger"].call("GET", f"/v1/posts/{world.public_post}/comments")
    refuse(broken="insult" in seen.text, what="others still see the comment")


@attack("blocks")
def delete_comments_of_others(world: World) -> None:
    """Delete and edit somebody else's comment."""
    path = f"/v1/posts/{world.post}/comments/{world.comment}"
    expect(world.people["stranger"].call("DELETE", path), 404)
    expect(world.people["owner"].call("PATCH", path, json={"text": "put in their mouth"}), 403)


@attack("deletion")
def delete_without_confirmation(world: World) -> None:
    """Delete an account with a stolen click: without the confirmation, or as a service."""
    person = world.person()
    expect(person.call("DELETE", "/v1/me"), 422)
    expect(world.service.call("DELETE", "/v1/me", headers={"Act-As": person.id}), 403)
    expect(person.call("GET", "/v1/me"), 200)


@attack("deletion")
def use_a_deleted_account(world: World) -> None:
    """Go on with the token of a deleted account, and find its name and posts."""
    person = world.person()
    post = world.upload(person, 33)
    expect(person.call("DELETE", "/v1/me", headers={"Confirm-Deletion": person.handle}), 202)
    for method, path in (("GET", "/v1/me"), ("GET", "/v1/feed"), ("POST", "/v1/photos/initiate")):
        expect(person.call(method, path), 401)
    expect(world.people["stranger"].call("GET", f"/v1/posts/{post}"), 404)
    expect(world.people["stranger"].call("GET", f"/v1/handles/{person.handle}"), 404)

"""Every route answers every kind of caller as the policy says."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from fastapi import APIRouter
from psycopg.types.json import Jsonb

from photofeed import database
from photofeed.dead_letters import DeadLetter
from photofeed.errors import PermanentError
from photofeed.event_log import Message
from photofeed.events import Envelope
from photofeed.ids import decode_id, encode_id
from photofeed.tokens import ADMIN, MODERATOR, USER, mint_token
from photofeed.topics import PHOTO_ZOOM, ZOOM_GROUP, dead_letters
from serving.api import policy
from serving.api.policy import RULES, Access, Answer, PolicyError, Relation, Rule, enforce
from serving.services import ActorDep, CallerDep, ServiceCallerDep
from tests.api.pictures import picture
from tools.policy import DOCUMENT, with_table

if TYPE_CHECKING:
    from tests.api.conftest import App, Person

STATUS = {Answer.UNKNOWN: 401, Answer.REFUSED: 403, Answer.HIDDEN: 404}
# Of the development server these show everybody, and preview pages show public accounts only.
_SHOWS_EVERYBODY = {"GET /v1/dev/people"}
_COLUMNS = """
select string_agg(column_name, ', ') as names from information_schema.columns
where table_name = %s and is_generated = 'NEVER'
"""
_COPY = """
insert into {table} ({columns})
select {columns} from (
    select (jsonb_populate_record(one, %(changes)s::jsonb)).* from {table} one where id = %(template)s) copied
"""


@dataclass(frozen=True)
class World:
    """A private account with a post that a follower commented on, and one caller of each kind."""

    owner: "Person"
    post: str
    comment: str
    callers: dict[Relation, dict[str, str]]
    webhook: str
    delivery: str
    letter: str

    def path(self, rule: Rule) -> str:
        """The path of a route about this account."""
        path = rule.route.partition(" ")[2].format(
            post_id=self.post,
            photo_id=self.post,
            user_id=self.owner.id,
            handle=self.owner.handle,
            comment_id=self.comment,
            tag="policy",
            webhook_id=self.webhook,
            delivery_id=self.delivery,
            letter_id=self.letter,
            name="640.jpg",
        )
        query = rule.query.format(handle=self.owner.handle, post_id=self.post)
        return f"{path}?{query}" if query else path


@pytest.fixture(scope="module")
def template(app: "App") -> str:
    """A ready post, whose rows are copied."""
    post = app.person().upload(picture(), caption="policy", tags=["policy"])
    app.work()
    return post


def _copy_of(app: "App", template: str, owner: "Person") -> str:
    post, values = decode_id(owner.id) + 1, {"template": decode_id(template)}
    keys = {"original_key": f"copies/{post}", "upload_key": f"copies/{post}"}
    with database.connect(app.settings) as connection:
        for table, changes in (
            ("photos", {"id": post, "owner_id": post - 1} | keys),
            ("posts", {"id": post, "author_id": post - 1}),
        ):
            columns = connection.execute(_COLUMNS, (table,)).fetchone()
            assert columns is not None
            query = _COPY.format(table=table, columns=columns["names"]).encode()
            connection.execute(query, values | {"changes": Jsonb(changes)})
    return encode_id(post)


def _with_role(app: "App", role: str) -> dict[str, str]:
    token = mint_token(app.settings, decode_id(app.person().id), frozenset({USER, role}))
    return {"Authorization": f"Bearer {token}"}


def _world(app: "App", template: str, rule: Rule) -> World:
    owner, follower, requester, blocked = (app.person() for _ in range(4))
    post = _copy_of(app, template, owner)
    assert follower.call("PUT", f"/v1/users/{owner.id}/follow").status_code == 204
    comment = follower.call("POST", f"/v1/posts/{post}/comments", json={"text": "first"}).json()["id"]
    assert owner.call("PATCH", "/v1/me", json={"isPrivate": True}).status_code == 200
    assert requester.call("PUT", f"/v1/users/{owner.id}/follow").status_code == 202
    assert owner.call("PUT", f"/v1/users/{blocked.id}/block").status_code == 204
    other_follower = app.person()
    other_follower.call("PUT", f"/v1/users/{owner.id}/follow")
    owner.call("PUT", f"/v1/me/follow-requests/{other_follower.id}")
    callers = {
        Relation.NOBODY: {},
        Relation.SELF: (follower if "{comment_id}" in rule.route else owner).headers,
        Relation.OWNER: owner.headers,
        Relation.FOLLOWER: other_follower.headers,
        Relation.REQUESTER: requester.headers,
        Relation.BLOCKED: blocked.headers,
        Relation.STRANGER: app.person().headers,
        Relation.MODERATOR: _with_role(app, MODERATOR),
        Relation.ADMIN: _with_role(app, ADMIN),
        Relation.SERVICE: app.service.headers,
    }
    return World(owner, post, comment, callers, *_webhook(app), _dead_letter(app))


_ADD_AVATAR = """
insert into photos (id, owner_id, status, purpose, original_key, created_at)
values (%s, %s, 'ready', 'avatar', %s, now())
"""


_ADD_WEBHOOK = """
insert into webhook_endpoints (id, url, types, secret) values (%s, 'https://app.example/hook', '{photo.ready}', '')
"""
_ADD_DELIVERY = """
insert into webhook_deliveries (endpoint_id, message_id, type, body)
values (%s, 'msg_1', 'photo.ready', '{}') returning id
"""


def _webhook(app: "App") -> tuple[str, str]:
    """A webhook, and a delivery to it."""
    webhook = app.http.app_state["services"].ids.next()
    with database.connect(app.settings) as connection:
        connection.execute("delete from webhook_endpoints")
        connection.execute(_ADD_WEBHOOK, (webhook,))
        delivery = connection.execute(_ADD_DELIVERY, (webhook,)).fetchone()
    assert delivery is not None
    return encode_id(webhook), encode_id(delivery["id"])


def _new_avatar(app: "App", headers: dict[str, str]) -> str:
    """A profile picture of the caller that is ready; of a caller without an account, one of nobody."""
    photo, me = app.http.app_state["services"].ids.next(), app.http.get("/v1/me", headers=headers)
    if me.is_success:
        with database.connect(app.settings) as connection:
            connection.execute(_ADD_AVATAR, (photo, decode_id(me.json()["id"]), f"completed/avatar/{photo}"))
    return encode_id(photo)


def _call(app: "App", world: World, rule: Rule, relation: Relation) -> httpx2.Response:
    body: dict[str, Any] = {}
    if rule.body is not None:
        body = {"json": rule.body}
    elif rule.route == "POST /v1/events":
        body = {"json": {"events": [{"id": uuid.uuid4().hex, "type": "open", "postId": world.post}]}}
    elif rule.route == "POST /v1/users":
        body = {"json": {"handle": f"p{uuid.uuid4().hex[:12]}", "displayName": "New"}}
    elif rule.route == "POST /v1/dev/tokens":
        body = {"json": {"userId": world.owner.id}}
    headers = world.callers[relation]
    if rule.route == "GET /v1/feed/new":
        body = {"params": {"slateId": app.http.get("/v1/feed", headers=headers).json().get("slateId", "none")}}
    if rule.route == "PUT /v1/me/avatar":
        body = {"json": {"photoId": _new_avatar(app, headers)}}
    if rule.route == "DELETE /v1/me":
        headers = headers | {"Confirm-Deletion": world.owner.handle}
    return app.http.request(rule.route.partition(" ")[0], world.path(rule), headers=headers, **body)


def _wrong(rule: Rule, relation: Relation, reply: httpx2.Response, world: World) -> Iterator[str]:
    wanted = rule.access.answers[relation]
    if wanted is Answer.YES:
        is_right = reply.status_code not in STATUS.values() and reply.status_code < 500
    else:
        is_right = reply.status_code == STATUS[wanted]
    if not is_right:
        yield f"{rule.route} as {relation.value}: {reply.status_code}, not {wanted.value}: {reply.text[:200]}"
    sees = Access.SEES.answers[relation] is Answer.YES
    is_for_role = rule.access in {Access.MODERATOR, Access.ADMIN}
    if reply.is_success and not sees and not is_for_role and rule.route not in _SHOWS_EVERYBODY:
        shown = {world.post} | ({world.owner.id, world.owner.handle} if relation is Relation.BLOCKED else set())
        if any(word in reply.text for word in shown):
            yield f"{rule.route} as {relation.value}: shows what the caller may not see: {reply.text[:200]}"


def _dead_letter(app: "App") -> str:
    """A dead letter that waits; returns its id."""
    message = Message(PHOTO_ZOOM.name, 0, 0, "policy", Envelope("photo.zoom", "policy", {}).encode())
    letter = DeadLetter.about(message, ZOOM_GROUP, PermanentError("gone"))
    app.log.publish(dead_letters(PHOTO_ZOOM.name, ZOOM_GROUP), [letter.to_envelope()])
    return letter.id


@pytest.fixture
def another_champion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rollbacks succeed: the stack of these tests has no MLflow."""
    monkeypatch.setattr("serving.operations.roll_back", lambda *_, **__: ("2", "1"))


def _ends(rule: Rule) -> bool:
    """Whether a call may end what the path names."""
    return rule.route.startswith("DELETE") or rule.route.endswith("decisions")


@pytest.mark.usefixtures("another_champion")
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.route)
def test_every_caller_gets_the_answer_of_the_policy(app: "App", template: str, rule: Rule) -> None:
    wrong: list[str] = []
    statuses: list[int] = []
    world = _world(app, template, rule)
    # first who is refused: what others do may end the account or the post that the path names
    for relation in sorted(Relation, key=lambda one: rule.access.answers[one] is Answer.YES):
        if statuses and rule.access.answers[relation] is Answer.YES and _ends(rule):
            world = _world(app, template, rule)
        if rule.is_endless and rule.access.answers[relation] is Answer.YES:
            continue
        reply = _call(app, world, rule, relation)
        wrong += _wrong(rule, relation, reply, world)
        statuses.append(reply.status_code)
    assert wrong == []
    if Answer.YES in rule.access.answers.values() and not rule.is_endless:
        assert any(status < 300 for status in statuses), f"does the rule need another body? {statuses}"


def _router(dependency: Any) -> APIRouter:
    router = APIRouter()

    async def endpoint(caller: dependency) -> None:
        """Do nothing."""

    router.add_api_route("/v1/me", endpoint)
    return router


@pytest.mark.parametrize("dependency", [CallerDep, ServiceCallerDep])
def test_a_route_that_lets_others_in_than_its_rule_is_refused(dependency: Any) -> None:
    enforce([_router(ActorDep)])
    with pytest.raises(PolicyError, match="GET /v1/me is declared as SIGNED_IN"):
        enforce([_router(dependency)])


def test_a_route_that_checks_nobody_is_refused() -> None:
    router = APIRouter()

    async def endpoint() -> None:
        """Do nothing."""

    router.add_api_route("/v1/me", endpoint)
    with pytest.raises(PolicyError, match=r"GET /v1/me is declared as SIGNED_IN.*no check of the caller"):
        enforce([router])


def test_a_route_without_a_rule_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "RULES", tuple(rule for rule in RULES if rule.route != "GET /v1/me"))
    with pytest.raises(PolicyError, match=r"add Rule\('GET /v1/me', Access\.…\) to RULES in serving/api/policy.py"):
        enforce([_router(ActorDep)])


def test_every_rule_has_a_route(app: "App") -> None:
    document = app.http.get("/openapi.json").json()["paths"]
    served = {f"{method.upper()} {path}" for path, methods in document.items() for method in methods}
    pages = {"GET /p/{post_id}", "GET /@{handle}", "GET /v1/session/sign-in", "GET /v1/session/callback"}
    assert {rule.route for rule in RULES} - served <= pages
    assert len({rule.route for rule in RULES}) == len(RULES)


def test_the_document_has_the_table() -> None:
    document = DOCUMENT.read_text()
    assert with_table(document) == document, "run `make policy`"

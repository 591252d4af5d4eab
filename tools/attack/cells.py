"""The cells of the policy: every route as every kind of caller, on the running server.

Calls that change what others need are made only as callers who are refused; `tests/api/test_policy.py` makes them all.
"""

from collections.abc import Iterator
from string import Formatter

import httpx

from photofeed.ids import encode_id
from photofeed.tokens import ADMIN, MODERATOR, USER
from serving.api.policy import RULES, Access, Answer, Relation, Rule
from tools.attack.world import Person, World

_STATUS = {Answer.UNKNOWN: 401, Answer.REFUSED: 403, Answer.HIDDEN: 404}
_SERVER_ERROR = 500
_NOTHING = encode_id(12_345)  # the id of nothing


def cells(world: World) -> Iterator[str | None]:
    """What is wrong with each cell; None for those that hold."""
    callers = {
        Relation.NOBODY: Person("", "", world.http),
        Relation.OWNER: world.people["owner"],
        Relation.FOLLOWER: world.people["follower"],
        Relation.REQUESTER: world.people["requester"],
        Relation.BLOCKED: world.people["blocked"],
        Relation.STRANGER: world.people["stranger"],
        Relation.MODERATOR: world.person((USER, MODERATOR)),
        Relation.ADMIN: world.person((USER, ADMIN)),
        Relation.SERVICE: world.service,
    }
    for rule in RULES:
        path = rule.route.partition(" ")[2]
        exists = set(_names(path)) <= _existing(world).keys()
        may_read = rule.route.startswith("GET ") and not rule.is_endless and exists
        for relation, caller in callers.items():
            answer = rule.access.answers[_role(rule, relation)]
            if may_read or answer is not Answer.YES:
                yield _wrong(rule, relation, answer, _call(world, rule, caller))


def _existing(world: World) -> dict[str, str]:
    """What there is, by the name of its path parameter."""
    owner = world.people["owner"]
    return {
        "post_id": world.post,
        "photo_id": world.post,
        "user_id": owner.id,
        "handle": owner.handle,
        "comment_id": world.comment,
        "tag": "confidential",
        "name": "640.jpg",
    }


def _names(path: str) -> list[str]:
    """The path parameters of a route."""
    return [name for _, name, _, _ in Formatter().parse(path) if name]


def _role(rule: Rule, relation: Relation) -> Relation:
    """The follower is the author of the comment."""
    if "{comment_id}" in rule.route and relation is Relation.FOLLOWER and rule.access is not Access.MODERATOR:
        return Relation.SELF
    return relation


def _call(world: World, rule: Rule, caller: Person) -> httpx.Response:
    method, _, path = rule.route.partition(" ")
    nothing = dict.fromkeys(_names(path), _NOTHING)
    filled = path.format(**nothing | _existing(world))
    return caller.call(method, f"{filled}?{rule.query}" if rule.query else filled, json=rule.body)


def _wrong(rule: Rule, relation: Relation, answer: Answer, reply: httpx.Response) -> str | None:
    status = reply.status_code
    if answer is Answer.YES:
        holds = status not in _STATUS.values() and status < _SERVER_ERROR
    else:
        holds = status == _STATUS[answer]
    return None if holds else f"{rule.route} as {relation.value}: {status}, not {answer.value}"

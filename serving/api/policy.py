"""Who may do what: one row per route, and for each kind of access the answer to each kind of caller.

The table is enforced when the API starts: a route without a row, and a route whose dependencies let other roles in than
its row, are refused. `tests/api/test_policy.py` calls every route as every kind of caller, and docs/security.md has the
table (`make policy`).

To add a route, add a `Rule` to RULES with the `Access` that it should have, and with a body if it needs one.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from serving.api.moderation import require_moderator
from serving.services import (
    require_admin,
    require_service,
    resolve_actor,
    resolve_leaver,
    resolve_reporter,
    resolve_token,
    resolve_viewer,
)


class Relation(StrEnum):
    """Who calls. The relations are those to the owner of what the path names, who has a private account."""

    NOBODY = "no token"
    SELF = "self"  # the person that the path names, or the author of the comment that it names
    OWNER = "owner"  # of the post or photo
    FOLLOWER = "follower"
    REQUESTER = "requester"  # who has asked to follow
    BLOCKED = "blocked"  # by the owner
    STRANGER = "stranger"
    MODERATOR = "moderator"  # a stranger with this role; likewise the next one
    ADMIN = "admin"
    SERVICE = "service"  # without the header Act-As; with it, a service is the person that it names


class Answer(StrEnum):
    """What a caller gets."""

    YES = "yes"  # carried out, or refused for another reason than the caller
    UNKNOWN = "401"  # no token
    REFUSED = "403"
    HIDDEN = "404"  # as if what the path names did not exist


_PEOPLE = (
    Relation.SELF,
    Relation.OWNER,
    Relation.FOLLOWER,
    Relation.REQUESTER,
    Relation.BLOCKED,
    Relation.STRANGER,
    Relation.MODERATOR,
    Relation.ADMIN,
)
_SIGNED_IN: dict[Relation, Answer] = dict.fromkeys(_PEOPLE, Answer.YES) | {
    Relation.NOBODY: Answer.UNKNOWN,
    Relation.SERVICE: Answer.REFUSED,
}


def _hidden_from(*relations: Relation) -> dict[Relation, Answer]:
    return _SIGNED_IN | dict.fromkeys(relations, Answer.HIDDEN)


def _only_for(*relations: Relation, others: Answer) -> dict[Relation, Answer]:
    return _SIGNED_IN | dict.fromkeys(_PEOPLE, others) | dict.fromkeys(relations, Answer.YES)


_WITHOUT_ACCESS = (
    Relation.REQUESTER,
    Relation.BLOCKED,
    Relation.STRANGER,
    Relation.MODERATOR,
    Relation.ADMIN,
)


class Access(Enum):
    """A kind of access to a route: the roles and relations that it admits."""

    OPEN = "everybody, also without a token", dict.fromkeys(Relation, Answer.YES)
    SIGNED = (
        "holders of an address signed for a viewer who may see it (without: 404); of public accounts, everybody",
        dict.fromkeys(Relation, Answer.HIDDEN),
    )
    SIGNED_IN = "everybody with an account", _SIGNED_IN
    REPORTER = "everybody with an account, and services", _SIGNED_IN | {Relation.SERVICE: Answer.YES}
    NOT_BLOCKED = "everybody except who was blocked", _hidden_from(Relation.BLOCKED)
    SEES = "who may see the owner's posts: followers, if the account is private", _hidden_from(*_WITHOUT_ACCESS)
    FOLLOWERS = (
        "followers, if the account is private; who was blocked does not learn that it exists",
        _SIGNED_IN | dict.fromkeys(_WITHOUT_ACCESS, Answer.REFUSED) | {Relation.BLOCKED: Answer.HIDDEN},
    )
    ASKED = "the account that the person in the path has asked to follow", _only_for(others=Answer.HIDDEN)
    OWNER = (
        "the owner; others do not learn that it exists",
        _only_for(Relation.SELF, Relation.OWNER, others=Answer.HIDDEN),
    )
    EDITOR = (
        "the owner; who may see it is refused, and others do not learn that it exists",
        _hidden_from(*_WITHOUT_ACCESS) | {Relation.FOLLOWER: Answer.REFUSED},
    )
    COMMENT_AUTHOR = (
        "the author of the comment; who may see it is refused",
        _hidden_from(*_WITHOUT_ACCESS) | {Relation.OWNER: Answer.REFUSED, Relation.FOLLOWER: Answer.REFUSED},
    )
    COMMENT_REMOVER = (
        "the author of the comment, the owner of the post, and moderators",
        _only_for(Relation.SELF, Relation.OWNER, Relation.MODERATOR, others=Answer.HIDDEN),
    )
    MODERATOR = "moderators", _only_for(Relation.MODERATOR, others=Answer.REFUSED)
    ADMIN = "admins", _only_for(Relation.ADMIN, others=Answer.REFUSED)
    SERVICE = "services", _only_for(others=Answer.REFUSED) | {Relation.SERVICE: Answer.YES}

    def __init__(self, meaning: str, answers: Mapping[Relation, Answer]) -> None:
        self.meaning = meaning
        self.answers = answers


@dataclass(frozen=True, slots=True)
class Rule:
    """A route, as `METHOD path`, and who may call it.

    `body` is one that the route takes, and `query` likewise, for the test that makes the calls. `is_endless`: the reply
    does not end, so the test makes only the calls that are refused.
    """

    route: str
    access: Access
    body: Mapping[str, Any] | None = None
    query: str = ""
    is_endless: bool = False


_REPORT = {"reason": "spam"}
_DECISION = {"decision": "approve", "reason": "fine"}

RULES: tuple[Rule, ...] = (
    # feeds and lists of the caller's own
    Rule("GET /v1/feed", Access.SIGNED_IN),
    Rule("GET /v1/feed/new", Access.SIGNED_IN),
    Rule("GET /v1/explore", Access.SIGNED_IN),
    Rule("GET /v1/search", Access.SIGNED_IN, query="q=sea"),
    Rule("GET /v1/people", Access.SIGNED_IN, query="q=a"),
    Rule("GET /v1/tags", Access.SIGNED_IN, query="q=a"),
    Rule("GET /v1/tags/{tag}/posts", Access.SIGNED_IN),
    Rule("GET /v1/me", Access.SIGNED_IN),
    Rule("PATCH /v1/me", Access.SIGNED_IN, {"bio": "new"}),
    Rule("DELETE /v1/me", Access.SIGNED_IN),
    Rule("GET /v1/me/export", Access.SIGNED_IN),
    Rule("PUT /v1/me/avatar", Access.SIGNED_IN),
    Rule("DELETE /v1/me/avatar", Access.SIGNED_IN),
    Rule("GET /v1/me/followers", Access.SIGNED_IN),
    Rule("GET /v1/me/following", Access.SIGNED_IN),
    Rule("GET /v1/me/blocks", Access.SIGNED_IN),
    Rule("GET /v1/me/mutes", Access.SIGNED_IN),
    Rule("GET /v1/me/saved", Access.SIGNED_IN),
    Rule("GET /v1/me/likes", Access.SIGNED_IN),
    Rule("GET /v1/me/photos", Access.SIGNED_IN),
    Rule("GET /v1/me/follow-requests", Access.SIGNED_IN),
    Rule("GET /v1/me/notifications", Access.SIGNED_IN),
    Rule("GET /v1/me/notifications/unread", Access.SIGNED_IN),
    Rule("PUT /v1/me/notifications/read", Access.SIGNED_IN),
    Rule("GET /v1/me/notifications/stream", Access.SIGNED_IN, is_endless=True),
    Rule("GET /v1/me/notification-settings", Access.SIGNED_IN),
    Rule("PUT /v1/me/notification-settings", Access.SIGNED_IN, {"switchedOff": []}),
    Rule("POST /v1/events", Access.REPORTER),
    # items of services
    Rule("PUT /v1/items", Access.SERVICE, {"items": [{"externalId": "policy"}]}),
    Rule("POST /v1/candidates", Access.SERVICE, {"person": {"externalId": "policy"}}),
    Rule(
        "POST /v1/rank", Access.SERVICE, {"person": {"externalId": "policy"}, "candidates": [{"externalId": "policy"}]}
    ),
    # people
    Rule("POST /v1/users", Access.SERVICE),
    Rule("GET /v1/users/{user_id}", Access.NOT_BLOCKED),
    Rule("GET /v1/handles/{handle}", Access.NOT_BLOCKED),
    Rule("PUT /v1/users/{user_id}/follow", Access.NOT_BLOCKED),
    Rule("DELETE /v1/users/{user_id}/follow", Access.NOT_BLOCKED),
    Rule("PUT /v1/users/{user_id}/block", Access.NOT_BLOCKED),
    Rule("DELETE /v1/users/{user_id}/block", Access.NOT_BLOCKED),
    Rule("PUT /v1/users/{user_id}/mute", Access.NOT_BLOCKED),
    Rule("DELETE /v1/users/{user_id}/mute", Access.NOT_BLOCKED),
    Rule("POST /v1/users/{user_id}/report", Access.NOT_BLOCKED, _REPORT),
    Rule("GET /v1/users/{user_id}/posts", Access.NOT_BLOCKED),
    Rule("GET /v1/users/{user_id}/following", Access.FOLLOWERS),
    Rule("GET /v1/users/{user_id}/followers", Access.FOLLOWERS),
    Rule("PUT /v1/me/follow-requests/{user_id}", Access.ASKED),
    Rule("DELETE /v1/me/follow-requests/{user_id}", Access.SIGNED_IN),
    Rule("DELETE /v1/me/followers/{user_id}", Access.NOT_BLOCKED),
    # posts
    Rule("GET /v1/posts/{post_id}", Access.SEES),
    Rule("PATCH /v1/posts/{post_id}", Access.EDITOR, {"caption": "new"}),
    Rule("PUT /v1/posts/{post_id}/like", Access.SEES),
    Rule("DELETE /v1/posts/{post_id}/like", Access.SEES),
    Rule("PUT /v1/posts/{post_id}/save", Access.SEES),
    Rule("DELETE /v1/posts/{post_id}/save", Access.SEES),
    Rule("PUT /v1/posts/{post_id}/hide", Access.SEES),
    Rule("DELETE /v1/posts/{post_id}/hide", Access.SEES),
    Rule("POST /v1/posts/{post_id}/share", Access.SEES),
    Rule("POST /v1/posts/{post_id}/report", Access.SEES, _REPORT),
    Rule("GET /v1/posts/{post_id}/likes", Access.SEES),
    Rule("GET /v1/posts/{post_id}/comments", Access.SEES),
    Rule("POST /v1/posts/{post_id}/comments", Access.SEES, {"text": "nice"}),
    Rule("PATCH /v1/posts/{post_id}/comments/{comment_id}", Access.COMMENT_AUTHOR, {"text": "nicer"}),
    Rule("DELETE /v1/posts/{post_id}/comments/{comment_id}", Access.COMMENT_REMOVER),
    Rule("POST /v1/posts/{post_id}/comments/{comment_id}/report", Access.SEES, _REPORT),
    # photos
    Rule("POST /v1/photos/initiate", Access.SIGNED_IN),
    Rule("POST /v1/photos/{photo_id}/complete", Access.OWNER),
    Rule("GET /v1/photos/{photo_id}", Access.SEES),
    Rule("GET /v1/photos/{photo_id}/status", Access.OWNER),
    Rule("DELETE /v1/photos/{photo_id}", Access.OWNER),
    Rule("GET /photos/{photo_id}/{name}", Access.SIGNED),
    # moderation
    Rule("GET /v1/moderation/queue", Access.MODERATOR),
    Rule("GET /v1/moderation/decisions", Access.MODERATOR),
    Rule("GET /v1/moderation/{photo_id}/preview", Access.MODERATOR),
    Rule("POST /v1/moderation/{photo_id}/decisions", Access.MODERATOR, _DECISION),
    Rule("POST /v1/moderation/comments/{comment_id}/decisions", Access.MODERATOR, _DECISION),
    Rule("POST /v1/moderation/people/{user_id}/decisions", Access.MODERATOR, _DECISION),
    # operations
    Rule("GET /v1/admin/health", Access.ADMIN),
    Rule("GET /v1/admin/model", Access.ADMIN),
    Rule("POST /v1/admin/model/rollback", Access.ADMIN, {"reason": "worse"}),
    Rule("GET /v1/admin/explanation", Access.ADMIN, query="handle={handle}&postId={post_id}"),
    Rule("GET /v1/admin/dead-letters", Access.ADMIN),
    Rule("POST /v1/admin/dead-letters/{letter_id}/replay", Access.ADMIN),
    # webhooks
    Rule("POST /v1/webhooks", Access.SERVICE, {"url": "https://app.example/hook", "types": ["photo.ready"]}),
    Rule("GET /v1/webhooks", Access.SERVICE),
    Rule("GET /v1/webhooks/{webhook_id}", Access.SERVICE),
    Rule("PATCH /v1/webhooks/{webhook_id}", Access.SERVICE, {"enabled": True}),
    Rule("DELETE /v1/webhooks/{webhook_id}", Access.SERVICE),
    Rule("GET /v1/webhooks/{webhook_id}/deliveries", Access.SERVICE),
    Rule("POST /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/replay", Access.SERVICE),
    # sessions of the browser app
    Rule("GET /v1/session", Access.OPEN),
    Rule("POST /v1/session", Access.SIGNED_IN),
    Rule("DELETE /v1/session", Access.OPEN),
    Rule("GET /v1/session/sign-in", Access.OPEN),
    Rule("GET /v1/session/callback", Access.OPEN),
    # the server
    Rule("GET /healthz", Access.OPEN),
    Rule("GET /readyz", Access.OPEN),
    Rule("GET /metrics", Access.OPEN),
    # pages of the browser app, and routes of development, which only this machine can call
    Rule("GET /p/{post_id}", Access.OPEN),
    Rule("GET /@{handle}", Access.OPEN),
    Rule("GET /v1/dev/people", Access.OPEN),
    Rule("POST /v1/dev/tokens", Access.OPEN),
    Rule("GET /v1/dev/progress", Access.OPEN),
)

# The dependencies that each access must have; every other access needs a person.
_GUARDS: Mapping[Access, frozenset[Any]] = {
    Access.OPEN: frozenset(),
    Access.SIGNED: frozenset(),
    Access.REPORTER: frozenset({resolve_reporter}),
    Access.MODERATOR: frozenset({require_moderator}),
    Access.ADMIN: frozenset({require_admin}),
    Access.SERVICE: frozenset({require_service}),
}
_PERSON = frozenset({resolve_actor, resolve_viewer, resolve_leaver, resolve_token})
_ALL_GUARDS = _PERSON.union(*_GUARDS.values())


class PolicyError(Exception):
    """The routes and the policy differ; the message says what to do."""


def enforce(routers: Iterable[APIRouter]) -> None:
    """Refuse routes that have no rule, or that let others in than their rule.

    Raises:
        PolicyError: a route does not fit the policy.
    """
    rules = {rule.route: rule for rule in RULES}
    for name, route in routes_of(routers):
        rule = rules.get(name)
        if rule is None:
            known = ", ".join(access.name for access in Access)
            raise PolicyError(
                f"{name} has no rule: add Rule({name!r}, Access.…) to RULES in serving/api/policy.py. Access is one of "
                f"{known}; their meanings are in that file. Then run `make policy` and tests/api/test_policy.py."
            )
        guards = frozenset(calls(route.dependant)) & _ALL_GUARDS
        wanted = _GUARDS.get(rule.access, _PERSON)
        if bool(guards & wanted) != bool(wanted) or (rule.access in _GUARDS and guards - wanted):
            found = ", ".join(sorted(guard.__name__ for guard in guards)) or "no check of the caller"
            raise PolicyError(
                f"{name} is declared as {rule.access.name} in serving/api/policy.py, and depends on {found}: correct "
                "the rule, or the dependency of the endpoint (serving/services.py)."
            )


def routes_of(routers: Iterable[APIRouter]) -> Iterator[tuple[str, APIRoute]]:
    """(`METHOD path`, route) of all routes."""
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute):
                yield from ((f"{method} {route.path_format}", route) for method in sorted(route.methods or ()))


def calls(dependant: Dependant) -> Iterator[Any]:
    """All functions that a route depends on."""
    for sub in dependant.dependencies:
        yield sub.call
        yield from calls(sub)

"""Reports with a reason: of posts, comments and people, until a moderator has decided."""

from typing import TYPE_CHECKING, Any

import pytest

from photofeed.ids import decode_id, encode_id
from photofeed.tokens import mint_token
from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App, Person

NOBODY = encode_id(2**62)


def _post(app: "App", author: "Person", seed: int) -> str:
    photo_id = author.upload(picture(seed, (320, 240)))
    app.work()
    return photo_id


def _comment(person: "Person", post: str, text: str = "buy now") -> str:
    reply = person.call("POST", f"/v1/posts/{post}/comments", json={"text": text})
    assert reply.status_code == 201, reply.text
    comment_id: str = reply.json()["id"]
    return comment_id


def _queue(moderator: "Person", kind: str) -> dict[str, Any]:
    items = moderator.get("/v1/moderation/queue", params={"kind": kind, "limit": 200})["items"]
    assert {item["kind"] for item in items} <= {kind}
    return {item.get("photoId") or item.get("commentId") or item["person"]["id"]: item for item in items}


def _rule(moderator: "Person", path: str, decision: str) -> Any:
    body = {"decision": decision, "reason": "seen by a person"}
    return moderator.call("POST", f"/v1/moderation/{path}/decisions", json=body)


class Reported:
    """Something of `author` that people can report, by its path and its id in the queue."""

    def __init__(self, app: "App", kind: str, seed: int) -> None:
        self.kind, self.author = kind, app.person()
        self.post = _post(app, self.author, seed)
        self.id = {"photo": self.post, "person": self.author.id}.get(kind) or _comment(self.author, self.post)
        self.path = {
            "photo": f"/v1/posts/{self.post}/report",
            "comment": f"/v1/posts/{self.post}/comments/{self.id}/report",
            "person": f"/v1/users/{self.author.id}/report",
        }[kind]
        self.ruling_path = self.id if kind == "photo" else f"{'people' if kind == 'person' else 'comments'}/{self.id}"


KINDS = ("photo", "comment", "person")


@pytest.fixture(params=KINDS)
def reported(app: "App", request: pytest.FixtureRequest) -> Reported:
    return Reported(app, request.param, 310 + KINDS.index(request.param))


def test_a_person_reports_a_thing_once_and_gets_the_same_answer_again(app: "App", reported: Reported) -> None:
    reporter, moderator = app.person(), app.moderator()
    first = reporter.call("POST", reported.path, json={"reason": "child_safety", "text": "look at this"})
    again = reporter.call("POST", reported.path, json={"reason": "spam"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    kind = "post" if reported.kind == "photo" else reported.kind
    assert (first.json()["kind"], first.json()["id"], first.json()["reason"]) == (kind, reported.id, "child_safety")
    item = _queue(moderator, reported.kind)[reported.id]
    assert item["reports"] == 1
    assert item["reasons"] == [{"reason": "child_safety", "count": 1, "texts": ["look at this"]}]


def test_enough_reports_put_a_thing_into_the_queue_with_counts_and_reasons(app: "App", reported: Reported) -> None:
    moderator, people = app.moderator(), [app.person() for _ in range(3)]
    for person in people[:2]:
        assert person.call("POST", reported.path, json={"reason": "spam"}).status_code == 201
    assert reported.id not in _queue(moderator, reported.kind)
    assert people[2].call("POST", reported.path).status_code == 201
    item = _queue(moderator, reported.kind)[reported.id]
    counts = {one["reason"]: one["count"] for one in item["reasons"]}
    assert (item["reports"], counts) == (3, {"spam": 2, "other": 1})
    assert all(person.id not in str(item) and person.handle not in str(item) for person in people)


def test_a_dismissal_empties_the_queue_and_stays_in_the_history(app: "App", reported: Reported) -> None:
    moderator, people = app.moderator(), [app.person() for _ in range(4)]
    for person in people[:3]:
        person.call("POST", reported.path, json={"reason": "child_safety"})  # urgent, and decided
    decided = _rule(moderator, reported.ruling_path, "approve")
    assert (decided.status_code, decided.json()["decision"]) == (201, "approved")
    assert reported.id not in _queue(moderator, reported.kind)
    people[0].call("POST", reported.path)  # reported before
    people[3].call("POST", reported.path)
    assert reported.id not in _queue(moderator, reported.kind)
    history = moderator.get("/v1/moderation/decisions", params={"subject": reported.id})["items"]
    assert history[0] | {"at": ""} == {
        "kind": reported.kind,
        "id": reported.id,
        "decision": "approved",
        "decidedBy": {"kind": "moderator", "id": moderator.id},
        "reason": "seen by a person",
        "score": None,
        "reports": 3,
        "at": "",
    }
    assert reported.author.get(f"/v1/posts/{reported.post}")["commentCount"] == (reported.kind == "comment")


def test_a_decision_is_about_one_thing_and_its_reports_so_far(app: "App", reported: Reported) -> None:
    moderator, people = app.moderator(), [app.person() for _ in range(10)]
    other = Reported(app, reported.kind, 320 + KINDS.index(reported.kind))
    for path in (reported.path, other.path):
        people[0].call("POST", path, json={"reason": "self_harm", "text": "before"})
    assert _rule(moderator, reported.ruling_path, "approve").json()["decision"] == "approved"
    queue = _queue(moderator, reported.kind)
    assert reported.id not in queue
    assert queue[other.id]["reasons"] == [{"reason": "self_harm", "count": 1, "texts": ["before"]}]
    texts = ["first", "", "second", "third", "fourth", "fifth", "sixth"]
    for person, text in zip(people[1:], texts, strict=False):
        person.call("POST", reported.path, json={"reason": "spam", "text": text})
    for person in people[8:]:
        person.call("POST", reported.path, json={"reason": "hate"})
    item = _queue(moderator, reported.kind)[reported.id]
    assert item["reports"] == 9
    assert item["reasons"] == [
        {"reason": "spam", "count": 7, "texts": ["sixth", "fifth", "fourth", "third", "second"]},
        {"reason": "hate", "count": 2, "texts": []},
    ]


def test_the_queue_shows_what_was_reported(app: "App") -> None:
    author, moderator, reporter = app.person(displayName="Vera V."), app.moderator(), app.person()
    author.call("PATCH", "/v1/me", json={"bio": "Mountains."})
    post = author.upload(picture(323, (320, 240)), caption="A lake", altText="A lake in fog")
    app.work()
    comment = _comment(author, post, "buy this")
    for path in (f"posts/{post}", f"posts/{post}/comments/{comment}", f"users/{author.id}"):
        reporter.call("POST", f"/v1/{path}/report", json={"reason": "self_harm"})
    photo = _queue(moderator, "photo")[post]
    assert {name: photo[name] for name in ("ownerId", "caption", "altText", "width", "height", "previewUrl")} == {
        "ownerId": author.id,
        "caption": "A lake",
        "altText": "A lake in fog",
        "width": 320,
        "height": 240,
        "previewUrl": f"{app.settings.public_url}/v1/moderation/{post}/preview",
    }
    said = _queue(moderator, "comment")[comment]
    assert (said["text"], said["postId"], said["author"]["id"]) == ("buy this", post, author.id)
    person = _queue(moderator, "person")[author.id]
    assert (person["bio"], person["person"]["handle"]) == ("Mountains.", author.handle)
    assert person["person"]["displayName"] == "Vera V."
    everything = moderator.get("/v1/moderation/queue", params={"limit": 200})["items"]
    assert {item["kind"] for item in everything} == set(KINDS)


def test_decisions_are_read_page_by_page_newest_first(app: "App") -> None:
    moderator, people = app.moderator(), [app.person() for _ in range(3)]
    for person in people:
        for decision in ("approve", "reject"):
            assert _rule(moderator, f"people/{person.id}", decision).status_code == 201
    first = moderator.get("/v1/moderation/decisions", params={"limit": 4})
    second = moderator.get("/v1/moderation/decisions", params={"limit": 2, "cursor": first["nextCursor"]})
    assert [(one["id"], one["decision"]) for one in first["items"] + second["items"]] == [
        (person.id, decision) for person in reversed(people) for decision in ("rejected", "approved")
    ]
    about = moderator.get("/v1/moderation/decisions", params={"subject": people[1].id})
    assert ([one["id"] for one in about["items"]], about["nextCursor"]) == ([people[1].id] * 2, None)


def test_a_rejected_comment_is_gone_and_counted_once(app: "App") -> None:
    reported, moderator, reader = Reported(app, "comment", 313), app.moderator(), app.person()
    reader.call("POST", reported.path, json={"reason": "self_harm"})
    assert _rule(moderator, reported.ruling_path, "reject").json()["reports"] == 1
    assert reader.get(f"/v1/posts/{reported.post}/comments")["items"] == []
    assert reader.get(f"/v1/posts/{reported.post}")["commentCount"] == 0
    assert _rule(moderator, reported.ruling_path, "reject").status_code == 404
    assert reported.id not in _queue(moderator, "comment")
    assert moderator.get("/v1/moderation/decisions")["items"][0]["decision"] == "rejected"


def test_what_one_cannot_see_one_cannot_report(app: "App") -> None:
    stranger, moderator, friend = app.person(), app.moderator(), app.person()
    private = app.person(isPrivate=True)
    post = _post(app, private, 314)
    comment = _comment(private, post)
    blocker = app.person()
    blocker.call("PUT", f"/v1/users/{stranger.id}/block")
    public = _post(app, friend, 315)
    hidden = _comment(blocker, public)
    for path, code in (
        (f"/v1/posts/{post}/report", "post_not_found"),
        (f"/v1/posts/{post}/comments/{comment}/report", "post_not_found"),
        (f"/v1/posts/{public}/comments/{comment}/report", "comment_not_found"),
        (f"/v1/posts/{public}/comments/{hidden}/report", "comment_not_found"),
        (f"/v1/posts/{NOBODY}/report", "post_not_found"),
        (f"/v1/users/{blocker.id}/report", "user_not_found"),
        (f"/v1/users/{NOBODY}/report", "user_not_found"),
    ):
        reply = stranger.call("POST", path, json={"reason": "child_safety"})
        assert (reply.status_code, reply.json()["code"]) == (404, code), path
    for kind, id_ in (("photo", post), ("comment", comment), ("comment", hidden), ("person", blocker.id)):
        assert id_ not in _queue(moderator, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_without_an_account_reports(app: "App", kind: str) -> None:
    reported = Reported(app, kind, 317)
    stranger = {"Authorization": f"Bearer {mint_token(app.settings, decode_id(NOBODY))}"}
    reply = app.http.post(reported.path, headers=stranger)
    assert (reply.status_code, reply.json()["code"]) == (404, "actor_not_found")


def test_nobody_reports_what_is_their_own_and_no_moderator_decides_about_it(app: "App") -> None:
    moderator = app.moderator()
    post = _post(app, moderator, 316)
    comment = _comment(moderator, post)
    for path in (f"posts/{post}", f"posts/{post}/comments/{comment}", f"users/{moderator.id}"):
        reply = moderator.call("POST", f"/v1/{path}/report", json={"reason": "spam"})
        assert (reply.status_code, reply.json()["code"]) == (422, "self")
    for path in (post, f"comments/{comment}", f"people/{moderator.id}"):
        reply = _rule(moderator, path, "approve")
        assert (reply.status_code, reply.json()["code"]) == (403, "your_own")


@pytest.mark.parametrize(
    "body",
    [{"reason": "boring"}, {"reason": None}, {"text": "x" * 1001}, {"text": "a\0b"}, {"reson": "spam"}, {"text": 7}],
)
def test_bad_reports_are_refused(app: "App", body: dict[str, Any]) -> None:
    reporter, person = app.person(), app.person()
    assert reporter.call("POST", f"/v1/users/{person.id}/report", json=body).status_code == 422


def test_only_moderators_see_and_decide(app: "App") -> None:
    reported, person = Reported(app, "comment", 317), app.person()
    assert person.call("GET", "/v1/moderation/decisions").status_code == 403
    assert _rule(person, reported.ruling_path, "reject").status_code == 403
    assert _rule(person, f"people/{reported.author.id}", "reject").status_code == 403
    moderator = app.moderator()
    assert _rule(moderator, f"comments/{NOBODY}", "reject").status_code == 404
    assert _rule(moderator, f"people/{NOBODY}", "reject").status_code == 404


def test_a_post_reported_in_a_batch_has_its_reason(app: "App") -> None:
    reported, moderator, person = Reported(app, "photo", 318), app.moderator(), app.person()
    event = {"id": "report-0001", "type": "report", "postId": reported.post, "reason": "child_safety", "text": "here"}
    assert person.call("POST", "/v1/events", json={"events": [event]}).json()["accepted"] == 1
    assert _queue(moderator, "photo")[reported.post]["reasons"] == [
        {"reason": "child_safety", "count": 1, "texts": ["here"]}
    ]

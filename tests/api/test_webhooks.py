"""Webhooks of services: queued with their event, signed, repeated until they arrive, and replayed on request."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from prometheus_client import REGISTRY

from ingestion.webhooks.post import NotSentError
from ingestion.webhooks.sender import DISABLED_AFTER, PAUSES, WebhookSender
from photofeed import database
from photofeed.ids import encode_id
from photofeed.webhooks import signature
from serving.api import webhooks
from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App

URL = "https://app.example/hook"


class Receiver:
    """An endpoint that answers what a test says, and remembers what it got."""

    def __init__(self) -> None:
        self.answer: int | Exception = 204
        self.refusing: set[str] = set()  # addresses
        self.got: list[tuple[str, bytes, dict[str, str]]] = []

    def __call__(self, url: str, body: bytes, headers: dict[str, str], *, allow_private: bool) -> int:
        assert not allow_private
        self.got.append((url, body, headers))
        if isinstance(self.answer, Exception):
            raise self.answer
        return 503 if url in self.refusing else self.answer


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def sender(app: "App", receiver: Receiver) -> Iterator[WebhookSender]:
    with database.connect(app.settings) as connection:
        connection.execute("delete from webhook_endpoints")
    with database.pool(app.settings) as pool:
        yield WebhookSender(app.settings, pool, receiver)


def _attempts() -> dict[str, float]:
    """Attempts to deliver, by outcome."""
    outcomes = ("delivered", "failed")
    return {one: REGISTRY.get_sample_value("photofeed_webhooks_total", {"outcome": one}) or 0.0 for one in outcomes}


def _create(app: "App", *types: str, **words: Any) -> dict[str, Any]:
    reply = app.service.call("POST", "/v1/webhooks", json={"url": URL, "types": types or ["photo.ready"]} | words)
    assert reply.status_code == 201, reply.text
    created: dict[str, Any] = reply.json()
    return created


def _deliveries(app: "App", webhook: dict[str, Any], **query: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = app.service.get(f"/v1/webhooks/{webhook['id']}/deliveries", params=query)["items"]
    return items


def _told(moment: datetime) -> datetime:
    """A moment as the API tells it, in whole milliseconds."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _publish(app: "App", seed: int) -> tuple[str, str]:
    author = app.person()
    photo = author.upload(picture(seed, (320, 240)))
    app.work()
    return author.id, photo


def test_an_event_is_sent_once_with_a_signature_that_its_receiver_can_check(
    app: "App", sender: WebhookSender, receiver: Receiver
) -> None:
    webhook = _create(app)
    author, photo = _publish(app, 380)
    app.repeat("photo.uploaded", photo)
    app.work()
    now = datetime.now(UTC)
    assert (sender.send_due(now), sender.send_due(now)) == (1, 0)
    ((url, body, headers),) = receiver.got
    event = orjson.loads(body)
    assert (url, event["type"], event["data"]) == (URL, "photo.ready", {"photoId": photo, "ownerId": author})
    sent_at = int(headers["webhook-timestamp"])
    assert headers["webhook-signature"] == signature(webhook["secret"], headers["webhook-id"], sent_at, body)
    assert abs(sent_at - now.timestamp()) < 2
    assert (headers["content-type"], headers["user-agent"]) == ("application/json", "photofeed")
    (delivery,) = _deliveries(app, webhook)
    assert (delivery["state"], delivery["attempts"], delivery["lastStatus"]) == ("delivered", 1, 204)
    assert (datetime.fromisoformat(delivery["deliveredAt"]), delivery["lastError"]) == (_told(now), None)
    assert delivery["messageId"] == headers["webhook-id"]


def test_each_endpoint_gets_the_types_it_wants(app: "App", sender: WebhookSender, receiver: Receiver) -> None:
    both, rejected, reported = (
        _create(app, "photo.rejected", "post.reported"),
        _create(app, "photo.rejected"),
        _create(app, "post.reported"),
    )
    author, photo = _publish(app, 381)
    reporter, moderator = app.person(), app.moderator()
    for _ in range(2):
        reporter.call("POST", f"/v1/posts/{photo}/report", json={"reason": "spam"})
    ruling = {"decision": "reject", "reason": "seen by a person"}
    for _ in range(2):
        moderator.call("POST", f"/v1/moderation/{photo}/decisions", json=ruling)
    sender.send_due(datetime.now(UTC))
    types = {
        name: sorted(one["type"] for one in _deliveries(app, hook))
        for name, hook in (("both", both), ("rejected", rejected), ("reported", reported))
    }
    assert types == {
        "both": ["photo.rejected", "post.reported"],
        "rejected": ["photo.rejected"],
        "reported": ["post.reported"],
    }
    told = {event["type"]: event["data"] for event in (orjson.loads(body) for _, body, _ in receiver.got)}
    assert told == {
        "photo.rejected": {"photoId": photo, "ownerId": author},
        "post.reported": {"postId": photo, "authorId": author},
    }
    assert all(reporter.id.encode() not in body for _, body, _ in receiver.got)
    assert {orjson.loads(body)["data"].get("authorId", author) for _, body, _ in receiver.got} == {author}


def test_a_failed_delivery_is_sent_again_with_the_same_id_until_no_attempt_is_left(
    app: "App", sender: WebhookSender, receiver: Receiver
) -> None:
    webhook = _create(app)
    _publish(app, 382)
    now = datetime.now(UTC)
    for number, pause in enumerate(PAUSES):
        receiver.answer = (NotSentError("no reply within 15 s"), 500)[number % 2]
        assert sender.send_due(now) == 1
        assert sender.send_due(now + pause * 0.99) == 0
        (delivery,) = _deliveries(app, webhook)
        assert (delivery["state"], delivery["attempts"]) == ("waiting", number + 1)
        outcome = ((None, "no reply within 15 s"), (500, "the endpoint answered 500"))[number % 2]
        assert (delivery["lastStatus"], delivery["lastError"], delivery["deliveredAt"]) == (*outcome, None)
        now += pause * 1.11
    assert sender.send_due(now) == 1
    (delivery,) = _deliveries(app, webhook, state="failed")
    assert (delivery["attempts"], delivery["nextAttemptAt"]) == (len(PAUSES) + 1, None)
    assert sender.send_due(now + timedelta(days=30)) == 0
    assert len({headers["webhook-id"] for _, _, headers in receiver.got}) == 1
    assert len({body for _, body, _ in receiver.got}) == 1
    assert app.service.get(f"/v1/webhooks/{webhook['id']}")["failingSince"] is not None


@pytest.mark.parametrize(
    ("status", "state"), [(199, "waiting"), (200, "delivered"), (299, "delivered"), (300, "waiting")]
)
def test_only_a_reply_of_success_is_a_delivery(
    app: "App", sender: WebhookSender, receiver: Receiver, status: int, state: str
) -> None:
    webhook = _create(app)
    _publish(app, 389)
    now, receiver.answer = datetime.now(UTC), 503
    sender.send_due(now)
    receiver.answer = status
    sender.send_due(now + PAUSES[0] * 1.11)
    (delivery,) = _deliveries(app, webhook)
    error = None if state == "delivered" else f"the endpoint answered {status}"
    assert (delivery["state"], delivery["lastStatus"], delivery["lastError"]) == (state, status, error)


def test_what_one_endpoint_answers_concerns_no_other(app: "App", sender: WebhookSender, receiver: Receiver) -> None:
    well, ill = _create(app), _create(app, url=f"{URL}/ill")
    receiver.refusing.add(ill["url"])

    def states() -> list[tuple[str, int, bool]]:
        return [
            (one["state"], one["attempts"], app.service.get(f"/v1/webhooks/{hook['id']}")["failingSince"] is not None)
            for hook in (well, ill)
            for one in _deliveries(app, hook)
        ]

    _publish(app, 388)
    now = datetime.now(UTC)
    assert sender.send_due(now) == 2
    assert states() == [("delivered", 1, False), ("waiting", 1, True)]
    receiver.refusing.clear()
    assert sender.send_due(now + PAUSES[0] * 1.11) == 1
    assert states() == [("delivered", 1, False), ("delivered", 2, False)]


def test_a_delivery_of_a_worker_that_died_is_sent_by_the_next_after_five_minutes(
    app: "App", sender: WebhookSender, receiver: Receiver
) -> None:
    _create(app)
    _publish(app, 387)
    now, receiver.answer = datetime.now(UTC), MemoryError()
    with pytest.raises(MemoryError):
        sender.send_due(now)
    receiver.answer = 204
    assert sender.send_due(now + timedelta(minutes=5) - timedelta(seconds=1)) == 0
    assert sender.send_due(now + timedelta(minutes=5)) == 1
    assert sender.send_due(now + timedelta(days=1)) == 0


def test_a_delivery_is_replayed_with_the_same_id(app: "App", sender: WebhookSender, receiver: Receiver) -> None:
    webhook, other = _create(app), _create(app)
    _publish(app, 383)
    sender.send_due(datetime.now(UTC))
    (delivery,) = _deliveries(app, webhook)
    path = f"/v1/webhooks/{webhook['id']}/deliveries/{delivery['id']}/replay"
    replayed = app.service.call("POST", path)
    assert (replayed.status_code, replayed.json()["state"]) == (202, "waiting")
    assert (delivery["attempts"], replayed.json()["attempts"]) == (1, 0)  # a replay has all attempts
    sender.send_due(datetime.now(UTC) + timedelta(seconds=1))
    assert [one["state"] for one in _deliveries(app, webhook)] == ["delivered"]
    ids = [headers["webhook-id"] for _, _, headers in receiver.got]
    assert (len(ids), len(set(ids))) == (3, 1)
    wrong = app.service.call("POST", path.replace(webhook["id"], other["id"]))
    assert (wrong.status_code, wrong.json()["code"]) == (404, "delivery_not_found")


@pytest.mark.parametrize("how", ["long", "gone", "by hand"])
def test_an_endpoint_is_disabled_after_long_failure_and_enabled_again(
    app: "App", sender: WebhookSender, receiver: Receiver, how: str
) -> None:
    webhook = _create(app)
    path = f"/v1/webhooks/{webhook['id']}"
    _publish(app, 384)
    now = datetime.now(UTC)
    if how == "by hand":
        assert app.service.call("PATCH", path, json={"enabled": False}).json()["enabled"] is False
    else:
        receiver.answer = 410 if how == "gone" else 503
        sender.send_due(now)
        if how == "long":
            failing = app.service.get(path)
            assert failing["enabled"] is True
            for _ in range(2):  # its time counts from the first failure, however many follow
                assert app.service.get(path) == failing
                now += DISABLED_AFTER * 0.6
                sender.send_due(now)
    assert app.service.get(path)["enabled"] is False
    (former,) = _deliveries(app, webhook)
    assert former["state"] == ("failed" if how == "gone" else "waiting")
    _publish(app, 385)
    sent = len(receiver.got)
    sender.send_due(now + timedelta(days=9))
    assert len(receiver.got) == sent
    assert _deliveries(app, webhook) == [former]  # what happened meanwhile is not sent later
    enabled = app.service.call("PATCH", path, json={"enabled": True}).json()
    assert (enabled["enabled"], enabled["failingSince"]) == (True, None)
    receiver.answer = 200
    _publish(app, 386)
    sender.send_due(now + timedelta(days=9))
    assert len(receiver.got) > sent


def test_failures_count_anew_after_a_success(app: "App", sender: WebhookSender, receiver: Receiver) -> None:
    webhook, now, failing = _create(app), datetime.now(UTC) + timedelta(minutes=1), []
    before, sent = _attempts(), {"delivered": 0, "failed": 0}
    for seed, answer in ((390, 503), (391, 204), (392, 503)):
        _publish(app, seed)
        receiver.answer = answer
        sent["delivered" if answer == 204 else "failed"] += sender.send_due(now)
        failing.append(app.service.get(f"/v1/webhooks/{webhook['id']}")["failingSince"] is not None)
        now += DISABLED_AFTER * 0.6
    assert failing == [True, False, True]
    assert sent == {"delivered": 2, "failed": 2}  # what failed first was sent again
    assert _attempts() == {outcome: before[outcome] + count for outcome, count in sent.items()}
    assert app.service.get(f"/v1/webhooks/{webhook['id']}")["enabled"] is True


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://app.example/", "https://", "//app.example", "app.example", "https://u:p@app.example/", "javascript:x"),
        *("https://localhost/", "https://10.0.0.7/", "https://[::1]/", "https://169.254.169.254/", "https://intranet/"),
        *("https://app.example:99999/", "https://app.example/a b", "https://[/", "https://app.example/\n"),
    ],
)
def test_addresses_that_are_no_public_endpoints_are_refused(app: "App", url: str) -> None:
    reply = app.service.call("POST", "/v1/webhooks", json={"url": url, "types": ["photo.ready"]})
    assert (reply.status_code, reply.json()["code"]) == (422, "address_not_allowed")


def test_there_are_at_most_so_many_webhooks_and_they_are_listed_in_the_order_of_their_creation(
    app: "App", sender: WebhookSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sender
    monkeypatch.setattr(webhooks, "MOST_ENDPOINTS", 3)
    created = [_create(app)["id"] for _ in range(3)]
    refused = app.service.call("POST", "/v1/webhooks", json={"url": URL, "types": ["photo.ready"]})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_webhooks")
    assert [one["id"] for one in app.service.get("/v1/webhooks")["items"]] == created
    assert app.service.call("DELETE", f"/v1/webhooks/{created[0]}").status_code == 204
    assert [one["id"] for one in app.service.get("/v1/webhooks")["items"]] == created[1:]


def test_an_address_is_checked_also_when_it_is_changed(app: "App", sender: WebhookSender) -> None:
    assert sender
    path = f"/v1/webhooks/{_create(app)['id']}"
    refused = app.service.call("PATCH", path, json={"url": "https://10.0.0.7/"})
    assert (refused.status_code, refused.json()["code"]) == (422, "address_not_allowed")
    assert app.service.get(path)["url"] == URL


def test_deliveries_of_an_endpoint_are_read_page_by_page_newest_first(app: "App", sender: WebhookSender) -> None:
    assert sender
    webhook, other = _create(app), _create(app, "post.reported")
    photos = [_publish(app, 393 + number)[1] for number in range(3)]
    path = f"/v1/webhooks/{webhook['id']}/deliveries"
    first = app.service.get(path, params={"limit": 2})
    rest = app.service.get(path, params={"limit": 2, "cursor": first["nextCursor"]})
    told = [orjson.loads(one["body"])["data"]["photoId"] for one in first["items"] + rest["items"]]
    assert (told, rest["nextCursor"]) == (photos[::-1], None)
    assert {one["nextAttemptAt"] is None for one in first["items"]} == {False}
    assert _deliveries(app, webhook, state="delivered") == _deliveries(app, other) == []
    unknown = path.replace(webhook["id"], encode_id(7))
    for method, address in (("GET", unknown), ("POST", f"{unknown}/{first['items'][0]['id']}/replay")):
        reply = app.service.call(method, address)
        assert (reply.status_code, reply.json()["code"]) == (404, "webhook_not_found")


def test_the_secret_is_shown_once_and_nothing_is_left_after_a_deletion(app: "App", sender: WebhookSender) -> None:
    webhook = _create(app, description="Shop")
    assert webhook["secret"].startswith("whsec_")
    assert webhook["secret"] not in str(app.service.get("/v1/webhooks"))
    assert "secret" not in app.service.get(f"/v1/webhooks/{webhook['id']}")
    changed = app.service.call(
        "PATCH", f"/v1/webhooks/{webhook['id']}", json={"types": ["post.reported"], "url": URL + "2"}
    ).json()
    assert (changed["types"], changed["url"], changed["description"]) == (["post.reported"], URL + "2", "Shop")
    wrong: list[dict[str, Any]] = [{"types": []}, {"types": ["photo.deleted"]}, {"secret": "mine"}, {"url": ""}]
    for body in wrong:
        assert app.service.call("PATCH", f"/v1/webhooks/{webhook['id']}", json=body).status_code == 422
    assert app.service.call("DELETE", f"/v1/webhooks/{webhook['id']}").status_code == 204
    assert app.service.call("DELETE", f"/v1/webhooks/{webhook['id']}").status_code == 404
    assert app.service.call("GET", f"/v1/webhooks/{encode_id(7)}").status_code == 404
    assert sender.send_due(datetime.now(UTC)) == 0

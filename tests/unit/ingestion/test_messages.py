"""Workers act on the messages that concern them, skip the others, and refuse those that nobody can read."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ingestion.engagement.partials import deltas_of
from ingestion.fanout import Fanout
from ingestion.photos.pipeline import photo_of
from ingestion.purge import Purge
from ingestion.removal import Removal
from photofeed.errors import PoisonError
from photofeed.events import Envelope
from photofeed.features.counters import counter_view
from photofeed.ids import encode_id
from photofeed.posts import PostRef, PublishedPost
from photofeed.publication import AVATAR_REMOVED, ITEM_DESCRIBED
from tests.doubles.cdn import RecordingCdn

UNREACHABLE: Any = None  # a server that must not be asked about an unreadable message
LIKES = counter_view("post", ["post_id"], [("likes", {"counts": "like=1", "half_life_seconds": "inf"})])
POST = PublishedPost(
    PostRef(5, 9, 7, 1),
    content_type="photo",
    caption_length=0,
    tag_count=0,
    public=True,
    imported=False,
    aspect=1.0,
    sharpness=1.0,
    brightness=1.0,
    entropy=1.0,
).to_payload()

FANOUT = Fanout(UNREACHABLE, UNREACHABLE, UNREACHABLE).handle
REMOVAL = Removal(UNREACHABLE, UNREACHABLE, UNREACHABLE).handle
PURGE = Purge(RecordingCdn()).handle


def _photos(envelopes: Sequence[Envelope]) -> None:
    for envelope in envelopes:
        photo_of(envelope)


@pytest.mark.parametrize("value", [None, "x", [], {}])
@pytest.mark.parametrize(
    ("handle", "kind", "name"),
    [
        (FANOUT, "followed", "userId"),
        (FANOUT, "unfollowed", "followeeId"),
        (FANOUT, "made_private", "userId"),
        (FANOUT, "made_public", "userId"),
        (REMOVAL, "photo.removed", "photoId"),
        (REMOVAL, AVATAR_REMOVED, "photoId"),
        (PURGE, AVATAR_REMOVED, "photoId"),
        (PURGE, "unfollowed", "followeeId"),
        (PURGE, "made_private", "userId"),
        (_photos, "photo.uploaded", "photoId"),
    ],
)
def test_a_message_without_a_readable_id_is_poison(
    handle: Callable[[Sequence[Envelope]], None], kind: str, name: str, value: object
) -> None:
    whole: dict[str, Any] = {"userId": 1, "followeeId": 2, "photoId": 3}
    for payload in (whole | {name: value}, {key: one for key, one in whole.items() if key != name}):
        with pytest.raises(PoisonError, match=r"^not a"):
            handle([Envelope(kind, "1", payload)])


@pytest.mark.parametrize(
    ("handle", "kinds"),
    [(FANOUT, (AVATAR_REMOVED, ITEM_DESCRIBED)), (REMOVAL, ("photo.processed", ITEM_DESCRIBED))],
)
def test_messages_of_others_are_skipped_and_those_after_them_handled(
    handle: Callable[[Sequence[Envelope]], None], kinds: Sequence[str]
) -> None:
    others = [Envelope(kind, "1", {}) for kind in kinds]
    handle(others)
    last = "photo.removed" if handle is REMOVAL else "made_private"
    with pytest.raises(PoisonError):
        handle([*others, Envelope(last, "1", {})])


def test_fanout_refuses_messages_that_it_does_not_know() -> None:
    with pytest.raises(PoisonError, match=r"'photo\.forgotten'"):
        FANOUT([Envelope("photo.forgotten", "1", {})])


def test_the_cdn_forgets_what_others_may_no_longer_see() -> None:
    cdn = RecordingCdn()
    envelopes = [
        Envelope("photo.removed", "5", POST),
        Envelope("photo.processed", "6", POST | {"photoId": 6}),
        Envelope(AVATAR_REMOVED, "7", {"photoId": "7"}),
        Envelope("followed", "1", {"userId": 1, "followeeId": 2}),
        Envelope("unfollowed", "1", {"userId": 3, "followeeId": 4}),
        Envelope("made_public", "8", {"userId": 8}),
        Envelope("made_private", "9", {"userId": 9}),
    ]
    Purge(cdn).handle(envelopes)
    assert cdn.purged == [5, 7, f"private-{encode_id(4)}", f"author-{encode_id(9)}"]


ONE_LIKE = ["post", ["likes"], [[5]], [0], [1], [1], [0], [0], [0], [1.0]]


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"deltas": 5},
        {"deltas": [["post"]]},
        {"deltas": [ONE_LIKE[:-1]]},
        {"deltas": [[*ONE_LIKE[:2], ["a post"], *ONE_LIKE[3:]]]},
        {"deltas": [[*ONE_LIKE[:7], [3], *ONE_LIKE[8:]]]},
    ],
    ids=["nothing", "no list", "no columns", "a column less", "no number", "a row too far"],
)
def test_unreadable_partial_sums_are_poison(payload: dict[str, Any]) -> None:
    (readable,) = deltas_of([{"deltas": [ONE_LIKE]}], [LIKES])
    assert (readable.keys.tolist(), readable.amounts.tolist()) == ([[5]], [[1.0]])
    with pytest.raises(PoisonError, match="partial sums"):
        deltas_of([payload], [LIKES])

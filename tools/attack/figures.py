"""What takes time: how soon a removed follower is refused at the edge, and what is left of abandoned uploads."""

import asyncio
import time
from functools import partial
from urllib.parse import urlsplit

import httpx

from photofeed.errors import NotFoundError
from photofeed.object_store import S3ObjectStore
from photofeed.original_keys import UPLOADS
from photofeed.tokens import ADMIN, USER
from tools.attack import BrokenError, expect
from tools.attack.feed_slowdown import feed_slowdown
from tools.attack.rank_shift import rank_shift
from tools.attack.world import UPLOAD_SECONDS, Person, World, wait_for

_MOST_SECONDS = 90.0
_AUTHORS, _POSTS_EACH, _ATTACKERS = 4, 15, 10
_SETTLED_SECONDS, _LONGEST_SECONDS = 6.0, 300.0
_PARKED, _PARKED_BYTES = 5, 2**20


def private_image_seconds(world: World) -> float | None:
    """Seconds after which a removed follower gets 403 through Varnish; None without Varnish.

    Raises:
        BrokenError: the image does not come from the cache before, so nothing is shown.
    """
    if world.edge is None:
        return None
    owner, reader = world.people["owner"], world.person()
    reader.call("PUT", f"/v1/users/{owner.id}/follow").raise_for_status()
    owner.call("PUT", f"/v1/me/follow-requests/{reader.id}").raise_for_status()
    parts = urlsplit(reader.call("GET", f"/v1/posts/{world.post}").json()["images"]["640"]["url"])
    with httpx.Client(base_url=world.edge, timeout=30) as edge:
        path = f"{parts.path}?{parts.query}"
        expect(edge.get(path), 200)
        if expect(edge.get(path), 200).headers["X-Cache"] != "hit":
            raise BrokenError("the edge does not cache the image")
        owner.call("DELETE", f"/v1/me/followers/{reader.id}").raise_for_status()
        return wait_for(lambda: edge.get(path).status_code == httpx.codes.FORBIDDEN, _MOST_SECONDS)


def park(world: World) -> None:
    """Upload files without completing them, and complete one that is then uploaded again."""
    parker = world.person()
    for _ in range(_PARKED):
        url = parker.call("POST", "/v1/photos/initiate").raise_for_status().json()["uploadUrl"]
        expect(httpx.put(url, content=b"x" * _PARKED_BYTES), 200)


def _size(store: S3ObjectStore, bucket: str, key: str) -> int:
    try:
        return store.head(bucket, key).size
    except NotFoundError:  # swept since it was listed
        return 0


def parked_bytes_after(world: World) -> int:
    """Bytes of abandoned uploads that are left some time after their addresses expired."""
    store, bucket = S3ObjectStore.connect(world.settings), world.settings.bucket_originals

    def left() -> int:
        return sum(_size(store, bucket, key) for key in store.keys(bucket, UPLOADS))

    try:
        wait_for(lambda: left() == 0, 4 * UPLOAD_SECONDS)
    except TimeoutError:
        return left()
    return 0


def slowdown(world: World) -> float:
    """The median time of a feed while another account holds status streams open, divided by that without."""
    viewer, attacker = (_bearer(world.person()) for _ in range(2))
    return asyncio.run(feed_slowdown(world.url, viewer, attacker))


def _bearer(person: Person) -> str:
    return person.http.headers["Authorization"].partition(" ")[2]


def ranks_moved(world: World) -> int:
    """The ranks that ten accounts move a post by 10,000 events, among the posts of four authors."""
    viewer = world.person((USER, ADMIN))
    for number in range(_AUTHORS):
        author = world.person()
        viewer.call("PUT", f"/v1/users/{author.id}/follow").raise_for_status()
        photos = [world.start_upload(author, 16 * number + post) for post in range(_POSTS_EACH)]
        wait_for(partial(_is_ready, author, photos[-1]), _LONGEST_SECONDS)
    return rank_shift(viewer, [world.person() for _ in range(_ATTACKERS)], lambda: _settle(world))


def _is_ready(owner: Person, photo: str) -> bool:
    return bool(owner.call("GET", f"/v1/photos/{photo}").json()["status"] == "ready")


def _settle(world: World) -> None:
    """Wait until the features worker has counted no event for some seconds."""
    counted, since = -1, time.monotonic()

    def is_settled() -> bool:
        nonlocal counted, since
        now = world.http.get("/v1/dev/progress").raise_for_status().json()["eventsInFeatures"]
        if now != counted:
            counted, since = now, time.monotonic()
        return time.monotonic() - since > _SETTLED_SECONDS

    wait_for(is_settled, _LONGEST_SECONDS)

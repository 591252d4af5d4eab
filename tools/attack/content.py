"""Attacks on uploads, images, events and inputs."""

import base64
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx

from photofeed.ids import decode_id
from serving.image_addresses import ImageAddresses
from tools.attack import attack, expect, refuse
from tools.attack.world import World, jpeg, wait_for


@attack("moderated photos")
def swap_after_moderation(world: World) -> None:
    """Replace a photo after it was moderated, through its upload address."""
    owner = world.person()
    ticket = owner.call("POST", "/v1/photos/initiate").json()
    httpx.put(ticket["uploadUrl"], content=jpeg(200)).raise_for_status()
    path = f"/v1/photos/{ticket['photoId']}"
    owner.call("POST", f"{path}/complete").raise_for_status()
    wait_for(lambda: owner.call("GET", path).json()["status"] == "ready")
    before = world.http.get(f"/photos/{ticket['photoId']}/1080.jpg").content
    httpx.put(ticket["uploadUrl"], content=jpeg(0))
    owner.call("POST", f"{path}/complete").raise_for_status()
    for size in (1080, 3840):
        shown = world.http.get(f"/photos/{ticket['photoId']}/{size}.jpg").content
        refuse(broken=shown != before, what=f"{size} shows another picture")


@attack("moderated photos")
def complete_for_another(world: World) -> None:
    """Complete, watch and delete somebody else's upload."""
    photo = world.people["author"].call("POST", "/v1/photos/initiate").json()["photoId"]
    stranger = world.people["stranger"]
    expect(stranger.call("POST", f"/v1/photos/{photo}/complete"), 404)
    expect(stranger.call("GET", f"/v1/photos/{photo}/status"), 404)
    expect(stranger.call("DELETE", f"/v1/photos/{photo}"), 404)


@attack("uploads")
def other_type(world: World) -> None:
    """Upload another type or size than was announced."""
    announced = {"mediaType": "image/jpeg", "byteSize": 100}
    ticket = world.people["stranger"].call("POST", "/v1/photos/initiate", json=announced).json()
    headers = {"Content-Type": "text/html"}
    expect(httpx.put(ticket["uploadUrl"], content=b"x" * 100, headers=headers), 403)
    expect(httpx.put(ticket["uploadUrl"], content=b"x" * 101, headers=ticket["headers"]), 403)


@attack("uploads")
def write_elsewhere(world: World) -> None:
    """Write to another key, and read, with the signature of an upload address."""
    url = world.people["stranger"].call("POST", "/v1/photos/initiate").json()["uploadUrl"]
    expect(httpx.put(url.replace("uploads/", "completed/"), content=b"x"), 403)
    expect(httpx.get(url), 403)


@attack("uploads")
def announce_too_much(world: World) -> None:
    """Announce a file that is too large, and one of no accepted type."""
    for body in ({"byteSize": 10**12}, {"mediaType": "image/svg+xml"}):
        expect(world.people["stranger"].call("POST", "/v1/photos/initiate", json=body), 422)


def _address(world: World, name: str = "follower") -> str:
    parts = urlsplit(world.people[name].call("GET", f"/v1/posts/{world.post}").json()["images"]["640"]["url"])
    return f"{parts.path}?{parts.query}"


@attack("private images")
def image_without_a_signature(world: World) -> None:
    """Fetch an image of a private account by its id alone."""
    for name in ("640", "640.jpg", "3840", "150.webp"):
        expect(world.http.get(f"/photos/{world.post}/{name}"), 404)
    expect(world.http.get(_address(world)), 200)


@attack("private images")
def image_with_a_signature_of_another(world: World) -> None:
    """Use a signature of another photo, an altered one, and one signed with another secret."""
    other = ImageAddresses(world.settings).sign(decode_id(world.post) + 1, decode_id(world.people["follower"].id))
    foreign = world.settings.model_copy(update={"cursor_secret": world.settings.jwt_secret})
    forged = ImageAddresses(foreign).sign(decode_id(world.post), decode_id(world.people["follower"].id))
    good = _address(world).partition("?s=")[2]
    for signature in (
        other,
        forged,
        ("B" if good[0] == "A" else "A") + good[1:],
        good[:-1],
        f"{good}=",
        f"{good}&x=1",
        good.swapcase(),
    ):
        expect(world.http.get(f"/photos/{world.post}/640?s={signature}"), 403, 404)


@attack("private images")
def image_after_the_end(world: World) -> None:
    """Fetch an image at the origin after having been removed, also with an ETag and a range."""
    owner, reader = world.people["owner"], world.person()
    reader.call("PUT", f"/v1/users/{owner.id}/follow").raise_for_status()
    owner.call("PUT", f"/v1/me/follow-requests/{reader.id}").raise_for_status()
    parts = urlsplit(reader.call("GET", f"/v1/posts/{world.post}").json()["images"]["640"]["url"])
    etag = expect(world.http.get(f"{parts.path}?{parts.query}"), 200).headers["etag"]
    owner.call("DELETE", f"/v1/me/followers/{reader.id}").raise_for_status()
    for headers in ({}, {"If-None-Match": etag}, {"Range": "bytes=0-9"}):
        expect(world.http.get(f"{parts.path}?{parts.query}", headers=headers), 403)


@attack("images")
def other_spellings(world: World) -> None:
    """Fill caches with other spellings of an address, which no purge knows."""
    for name in (
        "0640",
        "640.",
        "640?x=1",
        "640.JPG",
        "%36%34%30",
        "%D9%A6%D9%A4%D9%A0",
        "640/",
        "640.jpg?s=",
        "9" * 5000,
    ):
        expect(world.http.get(f"/photos/{world.public_post}/{name}"), 404)


@attack("images")
def endless_ranges(world: World) -> None:
    """Ask for ranges of 5,000 digits."""
    for value in (f"bytes={'9' * 5000}-", f"bytes=-{'9' * 5000}", f"bytes={'0' * 5000}-1"):
        expect(world.http.get(f"/photos/{world.public_post}/150.jpg", headers={"Range": value}), 200, 206, 416)


def _event(world: World, **words: object) -> dict[str, object]:
    return {"id": uuid.uuid4().hex, "type": "impression", "postId": world.public_post} | words


def _refused(world: World, name: str, *events: dict[str, object]) -> Iterator[str]:
    reply = expect(world.people[name].call("POST", "/v1/events", json={"events": list(events)}), 202)
    yield from (one["code"] for one in reply.json()["refused"])


@attack("ranking")
def impressions_without_a_receipt(world: World) -> None:
    """Report impressions of posts that were never shown, with positions made up."""
    events = [_event(world, slateId=str(uuid.uuid4()), position=9_876) for _ in range(50)]
    codes = list(_refused(world, "stranger", *events))
    refuse(broken=codes != ["receipt_missing"] * 50, what=f"{codes[:3]}")


@attack("ranking")
def receipts_of_others(world: World) -> None:
    """Use a forged receipt, and one of somebody else."""
    items = world.people["follower"].call("GET", "/v1/explore").json()["items"]
    stolen = next((item["receipt"] for item in items if item["post"]["id"] == world.public_post), "A" * 51)
    codes = list(_refused(world, "stranger", _event(world, receipt=stolen), _event(world, receipt="B" * 51)))
    refuse(broken=codes != ["receipt_invalid"] * 2, what=f"{codes}")


@attack("ranking")
def events_for_others(world: World) -> None:
    """Report a like in the name of somebody else."""
    stranger, victim = world.people["stranger"], world.people["owner"]
    stranger.call("POST", "/v1/events", json={"events": [_event(world, type="like", actorId=victim.id)]})
    seen = victim.call("GET", f"/v1/posts/{world.public_post}").json()["likedByMe"]
    stranger.call("DELETE", f"/v1/posts/{world.public_post}/like").raise_for_status()
    refuse(broken=seen, what="the like counts for somebody else")


@attack("ranking")
def like_many_times(world: World) -> None:
    """Like a post fifty times, by calls and by events."""
    stranger = world.people["stranger"]
    for _ in range(25):
        stranger.call("PUT", f"/v1/posts/{world.public_post}/like").raise_for_status()
    stranger.call("POST", "/v1/events", json={"events": [_event(world, type="like") for _ in range(25)]})
    count = world.people["author"].call("GET", f"/v1/posts/{world.public_post}").json()["likeCount"]
    stranger.call("DELETE", f"/v1/posts/{world.public_post}/like").raise_for_status()
    refuse(broken=count != 1, what=f"{count} likes of one person")


@attack("inputs")
def hostile_texts(world: World) -> None:
    """Send NUL, deep nesting, bad UTF-8, huge numbers and a body of the wrong type."""
    stranger, path = world.people["stranger"], f"/v1/posts/{world.public_post}/comments"
    as_json = {"Content-Type": "application/json"}
    expect(stranger.call("POST", path, json={"text": "a\0b"}), 422)
    for body in (b"[" * 100_000, b'{"text": "\xff"}', b'{"text": ' + b"9" * 5_000 + b"}", b"{"):
        expect(stranger.call("POST", path, content=body, headers=as_json), 400, 422)
    expect(stranger.call("POST", path, content=b"text=x", headers={"Content-Type": "text/plain"}), 415, 422)


@attack("inputs")
def large_bodies(world: World) -> None:
    """Send two megabytes, announced and in chunks."""
    stranger = world.people["stranger"]
    for content in (b"[" * 2**21, (b"[" * 2**16 for _ in range(32))):
        expect(stranger.call("POST", "/v1/events", content=content), 413)


@attack("inputs")
def hostile_searches(world: World) -> None:
    """Search with operators of SQL and of text search."""
    for words in ("' or 1=1 --", "a & | ! (", "\\", "%", "x" * 100, "'; drop table users; --"):
        expect(world.people["stranger"].call("GET", "/v1/search", params={"q": words}), 200, 422)
    expect(world.people["stranger"].call("GET", "/v1/me"), 200)


@attack("inputs")
def forged_cursors(world: World) -> None:
    """Forge a cursor, and use one of somebody else."""
    stranger = world.people["stranger"]
    forged = base64.urlsafe_b64encode(b"x" * 80).decode()
    theirs = world.people["follower"].call("GET", "/v1/explore?limit=1").json().get("nextCursor") or forged
    for cursor in (forged, theirs, "", "x" * 4_000):
        expect(stranger.call("GET", "/v1/feed", params={"cursor": cursor}), 422, 414, 431)


@attack("inputs")
def header_injection(world: World) -> None:
    """Put a line into a log by the request id, and call under another host's name."""
    reply = world.http.get("/healthz", headers={"X-Request-Id": "one two <script>"})
    refuse(broken="script" in reply.headers["X-Request-Id"], what="the request id is copied")
    expect(world.http.get("/v1/me", headers={"Host": "evil.example"}), 400, 403, 404, 421)

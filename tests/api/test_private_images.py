"""Images of private accounts: addresses signed for a viewer, checked at every request, purged when a relation ends."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import httpx2
import pytest

from ingestion.cdn import HttpPurgeCdn, NoCdn, PurgeCdn
from ingestion.consumer.worker import Worker
from ingestion.purge import Purge
from photofeed import topics
from photofeed.ids import decode_id
from serving.image_addresses import SIGNATURE_LENGTH, VALID_SECONDS, ImageAddresses
from tests.api.pictures import picture
from tests.doubles.listening_app import listening
from tests.edges import NEEDS_NGINX, NEEDS_VARNISH, until
from tools.nginx import running_nginx
from tools.varnish import running_varnish

if TYPE_CHECKING:
    from tests.api.conftest import App, Person


class _Account:
    """A private account with a photo, and a follower."""

    def __init__(self, app: "App") -> None:
        self.app = app
        self.owner, self.follower = app.person(isPrivate=True), app.person()
        self.follower.call("PUT", f"/v1/users/{self.owner.id}/follow")
        assert self.owner.call("PUT", f"/v1/me/follow-requests/{self.follower.id}").status_code == 204
        self.post = self.owner.upload(picture(90))
        app.work()

    def address(self, viewer: "Person", size: str = "640") -> str:
        """The path and query of the address that a viewer gets."""
        parts = urlsplit(viewer.get(f"/v1/posts/{self.post}")["images"][size]["url"])
        return f"{parts.path}?{parts.query}" if parts.query else parts.path


@pytest.fixture
def account(app: "App") -> _Account:
    return _Account(app)


def test_an_address_is_signed_for_each_viewer(app: "App", account: _Account) -> None:
    own, followers = account.address(account.owner), account.address(account.follower)
    assert own != followers
    for address in (own, followers):
        reply = app.http.get(address)
        assert (reply.status_code, reply.headers["cache-control"]) == (200, "private, max-age=60")
        assert reply.headers["surrogate-key"] == f"photo-{account.post} private-{account.owner.id}"
    photo = account.follower.get(f"/v1/photos/{account.post}")
    assert urlsplit(photo["images"]["640"]["url"]).query == followers.partition("?")[2]
    listed = account.follower.get(f"/v1/users/{account.owner.id}/posts")["items"][0]
    assert urlsplit(listed["images"]["640"]["url"]).query == followers.partition("?")[2]


def test_without_a_signature_there_is_no_image(app: "App", account: _Account) -> None:
    for name in ("640", "640.jpg", "150.webp"):
        reply = app.http.get(f"/photos/{account.post}/{name}", headers=account.owner.headers)
        assert (reply.status_code, reply.json()["code"]) == (404, "image_not_found")


def test_images_of_public_accounts_are_the_same_for_all(app: "App") -> None:
    person, viewer = app.person(), app.person()
    post = person.upload(picture(91))
    app.work()
    addresses = {one.get(f"/v1/posts/{post}")["images"]["640"]["url"] for one in (person, viewer)}
    assert len(addresses) == 1
    reply = app.http.get(urlsplit(addresses.pop()).path)
    assert "immutable" in reply.headers["cache-control"]
    assert reply.headers["surrogate-key"] == f"photo-{post} author-{person.id}"


def _remove(account: _Account) -> httpx2.Response:
    return account.owner.call("DELETE", f"/v1/me/followers/{account.follower.id}")


def _block(account: _Account) -> httpx2.Response:
    return account.owner.call("PUT", f"/v1/users/{account.follower.id}/block")


def _leave(account: _Account) -> httpx2.Response:
    return account.follower.call("DELETE", f"/v1/users/{account.owner.id}/follow")


@pytest.mark.parametrize("end", [_remove, _block, _leave])
def test_when_the_relation_ends_the_origin_refuses_and_the_edge_is_purged(
    app: "App", account: _Account, end: Any
) -> None:
    address, purged = account.address(account.follower), _purges(app)
    etag = app.http.get(address).headers["etag"]
    assert end(account).status_code == 204
    for headers in ({}, {"If-None-Match": etag}, {"Range": "bytes=0-5"}):
        reply = app.http.get(address, headers=headers)
        assert (reply.status_code, reply.json()["code"]) == (403, "image_forbidden")
    assert app.http.head(address).status_code == 403
    assert app.http.get(account.address(account.owner)).status_code == 200
    assert f"private-{account.owner.id}" in purged()


def test_an_account_that_becomes_private_is_purged_and_needs_signatures(app: "App") -> None:
    person, stranger = app.person(), app.person()
    post = person.upload(picture(92))
    app.work()
    plain, purged = urlsplit(stranger.get(f"/v1/posts/{post}")["images"]["640"]["url"]).path, _purges(app)
    assert app.http.get(plain).status_code == 200
    person.call("PATCH", "/v1/me", json={"isPrivate": True})
    assert app.http.get(plain).status_code == 404
    assert f"author-{person.id}" in purged()


@pytest.mark.parametrize("change", ["other photo", "other viewer", "later", "shorter", "longer", "spelling", "twice"])
def test_a_signature_that_was_changed_is_refused(app: "App", account: _Account, change: str) -> None:
    images = ImageAddresses(app.settings)
    photo, viewer = decode_id(account.post), decode_id(account.follower.id)
    signature = images.sign(photo, viewer)
    assert len(signature) == SIGNATURE_LENGTH
    changed = {
        "other photo": images.sign(photo + 1, viewer),
        "other viewer": signature[:6] + ("A" if signature[6] != "A" else "B") + signature[7:],
        "later": ("z" if signature[0] != "z" else "y") + signature[1:],
        "shorter": signature[:-1],
        "longer": signature + "A",
        "spelling": signature[:-1] + chr(ord(signature[-1]) + 1),
        "twice": f"{signature}&s={signature}",
    }[change]
    reply = app.http.get(f"/photos/{account.post}/640?s={changed}")
    assert reply.status_code in (403, 404)
    assert app.http.get(f"/photos/{account.post}/640?s={signature}").status_code == 200
    assert app.http.get(f"/photos/{account.post}/640?s={signature}&x=1").status_code == 404


def test_an_address_is_valid_for_a_day(app: "App", account: _Account) -> None:
    photo, viewer = decode_id(account.post), decode_id(account.follower.id)
    for age, status in ((20 * 60, 200), (VALID_SECONDS - 3700, 200), (VALID_SECONDS, 403)):
        signed = ImageAddresses(app.settings, clock=partial(_ago, age)).sign(photo, viewer)
        assert app.http.get(f"/photos/{account.post}/640?s={signed}").status_code == status, age


def _ago(seconds: float) -> float:
    return time.time() - seconds


@pytest.fixture(params=[pytest.param("varnish", marks=NEEDS_VARNISH), pytest.param("nginx", marks=NEEDS_NGINX)])
def edge(request: pytest.FixtureRequest, app: "App", tmp_path: Path) -> Iterator[tuple[httpx.Client, PurgeCdn]]:
    """An edge of deploy/edge in front of the API, and how its copies are purged.

    Varnish keeps a copy for a minute unless it is purged. This nginx asks again after a second, the deployed one after
    a minute.
    """
    running: Callable[[Path, int], AbstractContextManager[str]]
    running = running_varnish if request.param == "varnish" else partial(running_nginx, kept_seconds=1)
    with listening(app.http) as port, running(tmp_path, port) as url, httpx.Client(base_url=url) as client:
        yield client, HttpPurgeCdn(client) if request.param == "varnish" else NoCdn()


def test_a_removed_follower_is_refused_at_the_edge_where_public_images_stay(
    app: "App", account: _Account, edge: tuple[httpx.Client, PurgeCdn]
) -> None:
    client, cdn = edge
    public = f"/photos/{app.person().upload(picture(93))}/640"
    app.work()
    private, purge = account.address(account.follower), _purging(app, cdn)
    for address in (private, public):
        first, second = client.get(address), client.get(address)
        assert (first.status_code, first.headers["X-Cache"], second.headers["X-Cache"]) == (200, "miss", "hit")
    assert account.owner.call("DELETE", f"/v1/me/followers/{account.follower.id}").status_code == 204
    purge()
    assert until(client, private, 403).json()["code"] == "image_forbidden"
    assert client.get(private).status_code == 403
    assert client.get(account.address(account.owner)).status_code == 200
    assert client.get(public).headers["X-Cache"] == "hit"


def _purges(app: "App") -> Any:
    """Run the workers and tell which tags were purged."""
    tags: list[str] = []

    class Cdn:
        def purge(self, photo_id: int) -> None:
            """No photo is removed here."""

        def purge_tag(self, tag: str) -> None:
            tags.append(tag)

        def copies(self, photo_id: int) -> list[str]:  # noqa: ARG002
            return []

        def close(self) -> None:
            """Nothing is open."""

    purge = _purging(app, Cdn())

    def run() -> list[str]:
        purge()
        return tags

    return run


def _purging(app: "App", cdn: PurgeCdn) -> Callable[[], None]:
    """Run the workers from now on, with this CDN."""
    app.work()
    group = f"{topics.PURGE_GROUP}-{id(cdn)}"
    worker = Worker(
        group,
        app.log.consumer(group, topics.SUBSCRIPTIONS[topics.PURGE_GROUP]),
        app.log,
        Purge(cdn).handle,
        threading.Event(),
    )

    def run() -> None:
        app.work()
        while worker.step():
            pass

    return run

import httpx
import pytest

from ingestion.purge import Purge
from photofeed.cdn import HttpPurgeCdn, NoCdn, connect_cdn
from photofeed.errors import RetryableError
from photofeed.events import Envelope
from photofeed.ids import encode_id
from photofeed.posts import PostRef, PublishedPost
from photofeed.settings import Settings

POST = PublishedPost(
    PostRef(7, 8, 9, 10), "photo", 0, 0, public=True, imported=False, aspect=1, sharpness=1, brightness=1, entropy=1
)


def cdn(asked: list[tuple[str, str]], status: int = 200) -> HttpPurgeCdn:
    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, str(request.url)))
        return httpx.Response(status)

    return HttpPurgeCdn(httpx.Client(base_url="http://cdn.test/edge", transport=httpx.MockTransport(answer)))


def test_a_removed_photo_is_purged_under_every_address_it_was_delivered_at() -> None:
    asked: list[tuple[str, str]] = []
    Purge(cdn(asked)).handle([Envelope("photo.removed", "7", POST.to_payload())])
    photo = f"http://cdn.test/edge/photos/{encode_id(7)}"
    assert {method for method, _ in asked} == {"PURGE"}
    assert {f"{photo}/640", f"{photo}/640.webp", f"{photo}/3840.jpg", f"{photo}/1080.avif"} <= {url for _, url in asked}


def test_a_published_photo_stays() -> None:
    asked: list[tuple[str, str]] = []
    Purge(cdn(asked)).handle([Envelope("photo.processed", "7", POST.to_payload())])
    assert not asked


def test_what_the_cache_does_not_have_is_purged_already() -> None:
    asked: list[tuple[str, str]] = []
    cdn(asked, 404).purge(7)
    assert len(asked) == 16


def test_a_cache_that_does_not_confirm_is_asked_again_later() -> None:
    with pytest.raises(RetryableError, match="503"):
        cdn([], 503).purge(7)

    def down(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(RetryableError, match="cannot be reached"):
        HttpPurgeCdn(httpx.Client(base_url="http://cdn.test", transport=httpx.MockTransport(down))).purge(7)


def test_copies_are_what_it_still_gives_out() -> None:
    asked: list[tuple[str, str]] = []
    assert "640.webp" in cdn(asked).copies(7)
    assert {method for method, _ in asked} == {"HEAD"}
    assert cdn([], 404).copies(7) == cdn([], 410).copies(7) == []
    with pytest.raises(RetryableError, match="502"):
        cdn([], 502).copies(7)
    assert NoCdn().copies(7) == []


def test_without_an_address_there_is_no_cdn() -> None:
    assert isinstance(connect_cdn(Settings()), NoCdn)
    assert isinstance(connect_cdn(Settings(cdn_purge_url="http://cdn.test")), HttpPurgeCdn)

import httpx
import pytest

from ingestion.cdn import HttpPurgeCdn, NoCdn, connect_cdn
from ingestion.purge import Purge
from photofeed.errors import RetryableError
from photofeed.events import Envelope
from photofeed.ids import encode_id
from photofeed.photo_sizes import IMAGE_NAMES, PHOTO_PIXELS
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


def test_a_removed_photo_is_purged_under_every_url() -> None:
    asked: list[tuple[str, str]] = []
    Purge(cdn(asked)).handle([Envelope("photo.removed", "7", POST.to_payload())])
    photo = f"http://cdn.test/edge/photos/{encode_id(7)}"
    assert {method for method, _ in asked} == {"PURGE"}
    assert {f"{photo}/640", f"{photo}/640.webp", f"{photo}/3840.jpg", f"{photo}/1080.avif"} <= {url for _, url in asked}


def test_a_published_photo_stays() -> None:
    asked: list[tuple[str, str]] = []
    Purge(cdn(asked)).handle([Envelope("photo.processed", "7", POST.to_payload())])
    assert not asked


def test_an_image_that_the_cache_lacks_counts_as_purged() -> None:
    asked: list[tuple[str, str]] = []
    cdn(asked, 404).purge(7)
    images = [url for _, url in asked if not url.endswith("/photos/")]
    assert len(images) == len(IMAGE_NAMES) == 4 * len(PHOTO_PIXELS)
    assert len(asked) - len(images) == 1  # by tag: addresses that were signed


def test_an_unconfirmed_purge_is_retryable() -> None:
    with pytest.raises(RetryableError, match="503"):
        cdn([], 503).purge(7)

    def down(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(RetryableError, match="cannot be reached"):
        HttpPurgeCdn(httpx.Client(base_url="http://cdn.test", transport=httpx.MockTransport(down))).purge(7)


def test_copies_are_the_images_that_the_cdn_still_serves() -> None:
    asked: list[tuple[str, str]] = []
    assert "640.webp" in cdn(asked).copies(7)
    assert {method for method, _ in asked} == {"HEAD"}
    assert cdn([], 404).copies(7) == cdn([], 410).copies(7) == []
    with pytest.raises(RetryableError, match="502"):
        cdn([], 502).copies(7)
    assert NoCdn().copies(7) == []


def test_only_a_configured_cdn_gets_requests() -> None:
    assert connect_cdn(Settings()).copies(7) == []
    with pytest.raises(RetryableError, match="cannot be reached"):
        connect_cdn(Settings(cdn_purge_url="http://127.0.0.1:1")).copies(7)

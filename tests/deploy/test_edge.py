"""deploy/edge in a real Varnish and a real nginx: what is one object, what reaches the API, and what is purged."""

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from ingestion.cdn import HttpPurgeCdn
from photofeed.cache_control import IMMUTABLE
from photofeed.ids import encode_id
from photofeed.photo_sizes import IMAGE_NAMES
from serving.api.delivery import PRIVATE
from serving.image_addresses import SIGNATURE_LENGTH
from tests.deploy.spellings import ACCEPTS, CHROME, WRONG_NAMES
from tests.doubles.image_origin import ImageOrigin, running_image_origin
from tests.edges import NEEDS_NGINX, NEEDS_VARNISH, until
from tools.nginx import KEPT_SECONDS, running_nginx
from tools.varnish import EDGE, running_varnish

FIREFOX = "image/avif,image/webp,*/*"
SAFARI = "image/webp,image/avif,image/jxl,image/heic,video/*;q=0.8"

WITH_PURGE = pytest.mark.parametrize("edge", [pytest.param("varnish", marks=NEEDS_VARNISH)], indirect=True)


@pytest.fixture(
    scope="module", params=[pytest.param("varnish", marks=NEEDS_VARNISH), pytest.param("nginx", marks=NEEDS_NGINX)]
)
def edge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ImageOrigin, str]]:
    running: Callable[[Path, int], AbstractContextManager[str]]
    running = running_varnish if request.param == "varnish" else running_nginx
    with running_image_origin() as origin, running(tmp_path_factory.mktemp("edge"), origin.port) as url:
        yield origin, url


@pytest.fixture
def photo(photo_numbers: Iterator[int]) -> int:
    """A photo that no other test asks for."""
    return next(photo_numbers)


@pytest.fixture(scope="module")
def photo_numbers() -> Iterator[int]:
    return itertools.count(4_711)


@pytest.fixture
def path(photo: int) -> str:
    return f"/photos/{encode_id(photo)}"


@pytest.fixture
def signed(path: str) -> str:
    return f"{path}/640.jpg?s={'a' * SIGNATURE_LENGTH}"


@pytest.fixture
def origin(edge: tuple[ImageOrigin, str], photo: int) -> ImageOrigin:
    """The origin, with one photo and nothing asked yet; nothing of it is cached."""
    origin, _ = edge
    origin.photos, origin.status = {encode_id(photo)}, None
    origin.cache_control, origin.surrogate_key = IMMUTABLE, ""
    origin.asked.clear()
    origin.others.clear()
    return origin


@pytest.fixture
def client(edge: tuple[ImageOrigin, str], origin: ImageOrigin) -> Iterator[httpx.Client]:  # noqa: ARG001  emptied first
    with httpx.Client(base_url=edge[1]) as client:
        yield client


@pytest.mark.parametrize("name", IMAGE_NAMES)
def test_an_image_is_fetched_once_and_then_served_from_the_cache(
    client: httpx.Client, origin: ImageOrigin, name: str, path: str
) -> None:
    first, second = (client.get(f"{path}/{name}", headers={"Cookie": "a=b"}) for _ in range(2))
    assert (first.status_code, first.headers["X-Cache"], second.headers["X-Cache"]) == (200, "miss", "hit")
    assert first.content == second.content
    assert second.headers["Cache-Control"] == origin.cache_control
    assert len(origin.asked) == 1


def test_browsers_that_show_the_same_formats_share_an_object(
    client: httpx.Client, origin: ImageOrigin, path: str
) -> None:
    bodies = {client.get(f"{path}/640", headers={"Accept": accept}).text for accept in (CHROME, FIREFOX, SAFARI)}
    assert len(bodies) == 1
    assert len(origin.asked) == 1


@pytest.mark.parametrize(("accept", "asked"), ACCEPTS)
def test_the_origin_sees_which_of_its_formats_a_client_shows(
    client: httpx.Client, origin: ImageOrigin, accept: str, asked: str, path: str
) -> None:
    assert client.get(f"{path}/640", headers={"Accept": accept}).status_code == 200
    assert origin.asked == [("GET", f"{path}/640", asked)]


def test_each_set_of_formats_is_an_object_of_its_own(client: httpx.Client, origin: ImageOrigin, path: str) -> None:
    for accept in (CHROME, "image/webp", "image/avif", "*/*") * 2:
        client.get(f"{path}/640", headers={"Accept": accept})
    assert len(origin.asked) == 4


@pytest.mark.parametrize("name", WRONG_NAMES)
def test_another_spelling_is_not_found_and_asks_no_origin(
    client: httpx.Client, origin: ImageOrigin, name: str, path: str
) -> None:
    assert client.get(f"{path}/{name}").status_code == 404
    assert origin.asked == []


def test_a_part_of_a_cached_image_comes_from_the_cache(client: httpx.Client, origin: ImageOrigin, path: str) -> None:
    whole = client.get(f"{path}/640.jpg").content
    part = client.get(f"{path}/640.jpg", headers={"Range": "bytes=2-5"})
    assert (part.status_code, part.content) == (206, whole[2:6])
    assert len(origin.asked) == 1


def test_a_browser_that_has_the_image_gets_304(client: httpx.Client, origin: ImageOrigin, path: str) -> None:
    etag = client.get(f"{path}/640.jpg").headers["ETag"]
    assert client.get(f"{path}/640.jpg", headers={"If-None-Match": etag}).status_code == 304
    assert len(origin.asked) == 1


@WITH_PURGE
def test_a_removed_photo_is_gone_under_every_name_format_and_host(
    client: httpx.Client, origin: ImageOrigin, path: str, photo: int
) -> None:
    for name in IMAGE_NAMES:
        for accept in (CHROME, "image/webp", "*/*"):
            client.get(f"{path}/{name}", headers={"Accept": accept, "Host": "photos.example"})
    origin.photos.clear()
    cdn = HttpPurgeCdn(client)
    assert cdn.copies(photo) == list(IMAGE_NAMES)
    cdn.purge(photo)
    assert cdn.copies(photo) == []
    assert client.get(f"{path}/640", headers={"Accept": CHROME, "Host": "photos.example"}).status_code == 404


def test_a_photo_that_is_not_ready_yet_is_not_remembered_as_missing(
    client: httpx.Client, origin: ImageOrigin, path: str, photo: int
) -> None:
    origin.photos.clear()
    assert client.get(f"{path}/150.jpg").headers.get("Age", "0") == "0"
    origin.photos.add(encode_id(photo))
    found = [client.get(f"{path}/150.jpg").status_code]
    while found[-1] == 404:  # for a second
        found.append(client.get(f"{path}/150.jpg").status_code)
    assert found[-1] == 200


def test_an_error_of_the_origin_is_not_cached(client: httpx.Client, origin: ImageOrigin, path: str) -> None:
    origin.status = 503
    assert client.get(f"{path}/1080.jpg").status_code == 503
    origin.status = None
    assert client.get(f"{path}/1080.jpg").status_code == 200


def test_the_api_is_passed_through_with_its_token(client: httpx.Client, origin: ImageOrigin) -> None:
    for _ in range(2):
        reply = client.get("/v1/feed?limit=3", headers={"Authorization": "Bearer t"})
        assert (reply.text, reply.headers["X-Cache"]) == ("Bearer t", "miss")
    assert origin.others == [("GET", "/v1/feed?limit=3")] * 2


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/metrics?name=x", "/readyz/"])
def test_what_operators_ask_is_not_public(client: httpx.Client, origin: ImageOrigin, path: str) -> None:
    assert client.get(path).status_code == 404
    assert origin.others == []


def test_a_signed_address_is_an_object_of_its_own_for_a_minute(
    client: httpx.Client, origin: ImageOrigin, signed: str
) -> None:
    origin.cache_control = PRIVATE
    other = signed.replace("=a", "=b")
    assert [client.get(path).headers["X-Cache"] for path in (signed, signed, other)] == ["miss", "hit", "miss"]
    assert [path for _, path, _ in origin.asked] == [signed, other]
    assert client.get(f"{signed}a").status_code == 404
    assert client.get(f"{signed}&x=1").status_code == 404


@WITH_PURGE
def test_a_tag_purges_what_was_delivered_with_it(client: httpx.Client, origin: ImageOrigin, signed: str) -> None:
    origin.cache_control, origin.surrogate_key = PRIVATE, "photo-abc private-me"
    address = signed.replace("=a", "=c")  # cached by no other test
    assert "surrogate-key" not in client.get(address).headers
    cdn = HttpPurgeCdn(client)
    cdn.purge_tag("private-m")  # of somebody whose id begins alike
    assert client.get(address).headers["X-Cache"] == "hit"
    origin.status = 403
    cdn.purge_tag("private-me")
    assert client.get(address).status_code == 403
    origin.status = None
    assert client.get(address).status_code == 200


@WITH_PURGE
@pytest.mark.parametrize("tag", ["x", "private-", "private-a b", "private-.*", "a-b || obj.status != 0"])
def test_a_tag_of_another_form_is_refused(client: httpx.Client, tag: str) -> None:
    assert client.request("PURGE", "/photos/", headers={"Surrogate-Key": tag}).status_code == 400


@NEEDS_VARNISH
def test_only_the_private_network_may_purge(tmp_path: Path, path: str) -> None:
    with (
        running_image_origin() as origin,
        running_varnish(tmp_path, origin.port, purgers='"192.0.2.1";') as url,
    ):
        assert httpx.request("PURGE", f"{url}{path}/640").status_code == 403
        tag = {"Surrogate-Key": "private-abc"}
        assert httpx.request("PURGE", f"{url}/photos/", headers=tag).status_code == 403


@pytest.fixture(scope="module")
def hurried_nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ImageOrigin, str]]:
    """An nginx that asks again after a second, and its origin."""
    with (
        running_image_origin() as origin,
        running_nginx(tmp_path_factory.mktemp("hurried"), origin.port, kept_seconds=1) as url,
    ):
        yield origin, url


@NEEDS_NGINX
def test_nginx_asks_again_whether_an_image_is_still_there(
    hurried_nginx: tuple[ImageOrigin, str], path: str, photo: int
) -> None:
    origin, url = hurried_nginx
    origin.photos, origin.status = {encode_id(photo)}, None
    with httpx.Client(base_url=url) as client:
        assert client.get(f"{path}/640").status_code == 200
        origin.photos.clear()
        assert client.get(f"{path}/640").headers["X-Cache"] == "hit"
        assert until(client, f"{path}/640", 404).headers["X-Cache"] == "miss"


@NEEDS_NGINX
def test_nginx_serves_what_it_has_while_no_api_answers_except_what_was_signed(
    hurried_nginx: tuple[ImageOrigin, str], path: str, signed: str, photo: int
) -> None:
    origin, url = hurried_nginx
    origin.photos, origin.status = {encode_id(photo)}, None
    with httpx.Client(base_url=url) as client:
        assert [client.get(each).status_code for each in (signed, f"{path}/640")] == [200, 200]
        origin.status = 503
        until(client, signed, 503)
        origin.asked.clear()
        while not origin.asked:  # until the other image is a second old, too
            assert client.get(f"{path}/640").status_code == 200
        assert client.get(f"{path}/640").status_code == 200


def test_the_deployed_nginx_asks_again_after_a_minute() -> None:
    kept = re.findall(r"proxy_cache_valid 200 (\w+);", (EDGE / "nginx-images.conf").read_text())
    assert kept == [f"{KEPT_SECONDS}s"]
    assert PRIVATE.endswith(f"max-age={KEPT_SECONDS}")

"""The browser app as the API serves it: what a person gets who opens the printed address."""

import re
from pathlib import Path
from typing import Protocol

import httpx
import pytest

DIST = Path(__file__).parents[2] / "web" / "dist"
ASSET = re.compile(r"(?:src|href)=\"(/assets/[^\"]+)\"")
MEDIA_TYPES = {".js": "javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class RunningApp(Protocol):
    """The part of the fixture `running_app` that is needed here."""

    base_url: str


@pytest.fixture
def index_page(running_app: RunningApp) -> httpx.Response:
    if not (DIST / "index.html").is_file():
        pytest.skip("web/dist is not built: run `npm ci && npm run build` in web/ (needs Node 20 or newer)")
    return httpx.get(f"{running_app.base_url}/")


def test_the_app_is_served_at_the_root(index_page: httpx.Response) -> None:
    assert index_page.status_code == httpx.codes.OK
    assert index_page.headers["content-type"].startswith("text/html")
    assert '<div id="app">' in index_page.text
    assert "{{" not in index_page.text


def test_every_asset_the_page_names_loads_with_a_type_browsers_accept(
    index_page: httpx.Response, running_app: RunningApp
) -> None:
    assets = ASSET.findall(index_page.text)
    assert {Path(asset).suffix for asset in assets} == set(MEDIA_TYPES)
    for asset in assets:
        reply = httpx.get(f"{running_app.base_url}{asset}")
        assert reply.status_code == httpx.codes.OK, asset
        assert MEDIA_TYPES[Path(asset).suffix] in reply.headers["content-type"], asset
        assert reply.content == (DIST / asset.lstrip("/")).read_bytes(), asset


def test_a_missing_asset_is_not_answered_with_the_page(index_page: httpx.Response, running_app: RunningApp) -> None:
    assert index_page.status_code == httpx.codes.OK
    assert httpx.get(f"{running_app.base_url}/assets/no-such-file.js").status_code == httpx.codes.NOT_FOUND

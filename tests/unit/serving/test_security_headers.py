import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from fastapi.testclient import TestClient

from photofeed.settings import Settings
from serving.api.app_page import Preview, PreviewImage
from serving.api.security_headers import SecurityHeaders, page_policy

WEB = Path(__file__).parents[3] / "web"
INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", re.IGNORECASE)


def _http(public_url: str = "http://photos.example") -> TestClient:
    app = FastAPI()
    app.add_middleware(SecurityHeaders, settings=Settings(env="dev", public_url=public_url))
    app.get("/page")(lambda: HTMLResponse("<p>"))
    app.get("/kept")(lambda: Response(status_code=304))
    app.get("/data")(lambda: Response("{}", media_type="application/json"))
    return TestClient(app)


def _directives(policy: str) -> dict[str, list[str]]:
    parts = [directive.split() for directive in policy.split(";")]
    return {name: sources for name, *sources in parts}


def test_pages_load_files_of_this_origin_images_of_the_public_one_and_upload_to_the_store() -> None:
    policy = page_policy(
        Settings(env="dev", public_url="https://photos.example/x", s3_endpoint_url="http://s3.example:8333")
    )
    directives = _directives(policy)
    assert "unsafe" not in policy
    assert "*" not in policy
    assert directives["default-src"] == ["'none'"]
    assert directives["script-src"] == directives["style-src"] == ["'self'"]
    assert directives["img-src"] == ["'self'", "https://photos.example", "data:", "blob:"]
    assert directives["connect-src"] == ["'self'", "http://s3.example:8333"]
    assert directives["frame-ancestors"] == directives["base-uri"] == ["'none'"]
    assert directives["font-src"] == directives["manifest-src"] == directives["form-action"] == ["'self'"]


def test_every_reply_has_the_headers_and_data_may_load_nothing() -> None:
    http = _http()
    page, data, missing = (http.get(path).headers for path in ("/page", "/data", "/missing"))
    assert _directives(page["content-security-policy"])["script-src"] == ["'self'"]
    assert data["content-security-policy"] == missing["content-security-policy"]
    assert _directives(data["content-security-policy"]) == {"default-src": ["'none'"], "frame-ancestors": ["'none'"]}
    for headers in (page, data, missing):
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["permissions-policy"] == "camera=(), geolocation=(), microphone=()"
        assert "strict-transport-security" not in headers
    https = _http("https://photos.example").get("/page").headers
    assert https["strict-transport-security"] == f"max-age={365 * 24 * 3600}"


def test_a_page_that_the_browser_keeps_keeps_its_policy() -> None:
    kept = _http().get("/kept")
    assert kept.status_code == 304
    assert "content-security-policy" not in kept.headers
    assert kept.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("page", ["index.html", "docs.html"])
def test_no_page_has_scripts_or_styles_inside_it(page: str) -> None:
    assert not INLINE.search((WEB / page).read_text())


def test_a_preview_names_its_page_and_image() -> None:
    image = PreviewImage("http://a/1", 640, 480, "A lake")
    head = "".join(Preview("Title", "Words", "http://a/", "article", image).head())
    named = dict(re.findall(r'<meta property="og:([a-z_:]+)" content="([^"]*)">', head))
    assert named == {
        "site_name": "photofeed",
        "type": "article",
        "title": "Title",
        "description": "Words",
        "url": "http://a/",
        "image": "http://a/1",
        "image:width": "640",
        "image:height": "480",
        "image:alt": "A lake",
    }
    assert '<link rel="canonical" href="http://a/">' in head
    assert '<meta name="description" content="Words">' in head
    assert '<meta name="twitter:card" content="summary_large_image">' in head
    assert '<meta name="twitter:card" content="summary">' in list(
        Preview("T", "W", "http://a/", "article", None).head()
    )


def test_a_preview_adds_none() -> None:
    bad = "<script>alert(1)</script><p style=x onclick=y>"
    preview = Preview(bad, bad, "http://a/", "article", PreviewImage("http://a/1", 1, 1))
    assert not re.search(r"<script|<p", "".join(preview.head()))


def test_the_check_of_pages_finds_what_the_policy_forbids() -> None:
    for inline in ("<script>", "<style>", "<p style='a'>", "<p onclick='a'>", "<a href='javascript:a'>"):
        assert INLINE.search(inline), inline
    assert not INLINE.search('<script type="module" src="/a.js"></script>')


def test_uploads_go_to_the_host_of_the_bucket_if_addresses_begin_with_it() -> None:
    settings = Settings(
        env="dev", s3_endpoint_url="https://s3.eu-central-1.amazonaws.com", s3_addressing_style="virtual"
    )
    origins = _directives(page_policy(settings))["connect-src"]
    assert origins == ["'self'", "https://photofeed-originals.s3.eu-central-1.amazonaws.com"]

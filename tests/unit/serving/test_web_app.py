"""The files of the browser app, and the paths that are not files."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient

from serving.api.app_page import AppPage, Preview, PreviewImage
from serving.api.head import HeadRequests
from serving.api.problems import install_problem_handlers
from serving.api.request_context import RequestIds, UnexpectedErrors
from serving.api.web_app import AllowedMethods, WebApp

BUILT = Path(__file__).parents[3] / "web" / "dist" / "docs.html"
HASHED = "assets/main-7ABCDEF2.js"


@pytest.fixture
def http(tmp_path: Path) -> Iterator[TestClient]:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<p>photofeed</p><!--page--><title>photofeed</title><!--/page-->")
    (tmp_path / f"{HASHED}.br").write_bytes(b"b")
    (tmp_path / f"{HASHED}.gz").write_bytes(gzip.compress(b"1"))
    (tmp_path / "docs.html").write_text("<p>documentation</p>")
    (tmp_path / HASHED).write_text("1")
    for name in ("data-ABCDEFGH.unknown", "data-ABCDEFGH.unknown.br"):
        (tmp_path / "assets" / name).write_bytes(b"b")
    (tmp_path / "assets/plain.js").write_text("2")
    router = APIRouter(prefix="/v1")

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError("a secret of the library")

    app = FastAPI(redirect_slashes=False, docs_url=None)
    app.include_router(router)
    app.router.default = WebApp(tmp_path, AppPage.of(tmp_path))
    install_problem_handlers(app, AllowedMethods([router]).header)
    app.add_middleware(HeadRequests)
    app.add_middleware(UnexpectedErrors)
    app.add_middleware(RequestIds)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_hashed_files_are_kept_for_good_and_others_are_asked_for_again(http: TestClient) -> None:
    assert http.get(f"/{HASHED}").headers["cache-control"] == "public, max-age=31536000, immutable"
    for path in ("/", "/index.html", "/docs", "/assets/plain.js"):
        reply = http.get(path)
        assert (reply.status_code, reply.headers["cache-control"]) == (200, "no-cache")
        again = http.get(path, headers={"If-None-Match": reply.headers["etag"]})
        assert again.status_code == 304


def test_files_answer_get_and_head_only(http: TestClient) -> None:
    for path in ("/", f"/{HASHED}"):
        head = http.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == http.get(path).headers["content-length"]
        for method in ("POST", "DELETE", "OPTIONS"):
            refused = http.request(method, path)
            assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(("accepted", "encoding"), [("gzip, br", "br"), ("gzip", "gzip"), ("identity", None)])
def test_an_asset_is_sent_in_the_best_encoding_that_the_client_accepts(
    http: TestClient, accepted: str, encoding: str | None
) -> None:
    reply = http.head(f"/{HASHED}", headers={"Accept-Encoding": accepted})
    assert reply.headers.get("content-encoding") == encoding
    assert "javascript" in reply.headers["content-type"]
    assert reply.headers["vary"] == "Accept-Encoding"
    assert "immutable" in reply.headers["cache-control"]


def test_an_asset_of_an_unknown_type_is_bytes(http: TestClient) -> None:
    reply = http.head("/assets/data-ABCDEFGH.unknown", headers={"Accept-Encoding": "br"})
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/octet-stream")
    assert reply.headers["content-encoding"] == "br"


ROUTER = Path(__file__).parents[3] / "web" / "src" / "router.ts"


def test_every_address_that_the_app_writes_is_answered_with_the_app(http: TestClient) -> None:
    """Except for those of pages.py, which need a database (tests/api/test_pages.py)."""
    paths = re.search(r"export const paths = {\n(.*?)^}", ROUTER.read_text(), re.DOTALL | re.MULTILINE)
    assert paths is not None
    written = set(re.findall(r"['`](/[^'`$@?]*)(\$?)", paths[1]))
    addresses = {path + ("x" if is_prefix else "") for path, is_prefix in written if path != "/p/"} - {"/", "/x"}
    addresses |= {"/@ada/followers", "/@ada/following", "/p/x/likes"}
    assert {"/explore", "/settings", "/tags/x"} <= addresses
    for address in addresses:
        reply = http.get(address)
        assert (reply.status_code, reply.headers["cache-control"]) == (200, "no-cache"), address
        assert "<p>photofeed</p>" in reply.text


@pytest.mark.parametrize("path", ["/nothing", "/tags/a/b", "/people/x"])
def test_a_browser_gets_a_page_for_an_unknown_path_and_other_clients_a_problem(http: TestClient, path: str) -> None:
    page = http.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert (page.headers["vary"], page.headers["cache-control"]) == ("Accept", "no-cache")
    assert "<p>photofeed</p>" in page.text
    assert http.get(path).headers["content-type"] == "application/problem+json"
    assert http.get("/v1/nothing", headers={"Accept": "text/html"}).json()["code"] == "not_found"


def test_a_preview_is_escaped_and_replaces_the_title() -> None:
    page = AppPage("<!--page--><title>photofeed</title><!--/page--><p>app</p>")
    image = PreviewImage("https://photos.example/1080", 1080, 720, 'A "boat"')
    preview = Preview('A "<b>" & \\1', "words", "https://photos.example/p/1", "article", image)
    html = bytes(page.reply(preview).body).decode()
    assert "<title>A &quot;&lt;b&gt;&quot; &amp; \\1 · photofeed</title>" in html
    assert '<meta property="og:image" content="https://photos.example/1080">' in html
    assert '<meta property="og:image:width" content="1080">' in html
    assert '<meta property="og:image:alt" content="A &quot;boat&quot;">' in html
    assert html.count("<title>") == 1
    assert html.endswith("<p>app</p>")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
@pytest.mark.parametrize(
    "path", ["/nothing", "/v1/nothing", "/../secrets", "/assets/%2e%2e/%2e%2e/etc/passwd", "/assets"]
)
def test_what_is_no_file_is_a_404_problem(http: TestClient, method: str, path: str) -> None:
    reply = http.request(method, path)
    assert (reply.status_code, reply.headers["content-type"]) == (404, "application/problem+json")


def test_an_unexpected_error_shows_an_id_and_nothing_of_the_program(http: TestClient) -> None:
    reply = http.get("/v1/broken", headers={"X-Request-Id": "r-1"})
    assert (reply.status_code, reply.json()["code"], reply.headers["x-request-id"]) == (500, "internal", "r-1")
    assert "secret" not in reply.text
    assert http.head("/v1/broken").status_code == 500


def test_without_a_built_app_every_other_path_is_a_404(tmp_path: Path) -> None:
    app = FastAPI(docs_url=None)
    app.router.default = WebApp(tmp_path / "missing", AppPage.of(tmp_path / "missing"))
    install_problem_handlers(app, AllowedMethods([]).header)
    http = TestClient(app)
    assert http.get("/").json()["code"] == "not_found"
    assert "/openapi.json" in http.get("/docs").json()["detail"]


def test_the_documentation_has_an_address_without_ending(http: TestClient) -> None:
    assert (http.get("/docs").text, http.head("/docs").status_code) == ("<p>documentation</p>", 200)
    assert http.post("/docs").status_code == 405


@pytest.mark.skipif(not BUILT.is_file(), reason="web/dist is not built: make web, with Node 20 or newer")
def test_the_built_documentation_needs_no_other_server() -> None:
    page = BUILT.read_text()
    assert {one.partition("/assets/")[0] for one in re.findall(r'(?:src|href)="([^"]+)"', page)} == {
        "",
        "/openapi.json",
    }
    assert "cdn." not in page
    assert "<script>" not in page  # a content security policy may forbid scripts inside pages

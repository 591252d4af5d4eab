"""Pages that a shared link leads to: what somebody sees who has no account."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from photofeed import bundled
from serving import bootstrap
from serving.app import create_app
from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App

EMPTY = "<!--page--><title>photofeed</title><!--/page-->"


@pytest.fixture(scope="module")
def site(app: "App", tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The API with an app of one page, whether or not the browser app is built."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "index.html").write_text(EMPTY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundled, "web_app", lambda: folder)
        make_services = partial(bootstrap.services, connect_publisher=lambda _: app.log)
        with TestClient(create_app(app.settings, make_services), base_url="http://127.0.0.1") as client:
            yield client


def test_a_link_to_a_public_post_shows_its_caption_author_and_image(app: "App", site: TestClient) -> None:
    author = app.person(displayName="Ada <Byron>")
    post = author.upload(picture(91), caption='First "light"\n over the ridge')
    app.work()
    html = site.get(f"/p/{post}").text
    assert "<title>Photo by Ada &lt;Byron&gt; · photofeed</title>" in html
    assert 'content="First &quot;light&quot; over the ridge"' in html
    image = f"{app.settings.public_url}/photos/{post}/"
    assert f'<meta property="og:image" content="{image}' in html
    assert f'<meta property="og:url" content="{app.settings.public_url}/p/{post}">' in html


def test_a_post_without_a_caption_is_described_by_its_author(app: "App", site: TestClient) -> None:
    author = app.person()
    post = author.upload(picture(93))
    app.work()
    assert f'content="A photo by @{author.handle}"' in site.get(f"/p/{post}").text
    author.upload(picture(94))  # not shown yet
    assert "1 photo on photofeed" in site.get(f"/@{author.handle}").text


def test_a_private_post_looks_like_one_that_does_not_exist(app: "App", site: TestClient) -> None:
    author = app.person(isPrivate=True)
    post = author.upload(picture(92), caption="for friends")
    app.work()
    answers = [site.get(path) for path in (f"/p/{post}", "/p/15OGRpnNiJv", "/p/no-id")]
    assert {(reply.status_code, reply.text) for reply in answers} == {(200, EMPTY)}


def test_a_link_to_a_public_profile_shows_name_and_bio(app: "App", site: TestClient) -> None:
    person = app.person(displayName="Ada")
    html = site.get(f"/@{person.handle}").text
    assert f"Ada (@{person.handle})" in html
    assert "0 photos on photofeed" in html
    assert person.call("PATCH", "/v1/me", json={"bio": "Mountains,\n before sunrise"}).is_success
    assert 'content="Mountains, before sunrise"' in site.get(f"/@{person.handle}").text


def test_a_private_profile_looks_like_one_that_does_not_exist(app: "App", site: TestClient) -> None:
    person = app.person(isPrivate=True)
    answers = [site.get(path) for path in (f"/@{person.handle}", "/@no.such.person")]
    assert {(reply.status_code, reply.text) for reply in answers} == {(200, EMPTY)}

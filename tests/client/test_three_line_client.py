"""The three-line client of the README, in Node, against the running system."""

import shutil
import subprocess
import uuid
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from PIL import Image

from simulation.replies import FINAL_STATUSES
from simulation.waiting import Polling

CLIENT = Path(__file__).parent / "three_lines.mjs"
JPEG, HEIC = "image/jpeg", "image/heic"

SIZES = ("150", "640", "1080")
CAPTION = "Grüße aus Peking — 北京 🏯"


class RunningApp(Protocol):
    """The part of the fixture `running_app` that this test uses."""

    base_url: str
    service_token: str

    def token(self, user_id: str) -> str:
        """A person's own token."""


@pytest.fixture(scope="module")
def node() -> str:
    program = shutil.which("node")
    if program is None:
        pytest.skip("node is missing: install nodejs 20 or later")
    return program


@pytest.fixture
def owner(running_app: RunningApp) -> str:
    body = {"handle": f"client_{uuid.uuid4().hex[:12]}", "displayName": "Three Lines"}
    headers = {"Authorization": f"Bearer {running_app.service_token}"}
    reply = httpx.post(f"{running_app.base_url}/v1/users", json=body, headers=headers).raise_for_status()
    return str(reply.json()["id"])


@pytest.fixture(scope="module")
def jpeg() -> Path:
    """A real photo from scikit-learn's package."""
    spec = find_spec("sklearn")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "datasets" / "images" / "china.jpg"


@pytest.fixture
def heic(jpeg: Path, tmp_path: Path) -> Path:
    """The same photo as phones store it."""
    from pillow_heif import from_pillow  # loads a codec that no other test needs

    file = tmp_path / "china.heic"
    with Image.open(jpeg) as image:
        from_pillow(image.convert("RGB")).save(file, quality=80)
    return file


def _upload(node: str, app: RunningApp, owner: str, file: Path, media_type: str) -> str:
    command = [node, str(CLIENT), app.base_url, app.token(owner), str(file), media_type, CAPTION]
    finished = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)  # noqa: S603
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


def _get(app: RunningApp, owner: str, path: str) -> Any:
    headers = {"Authorization": f"Bearer {app.token(owner)}"}
    return httpx.get(f"{app.base_url}{path}", headers=headers).raise_for_status().json()


def _processed(app: RunningApp, owner: str, photo_id: str) -> dict[str, Any]:
    photo: dict[str, Any] = {}

    def finished() -> int:
        photo.update(_get(app, owner, f"/v1/photos/{photo_id}"))
        return int(photo["status"] in FINAL_STATUSES)

    Polling().until_done(finished, 1, stalled_seconds=60, what="photos processed")
    return photo


def _assert_posted(app: RunningApp, owner: str, photo: dict[str, Any]) -> None:
    assert photo["status"] == "ready", photo["failure"]
    assert {(variant["size"], variant["format"]) for variant in photo["variants"]} >= {
        (int(size), form) for size in SIZES for form in ("jpeg", "webp")
    }
    posts = _get(app, owner, f"/v1/users/{owner}/posts")["items"]
    (post,) = [item for item in posts if item["id"] == photo["id"]]
    assert post["caption"] == CAPTION
    assert post["blurhash"]
    for size in SIZES:
        shown = post["images"][size]
        served = httpx.get(shown["url"], headers={"Accept": "image/webp,*/*;q=0.8"}).raise_for_status()
        with Image.open(BytesIO(served.content)) as image:
            assert (image.format, image.size) == ("WEBP", (shown["width"], shown["height"]))
            assert not image.getexif()


def test_three_lines_post_a_jpeg(node: str, running_app: RunningApp, owner: str, jpeg: Path) -> None:
    photo = _processed(running_app, owner, _upload(node, running_app, owner, jpeg, JPEG))

    _assert_posted(running_app, owner, photo)
    assert (photo["width"], photo["height"]) == (640, 427)


def test_three_lines_post_a_heic(node: str, running_app: RunningApp, owner: str, heic: Path) -> None:
    photo = _processed(running_app, owner, _upload(node, running_app, owner, heic, HEIC))

    _assert_posted(running_app, owner, photo)


@pytest.mark.parametrize("name", ["heic/iphone.heic", "heic/nokia_8_3.heif", "hdr/iphone_hdr.jpg"])
def test_three_lines_post_what_real_phones_made(
    node: str, running_app: RunningApp, owner: str, samples: Path, name: str
) -> None:
    file = samples / "photos" / name
    media_type = JPEG if file.suffix == ".jpg" else HEIC

    _assert_posted(
        running_app, owner, _processed(running_app, owner, _upload(node, running_app, owner, file, media_type))
    )


def test_three_lines_that_post_no_image_get_the_reason(
    node: str, running_app: RunningApp, owner: str, tmp_path: Path
) -> None:
    file = tmp_path / "shopping.jpg"
    file.write_text("milk, bread, film")

    photo = _processed(running_app, owner, _upload(node, running_app, owner, file, JPEG))

    assert photo["status"] == "failed"
    assert photo["failure"]["code"]
    assert photo["failure"]["reason"]

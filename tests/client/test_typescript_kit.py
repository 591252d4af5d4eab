"""The TypeScript kit in Node against the running system."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from photofeed_client import PhotofeedClient

from tests.client.conftest import new_token

if TYPE_CHECKING:
    from tests.conftest import RunningApp

PROGRAM = Path(__file__).with_name("typescript_kit.mjs")
KIT = Path(__file__).parents[2] / "clients" / "typescript" / "dist" / "index.js"


@pytest.fixture
def node() -> str:
    program = shutil.which("node")
    if program is None or not KIT.exists():
        pytest.skip("node or the TypeScript client is missing: install nodejs 20 or later, run make clients")
    return program


def test_a_photo_is_uploaded_a_feed_read_and_events_reported(
    node: str, running_app: "RunningApp", photograph: Path
) -> None:
    with PhotofeedClient(running_app.base_url, new_token(running_app)) as author:
        others = [author.upload(photograph).id for _ in range(3)]
        assert [list(author.watch(photo))[-1].status for photo in others] == ["ready"] * 3
    arguments = [str(KIT), running_app.base_url, new_token(running_app), str(photograph)]
    done = subprocess.run([node, str(PROGRAM), *arguments], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["stages"] == ["sending", "processing", "done"]
    assert (said["status"], said["caption"]) == ("ready", "Grüße")
    assert len(set(said["seen"])) == len(said["seen"]) >= 3
    assert said["failures"] == []
    assert said["refusal"] == "post_not_found"

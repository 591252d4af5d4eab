"""Accounts and a photograph for tests of clients."""

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from photofeed_client import Call, PhotofeedClient
from PIL import Image

if TYPE_CHECKING:
    from tests.conftest import RunningApp


def new_token(running_app: "RunningApp") -> str:
    """A token of a new account."""
    with PhotofeedClient(running_app.base_url, running_app.service_token) as service:
        body = {"handle": f"kit_{uuid.uuid4().hex[:12]}", "displayName": "Kit"}
        return running_app.token(service.call(Call("POST", "/v1/users", body))["id"])


@pytest.fixture
def token(running_app: "RunningApp") -> str:
    """A token of a new account."""
    return new_token(running_app)


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """A file with a photo."""
    file = tmp_path / "photo.jpg"
    Image.linear_gradient("L").resize((800, 600)).save(file, "JPEG")
    return file

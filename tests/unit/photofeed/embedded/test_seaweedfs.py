"""SeaweedFS is started again when its filer keeps the error of a disk that was full."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from photofeed.embedded.errors import NotReadyError
from photofeed.embedded.seaweedfs import Buckets, SeaweedFS
from photofeed.embedded.stack import EmbeddedStack
from photofeed.embedded.state import StateFolder

DATABASES = 8  # of the filer, by the hash of a folder's path


class Disk:
    """The disk of a SeaweedFS, and how its S3 gateway answers."""

    def __init__(self) -> None:
        self.free = 2**40
        self.error: Exception | None = None
        self.writes = self.stuck_database = 0

    def put_object(self, **written: Any) -> None:
        self.writes += 1
        path = f"/buckets/{written['Bucket']}/{written['Key'].rpartition('/')[0]}"
        database = hashlib.md5(path.encode(), usedforsecurity=False).digest()[-1] % DATABASES
        if self.error is not None and database == self.stuck_database:
            raise self.error


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def stuck(disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str | None]:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=disk.free))
    monkeypatch.setattr(SeaweedFS, "client", lambda _: disk)
    ports, state = cast("Any", None), StateFolder(tmp_path / "state")
    server = SeaweedFS(
        state, ports, region="", secret_key="", jwt_key="", admin_password="", buckets=Buckets("uploads", (), ())
    )
    return server.stuck


def _refusal(status: int) -> ClientError:
    return ClientError({"ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject")  # type: ignore[typeddict-item]


@pytest.mark.parametrize("database", range(DATABASES))
def test_a_filer_that_takes_no_files_after_its_disk_was_full_is_stuck(
    disk: Disk, stuck: Callable[[], str | None], database: int
) -> None:
    disk.stuck_database = database
    disk.free, disk.error = 0, _refusal(500)
    assert stuck() is None
    assert disk.writes == 0  # there is no room, so nothing would be better after a start
    disk.free = 2**40
    assert "takes no files" in (stuck() or "")
    assert "takes no files" in (stuck() or "")
    disk.error = None
    assert stuck() is None


def test_a_filer_that_does_not_answer_is_asked_again(disk: Disk, stuck: Callable[[], str | None]) -> None:
    disk.free = 0
    stuck()
    disk.free, disk.error = 2**40, EndpointConnectionError(endpoint_url="")
    assert stuck() is None
    assert stuck() is None
    disk.error = None
    assert stuck() is None
    assert disk.writes > DATABASES  # it was asked at each check


def test_a_filer_is_tried_out_now_and_then(disk: Disk, stuck: Callable[[], str | None]) -> None:
    told = [stuck() for _ in range(65)]
    assert told == [None] * 65
    assert disk.writes == 2 * DATABASES


def test_a_stuck_server_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = EmbeddedStack(tmp_path / "state")
    reasons: list[str | None] = [None, "it takes no files"]
    monkeypatch.setattr(stack, "_servers", {"seaweedfs": SimpleNamespace(probe=lambda: None)})
    monkeypatch.setattr(stack, "_stuck", {"seaweedfs": lambda: reasons.pop(0)})
    stack.probe("seaweedfs")
    with pytest.raises(NotReadyError, match="it takes no files"):
        stack.probe("seaweedfs")

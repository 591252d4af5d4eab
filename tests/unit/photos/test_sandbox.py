import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from ingestion.photos.process import process_photo
from ingestion.photos.rejection import PhotoRejected
from ingestion.photos.sandbox import PhotoSandbox
from ingestion.photos.validate import PhotoLimits
from ingestion.photos.wire import decode
from photofeed.errors import RetryableError

Encode = Callable[..., bytes]


@pytest.fixture(scope="module")
def jpeg(picture: Image.Image, encode: Encode) -> bytes:
    return encode(picture, "JPEG")


@pytest.fixture
def sandbox(limits: PhotoLimits) -> Iterator[PhotoSandbox]:
    with PhotoSandbox(limits, timeout_seconds=5) as sandbox:
        yield sandbox


def pid_of(sandbox: PhotoSandbox) -> int:
    assert sandbox.pid is not None
    return sandbox.pid


def test_the_result_is_that_of_processing_at_home(sandbox: PhotoSandbox, jpeg: bytes, limits: PhotoLimits) -> None:
    assert sandbox.process(jpeg) == process_photo(jpeg, limits)


def test_the_reason_of_a_refusal_reaches_the_user(sandbox: PhotoSandbox, jpeg: bytes) -> None:
    with pytest.raises(PhotoRejected) as rejected:
        sandbox.process(jpeg[: len(jpeg) // 2])
    assert rejected.value.code == "truncated"
    assert sandbox.process(jpeg).variants


def test_a_child_that_hangs_is_replaced(limits: PhotoLimits, jpeg: bytes) -> None:
    with PhotoSandbox(limits, timeout_seconds=2) as sandbox:
        sandbox.process(jpeg)
        os.kill(pid_of(sandbox), signal.SIGSTOP)
        with pytest.raises(PhotoRejected, match="could not be processed") as rejected:
            sandbox.process(jpeg)
        assert rejected.value.code == "unprocessable"
    with PhotoSandbox(limits) as sandbox:
        assert sandbox.process(jpeg).variants


def test_a_child_that_died_between_photos_costs_no_photo(sandbox: PhotoSandbox, jpeg: bytes) -> None:
    sandbox.process(jpeg)
    os.kill(pid_of(sandbox), signal.SIGKILL)
    os.waitid(os.P_PID, pid_of(sandbox), os.WEXITED | os.WNOWAIT)
    assert sandbox.process(jpeg).variants


def test_a_photo_whose_child_the_machine_kills_is_tried_once_more(sandbox: PhotoSandbox, jpeg: bytes) -> None:
    sandbox.process(jpeg)
    killed = pid_of(sandbox)
    os.kill(killed, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as hands:
        photo = hands.submit(sandbox.process, jpeg)
        while not any(isinstance(thread, threading.Timer) for thread in threading.enumerate()):
            assert not photo.done()  # the timer runs from before the photo is sent
        os.kill(killed, signal.SIGKILL)
        assert photo.result().variants
    assert pid_of(sandbox) != killed


def test_a_photo_that_needs_too_much_memory_is_refused_and_the_next_one_is_not(
    limits: PhotoLimits, encode: Encode, jpeg: bytes
) -> None:
    huge = encode(Image.new("RGBA", (7700, 7700)), "PNG", compress_level=1)
    with PhotoSandbox(limits, memory_bytes=500 * 2**20) as sandbox:
        with pytest.raises(PhotoRejected) as rejected:
            sandbox.process(huge)
        assert rejected.value.code == "unprocessable"
        assert sandbox.process(jpeg).variants


def test_a_child_that_cannot_start_is_not_the_photos_fault(
    limits: PhotoLimits, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with PhotoSandbox(limits) as sandbox, pytest.raises(RetryableError):
        sandbox.process(jpeg)


@pytest.mark.parametrize("message", [b"", b"\x00\x00\x00\x02{}", b"\x00\x00\x00\x02[]", b"\xff\xff\xff\xffjunk"])
def test_a_message_that_is_none_of_ours_is_an_error(message: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        decode(message)

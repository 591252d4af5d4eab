import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from ingestion.photos.process import process_photo
from ingestion.photos.rejection import PhotoRejected
from ingestion.photos.sandbox import PhotoSandbox, _Child
from ingestion.photos.steps import StepClock
from ingestion.photos.validate import PhotoLimits
from ingestion.photos.wire import decode
from photofeed.errors import RetryableError

Encode = Callable[..., bytes]


@pytest.fixture(scope="module")
def jpeg(picture: Image.Image, encode: Encode) -> bytes:
    return encode(picture, "JPEG")


@pytest.fixture
def sandbox(limits: PhotoLimits) -> Iterator[PhotoSandbox]:
    with PhotoSandbox(limits) as sandbox:
        yield sandbox


def pid_of(sandbox: PhotoSandbox) -> int:
    assert sandbox.pid is not None
    return sandbox.pid


def test_the_sandbox_gives_the_result_of_process_photo(sandbox: PhotoSandbox, jpeg: bytes, limits: PhotoLimits) -> None:
    assert sandbox.process(jpeg) == process_photo(jpeg, limits)


def test_the_reason_of_a_refusal_reaches_the_user(sandbox: PhotoSandbox, jpeg: bytes) -> None:
    with pytest.raises(PhotoRejected) as rejected:
        sandbox.process(jpeg[: len(jpeg) // 2])
    assert rejected.value.code == "truncated"
    assert sandbox.process(jpeg).variants


def test_a_child_that_hangs_is_replaced_and_its_photo_is_not_blamed(limits: PhotoLimits, jpeg: bytes) -> None:
    with PhotoSandbox(limits, timeout_seconds=2) as sandbox:
        sandbox.process(jpeg)
        os.kill(pid_of(sandbox), signal.SIGSTOP)
        with pytest.raises(RetryableError, match="2 s by the clock"):
            sandbox.process(jpeg)
    with PhotoSandbox(limits) as sandbox:
        assert sandbox.process(jpeg).variants


def test_a_photo_that_needs_too_much_processor_time_is_refused(limits: PhotoLimits, encode: Encode) -> None:
    slow = encode(Image.new("RGBA", (7700, 7700)), "PNG", compress_level=1)
    with PhotoSandbox(limits, cpu_seconds=0) as sandbox, pytest.raises(PhotoRejected, match="too long") as rejected:
        sandbox.process(slow)
    assert rejected.value.code == "unprocessable"


def test_processor_time_is_counted_for_each_photo(limits: PhotoLimits, encode: Encode) -> None:
    noise = encode(Image.effect_noise((1500, 1500), 200), "PNG", compress_level=1)
    with PhotoSandbox(limits, cpu_seconds=1) as sandbox:
        sandbox.process(noise)
        pid = sandbox.pid
        while _processor_seconds(pid_of(sandbox)) < 2.5:
            assert sandbox.process(noise).variants
        assert sandbox.pid == pid


def _processor_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def test_a_child_that_died_between_photos_is_replaced(sandbox: PhotoSandbox, jpeg: bytes) -> None:
    sandbox.process(jpeg)
    os.kill(pid_of(sandbox), signal.SIGKILL)
    os.waitid(os.P_PID, pid_of(sandbox), os.WEXITED | os.WNOWAIT)
    assert sandbox.process(jpeg).variants


def test_a_photo_is_retried_once_if_another_process_kills_the_child(sandbox: PhotoSandbox, jpeg: bytes) -> None:
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


def test_a_child_that_other_processes_kill_twice_is_a_retryable_error(
    limits: PhotoLimits, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Child, "ask", _killed)
    with PhotoSandbox(limits) as sandbox, pytest.raises(RetryableError, match="killed twice"):
        sandbox.process(jpeg)


def _killed(child: _Child, _data: bytes, _timeout_seconds: float) -> bytes:
    os.kill(child.pid, signal.SIGKILL)
    raise EOFError


def test_a_photo_that_needs_too_much_memory_is_refused_and_the_next_one_is_not(
    limits: PhotoLimits, encode: Encode, jpeg: bytes
) -> None:
    huge = encode(Image.new("RGBA", (7700, 7700)), "PNG", compress_level=1)
    with PhotoSandbox(limits, memory_bytes=500 * 2**20) as sandbox:
        with pytest.raises(PhotoRejected) as rejected:
            sandbox.process(huge)
        assert rejected.value.code == "unprocessable"
        assert sandbox.pid is None  # the memory of its child is used up
        assert sandbox.process(jpeg).variants


def test_the_steps_of_a_refused_photo_are_told(sandbox: PhotoSandbox) -> None:
    clock = StepClock()
    with pytest.raises(PhotoRejected) as rejected:
        sandbox.process(b"no photo", clock)
    assert [(one.step, one.outcome) for one in clock.outcomes] == [("validate", rejected.value.code)]


def test_a_child_that_cannot_start_is_a_retryable_error(
    limits: PhotoLimits, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with PhotoSandbox(limits) as sandbox, pytest.raises(RetryableError):
        sandbox.process(jpeg)


@pytest.mark.parametrize("message", [b"", b"\x00\x00\x00\x02{}", b"\x00\x00\x00\x02[]", b"\xff\xff\xff\xffjunk"])
def test_an_invalid_message_of_the_child_is_an_error(message: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        decode(message)

"""Runs `process_photo` in a child process, so that no file can take the worker with it.

The child is reused: one start costs about half a second, one photo about a tenth. It has a memory limit, no
secrets in its environment and no way to write files; it is killed when a photo takes too long, and replaced.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Pipe
from types import TracebackType
from typing import Self

import orjson

from ingestion.photos.process import ProcessedPhoto
from ingestion.photos.rejection import PhotoRejected
from ingestion.photos.sizes import FEED_OUTPUTS, Outputs
from ingestion.photos.steps import StepClock
from ingestion.photos.validate import PhotoLimits
from ingestion.photos.wire import decode
from photofeed.errors import RetryableError

# Address space. Resident peaks measured: 48-MP JPEG 0.16 GiB, 59-MP HEIC 0.25, in limited range 0.4; 59-MP PNG with
# alpha 0.7, 48-MP WebP 0.9.
DEFAULT_MEMORY_BYTES = 3 * 2**29
DEFAULT_TIMEOUT_SECONDS = 30.0
# As it maps blocks of 8 MB and more apart (photofeed/allocator.py says why), a sandbox grows to 225 MB between photos
# of 12 and of 48 megapixels; to 240 with 12 MB. 128 KB take 5 % more time, for pages that are new every time.
_ALLOCATOR = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": str(2**23)}
_START_SECONDS, _END_SECONDS = 60.0, 2.0
_LONGEST_ANSWER = 2**27


class PhotoSandbox:
    """A child process that processes one photo at a time. One instance per thread; close it when done."""

    def __init__(
        self,
        limits: PhotoLimits,
        outputs: Outputs = FEED_OUTPUTS,
        *,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        self._limits = limits
        self._outputs = outputs
        self._memory_bytes = memory_bytes
        self._timeout_seconds = timeout_seconds
        self._child: _Child | None = None

    def process(self, data: bytes, clock: StepClock | None = None) -> ProcessedPhoto:
        """Process one photo; `clock` hears of each step.

        Raises:
            PhotoRejected: as `process_photo` does, and `unprocessable` where the child died, ran out of memory or took
                too long. One killed by something else, as by a machine short of memory, is asked once more.
            RetryableError: the child could not be started, which is no photo's fault.
        """
        if len(data) > self._limits.max_bytes:
            # Said here already, so that nothing huge is sent through a pipe only to be refused.
            raise PhotoRejected("too_large", f"This file is larger than {self._limits.max_bytes // 2**20} MB.")
        return self._ask(data, clock, may_retry=True)

    def _ask(self, data: bytes, clock: StepClock | None, *, may_retry: bool) -> ProcessedPhoto:
        if self._child is None or self._child.is_dead:
            self.close()
            self._child = _Child(self._limits, self._outputs, self._memory_bytes)
        try:
            return decode(self._child.ask(data, self._timeout_seconds), clock)
        except PhotoRejected as rejection:
            # After it ran out of memory a process is not trusted with the next photo.
            if rejection.code == "unprocessable":
                self.close()
            raise
        except (EOFError, OSError, ValueError, KeyError, TypeError) as error:
            was_killed = self._child.was_killed
            self.close()
            if was_killed and may_retry:
                return self._ask(data, clock, may_retry=False)
            raise PhotoRejected("unprocessable", "This photo could not be processed.") from error

    @property
    def pid(self) -> int | None:
        """Process id of the child; None while there is none."""
        return None if self._child is None else self._child.pid

    def close(self) -> None:
        """End the child; the next photo starts a new one."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Child:
    """The process and the parent's end of its pipe; ready when constructed."""

    def __init__(self, limits: PhotoLimits, outputs: Outputs, memory_bytes: int) -> None:
        self._is_out_of_time = False
        self._pipe, remote = Pipe()
        arguments = (remote.fileno(), memory_bytes, limits.max_bytes, limits.max_pixels, ",".join(limits.formats))
        self._process = subprocess.Popen(  # noqa: S603  our own module
            [sys.executable, "-m", "ingestion.photos.sandbox_child", *map(str, arguments), orjson.dumps(outputs)],
            pass_fds=[remote.fileno()],
            stdin=subprocess.DEVNULL,
            env={
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
                **_ALLOCATOR,
            },
        )
        remote.close()
        try:
            with self._killed_after(_START_SECONDS):
                self._pipe.recv_bytes(_LONGEST_ANSWER)
        except (EOFError, OSError) as error:
            self.end()
            raise RetryableError("the process that reads photos did not start") from error

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def is_dead(self) -> bool:
        """Whether it has ended by itself, or was ended by the machine, since the last photo."""
        return self._process.poll() is not None

    @property
    def was_killed(self) -> bool:
        """Whether somebody else has killed it; waits for a moment, as its pipe is closed before it has ended."""
        try:
            return self._process.wait(_END_SECONDS) == -signal.SIGKILL and not self._is_out_of_time
        except subprocess.TimeoutExpired:
            return False

    def ask(self, data: bytes, timeout_seconds: float) -> bytes:
        """Send a photo and wait for the answer; EOFError or OSError where the child died or was killed for time."""
        with self._killed_after(timeout_seconds):
            self._pipe.send_bytes(data)
            return self._pipe.recv_bytes(_LONGEST_ANSWER)

    def end(self) -> None:
        """Kill the process, which holds nothing worth saving, and collect it."""
        self._process.kill()
        self._process.wait()
        self._pipe.close()

    @contextmanager
    def _killed_after(self, seconds: float) -> Iterator[None]:
        # A timer covers sending as well as waiting: a child that hangs while it reads would block the parent too.
        clock = threading.Timer(seconds, self._run_out)
        clock.start()
        try:
            yield
        finally:
            clock.cancel()

    def _run_out(self) -> None:
        self._is_out_of_time = True
        self._process.kill()

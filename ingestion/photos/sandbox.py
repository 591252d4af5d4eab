"""Runs `process_photo` in a child process, so that no file can crash or take over the worker.

The child is reused: a start takes about half a second, a photo about a tenth. It has a memory limit, no secrets in its
environment and no way to write files. A photo's limits are on what it uses itself: memory and processor time. How long
that takes by the clock depends on the machine, so a child that is killed by the clock is a failure to be retried.
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
# Processor time of one photo. A 12-MP HEIF and a 20-MP AVIF of cameras need 3 seconds in all sizes.
DEFAULT_CPU_SECONDS = 30
# By the clock: a machine that is ten times overloaded still gets through.
DEFAULT_TIMEOUT_SECONDS = 300.0
# Blocks of 8 MB and more are mapped separately (photofeed/allocator.py says why). With photos of 12 and 48 megapixels,
# a sandbox then grows to 225 MB; with a threshold of 12 MB, to 240. A threshold of 128 KB takes 5 % more time, because
# pages are new for every photo.
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
        cpu_seconds: int = DEFAULT_CPU_SECONDS,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        self._limits = limits
        self._outputs = outputs
        self._memory_bytes = memory_bytes
        self._cpu_seconds = cpu_seconds
        self._timeout_seconds = timeout_seconds
        self._child: _Child | None = None

    def process(self, data: bytes, clock: StepClock | None = None) -> ProcessedPhoto:
        """Process one photo. `clock` records each step.

        Raises:
            PhotoRejected: as in `process_photo`; and `unprocessable` if the child crashed, or if the photo needs more
                memory or processor time than allowed.
            RetryableError: the machine failed, not the photo. The child could not be started, took too long by the
                clock, or was killed twice by another process, as the kernel does when memory is short.
        """
        self._limits.check_size(len(data))  # before a large file is sent through the pipe
        return self._ask(data, clock, may_retry=True)

    def _ask(self, data: bytes, clock: StepClock | None, *, may_retry: bool) -> ProcessedPhoto:
        if self._child is None or self._child.is_dead:
            self.close()
            self._child = _Child(self._limits, self._outputs, self._memory_bytes, self._cpu_seconds)
        try:
            return decode(self._child.ask(data, self._timeout_seconds), clock)
        except PhotoRejected as rejection:
            # A process that ran out of memory does not get another photo.
            if rejection.code == "unprocessable":
                self.close()
            raise
        except (EOFError, OSError, ValueError, KeyError, TypeError) as error:
            is_out_of_time, ended_by = self._child.is_out_of_time, self._child.ended_by
            self.close()
            if is_out_of_time:
                raise RetryableError(f"a photo took more than {self._timeout_seconds:g} s by the clock") from error
            if ended_by is signal.SIGKILL:
                if may_retry:
                    return self._ask(data, clock, may_retry=False)
                raise RetryableError("the sandbox process for photos was killed twice") from error
            if ended_by is signal.SIGXCPU:
                raise PhotoRejected("unprocessable", "This photo takes too long to process.") from error
            raise PhotoRejected("unprocessable", "This photo could not be processed.") from error

    @property
    def pid(self) -> int | None:
        """Process id of the child; None if there is none."""
        return None if self._child is None else self._child.pid

    def close(self) -> None:
        """Kill the child. The next photo starts a new one."""
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
    """The child process and the parent's end of its pipe. It is ready when constructed."""

    def __init__(self, limits: PhotoLimits, outputs: Outputs, memory_bytes: int, cpu_seconds: int) -> None:
        self.is_out_of_time = False  # whether it was killed because it took too long by the clock
        self._pipe, remote = Pipe()
        numbers = (remote.fileno(), memory_bytes, cpu_seconds, limits.max_bytes, limits.max_pixels)
        arguments = [*map(str, numbers), ",".join(limits.formats), orjson.dumps(outputs).decode()]
        self._process = subprocess.Popen(  # noqa: S603  our own module
            [sys.executable, "-m", "ingestion.photos.sandbox_child", *arguments],
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
            raise RetryableError("the sandbox process for photos did not start") from error

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def is_dead(self) -> bool:
        """Whether it has exited or was killed since the last photo."""
        return self._process.poll() is not None

    @property
    def ended_by(self) -> signal.Signals | None:
        """The signal that ended it. Waits a moment, because the pipe closes before the process has ended."""
        try:
            status = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        return signal.Signals(-status) if status < 0 else None

    def ask(self, data: bytes, timeout_seconds: float) -> bytes:
        """Send a photo and wait for the answer.

        Raises:
            EOFError, OSError: the child died, or was killed because it took too long.
        """
        with self._killed_after(timeout_seconds):
            self._pipe.send_bytes(data)
            return self._pipe.recv_bytes(_LONGEST_ANSWER)

    def end(self) -> None:
        """Kill the process, which holds no state, and reap it."""
        self._process.kill()
        self._process.wait()
        self._pipe.close()

    @contextmanager
    def _killed_after(self, seconds: float) -> Iterator[None]:
        # A timer covers sending too: a child that hangs before it has read the photo would block the parent.
        clock = threading.Timer(seconds, self._run_out)
        clock.start()
        try:
            yield
        finally:
            clock.cancel()

    def _run_out(self) -> None:
        self.is_out_of_time = True
        self._process.kill()

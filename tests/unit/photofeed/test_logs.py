"""Logs: what a traceback tells, and a process whose disk is full."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from photofeed.logs import ForgivingStream
from tests.metric_values import metric

FULL = Path("/dev/full")  # every write to it fails
WORK = """
import structlog
from photofeed.logs import FAILED_WRITES, set_up_logs
from photofeed.settings import Settings

set_up_logs(Settings(env="dev"))
for number in range(1_000):
    structlog.get_logger().warning("work goes on", number=number)
print(FAILED_WRITES.collect()[0].samples[0].value >= 1_000)
"""


@pytest.mark.skipif(not FULL.exists(), reason="Linux has /dev/full")
def test_work_goes_on_when_the_disk_of_the_logs_is_full() -> None:
    with FULL.open("w") as full:
        done = subprocess.run(  # noqa: S603  our own command
            [sys.executable, "-c", WORK], stdout=subprocess.PIPE, stderr=full, text=True, check=False
        )
    assert done.stdout == "True\n"


class Full(io.StringIO):
    """A stream on a full disk."""

    def write(self, _: str) -> int:
        raise OSError("no space left on device")

    def flush(self) -> None:
        raise OSError("no space left on device")


@pytest.mark.parametrize(("stream", "failures"), [(Full(), 2), (io.StringIO(), 0)])
def test_each_write_that_fails_is_counted(stream: io.StringIO, failures: int) -> None:
    forgiving, before = ForgivingStream(stream), metric("photofeed_log_failed_writes_total")
    forgiving.write("one line\n")
    assert metric("photofeed_log_failed_writes_total") == before + failures / 2
    forgiving.flush()
    assert metric("photofeed_log_failed_writes_total") == before + failures
    assert stream.getvalue() == ("" if failures else "one line\n")


BROKEN = """
import structlog
from photofeed.logs import set_up_logs
from photofeed.settings import Settings

def sign_in(token):
    raise ValueError("of the caller")

set_up_logs(Settings().model_copy(update={"env": "%s"}))
try:
    sign_in("secret-" + "token")
except ValueError as error:
    structlog.get_logger().error("unexpected error", exc_info=error)
"""


@pytest.mark.parametrize("env", ["production", "dev"])
def test_a_traceback_names_functions_and_never_their_variables(env: str) -> None:
    done = subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-c", BROKEN % env], capture_output=True, text=True, check=True
    )
    assert "sign_in" in done.stderr
    assert "of the caller" in done.stderr
    assert "secret-token" not in done.stderr

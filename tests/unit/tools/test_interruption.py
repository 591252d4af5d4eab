"""Ctrl-C and SIGTERM end a tool in order."""

import signal
import subprocess
import sys

import pytest

TOOL = """
import sys
from tools.interruption import end_in_order

end_in_order()
try:
    print("running", flush=True)
    sys.stdin.readline()
finally:
    print("stopping", flush=True)
    sys.stdin.readline()
    print("stopped", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_does_not_stop_the_cleaning(number: signal.Signals) -> None:
    with subprocess.Popen(  # noqa: S603  our own command
        [sys.executable, "-c", TOOL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as tool:
        assert tool.stdout
        assert tool.stdout.readline() == "running\n"
        tool.send_signal(number)
        assert tool.stdout.readline() == "stopping\n"
        tool.send_signal(signal.SIGINT)
        tool.send_signal(signal.SIGTERM)
        assert tool.communicate("\n") == ("stopped\n", "")
        assert tool.returncode == 128 + number

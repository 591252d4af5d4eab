"""Ctrl-C and SIGTERM end a command in order."""

import signal
import subprocess
import sys

import pytest

COMMAND = """
import sys
%s
try:
    print("running", flush=True)
    sys.stdin.readline()
finally:
    print("stopping", flush=True)
    sys.stdin.readline()
    print("stopped", flush=True)
"""
TOOL = "from photofeed.interruption import end_in_order; end_in_order()"
SIMULATION = "from simulation.commands import _end_on_signals; _end_on_signals()"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("starting", [TOOL, SIMULATION])
def test_a_second_signal_does_not_stop_the_cleaning(number: signal.Signals, starting: str) -> None:
    command = [sys.executable, "-c", COMMAND % starting]
    with subprocess.Popen(  # noqa: S603  our own command
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as tool:
        assert tool.stdout
        assert tool.stdout.readline() == "running\n"
        tool.send_signal(number)
        assert tool.stdout.readline() == "stopping\n"
        tool.send_signal(signal.SIGINT)
        tool.send_signal(signal.SIGTERM)
        output, errors = tool.communicate("\n")
        assert output == "stopped\n"
        assert "KeyboardInterrupt" in errors if starting == SIMULATION else not errors
        assert tool.returncode == (-signal.SIGINT if starting == SIMULATION else 128 + number)

"""Streams end when the process is told to stop, and the server's own handler still runs."""

import asyncio
import os
import signal

from serving.notification_signals import NotificationSignals
from serving.stop_signal import StopSignal


def test_streams_end_at_sigterm_and_the_handler_of_the_loop_is_called() -> None:
    async def run() -> tuple[bool, bool]:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stopped.set)
        stop = StopSignal()
        signals = NotificationSignals(None, stop)
        async with signals.watching(1) as watch:
            os.kill(os.getpid(), signal.SIGTERM)
            async with asyncio.timeout(60):
                await stopped.wait()
                await watch.wait(60)
            async with signals.watching(2) as late:
                return watch.is_ended, late.is_ended

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        assert asyncio.run(run()) == (True, True)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

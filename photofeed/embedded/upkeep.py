"""Work that a running server needs from time to time."""

from collections.abc import Callable
from threading import Event, Thread

import structlog
from botocore.exceptions import BotoCoreError, ClientError

log = structlog.get_logger(__name__)

SECONDS = 10.0


class Upkeep:
    """Repeats the upkeep of a server in a thread. What fails is repeated; the first failure in a row is logged."""

    def __init__(self, name: str, work: Callable[[], object], seconds: float = SECONDS) -> None:
        """Begin. The work may raise errors of object storage."""
        self._name = name
        self._work = work
        self._seconds = seconds
        self._stopping = Event()
        self._thread = Thread(target=self._run, name=f"upkeep-{name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Return when the work that runs has ended; there is no more after it."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        failed = False
        while not self._stopping.wait(self._seconds):
            try:
                self._work()
                failed = False
            except (BotoCoreError, ClientError) as error:
                if not failed:
                    log.warning("upkeep failed: it will be repeated", server=self._name, error=str(error))
                failed = True

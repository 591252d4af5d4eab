"""An event that ends a loop after some of its pauses."""

import threading


class Turns(threading.Event):
    """Pauses end at once; the last of them sets the event. `pauses` has their lengths in seconds."""

    def __init__(self, pauses: int) -> None:
        super().__init__()
        self.pauses: list[float | None] = []
        self._last = pauses

    def wait(self, timeout: float | None = None) -> bool:
        """Remember the pause."""
        self.pauses.append(timeout)
        if len(self.pauses) >= self._last:
            self.set()
        return self.is_set()

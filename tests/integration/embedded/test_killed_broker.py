"""A broker that is killed while it writes: what it acknowledged is in the log."""

import contextlib
import subprocess
import sys
import threading
from pathlib import Path

import psutil

from photofeed.embedded.record import load_records
from photofeed.embedded.stack import EmbeddedStack
from photofeed.errors import UnavailableError
from photofeed.event_log import KafkaReader
from photofeed.kafka_publisher import KafkaPublisher
from photofeed.kafka_topics import create_topics
from photofeed.settings import Settings
from photofeed.topics import Topic

REPOSITORY = Path(__file__).parents[3]
TOPIC = Topic("killed", key="id", partitions=1)
WRITERS, KILLS, BETWEEN_KILLS = 4, 3, 25


class Writer(threading.Thread):
    """Publishes until it is stopped, each message until it is acknowledged."""

    def __init__(self, settings: Settings, number: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.acknowledged: set[bytes] = set()
        self._publisher = KafkaPublisher(settings, seconds=5)
        self._number, self._stopping = number, stop

    def run(self) -> None:
        while not self._stopping.is_set():
            value = f"{self._number}-{len(self.acknowledged)}".encode()
            with contextlib.suppress(UnavailableError):
                self._publisher.publish_encoded(TOPIC.name, [("k", value)])
                self.acknowledged.add(value)
        self._publisher.close()


def _broker(stack: EmbeddedStack) -> psutil.Process | None:
    return next((record.process() for record in load_records(stack.state.run) if record.name == "tansu"), None)


def test_acknowledged_messages_survive_kills_of_the_broker(tmp_path: Path) -> None:
    # in another process: kafka-python leaves the sockets of failed connections to the garbage collector, which warns
    program = f"import sys; from pathlib import Path; from {__name__} import lost; print(lost(Path(sys.argv[1])))"
    command = [sys.executable, "-W", "ignore", "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)  # noqa: S603  our own
    assert done.stdout.splitlines()[-1:] == ["set()"], done.stderr


def lost(folder: Path) -> set[bytes]:
    """Messages that were acknowledged and are not in the log, after the broker was killed several times."""
    stack, stop = EmbeddedStack(folder), threading.Event()
    stack.start(servers=("tansu",))
    try:
        create_topics(stack.settings(), [TOPIC])
        writers = [Writer(stack.settings(), number, stop) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        for kill in range(1, KILLS + 1):
            while sum(len(writer.acknowledged) for writer in writers) < kill * BETWEEN_KILLS:
                stop.wait(0.05)
            broker = _broker(stack)
            if broker is not None:
                broker.kill()
        while sum(len(writer.acknowledged) for writer in writers) < (KILLS + 1) * BETWEEN_KILLS:
            stop.wait(0.05)
        stop.set()
        for writer in writers:
            writer.join()
        written = {message.value for message in KafkaReader(stack.settings()).read(TOPIC.name)}
        acknowledged = set[bytes]().union(*(writer.acknowledged for writer in writers))
        return acknowledged - written
    finally:
        stop.set()
        stack.stop()

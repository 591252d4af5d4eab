"""The contract of an embedded server, and the one way to bring one up."""

from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import Protocol

from photofeed.embedded.child import Child, Launch
from photofeed.embedded.errors import MissingProgramError
from photofeed.embedded.state import StateFolder


class Server(Protocol):
    """One server: how it is launched, when it is healthy, and what it needs before and after. All idempotent."""

    name: str
    needs: tuple[str, ...]  # servers that are healthy before this one is launched
    start_seconds: float

    def prepare(self) -> None:
        """Make its data folder and configuration, before every launch."""

    def launch(self) -> Launch:
        """Return its command line."""

    def probe(self) -> None:
        """Return when the server answers in its own protocol.

        Raises:
            NotReadyError: it does not yet.
        """

    def provision(self) -> None:
        """Create what clients expect to find (databases, buckets), after the first healthy probe of every start."""


def bring_up(server: Server, state: StateFolder, abort: Event) -> Child:
    """Start one server and wait until it is healthy and provisioned; on failure it is stopped again.

    Raises:
        ServerStartError: it did not come up, or `abort` was set meanwhile.
    """
    server.prepare()
    child = Child(server.name, server.launch(), state, stage=1 if server.needs else 0)
    try:
        child.wait_ready(server.probe, server.start_seconds, abort)
        server.provision()
    except BaseException:
        child.stop()
        raise
    return child


def package_folder(package: str, distribution: str) -> Path:
    """Find an installed package's folder without importing it: some do work on import.

    Raises:
        MissingProgramError: it is not installed.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingProgramError(f"{distribution} is not installed: pip install 'photofeed[embedded]'")
    return Path(spec.submodule_search_locations[0])

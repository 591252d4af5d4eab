"""The interface of an embedded server, and the function that starts one."""

from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import Protocol

from photofeed.embedded.child import Child, Launch
from photofeed.embedded.errors import MissingProgramError
from photofeed.embedded.state import StateFolder


class Server(Protocol):
    """One server: preparation, launch, health probe and provisioning. All methods are idempotent."""

    name: str
    needs: tuple[str, ...]  # servers that are healthy before this one is launched
    start_seconds: float

    def prepare(self) -> None:
        """Create its data folder and configuration; called before every launch."""

    def launch(self) -> Launch:
        """Return its command line."""

    def probe(self) -> None:
        """Check that the server answers in its own protocol.

        Raises:
            NotReadyError: it does not answer yet.
        """

    def provision(self) -> None:
        """Create what clients expect (databases, buckets); called after the first successful probe of every start."""


def bring_up(server: Server, state: StateFolder, abort: Event) -> Child:
    """Start one server, and wait until it is healthy and provisioned; on failure it is stopped again.

    Raises:
        ServerStartError: it did not start, or `abort` was set.
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
    """The folder of an installed package. The package is not imported, because some do work on import.

    Raises:
        MissingProgramError: the package is not installed.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingProgramError(f"{distribution} is not installed: pip install 'photofeed[embedded]'")
    return Path(spec.submodule_search_locations[0])

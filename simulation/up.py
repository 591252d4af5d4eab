"""`make up`: everything on this machine, without any data: for a catalogue and people of one's own."""

import threading
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from simulation.demo import show_addresses
from simulation.running import running_photofeed
from simulation.scale import DEMO
from simulation.stages import ConsoleStages


def run_empty(state_dir: Path, console: Console) -> None:
    """Serve from a state folder until Ctrl-C; a new folder stays without people and posts.

    Raises:
        SimulationError: a server or process did not start. Everything is stopped.
        KeyboardInterrupt: Ctrl-C before it was up. Everything is stopped.
    """
    with running_photofeed(state_dir, DEMO, ConsoleStages(console)) as running:
        show_addresses(running, console)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
        console.print("stopping …")

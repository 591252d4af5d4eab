"""`make extras`: each role starts from its own locked requirements, which hold nothing that it does not need.

Every role is installed into an empty environment, as in an image: `requirements/ROLE.lock`, then photofeed
without its dependencies. Then the smoke test runs with the API and the workers of these environments, which
executes the imports inside their functions too. Training and the embedded servers run from this environment.
"""

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from environments import ROOT, empty_environment
from lock import role_lock
from rich.console import Console

from simulation.running import Programs
from simulation.smoke import folder_kept_if_broken, run_smoke
from simulation.stages import ConsoleStages

TRAINING = ("mlflow", "evidently", "skimage", "optuna", "distributed")

# Imports every module of a package, then names the unwanted modules that could be imported.
_IMPORTS = """
import importlib, importlib.util, pkgutil, sys
package, unwanted = importlib.import_module(sys.argv[1]), sys.argv[2:]
modules = [found.name for found in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for module in modules:
    importlib.import_module(module)
found = [name for name in unwanted if importlib.util.find_spec(name)]
sys.exit(f"importable, although this role does not need it: {found}" if found else 0)
"""


@dataclass(frozen=True, slots=True)
class Role:
    """A service: the command that starts it, and modules that its environment must not have."""

    name: str
    command: str
    unwanted: tuple[str, ...]


SERVING = Role("serving", "serve", (*TRAINING, "feast", "pandas", "pyarrow", "duckdb", "PIL"))
INGESTION = Role("ingestion", "work", (*TRAINING, "granian", "asyncpg", "lightgbm", "sklearn"))


def install_role(role: Role, wheel: Path, folder: Path) -> str:
    """Install a role, import its modules, and return its `photofeed` program.

    Raises:
        SystemExit: an import fails, or the environment has a module that it must not have.
    """
    bin_folder = empty_environment(folder, ROOT / role_lock(role.name), wheel)
    megabytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    print(f"{role.name}: installed, {megabytes:.0f} MB")
    _run(folder, bin_folder / "photofeed", role.command, "--help")
    _run(folder, bin_folder / "python", "-c", _IMPORTS, role.name, *role.unwanted)
    return str(bin_folder / "photofeed")


def _run(folder: Path, *argv: str | Path) -> None:
    """Run a program outside the checkout and print its last line."""
    ended = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(f"{argv[0]} {argv[1]} failed:\n{ended.stdout}{ended.stderr}")
    print(f"  {'imports' if '-c' in argv else f'{argv[1]} --help'}: ok")


def smoke(programs: Programs) -> None:
    """Run the smoke test with these programs.

    Raises:
        SimulationError: it failed; the message says at which stage.
    """
    with folder_kept_if_broken() as folder:
        result = run_smoke(folder, ConsoleStages(Console(stderr=True)), programs=programs)
        result.check()
    print(
        f"smoke test: ok, {result.photos_ready} photos, {result.events_in_features} events, feeds ranked by the model"
    )


def main() -> None:
    """Check every role with the wheel that is named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    wheel = parser.parse_args().wheel.resolve()
    with tempfile.TemporaryDirectory(prefix="photofeed-extras-") as name:
        serve, work = (install_role(role, wheel, Path(name) / role.name) for role in (SERVING, INGESTION))
        smoke(Programs(serve, work))


if __name__ == "__main__":
    main()

"""A venv that holds one of photofeed's packages and the dependencies that it declares, and nothing else."""

import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, distribution
from pathlib import Path
from shutil import copytree, ignore_patterns

from packaging.requirements import Requirement


def venv_with(package: Path, folder: Path, extras: Sequence[str] = ()) -> Path:
    """Make a venv in `folder`, install the package whose pyproject.toml is in `package`; return its interpreter.

    Dependencies are links to what is installed here, so that nothing is downloaded.
    """
    venv.EnvBuilder(symlinks=True).create(folder)
    (site,) = folder.glob("lib/python*/site-packages")
    _build(package, folder / "source", site)
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(each for extra in extras for each in project["optional-dependencies"][extra])]
    for dependency in _closure([Requirement(each) for each in wanted], {}):
        _link(dependency, site)
    return folder / "bin" / "python"


def run(python: Path, program: str, cwd: Path) -> str:
    """What a program prints that is run by the venv's interpreter; PYTHON* variables do not reach it."""
    done = subprocess.run([python, "-I", "-c", program], cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return done.stdout


def _build(package: Path, source: Path, site: Path) -> None:
    copytree(package, source, ignore=ignore_patterns("__pycache__"))
    build = [sys.executable, "-c", "import setuptools; setuptools.setup()", "build_py", "--build-lib", str(site)]
    done = subprocess.run(build, cwd=source, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr


def _closure(requirements: Sequence[Requirement], found: dict[str, Distribution]) -> Iterator[Distribution]:
    """The installed distributions that satisfy requirements, and in turn theirs."""
    for requirement in requirements:
        installed = distribution(requirement.name)
        assert requirement.specifier.contains(installed.version, prereleases=True), requirement
        extras = requirement.extras or {""}
        theirs = [Requirement(each) for each in installed.requires or ()]
        theirs = [each for each in theirs if not each.marker or any(each.marker.evaluate({"extra": x}) for x in extras)]
        if f"{requirement.name}{sorted(extras)}" not in found:
            found[f"{requirement.name}{sorted(extras)}"] = installed
            yield installed
            yield from _closure(theirs, found)


def _link(installed: Distribution, site: Path) -> None:
    for name in {file.parts[0] for file in installed.files or ()} - {"..", "__pycache__"}:
        if not (site / name).exists():
            (site / name).symlink_to(Path(str(installed.locate_file(name))))

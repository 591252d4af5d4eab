"""Wall clocks that jump: each process gets its own, moved by a small library that it preloads."""

import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

_SOURCE = Path(__file__).with_name("clock.c")
_SECOND = 1_000_000_000


class NoCompilerError(Exception):
    """The library cannot be compiled here."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks of processes, in files of a folder that say by how much each is shifted."""

    folder: Path

    @classmethod
    def compiled(cls, folder: Path) -> "Clocks":
        """Compile the library into a folder.

        Raises:
            NoCompilerError: there is no compiler, or it failed.
        """
        compiler = shutil.which("cc")
        if compiler is None:
            raise NoCompilerError("no process gets a clock of its own: a C compiler (cc) is missing")
        folder.mkdir()
        command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(folder / "clock.so"), str(_SOURCE), "-ldl"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own source
        if done.returncode:
            raise NoCompilerError(f"no process gets a clock of its own: {done.stderr.strip()}")
        return cls(folder)

    def variables(self, name: str) -> dict[str, str]:
        """What gives a process a clock of its own."""
        self.set(name, 0)
        return {"LD_PRELOAD": str(self.folder / "clock.so"), "CHAOS_CLOCK": str(self._file(name))}

    def set(self, name: str, seconds: float) -> None:
        """Shift the clock of a process against the machine's, at once, and of the processes that follow it."""
        with self._file(name).open("r+b" if self._file(name).exists() else "wb") as file:
            file.write(struct.pack("q", round(seconds * _SECOND)))

    def _file(self, name: str) -> Path:
        return self.folder / name

"""The state folder: everything one embedded stack keeps, and who may use it now.

    <state>/lock           held by the running stack
    <state>/ports.json     ports chosen at the first start
    <state>/secrets.json   secrets generated at the first start, mode 0600
    <state>/stack.env      PHOTOFEED_* variables that lead every command to this stack, mode 0600
    <state>/run, log       one record and one log per process
    <state>/<server>       a server's own data

Only the standard library is imported: `make clean-state` runs this before anything is installed.
"""

import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from photofeed.embedded.errors import StackRunningError, StateFolderError

_SECRETS_FILE = "secrets.json"
_POLL_SECONDS = 0.05


def _secret() -> str:
    return secrets.token_hex(24)


@dataclass(frozen=True, slots=True)
class Secrets:
    """Secrets of one stack, drawn at random; all hexadecimal, so they need no quoting in URLs and files."""

    postgres: str = field(default_factory=_secret, repr=False)
    valkey: str = field(default_factory=_secret, repr=False)
    s3: str = field(default_factory=_secret, repr=False)
    jwt: str = field(default_factory=_secret, repr=False)
    cursor: str = field(default_factory=_secret, repr=False)
    weed_jwt: str = field(default_factory=_secret, repr=False)
    weed_admin: str = field(default_factory=_secret, repr=False)

    @classmethod
    def kept(cls, saved: Mapping[str, str]) -> Self:
        """Read what an earlier start saved; what it did not know is drawn now."""
        names = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in saved.items() if name in names})


class StateFolder:
    """One stack's folder on disk.

    Raises:
        StateFolderError: it belongs to another account, or its path cannot be a folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.run = self.path / "run"
        self.log = self.path / "log"
        try:
            # 0711: PostgreSQL, which may run as an account of its own, passes through; nobody else can list it.
            self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
            if self.path.stat().st_uid != os.geteuid():
                raise StateFolderError(
                    f"{self.path} belongs to another account: use it as its owner, or another folder"
                )
            for folder in (self.run, self.log):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StateFolderError(f"{self.path} cannot hold the state: {error.strerror}") from error

    def hold(self, wait_seconds: float = 60) -> int:
        """Take the folder for this process; the lock lasts while the returned descriptor is open in any process.

        After a killed run its guardian holds the folder until it has stopped the servers; that is waited for.

        Raises:
            StackRunningError: the process that holds it lives on.
        """
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        end = time.monotonic() + wait_seconds
        while not _try_lock(descriptor):
            holder = int(os.pread(descriptor, 20, 0) or b"0")
            if _lives(holder) or time.monotonic() > end:
                os.close(descriptor)
                raise StackRunningError(
                    f"a stack is running on {self.path} (pid {holder}): stop it, or use another folder"
                )
            time.sleep(_POLL_SECONDS)
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        return descriptor

    def load(self, name: str) -> dict[str, Any]:
        """Read a JSON object of the folder; an absent file is an empty object."""
        try:
            loaded: dict[str, Any] = json.loads((self.path / name).read_text())
        except FileNotFoundError:
            return {}
        return loaded

    def save(self, name: str, text: str) -> None:
        """Write a file whole or not at all, readable by its owner only."""
        whole = self.path / f".{name}.new"
        whole.unlink(missing_ok=True)
        with os.fdopen(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        whole.replace(self.path / name)

    def secrets(self) -> Secrets:
        """Return the secrets of this stack, drawing and keeping those that are not there yet."""
        saved = self.load(_SECRETS_FILE)
        known = Secrets.kept(saved)
        if asdict(known) != saved:
            self.save(_SECRETS_FILE, json.dumps(asdict(known)))
        return known

    def remove(self) -> None:
        """Delete the folder with everything in it.

        Raises:
            StackRunningError: its stack runs.
        """
        descriptor = self.hold(wait_seconds=0)
        try:
            shutil.rmtree(self.path)
        finally:
            os.close(descriptor)


def is_state_folder(path: Path) -> bool:
    """Tell whether a stack has kept its state here."""
    return (path / _SECRETS_FILE).is_file()


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lives(pid: int) -> bool:
    """Tell whether the process runs; a zombie has ended."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"

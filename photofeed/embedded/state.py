"""The state folder: all data of one embedded stack, and the lock of the process that uses it.

    <state>/lock           held by the running stack
    <state>/ports.json     ports chosen at the first start
    <state>/secrets.json   secrets generated at the first start, mode 0600
    <state>/stack.env      PHOTOFEED_* variables that point every command to this stack, mode 0600
    <state>/run, log       one record and one log per process
    <state>/<server>       the data of a server

It imports only the standard library, because `make clean-state` must work before anything is installed.
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
    """Random secrets of one stack; hexadecimal, so they need no quoting in URLs and files."""

    postgres: str = field(default_factory=_secret, repr=False)
    valkey: str = field(default_factory=_secret, repr=False)
    s3: str = field(default_factory=_secret, repr=False)
    jwt: str = field(default_factory=_secret, repr=False)
    cursor: str = field(default_factory=_secret, repr=False)
    weed_jwt: str = field(default_factory=_secret, repr=False)
    weed_admin: str = field(default_factory=_secret, repr=False)

    @classmethod
    def kept(cls, saved: Mapping[str, str]) -> Self:
        """The secrets that an earlier start saved; missing ones are generated."""
        names = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in saved.items() if name in names})


class StateFolder:
    """One stack's folder on disk.

    Raises:
        StateFolderError: it belongs to another account, or cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.run = self.path / "run"
        self.log = self.path / "log"
        try:
            # 0711: PostgreSQL, which may run as another account, can enter it; others cannot list it
            self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
            if self.path.stat().st_uid != os.geteuid():
                raise StateFolderError(
                    f"{self.path} belongs to another account: run as its owner, or use another folder"
                )
            for folder in (self.run, self.log):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StateFolderError(f"{self.path} cannot hold the state: {error.strerror}") from error

    def hold(self, wait_seconds: float = 60) -> int:
        """Lock the folder for this process; the lock lasts while the returned descriptor is open in any process.

        After a killed run its guardian holds the lock until it has stopped the servers; this method waits for it.

        Raises:
            StackRunningError: the process that holds the lock still runs.
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
        """Write a file atomically, readable by its owner only."""
        whole = self.path / f".{name}.new"
        whole.unlink(missing_ok=True)
        with os.fdopen(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        whole.replace(self.path / name)

    def secrets(self) -> Secrets:
        """Return the secrets of this stack; generate and save missing ones."""
        saved = self.load(_SECRETS_FILE)
        known = Secrets.kept(saved)
        if asdict(known) != saved:
            self.save(_SECRETS_FILE, json.dumps(asdict(known)))
        return known

    def remove(self) -> None:
        """Delete the folder and its content.

        Raises:
            StackRunningError: its stack is running.
        """
        descriptor = self.hold(wait_seconds=0)
        try:
            shutil.rmtree(self.path)
        finally:
            os.close(descriptor)


def is_state_folder(path: Path) -> bool:
    """Whether the folder is the state folder of a stack."""
    return (path / _SECRETS_FILE).is_file()


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lives(pid: int) -> bool:
    """Whether the process runs; a zombie has ended."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"

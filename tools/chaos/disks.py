"""Disks that fill up: folders of the stack on file systems of their own, whose size can be changed."""

import ctypes
import os
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_SIZE = "4g"  # no more than what is written takes memory
_ATTEMPTS = 14  # to fill a disk that others write to: the last leaves 64 MiB
_NEW_NAMESPACE = 0x00020000  # CLONE_NEWNS of sched.h


class NoMountsError(Exception):
    """File systems cannot be mounted here."""


def isolate_mounts() -> None:
    """From now on, only this process and those that it starts see what it mounts; it goes away with the last of them.

    Raises:
        NoMountsError: this is not allowed.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(_NEW_NAMESPACE):
        raise NoMountsError(f"no disk gets full: mounting is not allowed ({os.strerror(ctypes.get_errno())})")
    _mount("--make-rprivate", "/")


@dataclass(frozen=True, slots=True)
class Disk:
    """A folder on a file system of its own."""

    folder: Path

    @classmethod
    def under(cls, folder: Path) -> "Disk":
        """Move a folder, which nobody uses at the moment, to a new file system.

        Raises:
            NoMountsError: this is not allowed; the folder is as it was.
        """
        owner, moved = folder.stat(), folder.with_name(f"{folder.name}-moved")
        folder.rename(moved)
        folder.mkdir(mode=owner.st_mode & 0o777)
        try:
            _mount("-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(folder))
        except NoMountsError:
            folder.rmdir()
            moved.rename(folder)
            raise
        shutil.copystat(moved, folder)
        os.chown(folder, owner.st_uid, owner.st_gid)
        subprocess.run(["cp", "-a", f"{moved}/.", str(folder)], check=True)  # noqa: S603, S607  our own folders
        shutil.rmtree(moved)
        return cls(folder)

    def fill(self) -> None:
        """Leave no room: the file system gets about as small as what is on it.

        Raises:
            NoMountsError: it grew too fast, or the size cannot be changed.
        """
        for attempt in range(_ATTEMPTS):
            with suppress(NoMountsError):  # more than that is on it by now
                self._shrink(2**attempt)
                return
        self._shrink(2**_ATTEMPTS)

    def _shrink(self, left: int) -> None:
        """Make the file system so small that this many blocks are left, which others soon fill."""
        status = os.statvfs(self.folder)
        blocks = status.f_blocks - status.f_bfree + left
        _mount("-o", f"remount,size={blocks * status.f_frsize}", str(self.folder))

    def free(self) -> None:
        """Give it its room back."""
        _mount("-o", f"remount,size={_SIZE}", str(self.folder))

    def remove(self) -> None:
        """Unmount it; what is on it is gone."""
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)  # noqa: S603, S607  our own folder


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode:
        raise NoMountsError(f"no disk gets full: {done.stderr.strip()}")

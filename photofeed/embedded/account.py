"""The account PostgreSQL runs as: ours, or one of its own when we are root, which PostgreSQL refuses."""

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from photofeed.embedded.errors import MissingProgramError, StateFolderError

ACCOUNT = "photofeed-postgres"
# Bits of CapEff: reading and passing through any folder; all file permissions (what containers usually grant).
_PASS_CAPABILITIES = {"dac_read_search": 2, "dac_override": 1}


def run_as_account(argv: Sequence[str], *folders: Path) -> list[str]:
    """Return the command line that runs `argv` as an account PostgreSQL accepts.

    Not root: `argv` itself. Root: through `setpriv` as `ACCOUNT`, made on first use. Where that account cannot enter
    `folders` (a checkout under /root, say) it gets the one capability to pass through; no folder's mode is changed.
    PostgreSQL asks access(2), which ignores capabilities unless the secure bit `no_setuid_fixup` is set.

    Raises:
        MissingProgramError: useradd or setpriv is not there.
        StateFolderError: the folders are closed to the account and this root may not open them.
    """
    if os.geteuid() != 0:
        return list(argv)
    account = postgres_account()
    command = [
        _program("setpriv", "util-linux"),
        f"--reuid={account.pw_uid}",
        f"--regid={account.pw_gid}",
        "--clear-groups",
    ]
    closed = next((folder for path in folders for folder in path.parents if not folder.stat().st_mode & 0o001), None)
    if closed:
        capability = next(
            (name for name, bit in _PASS_CAPABILITIES.items() if _effective_capabilities() >> bit & 1), None
        )
        if capability is None:
            raise StateFolderError(
                f"PostgreSQL cannot run as root, and its account cannot enter {closed}: use another folder"
            )
        command += [f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}", "--securebits=+no_setuid_fixup"]
    return [*command, *argv]


def give_to_account(path: Path) -> None:
    """Make the account PostgreSQL runs as the owner of a file or folder."""
    if os.geteuid() == 0:
        account = postgres_account()
        os.chown(path, account.pw_uid, account.pw_gid)


def postgres_account() -> pwd.struct_passwd:
    """Return the account of our own, making it on first use."""
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        made = subprocess.run(  # noqa: S603  fixed arguments
            [
                _program("useradd", "passwd"),
                "--system",
                "--user-group",
                "--no-create-home",
                "--shell",
                "/usr/sbin/nologin",
                ACCOUNT,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        return pwd.getpwnam(ACCOUNT)  # made by us, or by another stack at the same moment
    except KeyError as error:
        raise MissingProgramError(
            f"PostgreSQL cannot run as root; making an account failed: {made.stderr.strip()}"
        ) from error


def _program(name: str, package: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin")
    if not found:
        raise MissingProgramError(f"{name} is missing: install the package {package}, or run as a user other than root")
    return found


def _effective_capabilities() -> int:
    status = Path("/proc/self/status").read_text()
    match = re.search(r"^CapEff:\s*([0-9a-f]+)", status, re.MULTILINE)
    return int(match[1], 16) if match else 0

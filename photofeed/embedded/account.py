"""The account that runs PostgreSQL: the current user, or a separate one for root, which PostgreSQL refuses."""

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from photofeed.embedded.errors import MissingProgramError, StateFolderError

ACCOUNT = "photofeed-postgres"
# Bits of CapEff: entering and reading any folder; all file permissions (usually granted in containers).
_PASS_CAPABILITIES = {"dac_read_search": 2, "dac_override": 1}


def run_as_account(argv: Sequence[str], *folders: Path) -> list[str]:
    """Return the command line that runs `argv` as an account that PostgreSQL accepts.

    For other users than root that is `argv` itself. For root it runs `setpriv` as `ACCOUNT`, which is created on first
    use. If that account cannot enter `folders` (for example a checkout under /root), it gets one capability to enter
    them; file modes do not change. PostgreSQL calls access(2), which ignores capabilities unless the secure bit
    `no_setuid_fixup` is set.

    Raises:
        MissingProgramError: useradd or setpriv is not installed.
        StateFolderError: the account cannot enter the folders, and root lacks the capability here.
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
    """Make the account that runs PostgreSQL the owner of a file or folder."""
    if os.geteuid() == 0:
        account = postgres_account()
        os.chown(path, account.pw_uid, account.pw_gid)


def postgres_account() -> pwd.struct_passwd:
    """Return the separate account; create it on first use."""
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
        return pwd.getpwnam(ACCOUNT)  # created here, or by another stack at the same time
    except KeyError as error:
        raise MissingProgramError(
            f"PostgreSQL cannot run as root, and creating an account failed: {made.stderr.strip()}"
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

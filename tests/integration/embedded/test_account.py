import os
import subprocess
import sys
from pathlib import Path

import pytest

from photofeed.embedded.account import ACCOUNT, run_as_account

# As PostgreSQL does: whether a file may be executed is asked by access(2), which goes by the real account.
LOOK = "import os, pwd, sys; print(pwd.getpwuid(os.geteuid()).pw_name, os.access(sys.argv[1], os.X_OK))"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program in a folder that only its owner may enter, like a checkout under a home folder."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    program = folder / "program"
    program.touch(mode=0o755)
    return program


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run PostgreSQL as somebody else")
def test_root_runs_postgres_as_an_account_of_its_own_that_reaches_a_closed_checkout(program: Path) -> None:
    command = run_as_account([sys.executable, "-c", LOOK, str(program)], program, Path(sys.executable).resolve())
    said = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert said.stdout.split() == [ACCOUNT, "True"]
    assert program.parent.stat().st_mode & 0o777 == 0o700, "and nobody else is let in"


@pytest.mark.skipif(os.geteuid() == 0, reason="root runs PostgreSQL as somebody else")
def test_anybody_else_runs_postgres_as_themselves(program: Path) -> None:
    assert run_as_account(["initdb"], program) == ["initdb"]

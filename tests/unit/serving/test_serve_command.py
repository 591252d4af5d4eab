"""`photofeed serve` says in one line why it cannot listen."""

import socket
from pathlib import Path

import pytest

from tests.command_line import photofeed


@pytest.mark.parametrize(("host", "reason"), [("127.0.0.1", "in use"), ("192.0.2.1", "assign requested address")])
def test_an_address_that_cannot_be_used_is_named(tmp_path: Path, host: str, reason: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = photofeed(
            "serve", PHOTOFEED_ENV="dev", PHOTOFEED_STATE_DIR=tmp_path, PHOTOFEED_HOST=host, PHOTOFEED_PORT=port
        )
    assert done.returncode == 1
    assert f"{host}:{port} cannot be used" in done.stderr
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from photofeed.embedded.errors import PortTakenError, StackSettingsError
from photofeed.embedded.ports import LOOPBACK, Ports
from photofeed.embedded.stack import EmbeddedStack
from photofeed.settings import DEV_SECRET, STACK_ENV_FILE, load_settings


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[EmbeddedStack]:
    """A stack that starts no server: what is looked at here is the folder it writes."""
    stack = EmbeddedStack(tmp_path / "state")
    yield stack
    stack.stop()


def test_every_command_finds_the_stack_by_its_folder(stack: EmbeddedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.start(servers=())
    monkeypatch.setenv("PHOTOFEED_STATE_DIR", str(stack.state.path))
    assert load_settings() == stack.settings()
    assert load_settings().public_url == f"http://127.0.0.1:{load_settings().port}"


def test_the_stack_has_secrets_of_its_own_that_only_its_owner_reads(stack: EmbeddedStack) -> None:
    stack.start(servers=())
    file = stack.state.path / STACK_ENV_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert DEV_SECRET not in file.read_text()


def test_the_api_port_can_be_set(stack: EmbeddedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    free = Ports().still_free({}).api
    monkeypatch.setenv("PHOTOFEED_PORT", str(free))
    stack.start(servers=())
    assert stack.settings().port == free
    assert stack.settings().public_url == f"http://127.0.0.1:{free}"


def test_a_variable_that_leads_to_another_database_is_refused_before_anything_is_written_there(
    stack: EmbeddedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOTOFEED_DATABASE_URL", "postgresql://me:secret@db.example/live")
    with pytest.raises(StackSettingsError, match="PHOTOFEED_DATABASE_URL") as refused:
        stack.start(servers=())
    assert "secret" not in str(refused.value)


def test_a_failed_start_lets_the_folder_go(stack: EmbeddedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        monkeypatch.setenv("PHOTOFEED_PORT", str(other.getsockname()[1]))
        with pytest.raises(PortTakenError):
            stack.start(servers=())
    stack.start(servers=())

"""`photofeed token` signs only where tokens are signed with the development secret."""

from typing import Any

import pytest
from typer.testing import CliRunner

from photofeed import settings as settings_module
from photofeed.commands import app
from photofeed.errors import PhotofeedError
from photofeed.settings import Settings
from photofeed.tokens import SERVICE, USER, TokenVerifier


@pytest.mark.parametrize("env", ["dev", "production"])
def test_tokens_are_minted_in_development_alone(monkeypatch: pytest.MonkeyPatch, env: str) -> None:
    settings = Settings().model_copy(update={"env": env})
    monkeypatch.setattr(settings_module, "load_settings", lambda **_: settings)
    done: Any = CliRunner().invoke(app, ["token", "--scope", SERVICE])
    if env == "dev":
        assert TokenVerifier(settings).verify(done.stdout.strip()).scopes == {SERVICE}
    else:
        assert (type(done.exception), done.stdout) == (PhotofeedError, "")


@pytest.mark.parametrize("scopes", [(), (USER,), (USER, SERVICE)])
def test_a_token_of_a_user_needs_a_person(monkeypatch: pytest.MonkeyPatch, scopes: tuple[str, ...]) -> None:
    monkeypatch.setattr(settings_module, "load_settings", lambda **_: Settings(env="dev"))
    done = CliRunner().invoke(app, ["token", *(word for scope in scopes for word in ("--scope", scope))])
    assert isinstance(done.exception, PhotofeedError)
    assert "name a person" in str(done.exception)
    assert done.stdout == ""

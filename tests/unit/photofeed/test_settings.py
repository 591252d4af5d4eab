from pathlib import Path

import pytest
from pydantic import ValidationError

from photofeed.settings import Settings, load_settings

REAL = {
    "database_url": "postgresql://app:Ui3kd@db/photofeed",
    "redis_url": "rediss://:Ui3kd@redis/0",
    "s3_secret_key": "Ui3kd",
    "jwt_secret": "Ui3kd",
    "cursor_secret": "Ui3kd",
}


def test_production_refuses_to_start_on_the_defaults_and_names_every_one() -> None:
    with pytest.raises(ValidationError) as refusal:
        Settings(env="production")
    for name in REAL:
        assert f"PHOTOFEED_{name.upper()}" in str(refusal.value)


@pytest.mark.parametrize("weak", sorted(REAL))
def test_one_default_secret_is_enough_to_refuse(weak: str) -> None:
    with pytest.raises(ValidationError, match=f"PHOTOFEED_{weak.upper()}"):
        Settings.model_validate({"env": "production"} | {name: value for name, value in REAL.items() if name != weak})


def test_production_starts_on_real_secrets() -> None:
    assert Settings.model_validate({"env": "production"} | REAL).env == "production"


def test_the_shared_token_secret_is_not_needed_with_an_identity_provider() -> None:
    given = {name: value for name, value in REAL.items() if name != "jwt_secret"}
    settings = Settings.model_validate({"env": "production", "jwt_jwks_url": "https://login.example/jwks"} | given)
    assert settings.jwt_jwks_url


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    assert "Ui3kd" not in repr(Settings.model_validate({"env": "production"} | REAL))


def test_a_running_stack_is_found_by_its_file_and_variables_win(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stack.env").write_text("PHOTOFEED_PORT=4711\nPHOTOFEED_REDIS_URL=redis://found/0\n")
    monkeypatch.setenv("PHOTOFEED_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("PHOTOFEED_PORT", "4712")
    settings = load_settings()
    assert settings.redis_url.get_secret_value() == "redis://found/0"
    assert settings.port == 4712
    assert settings.state_dir == tmp_path

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy.engine import make_url

from photofeed.errors import InvalidError
from photofeed.settings import Settings, is_confidential, load_settings

REAL = {
    "database_url": "postgresql://app:Ui3kd@db/photofeed",
    "redis_url": "rediss://:Ui3kd@redis/0",
    "s3_secret_key": "Ui3kd",
    "jwt_secret": "Ui3kd" * 7,
    "cursor_secret": "Ui3kd" * 7,
}


def _refused(**given: str) -> str:
    with pytest.raises(InvalidError) as refusal:
        Settings.model_validate(given).require_secrets()
    return str(refusal.value)


def test_production_refuses_to_start_on_the_defaults_and_names_every_one() -> None:
    for name in REAL:
        assert f"PHOTOFEED_{name.upper()}" in _refused()


def test_the_environment_is_production_unless_it_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().env == "production"
    monkeypatch.setenv("PHOTOFEED_STATE_DIR", str(tmp_path))
    with pytest.raises(InvalidError, match="PHOTOFEED_ENV=dev"):
        load_settings()
    assert load_settings(needs_secrets=False).env == "production"
    monkeypatch.setenv("PHOTOFEED_ENV", "dev")
    assert load_settings().env == "dev"


@pytest.mark.parametrize("weak", sorted(REAL))
def test_one_default_secret_is_enough_to_refuse(weak: str) -> None:
    others = {name: value for name, value in REAL.items() if name != weak}
    assert f"PHOTOFEED_{weak.upper()}" in _refused(**others)
    assert f"PHOTOFEED_{weak.upper()}" in _refused(**others, **{weak: ""})


@pytest.mark.parametrize("short", ["jwt_secret", "cursor_secret"])
def test_a_short_secret_is_refused_if_it_signs(short: str) -> None:
    assert f"PHOTOFEED_{short.upper()}" in _refused(**REAL | {short: "x" * 31})


def test_production_starts_on_real_secrets() -> None:
    Settings.model_validate(REAL).require_secrets()


def test_the_shared_token_secret_is_not_needed_with_an_identity_provider() -> None:
    given = {name: value for name, value in REAL.items() if name != "jwt_secret"}
    Settings.model_validate({"jwt_jwks_url": "https://login.example/jwks"} | given).require_secrets()


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104  it is what the test is about
    ],
)
def test_development_is_for_this_machine_only(host: str, local: bool) -> None:
    assert Settings(env="dev", host=host).is_development is local
    assert not Settings(host=host).is_development


def test_the_hosts_are_those_of_the_public_url_and_the_allowed_ones() -> None:
    public = Settings(host="0.0.0.0", public_url="https://photos.example:8443/", allowed_hosts=frozenset({"api.local"}))  # noqa: S104  a container listens so
    assert public.hosts == {"photos.example", "api.local"}
    assert {"localhost", "127.0.0.1", "::1"} <= Settings().hosts


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    assert "Ui3kd" not in repr(Settings.model_validate({"env": "production"} | REAL))


def test_a_copy_with_another_database_names_it_everywhere() -> None:
    one = Settings(env="dev", database_url=SecretStr("postgresql://app@one/photofeed"))
    assert one.sqlalchemy_url == "postgresql+psycopg://app@one/photofeed"
    two = one.model_copy(update={"database_url": SecretStr("postgresql://app@two/photofeed")})
    assert two.sqlalchemy_url == "postgresql+psycopg://app@two/photofeed"


def test_what_needs_a_session_goes_around_pgbouncer() -> None:
    pooled, direct = SecretStr("postgresql://app@pool:6432/photofeed"), SecretStr("postgresql://app@one/photofeed")
    settings = Settings(env="dev", database_url=pooled, database_direct_url=direct)
    assert settings.shares_sessions
    assert settings.session_url == "postgresql://app@one/photofeed"
    assert settings.sqlalchemy_url == "postgresql+psycopg://app@one/photofeed"
    plain = Settings(env="dev", database_url=direct)
    assert not plain.shares_sessions
    assert plain.session_url == "postgresql://app@one/photofeed"


def test_several_hosts_are_parameters_for_sqlalchemy() -> None:
    url = "postgresql://app:p%40w@one:5432,two:5433/photofeed?target_session_attrs=read-write"
    made = make_url(Settings(env="dev", database_url=SecretStr(url)).sqlalchemy_url)
    _, arguments = made.get_dialect()().create_connect_args(made)
    assert arguments["host"] == "one,two"
    assert arguments["port"] == "5432,5433"
    assert (arguments["user"], arguments["password"], arguments["dbname"]) == ("app", "p@w", "photofeed")
    assert arguments["target_session_attrs"] == "read-write"


def test_a_running_stack_is_found_by_its_file_and_variables_win(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stack.env").write_text("PHOTOFEED_ENV=dev\nPHOTOFEED_PORT=4711\nPHOTOFEED_REDIS_URL=redis://found/0\n")
    monkeypatch.setenv("PHOTOFEED_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("PHOTOFEED_PORT", "4712")
    settings = load_settings()
    assert settings.redis_url.get_secret_value() == "redis://found/0"
    assert settings.port == 4712
    assert settings.state_dir == tmp_path


@pytest.mark.parametrize("origin", ["https://app.example/", "app.example", "https://app.example/path", "ftp://a", ""])
def test_an_origin_has_a_scheme_and_no_path(origin: str) -> None:
    with pytest.raises(ValidationError, match="not an origin"):
        Settings(cors_origins=(origin,))


def test_uploads_come_from_our_own_pages_and_the_named_origins() -> None:
    origins = ("https://app.example", "http://localhost:3000", "http://[::1]:8000")
    settings = Settings(public_url="https://photos.example/app", cors_origins=origins)
    assert settings.upload_origins == ("https://photos.example", *origins)


@pytest.mark.parametrize(
    ("url", "confidential", "secure"),
    [
        ("https://photos.example", True, True),
        ("https://localhost:8000", True, True),
        ("http://localhost:8000", True, False),
        ("http://127.0.0.1:8000/x", True, False),
        ("http://photos.example", False, True),
        ("http://localhost.example", False, True),
        ("ftp://localhost", False, True),
    ],
)
def test_what_is_sent_to_this_machine_or_over_https_is_confidential(
    *, url: str, confidential: bool, secure: bool
) -> None:
    assert is_confidential(url) is confidential
    assert Settings(env="dev").model_copy(update={"public_url": url}).secure_cookies is secure

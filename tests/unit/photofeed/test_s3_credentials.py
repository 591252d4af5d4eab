"""Keys of the settings, or those that AWS's default chain finds."""

import pytest

from photofeed.feature_store import feast_environment
from photofeed.object_store import s3_client
from photofeed.settings import Settings

ROLE = {"AWS_ACCESS_KEY_ID": "ASIAROLE", "AWS_SECRET_ACCESS_KEY": "role-secret", "AWS_SESSION_TOKEN": "role-token"}


@pytest.fixture(autouse=True)
def role(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ROLE.items():
        monkeypatch.setenv(name, value)


def _presigned(settings: Settings) -> str:
    client = s3_client(settings)
    url: str = client.generate_presigned_url("put_object", Params={"Bucket": "b", "Key": "k"}, ExpiresIn=60)
    client.close()
    return url


def test_the_keys_of_the_settings_come_before_those_of_the_machine() -> None:
    url = _presigned(Settings())
    assert "Credential=photofeed" in url
    assert "role-token" not in url
    assert feast_environment(Settings())["AWS_ACCESS_KEY_ID"] == "photofeed"


def test_without_keys_a_role_is_used_with_its_session_token() -> None:
    settings = Settings(s3_access_key="")
    url = _presigned(settings)
    assert "Credential=ASIAROLE" in url
    assert "role-token" in url
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} & feast_environment(settings).keys()


def test_a_role_needs_no_secret_in_production() -> None:
    strong = "x9" * 32
    settings = Settings.model_validate(
        {
            "env": "production",
            "database_url": "postgresql://app:Ui3kd@db/photofeed",
            "redis_url": "rediss://:Ui3kd@redis/0",
            "jwt_secret": strong,
            "cursor_secret": strong,
            "s3_access_key": "",
        }
    )
    settings.require_secrets()

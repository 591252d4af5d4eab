"""`photofeed doctor` names what is wrong with real servers that are set up wrong."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from photofeed import database
from photofeed.doctor.buckets import buckets
from photofeed.doctor.finding import Finding, Level
from photofeed.doctor.identity import identity
from photofeed.doctor.kafka_cluster import cluster_with
from photofeed.doctor.model import features, model
from photofeed.doctor.postgres import newest_revision, postgres
from photofeed.doctor.redis_server import redis_server
from photofeed.feature_store import _manifest_key
from photofeed.kafka_topics import create_topics
from photofeed.object_store import S3ObjectStore, s3_client
from photofeed.redis_client import connect_redis
from photofeed.settings import Settings
from photofeed.topics import Topic, all_topics
from tests.command_line import photofeed
from tests.doubles.identity_provider import running_identity_provider
from tests.integration.conftest import manifest

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

Change = Callable[..., Settings]
NOWHERE = "127.0.0.1:1"


def _faults(findings: Iterator[Finding]) -> dict[str, Finding]:
    """The findings that are wrong, by name; each says how to mend it."""
    found = {finding.name: finding for finding in findings if finding.level is Level.WRONG}
    assert all(finding.text and finding.mend and "\n" not in str(finding) for finding in found.values())
    return found


def _an_hour_later() -> float:
    return time.time() + 3_600


@pytest.fixture
def changed(stack: "EmbeddedStack") -> Change:
    """Settings of the stack with other values."""
    return lambda **values: stack.settings().model_copy(update=values)


@pytest.fixture
def bucket(stack: "EmbeddedStack") -> Iterator[tuple[Settings, Any]]:
    """Settings with a new bucket of originals, and a client."""
    name = f"doctor-{uuid.uuid4().hex[:8]}"
    settings = stack.settings().model_copy(update={"bucket_originals": name})
    with closing(s3_client(settings)) as client:
        client.create_bucket(Bucket=name)
        yield settings, client


def _allow(client: Any, settings: Settings, origin: str) -> None:
    rule = {"AllowedOrigins": [origin], "AllowedMethods": ["PUT"], "AllowedHeaders": ["*"]}
    client.put_bucket_cors(Bucket=settings.bucket_originals, CORSConfiguration={"CORSRules": [rule]})


def test_every_system_that_does_not_answer_is_named(tmp_path: Path) -> None:
    # as a command: kafka-python leaves sockets of refused connections to the garbage collector
    done = photofeed(
        "doctor",
        "--json",
        PHOTOFEED_ENV="dev",
        PHOTOFEED_STATE_DIR=tmp_path,
        PHOTOFEED_DATABASE_URL=f"postgresql://photofeed:wrong@{NOWHERE}/photofeed",
        PHOTOFEED_REDIS_URL=f"redis://{NOWHERE}",
        PHOTOFEED_KAFKA_BOOTSTRAP_SERVERS=NOWHERE,
        PHOTOFEED_S3_ENDPOINT_URL=f"http://{NOWHERE}",
        PHOTOFEED_MLFLOW_TRACKING_URI=f"http://{NOWHERE}",
        PHOTOFEED_JWT_JWKS_URL=f"http://{NOWHERE}/jwks",
    )
    assert done.returncode == 1
    assert "kafka.net" not in done.stderr
    assert {finding["name"] for finding in json.loads(done.stdout)["findings"] if finding["level"] == "wrong"} == {
        "postgres.connection",
        "redis.connection",
        "kafka.connection",
        "objects.connection",
        "features.manifest",
        "model.connection",
        "identity.keys",
    }


def test_a_wrong_database_password_is_told_from_a_server_that_is_away(changed: Change) -> None:
    url = changed().database_url.get_secret_value()
    settings = changed(database_url=SecretStr(url.replace(str(urlsplit(url).password), "wrong")))
    assert "password" in _faults(postgres(settings))["postgres.connection"].text


def test_an_empty_database_is_named(empty_database: Settings) -> None:
    faults = _faults(postgres(empty_database))
    assert set(faults) == {"postgres.schema"}
    assert faults["postgres.schema"].mend == "run `photofeed setup`"


@pytest.mark.parametrize(
    ("applied", "text"), [("0001", "this version needs"), ("9999", "newer than"), (None, "revision none")]
)
def test_a_schema_of_another_version_is_named(empty_database: Settings, applied: str | None, text: str) -> None:
    database.migrate(empty_database)
    assert not _faults(postgres(empty_database))
    with closing(database.connect(empty_database)) as connection:
        connection.execute("delete from schema_version")
        if applied:
            connection.execute("insert into schema_version values (%s)", (applied,))
    fault = _faults(postgres(empty_database))["postgres.schema"]
    assert text in fault.text
    assert newest_revision() in fault.text


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru", "volatile-lru"])
def test_a_redis_that_evicts_something_else_is_named(changed: Change, policy: str) -> None:
    settings = changed()
    with closing(connect_redis(settings)) as client:
        before = client.config_get("maxmemory-policy")["maxmemory-policy"]
        client.config_set("maxmemory-policy", policy)
        try:
            assert set(_faults(redis_server(settings))) == {"redis.policy"}
        finally:
            client.config_set("maxmemory-policy", before)
    assert not _faults(redis_server(settings))


def test_a_wrong_redis_password_is_named(changed: Change) -> None:
    url = changed().redis_url.get_secret_value()
    settings = changed(redis_url=SecretStr(url.replace(str(urlsplit(url).password), "wrong")))
    assert set(_faults(redis_server(settings))) == {"redis.connection"}


def test_topics_that_are_missing_or_not_as_declared_are_named(changed: Change) -> None:
    settings = changed()
    topic = Topic(f"doctor-{uuid.uuid4().hex[:8]}", key="id", partitions=2, retention=timedelta(hours=36))
    assert topic.name in _faults(cluster_with(settings, [topic]))["kafka.topics"].text
    create_topics(settings, [topic])
    assert not _faults(cluster_with(settings, [topic]))
    other = replace(topic, partitions=4, retention=timedelta(hours=24))
    assert set(_faults(cluster_with(settings, [other]))) == {"kafka.partitions", "kafka.retention"}
    production = settings.model_copy(update={"env": "production"})
    assert {"kafka.replication", "kafka.min_in_sync"} <= set(_faults(cluster_with(production, [topic])))


@pytest.mark.parametrize("missing", ["bucket_originals", "bucket_variants", "bucket_lake"])
def test_a_missing_bucket_is_named(changed: Change, missing: str) -> None:
    faults = _faults(buckets(changed(**{missing: "not-there"})))
    assert set(faults) == {"objects.bucket"}
    assert "not-there" in faults["objects.bucket"].text


def test_wrong_keys_of_the_object_storage_are_named(changed: Change) -> None:
    assert set(_faults(buckets(changed(s3_secret_key=SecretStr("wrong"))))) == {"objects.credentials"}


def test_a_bucket_into_which_browsers_cannot_upload_is_named(bucket: tuple[Settings, Any]) -> None:
    settings, client = bucket
    assert set(_faults(buckets(settings))) == {"objects.cors"}
    _allow(client, settings, "https://elsewhere.example")
    assert settings.public_url in _faults(buckets(settings))["objects.cors"].text
    _allow(client, settings, settings.public_url)
    assert not _faults(buckets(settings))


def test_a_bucket_into_which_any_page_can_upload_is_named(bucket: tuple[Settings, Any]) -> None:
    settings, client = bucket
    _allow(client, settings, "*")
    assert "any origin" in _faults(buckets(settings))["objects.cors"].text


def test_clocks_that_differ_are_named(changed: Change) -> None:
    settings = changed()
    database.migrate(settings)
    assert "behind" in _faults(postgres(settings, _an_hour_later))["postgres.clock"].text
    assert set(_faults(redis_server(settings, _an_hour_later))) == {"redis.clock"}
    assert set(_faults(buckets(settings, _an_hour_later))) == {"objects.clock"}


def test_a_feature_repo_that_was_not_applied_is_named(changed: Change) -> None:
    assert set(_faults(features(changed(feature_service="not_there")))) == {"features.manifest"}


def test_keys_of_an_identity_provider_are_read(changed: Change) -> None:
    with running_identity_provider() as provider:
        assert not _faults(identity(changed(jwt_jwks_url=provider.url)))


def test_a_registry_without_a_champion_or_with_a_damaged_one_is_named(models: Any) -> None:
    assert set(_faults(model(models.settings))) == {"model.champion"}
    broken = models.register(lambda contract: replace(contract, model_sha256="0" * 64))
    models.point("champion", broken)
    assert set(_faults(model(models.settings))) == {"model.files"}


def test_a_stack_that_is_set_up_has_nothing_wrong_and_exit_code_0(models: Any) -> None:
    models.point("champion", models.register())
    settings = models.settings
    create_topics(settings, all_topics())
    store = S3ObjectStore.connect(settings)
    repo = manifest(settings.feature_service)
    store.put(settings.bucket_lake, _manifest_key(repo.service), repo.to_json(), "application/json")
    variables = {
        "PHOTOFEED_ENV": "dev",
        "PHOTOFEED_STATE_DIR": settings.state_dir,
        "PHOTOFEED_MODEL_NAME": settings.model_name,
        "PHOTOFEED_PUBLIC_URL": settings.public_url,
        "PHOTOFEED_DATABASE_URL": settings.database_url.get_secret_value(),
        "PHOTOFEED_REDIS_URL": settings.redis_url.get_secret_value(),
        "PHOTOFEED_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "PHOTOFEED_MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
        "PHOTOFEED_S3_ENDPOINT_URL": settings.s3_endpoint_url,
        "PHOTOFEED_S3_ACCESS_KEY": settings.s3_access_key,
        "PHOTOFEED_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
    }
    done = photofeed("doctor", **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith("0 warning, 0 wrong")
    sick = photofeed("doctor", **variables | {"PHOTOFEED_BUCKET_LAKE": "not-there"})
    assert sick.returncode == 1
    assert "there is no bucket not-there" in sick.stdout

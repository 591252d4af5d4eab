"""What the checks conclude from what servers say, and TLS against servers with wrong certificates."""

import json
import os
import re
import shutil
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from photofeed.doctor import postgres
from photofeed.doctor.buckets import _bucket, _cors, buckets, strangers, upload_address
from photofeed.doctor.certificates import certificates, plain_connections
from photofeed.doctor.clocks import MOST_SKEW_SECONDS, clock
from photofeed.doctor.environment import LEAST_FREE_BYTES, environment_of
from photofeed.doctor.finding import Finding, Level
from photofeed.doctor.identity import identity
from photofeed.doctor.kafka_cluster import TopicFacts, topics_as_declared
from photofeed.doctor.redis_server import server
from photofeed.settings import Settings
from photofeed.topics import Topic

HEALTHY_REDIS = {
    "redis_version": "7.2.4",
    "role": "master",
    "maxmemory_policy": "volatile-ttl",
    "maxmemory": 2**30,
    "used_memory": 2**20,
}
_TESTS = Path(__file__).parents[3]
TOPIC = Topic("posts", key="id", partitions=2)


def _production(**values: Any) -> Settings:
    return Settings(state_dir=Path("nowhere")).model_copy(update={"env": "production"} | values)


def _names(findings: Iterator[Finding], level: Level = Level.WRONG) -> list[str]:
    return [finding.name for finding in findings if finding.level is level]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"redis_version": "6.2.14"}, "redis.version"),
        ({"role": "slave"}, "redis.role"),
        ({"maxmemory_policy": "allkeys-lfu"}, "redis.policy"),
    ],
)
def test_a_redis_that_photofeed_cannot_use_is_named(change: dict[str, Any], name: str) -> None:
    assert not _names(server(HEALTHY_REDIS))
    assert _names(server(HEALTHY_REDIS | change)) == [name]


@pytest.mark.parametrize(
    "change",
    [{"redis_version": "7.0.0"}, {"redis_version": "10.0"}, {"role": "primary"}, {"used_memory": 9 * 2**30 // 10}],
)
def test_a_redis_that_just_suffices_is_used(change: dict[str, Any]) -> None:
    assert all(finding.level is Level.OK for finding in server(HEALTHY_REDIS | change))


@pytest.mark.parametrize("change", [{"maxmemory": 0}, {"used_memory": 2**30 - 1}, {"used_memory": 91 * 2**30 // 100}])
def test_a_redis_that_runs_out_of_memory_is_a_warning(change: dict[str, int]) -> None:
    assert _names(server(HEALTHY_REDIS | change), Level.WARNING) == ["redis.memory"]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"major": 14}, "postgres.version"),
        ({"standby": True}, "postgres.role"),
        ({"encoding": "SQL_ASCII"}, "postgres.encoding"),
    ],
)
def test_a_postgresql_that_photofeed_cannot_use_is_named(change: dict[str, Any], name: str) -> None:
    healthy = {"major": 18, "standby": False, "encoding": "UTF8", "connections": 200}
    assert not _names(postgres._server(healthy))
    assert _names(postgres._server(healthy | change)) == [name]
    assert _names(postgres._server(healthy | {"connections": 99}), Level.WARNING) == ["postgres.connections"]
    just_enough = healthy | {"major": 15, "connections": 100}
    assert [finding.level for finding in postgres._server(just_enough)] == [Level.OK]


def _topic(replicas: int = 3, in_sync: int = 3, least: str | None = "2") -> TopicFacts:
    return TopicFacts([replicas] * 2, [replicas, in_sync], TOPIC.configs | {"min.insync.replicas": least})


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        (_topic(replicas=1, in_sync=1), "kafka.replication"),
        (_topic(in_sync=2), "kafka.in_sync"),
        (_topic(least="1"), "kafka.min_in_sync"),
        (_topic(least=None), "kafka.min_in_sync"),
    ],
)
def test_a_topic_that_can_lose_messages_is_named(facts: TopicFacts, name: str) -> None:
    assert not _names(topics_as_declared(_production(), [TOPIC], {"posts": _topic()}))
    assert _names(topics_as_declared(_production(), [TOPIC], {"posts": facts})) == [name]


def test_what_is_wrong_with_many_topics_is_one_finding() -> None:
    topics = [Topic(name, key="id", partitions=2) for name in ("posts", "likes", "views")]
    facts = {"posts": _topic(replicas=1, in_sync=1), "likes": _topic(replicas=1, in_sync=1), "views": _topic()}
    (finding,) = [one for one in topics_as_declared(_production(), topics, facts) if one.level is Level.WRONG]
    assert finding.text == "replicas=1, and 2 are needed: posts, likes"


def test_the_replication_of_the_settings_is_what_topics_need() -> None:
    facts = {"posts": _topic()}
    assert _names(topics_as_declared(_production(kafka_replication=5), [TOPIC], facts)) == ["kafka.replication"]


@pytest.mark.parametrize(("server_seconds", "word"), [(1_000.0, "behind"), (2_000.0, "ahead of")])
def test_a_clock_is_behind_or_ahead(server_seconds: float, word: str) -> None:
    (finding,) = clock("redis", server_seconds, 1_500.0, 1_500.1)
    assert finding.level is Level.WRONG
    assert word in finding.text


def test_a_slow_answer_and_whole_seconds_are_not_skew() -> None:
    (finding,) = clock("objects", 1_503.0, 1_500.0, 1_506.0)
    assert finding.level is Level.OK
    (finding,) = clock("objects", 1_500.0, 1_500.9 + MOST_SKEW_SECONDS, 1_503.0, resolution=1.0)
    assert finding.level is Level.OK


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_an_upload_address_that_only_this_machine_reaches_is_named(host: str) -> None:
    assert _names(upload_address(_production(s3_endpoint_url=f"http://{host}:8333"))) == ["objects.address"]
    assert not _names(upload_address(_production(s3_endpoint_url="https://s3.example")))


def test_a_public_address_without_tls_is_wrong_and_one_inside_is_a_warning() -> None:
    settings = _production(public_url="http://photos.example")
    assert _names(certificates(settings)) == ["tls.public"]
    assert _names(certificates(settings), Level.WARNING) == ["tls.inside"] * 4
    secured = _production(
        database_url=SecretStr("postgresql://a:b@db/photofeed?sslmode=verify-full"),
        redis_url=SecretStr("rediss://:b@redis/0"),
        s3_endpoint_url="https://s3.example",
        mlflow_tracking_uri="https://mlflow.example",
    )
    assert not list(plain_connections(secured))


@contextmanager
def _https(folder: Path, days: float) -> Iterator[tuple[str, Path]]:
    """A server on 127.0.0.1 whose certificate ends in `days`; its address and certificate."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / "certificate.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, private)
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as listener:
        # the handshake runs in the thread that serves, where a refused one is no error of the test
        listener.socket = context.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=True)
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"https://127.0.0.1:{listener.server_port}", pem
        finally:
            listener.shutdown()
            thread.join()


def test_a_certificate_that_clients_refuse_is_named(tmp_path: Path) -> None:
    with _https(tmp_path, days=90) as (url, _):
        assert _names(certificates(_production(public_url=url))) == ["tls.certificate"]


@pytest.mark.parametrize(
    ("days", "level", "name"),
    [(90, Level.OK, "tls.certificate"), (5, Level.WARNING, "tls.expiry"), (-1, Level.WRONG, "tls.certificate")],
)
def test_certificates_end_soon_or_have_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: float, level: Level, name: str
) -> None:
    with _https(tmp_path, days) as (url, trusted):
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        assert name in _names(certificates(_production(public_url=url)), level)


def test_an_address_that_does_not_answer_is_named() -> None:
    assert _names(certificates(_production(public_url="https://127.0.0.1:1"))) == ["tls.connection"]


@contextmanager
def _answers(body: bytes, status: int = 200, **headers: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Tests print nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.server_port}/jwks"
        finally:
            listener.shutdown()
            thread.join()


SYMMETRIC = {"kty": "oct", "kid": "hs", "alg": "HS256", "k": "c2VjcmV0"}


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"keys": []}', json.dumps({"keys": [SYMMETRIC]}).encode()])
def test_an_identity_provider_without_usable_keys_is_named(body: bytes) -> None:
    with _answers(body) as url:
        assert _names(identity(_production(jwt_jwks_url=url))) == ["identity.keys"]


@pytest.mark.parametrize("status", [200, 301])
def test_buckets_of_another_region_are_named_though_boto3_finds_them(status: int) -> None:
    with _answers(b"<ListBucketResult/>", status, x_amz_bucket_region="eu-west-1") as url:
        settings = _production(s3_endpoint_url=url.removesuffix("/jwks"), s3_region="us-east-1")
        found = [finding for finding in buckets(settings) if finding.name == "objects.region"]
        assert found
        assert "eu-west-1" in found[0].mend
        named = _names(buckets(settings.model_copy(update={"s3_region": "eu-west-1"})))
        assert "objects.region" not in named


def _refusal(code: str, region: str | None = None) -> ClientError:
    headers = {"x-amz-bucket-region": region} if region else {}
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPHeaders": headers}}, "Asked")  # type: ignore[typeddict-item]


class Storage:
    """Object storage that gives one answer, or refuses."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def get_bucket_cors(self, **_: str) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    head_bucket = get_bucket_cors


OWN = "https://photos.example"


@pytest.mark.parametrize(
    ("origins", "methods", "faults"),
    [
        ([OWN], ["PUT"], []),
        ([OWN, "https://other.example"], ["GET", "PUT"], []),
        ([OWN], ["GET"], ["objects.cors"]),
        (["https://other.example"], ["PUT"], ["objects.cors"]),
        (["*"], ["PUT"], ["objects.cors"]),
        (["*"], ["GET"], ["objects.cors"]),
    ],
)
def test_browsers_may_upload_from_the_origins_of_the_settings_alone(
    origins: list[str], methods: list[str], faults: list[str]
) -> None:
    answer = {"CORSRules": [{"AllowedMethods": methods, "AllowedOrigins": origins}]}
    assert _names(_cors(Storage(answer), _production(public_url=OWN))) == faults


def test_a_bucket_without_a_rule_takes_no_uploads_of_browsers_and_other_refusals_are_not_hidden() -> None:
    settings = _production(public_url=OWN)
    answers: list[Any] = [{}, _refusal("NoSuchCORSConfiguration")]
    for answer in answers:
        (finding,) = _cors(Storage(answer), settings)
        assert (finding.name, OWN in finding.text) == ("objects.cors", True)
    with pytest.raises(ClientError):
        list(_cors(Storage(_refusal("AccessDenied")), settings))


def test_a_bucket_that_is_missing_or_elsewhere_is_named_and_other_refusals_are_not_hidden() -> None:
    here: Any = {"ResponseMetadata": {"HTTPHeaders": {}}}
    assert [finding.level for finding in _bucket(Storage(here), "photos", "eu-west-1")] == [Level.OK]
    for code in ("404", "NoSuchBucket"):
        assert _names(_bucket(Storage(_refusal(code)), "photos", "eu-west-1")) == ["objects.bucket"]
    found = list[Finding]()
    with pytest.raises(ClientError):
        found.extend(_bucket(Storage(_refusal("403")), "photos", "eu-west-1"))
    elsewhere = _bucket(Storage(_refusal("404", "us-east-1")), "photos", "eu-west-1")
    assert _names(elsewhere) == ["objects.region", "objects.bucket"]


def test_a_storage_that_fails_is_named() -> None:
    with _answers(b"", 501) as url:
        named = _names(buckets(_production(s3_endpoint_url=url.removesuffix("/jwks"))))
    assert "objects.connection" in named


def test_originals_that_anybody_may_list_are_named() -> None:
    with _answers(b"<ListBucketResult/>") as url:
        assert _names(strangers(_production(s3_endpoint_url=url.removesuffix("/jwks")))) == ["objects.private"]


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("PHOTOFEED_REDIS_URLL", "is it PHOTOFEED_REDIS_URL? Correct it or remove it"),
        ("PHOTOFEED_KAFKA_BOOTSTRAP_SERVER", "is it PHOTOFEED_KAFKA_BOOTSTRAP_SERVERS? Correct it or remove it"),
        ("PHOTOFEED_COLOUR", "remove it"),
    ],
)
def test_a_variable_that_is_no_setting_is_named(tmp_path: Path, name: str, mend: str) -> None:
    settings = Settings(state_dir=tmp_path)
    good = {"PHOTOFEED_ENV": "dev", "photofeed_redis_url": "x", "PHOTOFEED_FEAST_BUCKET": "b", "HOME": "/"}
    assert not _names(environment_of(good)(settings))
    (fault,) = [finding for finding in environment_of({**good, name: "x"})(settings) if finding.level is Level.WRONG]
    assert (fault.name, fault.mend) == ("settings.name", mend)
    assert fault.text.startswith(f"{name} is no setting")


def test_a_state_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert not _names(environment_of({})(Settings(state_dir=tmp_path / "new" / "folder")))
    assert _names(environment_of({})(Settings(state_dir=file / "folder"))) == ["state.folder"]


@pytest.mark.parametrize("refused", [os.W_OK, os.X_OK])
def test_a_state_folder_without_a_right_to_write_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    monkeypatch.setattr(os, "access", lambda _, rights: not rights & refused)
    assert _names(environment_of({})(Settings(state_dir=tmp_path))) == ["state.folder"]


def test_a_state_folder_without_room_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, names in ((LEAST_FREE_BYTES - 1, ["state.space"]), (LEAST_FREE_BYTES, [])):
        disk = SimpleNamespace(free=free)
        monkeypatch.setattr(shutil, "disk_usage", lambda _, disk=disk: disk)
        assert _names(environment_of({})(Settings(state_dir=tmp_path)), Level.WARNING) == names


def test_every_fault_that_doctor_can_name_is_provoked_by_a_test() -> None:
    code = "".join(file.read_text() for file in Path(postgres.__file__).parent.glob("*.py"))
    faults = set(re.findall(r'\bwrong\(\s*"([a-z_.]+)"', code)) | {"postgres.clock", "redis.clock", "objects.clock"}
    files = [file.read_text() for file in _TESTS.rglob("*.py")]
    tests = "".join(text for text in files if "photofeed.doctor" in text)
    assert len(faults) > 30
    assert {name for name in faults if f'"{name}"' not in tests} == set()


def test_a_shared_secret_in_production_is_a_warning() -> None:
    assert _names(identity(_production()), Level.WARNING) == ["identity.provider"]


def test_a_report_is_one_line_per_finding() -> None:
    (finding,) = clock("redis", 0.0, 1_500.0, 1_500.1)
    assert str(finding) == (
        "wrong    redis.clock            the server's clock is 1500.0 s behind this machine's: run NTP on both"
    )

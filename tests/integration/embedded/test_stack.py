import contextlib
import http.client
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import psutil
import psycopg
import pytest
import redis
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from photofeed.embedded.errors import ServerStartError, StackRunningError
from photofeed.embedded.ports import LOOPBACK
from photofeed.embedded.record import ProcessRecord, load_records, wait_ended
from photofeed.embedded.stack import WITHOUT_MLFLOW, EmbeddedStack
from photofeed.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TOPIC = "kept"
Start = Callable[[Path], EmbeddedStack]

HOLD_A_STACK = """
import sys
from pathlib import Path
from photofeed.embedded.stack import EmbeddedStack, WITHOUT_MLFLOW
stack = EmbeddedStack(Path(sys.argv[1]))
stack.start(servers=WITHOUT_MLFLOW)
print(stack._guardian.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start() -> Iterator[Start]:
    """Start stacks of one's own: the shared one is not for killing."""
    started: list[EmbeddedStack] = []

    def begin(folder: Path) -> EmbeddedStack:
        stack = EmbeddedStack(folder)
        started.append(stack)
        stack.start(servers=WITHOUT_MLFLOW)
        return stack

    yield begin
    for stack in started:
        stack.stop()


def object_storage(settings: Settings) -> "S3Client":
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint_url,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
    )


def write_everywhere(settings: Settings, value: str) -> None:
    with psycopg.connect(settings.database_url.get_secret_value()) as database:
        database.execute("create table kept (value text, embedding vector(3))")
        database.execute("insert into kept values (%s, '[1,2,3]')", (value,))
    with redis.Redis.from_url(settings.redis_url.get_secret_value()) as cache:
        cache.set("kept", value)
    with closing(object_storage(settings)) as storage:
        storage.put_object(Bucket=settings.bucket_originals, Key="kept", Body=value.encode())
    with closing(KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)) as admin:
        admin.create_topics([NewTopic(TOPIC, num_partitions=1, replication_factor=1)])
    producer = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, acks="all", enable_idempotence=True)
    with closing(producer):
        producer.send(TOPIC, value.encode()).get(10)


def read_everywhere(settings: Settings) -> dict[str, str]:
    with psycopg.connect(settings.database_url.get_secret_value()) as database:
        row = database.execute("select value from kept order by embedding <-> '[1,2,3]' limit 1").fetchone()
    with redis.Redis.from_url(settings.redis_url.get_secret_value(), decode_responses=True) as cache:
        cached = cache.get("kept")
    with closing(object_storage(settings)) as storage:
        stored = storage.get_object(Bucket=settings.bucket_originals, Key="kept")["Body"].read().decode()
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers, consumer_timeout_ms=10_000)
    with closing(consumer):
        consumer.assign([TopicPartition(TOPIC, 0)])
        consumer.seek_to_beginning()
        message = next(consumer).value.decode()
    return {"postgres": row[0] if row else "", "valkey": str(cached), "seaweedfs": stored, "tansu": message}


def families(records: list[ProcessRecord]) -> list[psutil.Process]:
    return [process for record in records for process in record.family()]


def sigkill(processes: list[psutil.Process]) -> None:
    for process in processes:
        process.kill()
    assert wait_ended(processes, 10) == []


EVERYWHERE = dict.fromkeys(WITHOUT_MLFLOW, "acknowledged")


def test_what_was_acknowledged_survives_a_kill_of_every_process(tmp_path: Path, start: Start) -> None:
    stack = start(tmp_path / "state")
    before = stack.settings()
    write_everywhere(before, "acknowledged")
    sigkill(families(load_records(stack.state.run)))
    stack.stop()

    again = start(tmp_path / "state")

    assert read_everywhere(again.settings()) == EVERYWHERE
    assert again.settings() == before, "addresses and secrets that clients hold stay the same"


def test_every_killed_server_is_started_again_and_has_what_was_acknowledged(tmp_path: Path, start: Start) -> None:
    stack = start(tmp_path / "state")
    write_everywhere(stack.settings(), "acknowledged")
    killed = load_records(stack.state.run)
    sigkill([process for record in killed if (process := record.process())])

    until = time.monotonic() + 120
    while time.monotonic() < until:
        if {record.name for record in load_records(stack.state.run) if record not in killed} == set(WITHOUT_MLFLOW):
            with contextlib.suppress(Exception):
                assert read_everywhere(stack.settings()) == EVERYWHERE
                break
    else:
        pytest.fail(f"not all servers are back: {read_everywhere(stack.settings())}")


def test_data_are_found_again_when_another_program_took_the_ports(tmp_path: Path, start: Start) -> None:
    stack = start(tmp_path / "state")
    write_everywhere(stack.settings(), "acknowledged")
    ports = stack.state.load("ports.json")
    stack.stop()
    stack.state.save("ports.json", "{}")

    again = start(tmp_path / "state")

    assert again.state.load("ports.json") != ports
    assert read_everywhere(again.settings()) == EVERYWHERE


def test_two_stacks_run_side_by_side_on_loopback_only_and_leave_no_process(tmp_path: Path, start: Start) -> None:
    one, other = start(tmp_path / "one"), start(tmp_path / "other")
    write_everywhere(one.settings(), "acknowledged")
    write_everywhere(other.settings(), "elsewhere")
    assert read_everywhere(one.settings()) == EVERYWHERE

    running = families([*load_records(one.state.run), *load_records(other.state.run)])
    sockets = [socket for process in running for socket in process.net_connections("inet")]
    assert {socket.laddr.ip for socket in sockets if socket.status == psutil.CONN_LISTEN} == {LOOPBACK}
    files = {str(socket.laddr) for process in running for socket in process.net_connections("unix")} - {""}
    shown = " ".join(" ".join(process.cmdline()) for process in running)
    assert not [secret for secret in one.state.load("secrets.json").values() if secret in shown]

    one.stop()
    other.stop()
    assert wait_ended(running, 0) == []
    assert files, "SeaweedFS opens some"
    assert [file for file in files if Path(file).exists()] == []


def test_a_second_start_on_a_running_stack_is_refused_and_leaves_it_alone(stack: EmbeddedStack) -> None:
    running = load_records(stack.state.run)
    with pytest.raises(StackRunningError, match=f"pid {os.getpid()}"):
        EmbeddedStack(stack.state.path).start()
    assert load_records(stack.state.run) == running
    assert all(record.process() for record in running)


@pytest.mark.parametrize("guardian_too", [False, True], ids=["guardian stops them", "start replaces them"])
def test_a_start_after_the_parent_was_killed(tmp_path: Path, start: Start, guardian_too: bool) -> None:
    command = [sys.executable, "-c", HOLD_A_STACK, str(tmp_path / "state")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:  # noqa: S603
        assert parent.stdout is not None
        guardian = psutil.Process(int(parent.stdout.readline()))
        left_behind = families(load_records(tmp_path / "state" / "run"))
        if guardian_too:
            sigkill([guardian])
        parent.kill()
    assert len(left_behind) >= len(WITHOUT_MLFLOW)

    stack = start(tmp_path / "state")

    assert wait_ended(left_behind, 0) == []
    write_everywhere(stack.settings(), "acknowledged")
    assert read_everywhere(stack.settings()) == EVERYWHERE


def test_a_server_that_cannot_start_is_named_with_its_reason_and_the_others_stop(tmp_path: Path) -> None:
    stack = EmbeddedStack(tmp_path)
    (tmp_path / "postgres").mkdir()  # in the way of the real one

    with pytest.raises(ServerStartError) as failed:
        stack.start(servers=WITHOUT_MLFLOW)

    assert failed.value.name == "postgres"
    assert "postgresql.conf" in failed.value.log_tail
    assert "\n" not in str(failed.value)
    assert load_records(stack.state.run) == []
    commands = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    assert [command for command in commands if str(tmp_path) in command] == []


def test_a_terminals_interrupt_does_not_reach_the_servers(stack: EmbeddedStack) -> None:
    mine = os.getsid(0)
    assert not [process for process in families(load_records(stack.state.run)) if os.getsid(process.pid) == mine]


def test_only_the_web_app_may_put_originals_from_a_browser(stack: EmbeddedStack) -> None:
    settings = stack.settings()

    def browser_may_put(bucket: str, origin: str) -> bool:
        with closing(http.client.HTTPConnection(LOOPBACK, urlsplit(settings.s3_endpoint_url).port)) as connection:
            headers = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
            connection.request("OPTIONS", f"/{bucket}/some-key", headers=headers)
            allowed = connection.getresponse().headers
        methods = allowed.get("Access-Control-Allow-Methods", "")
        return allowed.get("Access-Control-Allow-Origin") in {origin, "*"} and "PUT" in methods

    assert browser_may_put(settings.bucket_originals, settings.public_url)
    assert not browser_may_put(settings.bucket_originals, "https://elsewhere.example")
    assert not browser_may_put(settings.bucket_variants, settings.public_url)


def test_object_storage_cannot_be_read_past_its_signatures(stack: EmbeddedStack) -> None:
    settings = stack.settings()
    with closing(object_storage(settings)) as storage:
        storage.put_object(Bucket=settings.bucket_originals, Key="private", Body=b"private")
    ports = stack.state.load("ports.json")

    def status(port: int, path: str) -> int:
        with closing(http.client.HTTPConnection(LOOPBACK, port)) as connection:
            connection.request("GET", path)
            return connection.getresponse().status

    assert status(ports["s3"], f"/{settings.bucket_originals}/private") == http.client.FORBIDDEN
    assert status(ports["filer"], f"/buckets/{settings.bucket_originals}/private") == http.client.UNAUTHORIZED


def test_mlflow_keeps_runs_in_postgres_and_artifacts_in_object_storage(mlflow_stack: EmbeddedStack) -> None:
    settings = mlflow_stack.settings()
    with closing(http.client.HTTPConnection(LOOPBACK, urlsplit(settings.mlflow_tracking_uri).port)) as connection:
        artifacts = "/api/2.0/mlflow-artifacts/artifacts/kept/note.txt"
        connection.request("PUT", artifacts, body=b"acknowledged")
        assert connection.getresponse().read() == b""
        connection.request("GET", "/api/2.0/mlflow/experiments/search", headers={"Host": "elsewhere.example"})
        assert connection.getresponse().status == http.client.FORBIDDEN, "a web page may not reach it by DNS rebinding"
    with closing(object_storage(settings)) as storage:
        stored = storage.get_object(Bucket="mlflow", Key="artifacts/kept/note.txt")["Body"].read()
    assert stored == b"acknowledged"
    with psycopg.connect(settings.database_url.get_secret_value(), dbname="mlflow") as database:
        assert database.execute("select count(*) from experiments where name = 'Default'").fetchone() == (1,)


def test_mlflow_is_a_single_process(mlflow_stack: EmbeddedStack) -> None:
    """Every process that imports MLflow takes 190 MB."""
    records = [record for record in load_records(mlflow_stack.state.run) if record.name == "mlflow"]
    assert len(families(records)) == 1

"""Fixtures for all tests: the embedded stack, a running photofeed, and the folder of real photographs."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import hypothesis
import pytest
import structlog

from tests import kafka_stack

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack
    from photofeed.settings import Settings
    from tests.valkey_cluster import ValkeyCluster
    from tools.kafka.cluster import KafkaCluster

_REPOSITORY = Path(__file__).resolve().parents[1]
READS_ALL = "reads_all"
_KEPT = ("PHOTOFEED_SAMPLES", kafka_stack.VARIABLE)

# numba reads these when it is first imported; servers and commands that tests start inherit them. Compiled code then
# raises IndexError instead of reading past an array. numba's cache does not tell checked code from unchecked, so tests
# have a cache folder of their own.
os.environ["NUMBA_BOUNDSCHECK"] = "1"
os.environ["NUMBA_CACHE_DIR"] = str(_REPOSITORY / ".pytest_cache" / "numba")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{READS_ALL}: reads all that other tests have left in the stack; runs first")
    # On import, kafka-python reads its schemas with a function that is deprecated in Python 3.11 and 3.12.
    config.addinivalue_line("filterwarnings", "ignore:(read|open)_text is deprecated:DeprecationWarning")
    # Tests run on shared machines, so the time of one example means nothing.
    hypothesis.settings.register_profile("photofeed", deadline=None)
    hypothesis.settings.load_profile("photofeed")
    # structlog's own tracebacks, with all variables, take seconds each
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])
    # Variables of a developer's shell must not point the tests to another stack.
    for name in [name for name in os.environ if name.startswith("PHOTOFEED_") and name not in _KEPT]:
        del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Tests that read all that is in the stack come first, because all tests add to it. All processes of `running_app`
    # take processor time until the session ends, so tests that need it come last.
    items.sort(
        key=lambda item: ("running_app" in getattr(item, "fixturenames", ()), not item.get_closest_marker(READS_ALL))
    )


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator["EmbeddedStack"]:
    """PostgreSQL, Valkey, SeaweedFS and Tansu, or Apache Kafka. `stack.settings()` has their addresses."""
    from photofeed.embedded.stack import WITHOUT_MLFLOW, EmbeddedStack  # unit tests run without it

    running = EmbeddedStack(tmp_path_factory.mktemp("stack"))
    if kafka_stack.wanted():
        running.start(servers=[name for name in WITHOUT_MLFLOW if name != "tansu"])
        request.getfixturevalue("kafka_cluster").take_over(running)
    else:
        running.start(servers=WITHOUT_MLFLOW)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def kafka_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator["KafkaCluster"]:
    """Three brokers of Apache Kafka, for `make test-kafka`."""
    from tools.kafka.cluster import running_kafka

    with running_kafka(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture(scope="session")
def valkey_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator["ValkeyCluster"]:
    """A Redis Cluster of three primaries and their replicas, which the tests share: none may break it."""
    from tests.valkey_cluster import running_cluster  # unit tests run without it

    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="session")
def mlflow_stack(stack: "EmbeddedStack") -> "EmbeddedStack":
    """The same stack with the MLflow server, which takes seconds to start: use it only if needed."""
    stack.start(servers=("mlflow",))
    return stack


@pytest.fixture(scope="session")
def settings_apart(stack: "EmbeddedStack") -> Callable[[int], "Settings"]:
    """Settings of the stack with another database of Redis and a new bucket for the lake."""
    import boto3  # unit tests run without it
    from pydantic import SecretStr

    def apart(redis_database: int) -> "Settings":
        settings = stack.settings()
        redis_url = f"{settings.redis_url.get_secret_value().rsplit('/', 1)[0]}/{redis_database}"
        bucket = f"apart-{uuid4().hex}"
        s3 = boto3.client(
            "s3",
            endpoint_url=settings.s3_endpoint_url,
            region_name=settings.s3_region,
            aws_access_key_id=settings.s3_access_key,
            aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
        )
        with closing(s3):
            s3.create_bucket(Bucket=bucket)
        return settings.model_copy(update={"redis_url": SecretStr(redis_url), "bucket_lake": bucket})

    return apart


@dataclass(frozen=True)
class RunningApp:
    """photofeed as users run it: real servers, and API and workers as separate processes."""

    settings: "Settings"
    service_token: str

    @property
    def base_url(self) -> str:
        """Address of the API and the web app."""
        return self.settings.public_url

    def token(self, user_id: str) -> str:
        """A token of this user."""
        from photofeed.ids import decode_id
        from photofeed.tokens import mint_token

        return mint_token(self.settings, decode_id(user_id))


@pytest.fixture(scope="session")
def running_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """All processes of `make demo` on a separate stack, so that its workers do not affect other tests."""
    from photofeed.tokens import SERVICE, mint_token
    from simulation.running import running_photofeed
    from simulation.scale import SMOKE
    from tests.doubles.silent_stages import SilentStages

    with running_photofeed(tmp_path_factory.mktemp("running"), SMOKE, SilentStages()) as running:
        yield RunningApp(running.settings, mint_token(running.settings, 0, frozenset({SERVICE})))


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder with real photographs in photos/."""
    folder = Path(os.environ.get("PHOTOFEED_SAMPLES", _REPOSITORY.parent / "shared" / "samples"))
    if not folder.is_dir():
        pytest.skip(f"no samples at {folder}: set PHOTOFEED_SAMPLES to a folder that has photos/")
    return folder

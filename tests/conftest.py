"""What every test may ask for: the embedded stack, started once per run, and the folder of real photographs."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack
    from photofeed.settings import Settings

_REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_configure(config: pytest.Config) -> None:
    # kafka-python reads its schemas by a function that Python 3.11 and 3.12 call deprecated, on import.
    config.addinivalue_line("filterwarnings", "ignore:(read|open)_text is deprecated:DeprecationWarning")
    # The machines tests run on are shared: how long an example took says nothing.
    hypothesis.settings.register_profile("photofeed", deadline=None)
    hypothesis.settings.load_profile("photofeed")
    # A developer's shell must not lead the tests to another stack.
    for name in [name for name in os.environ if name.startswith("PHOTOFEED_") and name != "PHOTOFEED_SAMPLES"]:
        del os.environ[name]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator["EmbeddedStack"]:
    """PostgreSQL, Valkey, SeaweedFS and Tansu; `stack.settings()` leads to them."""
    from photofeed.embedded.stack import WITHOUT_MLFLOW, EmbeddedStack  # noqa: PLC0415  unit tests need not pay for it

    running = EmbeddedStack(tmp_path_factory.mktemp("stack"))
    running.start(servers=WITHOUT_MLFLOW)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def mlflow_stack(stack: "EmbeddedStack") -> "EmbeddedStack":
    """The same stack with the MLflow server, which takes seconds to start: ask for it only where it is needed."""
    stack.start(servers=("mlflow",))
    return stack


@dataclass(frozen=True)
class RunningApp:
    """photofeed as users run it: real servers, API and workers as processes of their own."""

    settings: "Settings"
    service_token: str

    @property
    def base_url(self) -> str:
        """Address of API and web app."""
        return self.settings.public_url

    def token(self, user_id: str) -> str:
        """A person's own token."""
        from photofeed.ids import decode_id  # noqa: PLC0415
        from photofeed.tokens import mint_token  # noqa: PLC0415

        return mint_token(self.settings, decode_id(user_id))


@pytest.fixture(scope="session")
def running_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """Everything of `make demo` but the people: a stack of its own, so that its workers meddle with no other test."""
    from photofeed.tokens import SERVICE, mint_token  # noqa: PLC0415
    from simulation.running import running_photofeed  # noqa: PLC0415
    from simulation.scale import SMOKE  # noqa: PLC0415
    from simulation.stages import SilentStages  # noqa: PLC0415

    with running_photofeed(tmp_path_factory.mktemp("running"), SMOKE, SilentStages()) as running:
        yield RunningApp(running.settings, mint_token(running.settings, 0, frozenset({SERVICE})))


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of sample data that real photographs are in."""
    folder = Path(os.environ.get("PHOTOFEED_SAMPLES", _REPOSITORY.parent / "shared" / "samples"))
    if not folder.is_dir():
        pytest.skip(f"no samples at {folder}: set PHOTOFEED_SAMPLES to a folder that has photos/")
    return folder

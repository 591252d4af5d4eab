"""What every test may ask for: the embedded stack, started once per run, and the folder of real photographs."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

_REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_configure(config: pytest.Config) -> None:
    # kafka-python reads its schemas by a function that Python 3.11 and 3.12 call deprecated, on import.
    config.addinivalue_line("filterwarnings", "ignore:(read|open)_text is deprecated:DeprecationWarning")
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


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of sample data that real photographs are in."""
    folder = Path(os.environ.get("PHOTOFEED_SAMPLES", _REPOSITORY.parent / "shared" / "samples"))
    if not folder.is_dir():
        pytest.skip(f"no samples at {folder}: set PHOTOFEED_SAMPLES to a folder that has photos/")
    return folder

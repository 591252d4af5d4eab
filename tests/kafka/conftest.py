"""The stack with three brokers of Apache Kafka; these tests run where `make test-kafka` asks for it."""

from typing import TYPE_CHECKING

import pytest

from tests import kafka_stack
from tests.command_line import photofeed

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack
    from photofeed.settings import Settings

collect_ignore_glob = [] if kafka_stack.wanted() else ["test_*.py"]


@pytest.fixture(scope="session")
def settings(stack: "EmbeddedStack") -> "Settings":
    done = photofeed("setup", PHOTOFEED_STATE_DIR=stack.state.path)
    assert done.returncode == 0, done.stderr
    return stack.settings()

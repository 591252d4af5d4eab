from typing import TYPE_CHECKING

import pytest

from photofeed import database

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack
    from photofeed.settings import Settings


@pytest.fixture(scope="module")
def settings(stack: "EmbeddedStack") -> "Settings":
    settings = stack.settings()
    database.migrate(settings)
    return settings

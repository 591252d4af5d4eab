import re
from pathlib import Path

import pytest

from photofeed.handles import RESERVED, is_reserved

ROUTER = Path(__file__).parents[3] / "web" / "src" / "router.ts"
HANDLE = re.compile(r"[a-z0-9_.]{2,30}")


@pytest.mark.parametrize(
    "handle",
    ["..", "...", ".a", "a.", "a..b", "__", "._", "admin", "_admin_", "me", "explore", "v1", "support", "null"],
)
def test_words_of_the_service_and_names_like_paths_are_reserved(handle: str) -> None:
    assert is_reserved(handle)


@pytest.mark.parametrize("handle", ["marta.k", "a_", "_a1", "administrata", "mel", "explorer", "a.b.c", "42"])
def test_other_names_are_free(handle: str) -> None:
    assert not is_reserved(handle)


def test_the_addresses_of_the_app_are_reserved() -> None:
    pages = set(re.findall(r"'/([a-z0-9_.-]+)'", ROUTER.read_text())) | set(
        re.findall(r"`/([a-z0-9_.]+)/", ROUTER.read_text())
    )
    assert {"explore", "tags", "settings"} <= pages
    assert {page for page in pages if HANDLE.fullmatch(page)} <= RESERVED

"""Previews of pages: short texts, an image that is large enough, and none while the database is away."""

import asyncio
from typing import Any

import pytest
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from photofeed.errors import RetryableError
from serving.api.pages import _image, _shortened, _unless_down


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        (" First\n\tlight ", "First light"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 199 + "…"),
        ("x" * 198 + " " + "y" * 9, "x" * 198 + "…"),
    ],
)
def test_a_description_has_at_most_200_characters_of_one_line(text: str, shown: str) -> None:
    assert _shortened(text) == shown


def _sizes(*edges: int) -> dict[str, dict[str, Any]]:
    return {str(edge): {"url": f"u{edge}", "width": edge, "height": edge // 2} for edge in edges}


@pytest.mark.parametrize(("edges", "url"), [((150, 1080, 3840), "u1080"), ((150, 640, 320), "u640")])
def test_the_image_is_large_enough_or_the_largest(edges: tuple[int, ...], url: str) -> None:
    image = _image(_sizes(*edges), "A lake")
    assert image is not None
    edge = int(url[1:])
    assert (image.url, image.width, image.height, image.alt) == (url, edge, edge // 2, "A lake")


def test_a_post_without_images_has_no_image() -> None:
    assert _image({}, "A lake") is None


@pytest.mark.parametrize("error", [RetryableError("away"), OperationalError("away"), PoolTimeout("away")])
def test_while_the_database_is_away_there_is_no_preview(error: Exception) -> None:
    async def reading() -> str:
        raise error

    assert asyncio.run(_unless_down(reading())) is None


def test_a_fault_of_our_own_is_not_hidden() -> None:
    async def reading() -> str:
        raise ValueError("a fault")

    with pytest.raises(ValueError, match="a fault"):
        asyncio.run(_unless_down(reading()))

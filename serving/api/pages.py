"""Pages of the browser app that a link may lead to: a post and a profile, with a preview if everybody may see them."""

import re
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

import orjson
import structlog
from fastapi import APIRouter
from fastapi.responses import Response
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from photofeed.errors import NotFoundError, RetryableError
from photofeed.ids import decode_id
from serving.api.app_page import AppPage, Preview, PreviewImage
from serving.api.fields import HANDLE
from serving.services import Services, ServicesDep

log = structlog.get_logger(__name__)
_T = TypeVar("_T")

_ANYBODY = 0  # no user has this id: nobody's follows, blocks or likes apply
_IMAGE_EDGE = "1080"
_MAX_DESCRIPTION = 200

_PUBLIC_PERSON = """
select handle, display_name, bio,
       (select count(*) from posts p where p.author_id = users.id and p.visible) as post_count
from users where handle = %s and not is_private
"""


def pages(page: AppPage) -> APIRouter:
    """The routes of the pages. They are no part of the API: the OpenAPI document does not list them."""
    router = APIRouter(include_in_schema=False)

    @router.get("/p/{post_id}")
    async def post_page(post_id: str, services: ServicesDep) -> Response:
        """The page of a post. It is the same for posts that do not exist and for those that not everybody may see."""
        return page.reply(await _unless_down(_post_preview(services, post_id)))

    @router.get("/@{handle}")
    async def profile_page(handle: str, services: ServicesDep) -> Response:
        """The page of a profile. It is the same for people who do not exist and for private accounts."""
        return page.reply(await _unless_down(_profile_preview(services, handle)))

    return router


async def _unless_down(reading: Awaitable[_T | None]) -> _T | None:
    """What is read for a preview; None if the database does not answer, since the app shows its own error."""
    try:
        return await reading
    except (RetryableError, OperationalError, PoolTimeout) as error:
        log.warning("a page has no preview", error=f"{type(error).__name__}: {error}")
        return None


async def _post_preview(services: Services, post_id: str) -> Preview | None:
    try:
        post = decode_id(post_id)
    except NotFoundError:
        return None
    found = (await services.posts.by_ids(_ANYBODY, [post])).get(post)
    if found is None:
        return None
    card = orjson.loads(found.json)
    author = card["author"]
    return Preview(
        title=f"Photo by {author['displayName']}",
        description=_shortened(card["caption"]) or f"A photo by @{author['handle']}",
        url=f"{services.settings.public_url}/p/{post_id}",
        kind="article",
        image=_image(card["images"], card["altText"]),
    )


async def _profile_preview(services: Services, handle: str) -> Preview | None:
    if not re.fullmatch(HANDLE, handle):  # nobody's, and PostgreSQL refuses a NUL character
        return None
    async with services.database.connection() as connection:
        person = await (await connection.execute(_PUBLIC_PERSON, (handle,))).fetchone()
    if person is None:
        return None
    count = person["post_count"]
    words = f"{count:,} {'photo' if count == 1 else 'photos'} on photofeed"
    return Preview(
        title=f"{person['display_name']} (@{person['handle']})",
        description=_shortened(person["bio"]) or words,
        url=f"{services.settings.public_url}/@{person['handle']}",
        kind="profile",
    )


def _image(images: Mapping[str, Mapping[str, Any]], alt: str) -> PreviewImage | None:
    """The image that is large enough for a preview; a small original has its largest one."""
    if not images:
        return None
    image = images.get(_IMAGE_EDGE) or max(images.values(), key=lambda one: one["width"])
    return PreviewImage(image["url"], image["width"], image["height"], alt)


def _shortened(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _MAX_DESCRIPTION else f"{words[: _MAX_DESCRIPTION - 1].rstrip()}…"

"""Edits of posts: their words."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from photofeed.errors import ForbiddenError
from photofeed.ids import decode_id
from photofeed.notifications import OF_POST_MENTIONS
from serving.api.declared import NO_POST, refuses, returns
from serving.api.fields import AltText, Caption, IdPath, Tags
from serving.api.posts import post_gone
from serving.api.replies import reply
from serving.api.schemas import Post
from serving.engagement.notifying import notify
from serving.services import ActorDep, ServicesDep

router = APIRouter(prefix="/v1", tags=["posts"])

# The topic stays: timelines, pools and features know the post by the topic it was published with.
_EDIT = """
update posts set caption = new.caption, alt_text = new.alt_text, tags = new.tags,
    words = post_words(concat_ws(' ', new.caption, array_to_string(new.tags, ' ')))
from (select coalesce(%(caption)s, caption) as caption, coalesce(%(alt_text)s, alt_text) as alt_text,
             coalesce(%(tags)s::text[], tags) as tags
      from posts where id = %(post)s for update) new
where id = %(post)s and author_id = %(me)s
"""


class PostEdit(BaseModel):
    """Changes of a post; omitted fields stay unchanged."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    caption: Caption | None = None
    alt_text: AltText | None = None
    tags: Annotated[Tags | None, Field(description="All tags of the post")] = None


@router.patch(
    "/posts/{post_id}",
    responses=returns(Post)
    | NO_POST
    | refuses(
        HTTPStatus.FORBIDDEN,
        not_yours="Only its author can edit a post.",
        forbidden="Only a service may act for another user.",
    ),
)
async def edit_post(post_id: IdPath, body: PostEdit, services: ServicesDep, actor: ActorDep) -> Response:
    """Edit the words of your post. Its topic stays the first tag that it was published with."""
    post = decode_id(post_id)
    await services.posts.require_visible(actor, post)
    async with services.database.connection() as connection:
        edited = await connection.execute(_EDIT, body.model_dump() | {"post": post, "me": actor})
        told = await notify(connection, OF_POST_MENTIONS, post=post) if edited.rowcount else []
    await services.signals.publish(told)
    if not edited.rowcount:
        raise ForbiddenError("Only its author can edit a post.", code="not_yours")
    found = await services.posts.by_ids(actor, [post])
    if post not in found:
        raise post_gone()
    return reply(found[post].fragment)

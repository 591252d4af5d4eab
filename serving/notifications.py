"""A person's notifications as they see them now.

What is no longer true is left out: likes that were taken back, follows that ended, posts that the person may no longer
see, and what people did whom they have since blocked or muted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from photofeed.ids import encode_id
from photofeed.notifications import RETENTION, NotificationKind
from serving.image_addresses import ImageAddresses
from serving.people_json import person_json
from serving.reads import Reads, Row, Statement
from serving.times import timestamp
from serving.visibility import VISIBLE_TO_VIEWER

ACTORS_SHOWN = 3  # of those who liked a photo

_HIDDEN = """
select array(select muted_id from mutes where muter_id = %(viewer)s
             union select blocked_id from blocks where blocker_id = %(viewer)s
             union select blocker_id from blocks where blocked_id = %(viewer)s) as ids
"""
# Likes by others whom the viewer sees. The post counts all its likes, so a photo with very many costs no more.
_LIKES = """
post.like_count - (select count(*) from likes l where l.post_id = n.post_id
                   and (l.user_id = n.user_id or l.user_id = any(hidden.ids)))
"""
_FROM = f"""
from notifications n
    cross join ({_HIDDEN}) hidden
    left join posts post on post.id = n.post_id
    left join comments comment on comment.id = n.comment_id
    left join users actor on actor.id = n.actor_id
where n.user_id = %(viewer)s and n.at > now() - interval '{RETENTION.days} days'
    and (n.actor_id is null or n.kind = 'like' or not n.actor_id = any(hidden.ids))
    and case n.kind
        when 'like' then {_LIKES} > 0
        when 'follow' then exists (
            select from follows f where f.follower_id = n.actor_id and f.followee_id = n.user_id)
        when 'follow_request' then exists (
            select from follow_requests r where r.follower_id = n.actor_id and r.followee_id = n.user_id)
        when 'follow_accepted' then exists (
            select from follows f where f.follower_id = n.user_id and f.followee_id = n.actor_id)
        when 'mention' then (select handle from users where id = n.user_id) in (
            select mentioned_handles(coalesce(comment.body, post.caption)))
        else true end
    and (n.post_id is null or post.author_id = n.user_id or exists (
        select from posts p join users u on u.id = p.author_id where p.id = n.post_id and {VISIBLE_TO_VIEWER}))
    and (n.comment_id is null or not exists (
        select from blocks b where b.blocker_id = post.author_id and b.blocked_id = comment.user_id))
"""  # noqa: S608  constants
_COLUMNS = f"""
n.id, n.number, n.kind, n.at, n.details, n.post_id, post.picture,
(select is_private from users where id = post.author_id), n.comment_id, comment.body,
case when n.kind = 'like' then {_LIKES} when n.actor_id is null then 0 else 1 end,
case when n.kind = 'like' then (
    select json_agg(json_build_array(u.id, u.handle, u.display_name, u.avatar_id)) from (
        select u.id, u.handle, u.display_name, u.avatar_id from likes l join users u on u.id = l.user_id
        where l.post_id = n.post_id and l.user_id <> n.user_id and not l.user_id = any(hidden.ids)
        order by l.created_at desc, l.user_id desc limit {ACTORS_SHOWN}) u)
     when n.actor_id is not null then
        json_build_array(json_build_array(actor.id, actor.handle, actor.display_name, actor.avatar_id)) end,
n.number <= coalesce((select read_number from notification_states s where s.user_id = n.user_id), 0)
"""  # noqa: S608  constants
_OLDER = Statement.of(f"select {_COLUMNS} {_FROM} and n.number < %(before)s order by n.number desc limit %(limit)s")
_NEWER = Statement.of(f"select {_COLUMNS} {_FROM} and n.number > %(after)s order by n.number limit %(limit)s")
_UNREAD = Statement.of(f"""
select count(*) {_FROM}
    and n.number > coalesce((select read_number from notification_states s where s.user_id = n.user_id), 0)
""")  # noqa: S608  constants
_LAST = Statement.of("select last_number from notification_states where user_id = %(viewer)s")


@dataclass(frozen=True, slots=True)
class Notifications:
    """Reads notifications from PostgreSQL."""

    reads: Reads
    images: ImageAddresses

    async def older(self, viewer: int, *, before: int, limit: int) -> list[tuple[int, dict[str, Any]]]:
        """Number and JSON of notifications below a number, newest first."""
        rows = await self.reads.rows(_OLDER, viewer=viewer, before=before, limit=limit)
        return [self._json(viewer, row) for row in rows]

    async def newer(self, viewer: int, *, after: int, limit: int) -> list[tuple[int, dict[str, Any]]]:
        """Number and JSON of notifications above a number, oldest first."""
        rows = await self.reads.rows(_NEWER, viewer=viewer, after=after, limit=limit)
        return [self._json(viewer, row) for row in rows]

    async def unread(self, viewer: int) -> int:
        """How many notifications are unread."""
        ((count,),) = await self.reads.rows(_UNREAD, viewer=viewer)
        return int(count)

    async def last_number(self, viewer: int) -> int:
        """The number of the newest notification, shown or not; 0 if there was none."""
        rows = await self.reads.rows(_LAST, viewer=viewer)
        return int(rows[0][0]) if rows else 0

    def _json(self, viewer: int, row: Row) -> tuple[int, dict[str, Any]]:
        row_id, number, kind, at, details, post_id, picture, is_private, comment_id, body, count, actors, is_read = row
        # Nobody can load the images of a photo that was rejected.
        has_images = post_id and picture and kind != NotificationKind.PHOTO_REJECTED
        sizes = orjson.loads(picture)["images"] if has_images else []
        shown = {
            "id": encode_id(row_id),
            "kind": kind,
            "at": timestamp(at),
            "read": is_read,
            "actors": _actors(actors, self.images.public_url),
            "actorCount": count,
            "postId": encode_id(post_id) if post_id else None,
            "images": self.images.of(post_id or 0, sizes, viewer=viewer, is_private=bool(is_private)),
            "commentId": encode_id(comment_id) if comment_id else None,
            "text": body,
            "decision": orjson.loads(details) if details else None,
        }
        return number, shown


def _actors(told: str | None, public_url: str) -> Sequence[Mapping[str, Any]]:
    columns = ("id", "handle", "display_name", "avatar_id")
    found = orjson.loads(told) if told else []
    return [person_json(dict(zip(columns, one, strict=True)), public_url) for one in found]

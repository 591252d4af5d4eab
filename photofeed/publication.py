"""Shows and hides posts: the statements, and the messages that announce a change exactly once.

Both run in the caller's transaction: execute SHOW or HIDE and, if it changed the row, write the messages to the outbox.
"""

from psycopg.rows import DictRow

from photofeed.events import Envelope
from photofeed.photo_sizes import ZOOM_PIXELS
from photofeed.posts import ITEM, PostRef, PublishedPost
from photofeed.topics import PHOTO_PROCESSED, PHOTO_ZOOM, Topic

# Shown to the owner of a refused photo, no matter if the model or a moderator refused it.
REFUSED_CODE = "moderation_rejected"
REFUSED_REASON = "This photo does not follow the rules on what may be shown here."

AVATAR_REMOVED = "avatar.removed"
ITEM_DESCRIBED = "item.described"

# Parameter: the post. A repeated statement changes no row, so a change is announced once.
SHOW = "update posts set visible = true where id = %s and not visible"
HIDE = "update posts set visible = false where id = %s and visible"

PUBLICATION = """
select o.id, o.author_id, o.topic_id, o.posted_at, o.content_type, length(o.caption) as caption_length,
       cardinality(o.tags) as tag_count, not u.is_private as public, p.imported, p.variants,
       coalesce(m.aspect, 0) as aspect, coalesce(m.sharpness, 0) as sharpness,
       coalesce(m.brightness, 0) as brightness, coalesce(m.entropy, 0) as entropy, coalesce(m.phash, 0) as phash
from posts o join photos p on p.id = o.id join users u on u.id = o.author_id
     left join photo_metadata m on m.photo_id = o.id
where o.id = %s
"""


def announcement(publication: DictRow) -> list[tuple[Topic, Envelope]]:
    """The messages about a post that is now shown: for fan-out, and for the zoom size if it is missing."""
    key = str(publication["id"])
    messages = [(PHOTO_PROCESSED, Envelope("photo.processed", key, _post(publication).to_payload()))]
    if all(variant["size"] != ZOOM_PIXELS for variant in publication["variants"]):
        messages.append((PHOTO_ZOOM, Envelope("photo.zoom", key, {"photoId": publication["id"]})))
    return messages


def withdrawal(publication: DictRow) -> list[tuple[Topic, Envelope]]:
    """The messages about a post that is no longer shown."""
    envelope = Envelope("photo.removed", str(publication["id"]), _post(publication).to_payload())
    return [(PHOTO_PROCESSED, envelope)]


def avatar_removal(photo_id: int) -> list[tuple[Topic, Envelope]]:
    """The message about a profile picture that is no longer shown; it never was a post."""
    return [(PHOTO_PROCESSED, Envelope(AVATAR_REMOVED, str(photo_id), {"photoId": photo_id}))]


def description(item: DictRow) -> tuple[Topic, Envelope]:
    """The message about an item that was described: for its content features. No timeline and no pool has it.

    The row has id, author_id, topic_id, posted_at, caption and tags.
    """
    creator = item["author_id"] or item["id"]
    post = PublishedPost(
        ref=PostRef(item["id"], creator, item["topic_id"], int(item["posted_at"].timestamp() * 1000)),
        content_type=ITEM,
        caption_length=len(item["caption"]),
        tag_count=len(item["tags"]),
        public=False,
        imported=True,
        aspect=0.0,
        sharpness=0.0,
        brightness=0.0,
        entropy=0.0,
    )
    return PHOTO_PROCESSED, Envelope(ITEM_DESCRIBED, str(item["id"]), post.to_payload())


def ref_of(row: DictRow) -> PostRef:
    """The post in a row with id, author_id, topic_id, posted_at, content_type and phash."""
    return PostRef(
        row["id"],
        row["author_id"],
        row["topic_id"],
        int(row["posted_at"].timestamp() * 1000),
        row["phash"],
        row["content_type"] == "reel",
    )


def _post(row: DictRow) -> PublishedPost:
    return PublishedPost(
        ref=ref_of(row),
        content_type=row["content_type"],
        caption_length=row["caption_length"],
        tag_count=row["tag_count"],
        public=row["public"],
        imported=row["imported"],
        aspect=row["aspect"],
        sharpness=row["sharpness"],
        brightness=row["brightness"],
        entropy=row["entropy"],
    )

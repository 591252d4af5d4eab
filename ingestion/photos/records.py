"""The rows of the photo path in PostgreSQL: what to process, and what became of it."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb

from ingestion.photos.process import ProcessedPhoto
from photofeed.database import Database, write_outbox_sync
from photofeed.events import Envelope
from photofeed.posts import PostRef, PublishedPost
from photofeed.topics import PHOTO_PROCESSED


@dataclass(frozen=True, slots=True)
class Upload:
    """A photo whose upload is complete, with the facts of its post."""

    photo_id: int
    author_id: int
    original_key: str
    byte_size: int | None
    sha256: str | None
    topic_id: int
    content_type: str
    caption: str
    tags: list[str]
    posted_at: datetime
    public: bool
    imported: bool


_UPLOAD = """
select p.id as photo_id, p.owner_id as author_id, p.original_key, p.byte_size, p.sha256,
       o.topic_id, o.content_type, o.caption, o.tags, o.posted_at, not u.is_private as public,
       p.imported
from photos p join posts o on o.id = p.id join users u on u.id = p.owner_id
where p.id = %s and p.status = 'processing'
"""

_READY = """
update photos set status = 'ready', width = %(width)s, height = %(height)s, blurhash = %(blurhash)s,
    dominant_color = %(dominant_color)s, variants = %(variants)s, ready_at = %(now)s
where id = %(id)s and status = 'processing'
"""

_FAILED = """
update photos set status = 'failed', failure_code = %s, failure_reason = %s where id = %s and status = 'processing'
"""


class PhotoRecords:
    """Reads uploads and records outcomes, each outcome once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def upload(self, photo_id: int) -> Upload | None:
        """The upload to process; None if the photo was deleted or is past processing."""
        with self._database.connection() as connection:
            row = connection.execute(_UPLOAD, (photo_id,)).fetchone()
        return Upload(**row) if row else None

    def publish(self, upload: Upload, processed: ProcessedPhoto) -> None:
        """Make the photo ready, its post visible, and tell the world, in one transaction."""
        with self._database.connection() as connection:
            done = connection.execute(_READY, _outcome(upload, processed))
            if done.rowcount:
                connection.execute("update posts set visible = true where id = %s", (upload.photo_id,))
                envelope = Envelope(
                    type="photo.processed",
                    key=str(upload.photo_id),
                    payload=_published(upload, processed).to_payload(),
                )
                write_outbox_sync(connection, [(PHOTO_PROCESSED, envelope)])

    def fail(self, photo_id: int, code: str, reason: str) -> None:
        """Record why the photo will never be ready."""
        with self._database.connection() as connection:
            connection.execute(_FAILED, (code, reason, photo_id))


def _outcome(upload: Upload, processed: ProcessedPhoto) -> dict[str, Any]:
    largest = processed.variants[0]
    return {
        "id": upload.photo_id,
        "width": largest.width,
        "height": largest.height,
        "blurhash": processed.placeholder.blurhash,
        "dominant_color": processed.placeholder.dominant_colour,
        "variants": Jsonb(
            [
                {
                    "size": variant.size,
                    "format": variant.format,
                    "key": variant.key,
                    "width": variant.width,
                    "height": variant.height,
                    "bytes": len(variant.data),
                }
                for variant in processed.variants
            ]
        ),
        "now": datetime.now(UTC),
    }


def _published(upload: Upload, processed: ProcessedPhoto) -> PublishedPost:
    return PublishedPost(
        ref=PostRef(upload.photo_id, upload.author_id, upload.topic_id, int(upload.posted_at.timestamp() * 1000)),
        content_type=upload.content_type,
        caption_length=len(upload.caption),
        tag_count=len(upload.tags),
        public=upload.public,
        imported=upload.imported,
        **asdict(processed.quality),
    )

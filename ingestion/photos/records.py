"""Photos in PostgreSQL: what to process, and the row locks under which results are stored and recorded."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from ingestion.photos.locked_photo import LockedPhoto, Upload, all_variants
from ingestion.photos.shared_objects import hold
from ingestion.photos.steps import StepOutcome
from ingestion.photos.storage import Original
from ingestion.photos.variants import Variant
from photofeed.database import Database
from photofeed.photo_sizes import ZOOM_PIXELS

_UPLOAD = """
select p.id as photo_id, p.original_key, p.original_etag, p.original_sha256, p.byte_size, p.sha256, p.variants,
       (select d.decision from moderation_decisions d where d.photo_id = p.id and d.kind = 'moderator'
        order by d.id desc limit 1) as ruling
from photos p where p.id = %s and p.status = 'processing'
"""
_CLAIMED = "update photos set variants = %s, original_sha256 = %s where id = %s and status = 'processing'"
_LOCKED = "select 1 from photos where id = %s and status = 'processing' for update"

_HAS_ZOOM = Jsonb([{"size": ZOOM_PIXELS}])
_WITHOUT_ZOOM = """
select original_key, original_etag, original_sha256 from photos
where id = %s and status = 'ready' and not variants @> %s
"""
_ZOOM_CLAIMED = """
update photos set claimed_keys = array(select unnest(claimed_keys) union select unnest(%s::text[])) where id = %s
"""


class PhotoRecords:
    """Reads uploads, and gives out the row locks under which results are stored.

    A row names its objects before they are stored (`claim`), and stays locked while they are stored (`publishing`).
    So deleting a photo finds every object it has, also after a crash in between.

    `publishing` and `adding_zoom` keep a transaction open, with a row lock and the locks of object names, for as long
    as their block runs: object storage is written to meanwhile. All other methods are one short transaction.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def upload(self, photo_id: int) -> Upload | None:
        """The upload to process; None if the photo was deleted or has been processed."""
        with self._database.connection() as connection:
            row = connection.execute(_UPLOAD, (photo_id,)).fetchone()
        if row is None:
            return None
        return Upload(
            photo_id=row["photo_id"],
            original=_original(row),
            byte_size=row["byte_size"],
            sha256=row["sha256"],
            variants=row["variants"],
            ruling=row["ruling"],
        )

    def claim(self, upload: Upload, original_sha256: str, variants: Sequence[Variant]) -> None:
        """Record the digest of the processed file, and name the variants in the photo's row before they are stored."""
        with self._database.connection() as connection:
            connection.execute(_CLAIMED, (all_variants(upload, variants), original_sha256, upload.photo_id))

    @contextmanager
    def publishing(self, upload: Upload, variants: Sequence[Variant]) -> Iterator[LockedPhoto | None]:
        """The photo's row, locked while its variants are stored; None if the photo was deleted meanwhile.

        The transaction commits at the end of the block; an exception rolls it back.
        """
        with self._database.connection() as connection:
            if connection.execute(_LOCKED, (upload.photo_id,)).fetchone() is None:
                yield None
                return
            hold(connection, [variant.key for variant in variants])
            yield LockedPhoto(connection, upload.photo_id)

    def fail(self, photo_id: int, code: str, reason: str, steps: Sequence[StepOutcome]) -> None:
        """Record why a photo in processing will never be ready."""
        with self._database.connection() as connection:
            if connection.execute(_LOCKED, (photo_id,)).fetchone() is not None:
                LockedPhoto(connection, photo_id).fail(code, reason, steps)

    def original_without_zoom(self, photo_id: int) -> Original | None:
        """The original of a public photo that has no zoom size yet; None for any other photo."""
        with self._database.connection() as connection:
            row = connection.execute(_WITHOUT_ZOOM, (photo_id, _HAS_ZOOM)).fetchone()
        return _original(row) if row else None

    def claim_zoom(self, photo_id: int, variants: Sequence[Variant]) -> None:
        """Name the objects of the zoom size in the photo's row before they are stored."""
        with self._database.connection() as connection:
            connection.execute(_ZOOM_CLAIMED, ([variant.key for variant in variants], photo_id))

    @contextmanager
    def adding_zoom(self, photo_id: int, variants: Sequence[Variant]) -> Iterator[LockedPhoto | None]:
        """The photo's row, locked while its zoom size is stored; None if it was deleted or has one by now.

        The transaction commits at the end of the block; an exception rolls it back.
        """
        with self._database.connection() as connection:
            if connection.execute(f"{_WITHOUT_ZOOM} for update", (photo_id, _HAS_ZOOM)).fetchone() is None:
                yield None
                return
            hold(connection, [variant.key for variant in variants])
            yield LockedPhoto(connection, photo_id)


def _original(row: DictRow) -> Original:
    return Original(row["original_key"], row["original_etag"], row["original_sha256"])

"""The rows of the photo path in PostgreSQL: what to process, and what became of it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from ingestion.photos.metadata import CameraFacts
from ingestion.photos.moderation import STATUS_OF, Moderation
from ingestion.photos.process import ProcessedPhoto
from ingestion.photos.shared_objects import hold
from ingestion.photos.steps import StepOutcome
from ingestion.photos.variants import Variant
from photofeed.database import Database, write_outbox_sync
from photofeed.photo_sizes import ZOOM_PIXELS
from photofeed.publication import (
    HIDE,
    PUBLICATION,
    REFUSED_CODE,
    REFUSED_REASON,
    SHOW,
    announcement,
    withdrawal,
)

Store = Callable[[Sequence[Variant]], None]


@dataclass(frozen=True, slots=True)
class Upload:
    """A photo whose upload is complete.

    `variants` are those an earlier run has left, `ruling` is what a moderator has decided, if one has.
    """

    photo_id: int
    original_key: str
    byte_size: int | None
    sha256: str | None
    variants: list[dict[str, Any]]
    ruling: str | None


_UPLOAD = """
select p.id as photo_id, p.original_key, p.byte_size, p.sha256, p.variants,
       (select d.decision from moderation_decisions d where d.photo_id = p.id and d.kind = 'moderator'
        order by d.id desc limit 1) as ruling
from photos p join posts o on o.id = p.id
where p.id = %s and p.status = 'processing'
"""

_CLAIMED = "update photos set variants = %s where id = %s and status = 'processing'"
_LOCKED = "select 1 from photos where id = %s and status = 'processing' for update"

_CONCLUDED = """
update photos set status = %(status)s, failure_code = %(failure_code)s, failure_reason = %(failure_reason)s,
    width = %(width)s, height = %(height)s, blurhash = %(blurhash)s, dominant_color = %(dominant_color)s,
    variants = %(variants)s, ready_at = case when %(status)s = 'ready' then coalesce(ready_at, %(now)s) end
where id = %(id)s and status = 'processing'
"""

_FAILED = """
update photos set status = 'failed', failure_code = %s, failure_reason = %s where id = %s and status = 'processing'
"""

_DECIDED = """
insert into moderation_decisions (photo_id, kind, decision, score, by, reason)
values (%s, 'model', %s, %s, %s, %s) on conflict (photo_id, by) where kind = 'model' do nothing
"""

# A step that comes to what it came to before leaves its row alone.
_STEP = """
insert into photo_steps (photo_id, step, outcome, millis, at)
select id, %s, %s, %s, %s from photos where id = %s
on conflict (photo_id, step) do update set outcome = excluded.outcome, millis = excluded.millis, at = excluded.at
where photo_steps.outcome <> excluded.outcome
"""

_METADATA_COLUMNS = (
    *("width", "height", "camera_make", "camera_model", "lens", "exposure_seconds", "aperture", "iso"),
    *("focal_length_mm", "captured_local", "utc_offset_minutes", "phash"),
    *("sharpness", "brightness", "entropy", "aspect"),
)
_METADATA = f"""
insert into photo_metadata (photo_id, {", ".join(_METADATA_COLUMNS)})
values (%(photo_id)s, {", ".join(f"%({name})s" for name in _METADATA_COLUMNS)})
on conflict (photo_id) do update set {", ".join(f"{name} = excluded.{name}" for name in _METADATA_COLUMNS)}
"""  # noqa: S608  constants

# Kept only for who wants it kept; the row is locked, so that whoever changes their mind meanwhile has the last word.
_PLACED = """
with owner as (select keep_places from users where id = (select owner_id from photos where id = %(photo)s) for share)
update photo_metadata set latitude = %(latitude)s, longitude = %(longitude)s from owner
where photo_id = %(photo)s and keep_places
"""

_HAS_ZOOM = Jsonb([{"size": ZOOM_PIXELS}])
_WITHOUT_ZOOM = "select original_key from photos where id = %s and status = 'ready' and not variants @> %s"
_ZOOM_CLAIMED = """
update photos set claimed_keys = array(select unnest(claimed_keys) union select unnest(%s::text[])) where id = %s
"""
_ZOOMED = "update photos set variants = variants || %s where id = %s"


class PhotoRecords:
    """Reads uploads and records outcomes, each outcome once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def upload(self, photo_id: int) -> Upload | None:
        """The upload to process; None if the photo was deleted or is past processing."""
        with self._database.connection() as connection:
            row = connection.execute(_UPLOAD, (photo_id,)).fetchone()
        return Upload(**row) if row else None

    def publish(
        self,
        upload: Upload,
        processed: ProcessedPhoto,
        moderation: Moderation,
        steps: Sequence[StepOutcome],
        store: Store,
    ) -> str:
        """Store the variants, record all there is to know, show the post or hide it, and tell the world.

        Returns the photo's status: `ready`, `review` or `rejected`, or `gone` where it was deleted meanwhile: then
        nothing is stored. A moderator's ruling beats the model's decision.

        The row names its variants before they are stored, and is locked while they are: whoever deletes the photo
        finds every object it has, also after a crash in between. What `store` adds to `steps` is recorded as well.
        """
        status = STATUS_OF[upload.ruling or moderation.decision]
        outcome = _outcome(upload, processed, status)
        with self._database.connection() as connection:
            connection.execute(_CLAIMED, (outcome["variants"], upload.photo_id))
        with self._database.connection() as connection:
            if connection.execute(_LOCKED, (upload.photo_id,)).fetchone() is None:
                return "gone"
            hold(connection, [variant.key for variant in processed.variants])
            store(processed.variants)
            connection.execute(_CONCLUDED, outcome)
            decision = (moderation.decision, moderation.score, moderation.by, moderation.reason)
            connection.execute(_DECIDED, (upload.photo_id, *decision))
            connection.execute(_METADATA, _metadata(upload.photo_id, processed))
            if processed.place is not None:
                connection.execute(_PLACED, asdict(processed.place) | {"photo": upload.photo_id})
            _record_steps(connection, upload.photo_id, steps)
            _show(connection, upload.photo_id, visible=status == "ready")
        return status

    def fail(self, photo_id: int, code: str, reason: str, steps: Sequence[StepOutcome]) -> None:
        """Record why the photo will never be ready."""
        with self._database.connection() as connection:
            if connection.execute(_FAILED, (code, reason, photo_id)).rowcount:
                _record_steps(connection, photo_id, steps)
                _show(connection, photo_id, visible=False)

    def original_without_zoom(self, photo_id: int) -> str | None:
        """The key of the original of a public photo that has no zoom size yet; None for any other."""
        with self._database.connection() as connection:
            row = connection.execute(_WITHOUT_ZOOM, (photo_id, _HAS_ZOOM)).fetchone()
        return row["original_key"] if row else None

    def add_zoom(self, photo_id: int, variants: Sequence[Variant], steps: Sequence[StepOutcome], store: Store) -> bool:
        """Store and append the zoom size; none where it could not be made, which the steps then say.

        Returns whether the photo is still there and had none. The row claims the objects before they are stored, and is
        locked while they are: whoever deletes the photo finds every object it has, also after a crash in between.
        """
        keys = [variant.key for variant in variants]
        with self._database.connection() as connection:
            connection.execute(_ZOOM_CLAIMED, (keys, photo_id))
        with self._database.connection() as connection:
            if connection.execute(f"{_WITHOUT_ZOOM} for update", (photo_id, _HAS_ZOOM)).fetchone() is None:
                return False
            hold(connection, keys)
            store(variants)
            connection.execute(_ZOOMED, (Jsonb(_variants(variants)), photo_id))
            _record_steps(connection, photo_id, steps)
            return True


def _show(connection: Connection[DictRow], photo_id: int, *, visible: bool) -> None:
    if connection.execute(SHOW if visible else HIDE, (photo_id,)).rowcount:
        publication = connection.execute(PUBLICATION, (photo_id,)).fetchone()
        if publication is not None:
            write_outbox_sync(connection, announcement(publication) if visible else withdrawal(publication))


def _record_steps(connection: Connection[DictRow], photo_id: int, steps: Sequence[StepOutcome]) -> None:
    now = datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.executemany(_STEP, [(one.step, one.outcome, one.millis, now, photo_id) for one in steps])


def _outcome(upload: Upload, processed: ProcessedPhoto, status: str) -> dict[str, Any]:
    largest = processed.variants[0]
    made = _variants(processed.variants)
    sizes = {variant["size"] for variant in made}
    return {
        "id": upload.photo_id,
        "status": status,
        "failure_code": REFUSED_CODE if status == "rejected" else None,
        "failure_reason": REFUSED_REASON if status == "rejected" else None,
        "width": largest.width,
        "height": largest.height,
        "blurhash": processed.placeholder.blurhash,
        "dominant_color": processed.placeholder.dominant_colour,
        # a zoom size that was made after an earlier run stays
        "variants": Jsonb(made + [variant for variant in upload.variants if variant["size"] not in sizes]),
        "now": datetime.now(UTC),
    }


def _variants(variants: Sequence[Variant]) -> list[dict[str, Any]]:
    return [
        {
            "size": variant.size,
            "format": variant.format,
            "key": variant.key,
            "width": variant.width,
            "height": variant.height,
            "bytes": len(variant.data),
        }
        for variant in variants
    ]


def _metadata(photo_id: int, processed: ProcessedPhoto) -> dict[str, Any]:
    camera: CameraFacts = processed.camera
    captured = camera.captured_at
    offset = captured.utcoffset() if captured else None
    return {
        "photo_id": photo_id,
        "width": processed.header.width,
        "height": processed.header.height,
        "camera_make": camera.make,
        "camera_model": camera.model,
        "lens": camera.lens,
        "exposure_seconds": camera.exposure_seconds,
        "aperture": camera.aperture,
        "iso": camera.iso,
        "focal_length_mm": camera.focal_length_mm,
        "captured_local": captured.replace(tzinfo=None) if captured else None,
        "utc_offset_minutes": None if offset is None else round(offset.total_seconds() / 60),
        "phash": processed.perceptual_hash,
        **asdict(processed.quality),
    }

"""A photo's row in PostgreSQL, locked: what records that the photo is done, within the transaction of the lock."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from ingestion.photos.metadata import CameraFacts
from ingestion.photos.moderation import STATUS_OF, Moderation
from ingestion.photos.process import ProcessedPhoto
from ingestion.photos.steps import StepOutcome
from ingestion.photos.storage import Original
from ingestion.photos.variants import Variant
from photofeed import webhooks
from photofeed.database import write_outbox_sync
from photofeed.notifications import OF_MODERATION, OF_POST_MENTIONS, TRIM, NotificationKind
from photofeed.publication import (
    HIDE,
    PUBLICATION,
    REFUSED_CODE,
    REFUSED_REASON,
    SHOW,
    announcement,
    withdrawal,
)

_CONCLUDED = """
update photos set status = %(status)s, failure_code = %(failure_code)s, failure_reason = %(failure_reason)s,
    width = %(width)s, height = %(height)s, blurhash = %(blurhash)s, dominant_color = %(dominant_color)s,
    variants = %(variants)s, ready_at = case when %(status)s = 'ready' then coalesce(ready_at, %(now)s) end
where id = %(id)s
"""
_FAILED = "update photos set status = 'failed', failure_code = %s, failure_reason = %s where id = %s"
_DECIDED = """
insert into moderation_decisions (photo_id, kind, decision, score, by, reason)
values (%s, 'model', %s, %s, %s, %s) on conflict (photo_id, by) where kind = 'model' do nothing
"""
# A step with the same outcome as before keeps its row.
_STEP = """
insert into photo_steps (photo_id, step, outcome, millis, at) values (%s, %s, %s, %s, %s)
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
# Only for owners who want locations kept. Their row is locked, so a change of that setting waits for this transaction
# and then applies to this photo too.
_LOCATED = """
with owner as (select keep_places from users where id = (select owner_id from photos where id = %(photo)s) for share)
update photo_metadata set latitude = %(latitude)s, longitude = %(longitude)s from owner
where photo_id = %(photo)s and keep_places
"""
_OWNER = "select owner_id from photos where id = %s"
_ZOOMED = "update photos set variants = variants || %s where id = %s"


@dataclass(frozen=True, slots=True)
class Upload:
    """A photo whose upload is complete.

    `byte_size` and `sha256` are what the client announced. `variants` are those of an earlier run. `ruling` is the last
    decision of a human moderator, if there is one.
    """

    photo_id: int
    original: Original
    byte_size: int | None
    sha256: str | None
    variants: list[dict[str, Any]]
    ruling: str | None


@dataclass(frozen=True, slots=True)
class LockedPhoto:
    """A photo whose row is locked by the transaction of `connection`. Nothing here does I/O except to PostgreSQL."""

    connection: Connection[DictRow]
    photo_id: int

    def conclude(
        self, upload: Upload, processed: ProcessedPhoto, moderation: Moderation, steps: Sequence[StepOutcome]
    ) -> str:
        """Record the photo's status, metadata and steps; show the post or hide it, and announce that.

        A moderator's ruling overrides the decision of the model.

        Returns:
            The photo's status: `ready`, `review` or `rejected`.
        """
        status = STATUS_OF[upload.ruling or moderation.decision]
        self.connection.execute(_CONCLUDED, _outcome(upload, processed, status))
        decision = (moderation.decision, moderation.score, moderation.by, moderation.reason)
        self.connection.execute(_DECIDED, (self.photo_id, *decision))
        self.connection.execute(_METADATA, _metadata(self.photo_id, processed))
        if processed.location is not None:
            self.connection.execute(_LOCATED, asdict(processed.location) | {"photo": self.photo_id})
        self._record_steps(steps)
        self._show(visible=status == "ready")
        if status == "rejected" and not upload.ruling:
            self._notify(OF_MODERATION, post=self.photo_id, kind=NotificationKind.PHOTO_REJECTED)
        if status in ("ready", "rejected"):
            owner = self.connection.execute(_OWNER, (self.photo_id,)).fetchone()
            if owner is not None:
                event = webhooks.photo_event(self.photo_id, owner["owner_id"], ready=status == "ready")
                self.connection.execute(webhooks.QUEUE, event)
        return status

    def fail(self, code: str, reason: str, steps: Sequence[StepOutcome]) -> None:
        """Record why the photo will never be ready."""
        self.connection.execute(_FAILED, (code, reason, self.photo_id))
        self._record_steps(steps)
        self._show(visible=False)

    def add_zoom(self, variants: Sequence[Variant], steps: Sequence[StepOutcome]) -> None:
        """Add the zoom size to the photo's variants. There are none if it could not be made; the steps say why."""
        self.connection.execute(_ZOOMED, (Jsonb(variant_rows(variants)), self.photo_id))
        self._record_steps(steps)

    def _show(self, *, visible: bool) -> None:
        if self.connection.execute(SHOW if visible else HIDE, (self.photo_id,)).rowcount:
            publication = self.connection.execute(PUBLICATION, (self.photo_id,)).fetchone()
            if publication is not None:
                write_outbox_sync(self.connection, announcement(publication) if visible else withdrawal(publication))
            if visible:
                self._notify(OF_POST_MENTIONS, post=self.photo_id)

    def _notify(self, statement: str, **arguments: object) -> None:
        """Write notifications; streams of the API notice them when they look for news by themselves."""
        told = [row["user_id"] for row in self.connection.execute(statement, arguments)]
        if told:
            self.connection.execute(TRIM, {"users": told})

    def _record_steps(self, steps: Sequence[StepOutcome]) -> None:
        now = datetime.now(UTC)
        with self.connection.cursor() as cursor:
            cursor.executemany(_STEP, [(self.photo_id, one.step, one.outcome, one.millis, now) for one in steps])


def variant_rows(variants: Sequence[Variant]) -> list[dict[str, Any]]:
    """Variants as they stand in `photos.variants`."""
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


def all_variants(upload: Upload, variants: Sequence[Variant]) -> Jsonb:
    """These variants, and those of an earlier run in other sizes: a zoom size stays."""
    made = variant_rows(variants)
    sizes = {variant["size"] for variant in made}
    return Jsonb(made + [variant for variant in upload.variants if variant["size"] not in sizes])


def _outcome(upload: Upload, processed: ProcessedPhoto, status: str) -> dict[str, Any]:
    largest = processed.variants[0]
    return {
        "id": upload.photo_id,
        "status": status,
        "failure_code": REFUSED_CODE if status == "rejected" else None,
        "failure_reason": REFUSED_REASON if status == "rejected" else None,
        "width": largest.width,
        "height": largest.height,
        "blurhash": processed.placeholder.blurhash,
        "dominant_color": processed.placeholder.dominant_colour,
        "variants": all_variants(upload, processed.variants),
        "now": datetime.now(UTC),
    }


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

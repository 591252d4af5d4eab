"""Object storage against PostgreSQL: objects that photos name and that are missing, and objects that none names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import duckdb
import pyarrow as pa
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from ingestion.verify import Disagreement, Patience
from photofeed.database import Database
from photofeed.errors import NotFoundError
from photofeed.ids import encode_id
from photofeed.object_store import ObjectStore
from photofeed.original_keys import UPLOADS, address_expiry, completed_key
from photofeed.settings import Settings

_AT_ONCE = 1_000
_SHOWN = 1_000  # of one kind
_PHOTOS = """
select id, owner_id, status, original_key, variants, claimed_keys from photos where id > %s order by id limit %s
"""
_REMOVED = """
select photo_id as id, owner_id, original_key, variant_keys from removed_photos
where photo_id > %s and purged_at is null order by photo_id limit %s
"""
_NAMED = pa.schema([("bucket", pa.string()), ("name", pa.string()), ("photo", pa.int64()), ("needed", pa.bool_())])
_THERE = pa.schema([("bucket", pa.string()), ("name", pa.string())])
_MISSING = "select distinct * from named anti join there using (bucket, name) where needed limit ?"
_UNNAMED = "from there anti join named using (bucket, name) limit ?"
_HAS_ORIGINAL = frozenset({"processing", "review", "ready"})
_STILL_ORIGINAL = "select 1 from photos where id = %s and original_key = %s and status = any(%s)"
_STILL_VARIANT = "select 1 from photos where id = %s and status = 'ready' and variants @> %s"
_USED = """
select 1 from photos where variants @> %(variant)s or %(key)s = any(claimed_keys) or original_key = %(key)s
    or %(key)s = 'completed/' || owner_id || '/' || id
union all
select 1 from removed_photos where purged_at is null and (%(key)s = any(variant_keys) or original_key = %(key)s
    or %(key)s = 'completed/' || owner_id || '/' || photo_id)
limit 1
"""
_TOLD = {
    True: (
        "storage.missing_original",
        "the photo names it, and object storage does not have it",
        "restore the object from a version of the bucket or its replica; without one, let the owner upload it again",
    ),
    False: (
        "storage.missing_variant",
        "the photo names it, and object storage does not have it",
        "restore the object from a version of the bucket or its replica",
    ),
}


@dataclass(slots=True)
class Objects:
    """Originals and variants. Keys are compared in DuckDB, which spills to the disk."""

    settings: Settings
    database: Database
    objects: ObjectStore
    patience: Patience
    duckdb_config: dict[str, Any]
    shown: int = _SHOWN
    name: str = "storage"
    compared: int = 0
    notes: list[str] = field(default_factory=list)

    def run(self) -> Iterator[Disagreement]:
        """Missing objects, then objects without a photo, then uploads that should have been cleaned up."""
        with duckdb.connect(config=self.duckdb_config) as connection:
            connection.register("no_names", _NAMED.empty_table())
            connection.register("no_objects", _THERE.empty_table())
            connection.execute("create temp table named as select * from no_names")
            connection.execute("create temp table there as select * from no_objects")
            for piece in self._listed():
                connection.register("piece", piece)
                connection.execute("insert into there select * from piece")
            for piece in self._named():
                self.compared += len(piece)
                connection.register("piece", piece)
                connection.execute("insert into named select * from piece")
            missing = connection.sql(_MISSING, params=[self.shown]).to_arrow_table().to_pylist()
            unnamed = connection.sql(_UNNAMED, params=[self.shown]).to_arrow_table().to_pylist()
        if missing or unnamed:
            self.patience.wait(self.patience.seconds)
        for row in missing:
            yield from self._still_missing(row)
        for row in unnamed:
            yield from self._still_unnamed(row["bucket"], row["name"])
        yield from self._parked()

    def _listed(self) -> Iterator[pa.Table]:
        for bucket, prefix in ((self.settings.bucket_originals, "completed/"), (self.settings.bucket_variants, "")):
            keys = iter(self.objects.keys(bucket, prefix))
            while names := list(islice(keys, _AT_ONCE)):
                yield pa.table([[bucket] * len(names), names], schema=_THERE)

    def _named(self) -> Iterator[pa.Table]:
        """The keys that photos name."""
        originals, variants = self.settings.bucket_originals, self.settings.bucket_variants
        for rows in self._pages(_PHOTOS):
            names: list[tuple[str, str, int, bool]] = []
            for row in rows:
                photo, ready = row["id"], row["status"] == "ready"
                names += [(originals, row["original_key"], photo, row["status"] in _HAS_ORIGINAL)]
                names += [(originals, completed_key(row["owner_id"], photo), photo, False)]
                names += [(variants, variant["key"], photo, ready) for variant in row["variants"]]
                names += [(variants, key, photo, False) for key in row["claimed_keys"]]
            yield _table(names)
        for rows in self._pages(_REMOVED):
            names = []
            for row in rows:
                names += [(originals, row["original_key"], row["id"], False)]
                names += [(originals, completed_key(row["owner_id"], row["id"]), row["id"], False)]
                names += [(variants, key, row["id"], False) for key in row["variant_keys"]]
            yield _table(names)

    def _still_missing(self, row: dict[str, Any]) -> Iterator[Disagreement]:
        is_original = row["bucket"] == self.settings.bucket_originals
        if is_original:
            still = self._rows(_STILL_ORIGINAL, (row["photo"], row["name"], list(_HAS_ORIGINAL)))
        else:
            still = self._rows(_STILL_VARIANT, (row["photo"], Jsonb([{"key": row["name"]}])))
        if still and not self._exists(row["bucket"], row["name"]):
            check, told, repair = _TOLD[is_original]
            subject = f"{encode_id(row['photo'])} {row['bucket']}/{row['name']}"
            yield Disagreement(check, subject, told, repair)

    def _still_unnamed(self, bucket: str, key: str) -> Iterator[Disagreement]:
        used = self._rows(_USED, {"key": key, "variant": Jsonb([{"key": key}])})
        if not used and self._exists(bucket, key):
            yield Disagreement(
                "storage.unnamed_object",
                f"{bucket}/{key}",
                "object storage has it, and no photo names it",
                "delete the object",
            )

    def _parked(self) -> Iterator[Disagreement]:
        """Uploads whose address expired long ago: the sweeper deletes them at its next turn."""
        turns = timedelta(seconds=self.settings.upload_grace_seconds + 10 * self.settings.sweep_seconds)
        before = datetime.now(UTC) - turns
        for key in islice(self.objects.keys(self.settings.bucket_originals, UPLOADS), self.shown):
            if address_expiry(key) >= before:
                return  # keys sort by time
            yield Disagreement(
                "storage.parked_upload",
                f"{self.settings.bucket_originals}/{key}",
                "its address expired, and it is still there",
                "photofeed photos sweep",
            )

    def _pages(self, query: str) -> Iterator[Sequence[DictRow]]:
        after = 0
        while rows := self._rows(query, (after, _AT_ONCE)):
            yield rows
            after = rows[-1]["id"]

    def _rows(self, query: str, arguments: Any) -> list[DictRow]:
        with self.database.connection() as connection:
            return connection.execute(query.encode(), arguments).fetchall()

    def _exists(self, bucket: str, key: str) -> bool:
        try:
            self.objects.head(bucket, key)
        except NotFoundError:
            return False
        return True


def _table(names: Sequence[tuple[str, str, int, bool]]) -> pa.Table:
    columns = [list(column) for column in zip(*names, strict=True)] or [[], [], [], []]
    return pa.table(columns, schema=_NAMED)

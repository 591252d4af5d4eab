"""The quarantine: unchanged rows that broke their contract, each with the reason."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import structlog
from prometheus_client import Counter

from photofeed.offline_store.contracts import Contract, ContractCheck
from photofeed.offline_store.lake import Lake, LakeFolder
from photofeed.offline_store.parts import Hours
from photofeed.offline_store.tables import QUARANTINE

log = structlog.get_logger(__name__)

QUARANTINED = Counter("photofeed_quarantined_rows", "Rows that broke the contract of their table", ["table"])

_AT = "quarantined_at"
_SCHEMA = pa.schema(
    [("table", pa.string()), ("reason", pa.string()), ("row", pa.string()), (_AT, pa.timestamp("us", tz="UTC"))]
)


def admit(lake: Lake, bucket: str, contract: Contract, table: pa.Table) -> pa.Table:
    """The rows that keep the contract. The others are written to the quarantine first, so that no row is lost."""
    now = datetime.now(UTC)
    check = contract.check(table, now)
    if check.reasons:
        lake.append(LakeFolder(bucket, QUARANTINE), _rows(contract, check, now), _AT)
        QUARANTINED.labels(contract.table).inc(len(check.reasons))
        log.warning("rows quarantined", table=contract.table, rows=len(check.reasons), first=check.reasons[0])
    return check.good


def quarantined(lake: Lake, bucket: str, since: datetime) -> pa.Table:
    """Rows quarantined since then, newest last, with columns table, reason, row (JSON), quarantined_at."""
    files = lake.mirror(LakeFolder(bucket, QUARANTINE), Hours(first=since))
    tables = [_SCHEMA.empty_table(), *(pq.ParquetFile(file).read() for file in files)]
    return pa.concat_tables(tables).sort_by(_AT)


def _rows(contract: Contract, check: ContractCheck, now: datetime) -> pa.Table:
    rows = [json.dumps(row, default=str) for row in check.bad.to_pylist()]
    count = len(rows)
    return pa.table([[contract.table] * count, check.reasons, rows, [now] * count], schema=_SCHEMA)

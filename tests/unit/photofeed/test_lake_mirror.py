"""The mirror of the lake is shared by processes: nobody finds a file missing that another one is renewing."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from photofeed.offline_store.lake import Lake, LakeFolder
from tests.doubles.object_store import InMemoryObjectStore

FOLDER, SCHEMA = LakeFolder("lake", "features/post"), pa.schema([("post_id", pa.int64())])
OTHER = """
import sys
from pathlib import Path
from tests.unit.photofeed.test_lake_mirror import FOLDER, declared_lake
lake = declared_lake(Path(sys.argv[1]))
lake.mirror_schema(FOLDER)
print("ready", flush=True)
while not Path(sys.argv[2]).exists():
    lake.mirror_schema(FOLDER)
"""
PROCESSES, READS = 2, 500


def declared_lake(cache: Path) -> Lake:
    lake = Lake(InMemoryObjectStore(), cache)
    lake.declare(FOLDER, SCHEMA)
    return lake


def test_a_schema_is_never_missing_while_other_processes_renew_it(tmp_path: Path) -> None:
    stop, command = tmp_path / "stop", (sys.executable, "-c", OTHER, str(tmp_path / "mirror"), str(tmp_path / "stop"))
    others = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)]  # noqa: S603
    try:
        for other in others:
            assert other.stdout
            assert other.stdout.readline() == "ready\n"
        lake = declared_lake(tmp_path / "mirror")
        for _ in range(READS):
            assert pq.read_schema(lake.mirror_schema(FOLDER)) == SCHEMA
    finally:
        stop.touch()
        codes = [other.wait() for other in others]
        for other in others:
            assert other.stdout
            other.stdout.close()
    assert codes == [0] * PROCESSES
    assert [file.name for file in (tmp_path / "mirror/lake/features/post").iterdir()] == ["schema.parquet"]


def test_a_schema_that_changed_is_seen(tmp_path: Path) -> None:
    lake = declared_lake(tmp_path)
    assert pq.read_schema(lake.mirror_schema(FOLDER)) == SCHEMA
    lake.declare(FOLDER, wider := SCHEMA.append(pa.field("likes", pa.float64())))
    assert pq.read_schema(lake.mirror_schema(FOLDER)) == wider

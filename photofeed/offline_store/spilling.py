"""DuckDB that holds so much memory at most and spills the rest to disk: logs outgrow what a trainer can spare."""

import os
from pathlib import Path
from typing import Any
from uuid import uuid4

SPILL = "spill"
THREAD_MB = 64  # with less for each thread, DuckDB fails where it should spill


def spilling(cache_dir: Path, memory_mb: int) -> dict[str, Any]:
    """The configuration of a connection; it spills to a folder of its own in `cache_dir`, and removes that.

    Not a shared one: DuckDB gives its files the same names in every process.
    """
    return {
        "memory_limit": f"{memory_mb}MiB",
        "threads": max(min(memory_mb // THREAD_MB, os.cpu_count() or 1), 1),
        "temp_directory": str(cache_dir / f"{SPILL}-{uuid4().hex}"),
        "preserve_insertion_order": False,
    }

"""DuckDB with a memory limit that spills to disk, because logs outgrow the memory of a trainer."""

import os
from pathlib import Path
from typing import Any
from uuid import uuid4

SPILL = "spill"
THREAD_MB = 64  # with less per thread DuckDB fails instead of spilling
NO_PROGRESS = "set enable_progress_bar = false"  # in notebooks it is a widget, which no stored page can show


def spilling(cache_dir: Path, memory_mb: int) -> dict[str, Any]:
    """The configuration of a connection that spills to its own folder in `cache_dir`, which DuckDB removes.

    The folder is not shared, because DuckDB uses the same file names in every process.
    """
    return {
        "memory_limit": f"{memory_mb}MiB",
        "threads": max(min(memory_mb // THREAD_MB, os.cpu_count() or 1), 1),
        "temp_directory": str(cache_dir / f"{SPILL}-{uuid4().hex}"),
        "preserve_insertion_order": False,
    }

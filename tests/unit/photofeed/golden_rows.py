"""Stored features of made-up candidates, from a seed, and the matrix that release 0.1 computed from them.

`ranking_golden.npz` has the names of its columns, and the matrix (ROWS, features).
"""

import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from photofeed.features.counters import AS_OF_FIELD
from photofeed.times import MICROSECONDS
from tests.served_manifest import SERVED

ROWS, NOW = 64, 1_790_000_000.0
FILE = Path(__file__).with_name("ranking_golden.npz")


def stored_columns() -> dict[str, NDArray[np.generic]]:
    """`view__field` -> (ROWS,): counters of all sizes, some negative or 0, some values missing."""
    columns: dict[str, NDArray[np.generic]] = {}
    for view in SERVED.views:
        for field in view.schema.fixed_fields:
            name = f"{view.name}__{field.name}"
            rng = np.random.default_rng(zlib.crc32(name.encode()))
            if field.name in (AS_OF_FIELD, "posted_at"):
                ago = rng.exponential(2e5, ROWS) - 100
                columns[name] = np.where(rng.random(ROWS) < 0.1, 0, (NOW - ago) * MICROSECONDS).astype(np.int64)
            elif field.name in view.half_lives:
                columns[name] = rng.lognormal(1, 2, ROWS) * (rng.random(ROWS) < 0.8) - 0.01
            else:
                values = rng.lognormal(0, 1, ROWS) * (rng.random(ROWS) < 0.8)
                columns[name] = np.where(rng.random(ROWS) < 0.1, np.nan, values).astype(np.float32)
    return columns

"""The folder in which several processes of one API server keep their metrics.

Nothing here may import prometheus_client: it decides on its first import, in the process from which those of the API
are forked, where metrics are kept.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's own


@contextmanager
def metrics_folder(processes: int) -> Iterator[None]:
    """An empty folder for the metrics of these processes while the context is open; none for a single process."""
    if processes == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="photofeed-metrics-") as folder:
        os.environ[FOLDER_VARIABLE] = folder
        yield

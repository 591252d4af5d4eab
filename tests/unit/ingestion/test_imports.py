"""Workers import no libraries of other workers: photo workers need their memory for pixels, and most often wait."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "strangers"),
    [
        ("ingestion.bootstrap.photos", {"feast", "mlflow", "pandas", "pyarrow", "redis", "onnxruntime"}),
        ("ingestion.photos.sandbox_child", {"pydantic", "psycopg", "boto3", "kafka", "structlog", "pyarrow"}),
        ("ingestion.bootstrap.removal", {"feast", "mlflow", "pandas", "numba", "duckdb", "PIL"}),
        ("ingestion.bootstrap.history", {"feast", "mlflow", "pandas", "numba", "PIL"}),
        ("ingestion.bootstrap.outbox", {"feast", "mlflow", "pandas", "pyarrow", "numba", "numpy", "PIL"}),
        ("ingestion.bootstrap.feeds", {"feast", "mlflow", "pandas", "pyarrow", "numba", "PIL"}),
    ],
)
def test_workers_import_no_library_of_other_workers(module: str, strangers: set[str]) -> None:
    program = f"import sys, {module}; print(sorted({strangers} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"

"""The workers that hold pixels hold little else: libraries of other workers never come into them."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "strangers"),
    [
        ("ingestion.bootstrap.photos", {"feast", "mlflow", "pandas", "pyarrow", "redis", "onnxruntime"}),
        ("ingestion.photos.sandbox_child", {"pydantic", "psycopg", "boto3", "kafka", "structlog", "pyarrow"}),
    ],
)
def test_what_holds_pixels_imports_no_library_of_others(module: str, strangers: set[str]) -> None:
    program = f"import sys, {module}; print(sorted({strangers} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"

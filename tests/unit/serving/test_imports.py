"""A serving process stays small: it never imports the large libraries of training and of the feature store."""

import subprocess
import sys

PROGRAM = """
import importlib, pkgutil, sys
import serving
for module in pkgutil.walk_packages(serving.__path__, "serving."):
    importlib.import_module(module.name)
print(sorted({"feast", "mlflow", "pandas", "pyarrow", "lightgbm"} & set(sys.modules)))
"""


def test_no_module_of_serving_imports_feast_or_mlflow() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"

"""The generators of typed clients.

They are pinned and run in environments of their own, because they need other versions of our dependencies.
"""

import json
import subprocess
import tempfile
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[2] / "clients" / "typescript"
TYPESCRIPT: str = json.loads((_PACKAGE / "package.json").read_text())["config"]["generator"]
PYTHON = "openapi-python-client==0.29.0"
# Bodies that are files: without this the Python generator leaves them out.
_FILES = ("image/avif", "image/webp", "image/jpeg", "application/zip")
_PYTHON_CONFIG = "content_type_overrides:\n" + "".join(f"  {one}: application/octet-stream\n" for one in _FILES)


def generate_typescript(document: Path, target: Path) -> None:
    """Write the types of a document to the file `target`.

    Raises:
        subprocess.CalledProcessError: the generator failed.
    """
    _run("npx", "--yes", TYPESCRIPT, str(document), "--output", str(target))


def generate_kit_types() -> None:
    """Write the types of the TypeScript kit, as its package says.

    Raises:
        subprocess.CalledProcessError: the generator failed.
    """
    _run("npm", "run", "--silent", "generate", "--prefix", str(_PACKAGE))


def generate_python(document: Path, target: Path, uv: Path) -> str:
    """Write a Python package to the folder `target`, which it replaces; what the generator said.

    Raises:
        subprocess.CalledProcessError: the generator failed.
    """
    with tempfile.TemporaryDirectory() as name:
        config = Path(name) / "generator.yaml"
        config.write_text(_PYTHON_CONFIG)
        return _run(
            *(str(uv), "tool", "run", "--from", PYTHON, "openapi-python-client", "generate", "--meta", "none"),
            *("--path", str(document), "--output-path", str(target), "--config", str(config), "--overwrite"),
        )


def _run(*command: str) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  pinned generators
    return done.stdout + done.stderr

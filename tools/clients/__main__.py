"""Generate what the kits in clients/ are built on. The TypeScript types are left out where npm is missing."""

import shutil
import subprocess
import sys
from pathlib import Path

from tools.clients.generators import generate_kit_types, generate_python

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "openapi.json"
PYTHON_PACKAGE = ROOT / "clients" / "python" / "photofeed_client" / "generated"
_UV = Path(sys.prefix) / "uv" / "bin" / "uv"


def main() -> int:
    """Generate both; the exit code."""
    try:
        generate_python(DOCUMENT, PYTHON_PACKAGE, _UV)
        if shutil.which("npm"):
            generate_kit_types()
        else:
            print("clients: no TypeScript: npm is missing (install nodejs 20 or later)")  # noqa: T201
    except subprocess.CalledProcessError as error:
        print(f"clients: {error.stdout}{error.stderr}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

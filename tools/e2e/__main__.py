"""`make e2e`: what people do with the app, in Chromium, on a phone and a desktop; a line of JSON at the end.

The flows are in web/e2e. Exit code 1 if one failed, 3 if something that they need is not installed, 130 after Ctrl-C.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from photofeed.interruption import end_in_order
from tools.e2e.world import running_world

_ROOT = Path(__file__).parents[2]
_WEB = _ROOT / "web"
_PICTURES = _ROOT / "build" / "e2e"
_MISSING = 3
_INTERRUPTED = 130


def _missing() -> str | None:
    """What is not installed, and how to install it; None if nothing is missing."""
    if shutil.which("node") is None:
        return "node is missing: install nodejs 20 or later, with npm"
    if _chromium() is None:
        return "chromium is missing: install Debian's package chromium"
    for package in ("playwright-core", "axe-core", "oidc-provider", "tsx"):
        if not (_WEB / "node_modules" / package).is_dir():
            return f"{package} is missing: run npm ci in web/"
    if not (_WEB / "dist" / "index.html").is_file():
        return "web/dist is missing: run make web"
    return None


def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


def main() -> int:
    """Start the stack, run the flows, and stop everything."""
    missing = _missing()
    if missing is not None:
        sys.stderr.write(f"e2e: {missing}\n")
        return _MISSING
    end_in_order(lambda _: KeyboardInterrupt())
    shutil.rmtree(_PICTURES, ignore_errors=True)
    _PICTURES.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="photofeed-e2e-") as folder, running_world(Path(folder)) as world:
        file = Path(folder) / "world.json"
        file.write_text(json.dumps(world | {"chromium": _chromium(), "pictures": str(_PICTURES)}))
        command = ("node", "--import", "tsx", "e2e/main.ts", str(file), *sys.argv[1:])
        done = subprocess.run(  # noqa: S603  our own script
            command, check=False, cwd=_WEB, env={**os.environ, "NODE_OPTIONS": ""}
        )
    return done.returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)

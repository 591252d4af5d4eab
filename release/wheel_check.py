"""`make wheel-check`: the wheel works in an empty folder, without the checkout.

It is installed with the lock into an empty environment. Then the smoke test runs: it starts the whole system, uploads
photos, trains a ranker and reads feeds.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from environments import ROOT, empty_environment
from lock import LOCK

# The installed files are found, none of them in the checkout.
_FILES = """
import re, sys
from pathlib import Path
from photofeed import bundled, database
from photofeed.settings import Settings
from training.promotion.gate_file import load_gates

checkout = Path(sys.argv[1])
for file in (bundled.web_app(), Settings().feature_repo, Path(database.__file__)):
    assert not file.absolute().is_relative_to(checkout), file
assert len(list(Path(database.__file__).with_name("migrations").glob("versions/*.py"))) > 10
load_gates()
assert bundled.web_app().is_dir(), "the wheel has no browser app: build it where npm is installed"
page = bundled.web_app().joinpath("index.html").read_text()
script = re.search(r'src="/(assets/[^"]+[.]js)"', page).group(1)
assert bundled.web_app().joinpath(script).stat().st_size > 10_000
print("gates, migrations, feature repo and browser app found")
"""


def check_wheel(wheel: Path, folder: Path) -> None:
    """Install the wheel below `folder` and use it there.

    Raises:
        CalledProcessError: a command failed; it has printed why.
    """
    bin_folder = empty_environment(folder / "environment", ROOT / LOCK, wheel)
    work = folder / "work"
    work.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PHOTOFEED_", "PYTHON"))}
    photofeed = bin_folder / "photofeed"
    for argv in (
        (photofeed, "--help"),
        (bin_folder / "python", "-c", _FILES, ROOT),
        (photofeed, "features", "check"),
        (photofeed, "smoke"),
    ):
        print(f"wheel-check: {argv[0].name} {argv[1]}", flush=True)
        subprocess.run(argv, cwd=work, env=environment, check=True)


def main() -> int:
    """Check the wheel that is named on the command line; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    wheel = parser.parse_args().wheel.resolve()
    with tempfile.TemporaryDirectory(prefix="photofeed-wheel-") as name:
        try:
            check_wheel(wheel, Path(name))
        except subprocess.CalledProcessError as error:
            print(f"wheel-check failed with exit code {error.returncode}", file=sys.stderr)
            return 1
    print(f"{wheel.name} works outside the checkout")
    return 0


if __name__ == "__main__":
    sys.exit(main())

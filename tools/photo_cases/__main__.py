"""`python -m tools.photo_cases [FOLDER MANIFEST]`: a line for each wrong file, then a line of JSON.

Exit code 1 if a file is wrong, 2 if the manifest cannot be read.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import orjson

from ingestion.photos.sandbox import PhotoSandbox
from ingestion.photos.validate import PhotoLimits
from photofeed.settings import load_settings
from tools.photo_cases.comparison import judge
from tools.photo_cases.made import made_cases
from tools.photo_cases.manifest import Case, ManifestError, read_manifest

USAGE = "usage: python -m tools.photo_cases [FOLDER MANIFEST]\n"


def main(arguments: Sequence[str]) -> int:
    """Judge the cases of a manifest, or without arguments those that are made here."""
    if len(arguments) not in (0, 2):
        sys.stderr.write(USAGE)
        return 2
    try:
        cases = read_manifest(Path(arguments[1]), Path(arguments[0])) if arguments else made_cases()
    except (ManifestError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    wrong = _report(cases)
    counts = {"files": len(cases), "right": len(cases) - wrong, "wrong": wrong}
    sys.stdout.write(orjson.dumps(counts).decode() + "\n")
    return 1 if wrong else 0


def _report(cases: Sequence[Case]) -> int:
    wrong = 0
    with PhotoSandbox(PhotoLimits.of(load_settings(needs_secrets=False))) as sandbox:
        for case in cases:
            verdict = judge(case, sandbox.process)
            wrong += bool(verdict.faults)
            for line in (*verdict.faults, *verdict.notes):
                sys.stdout.write(f"{case.name}: {line}\n")
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Calls that Schemathesis makes up from the document, and what was wrong with the replies."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

_SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
# Streams stay open: until a photo is processed, or for minutes. Tests of the API read them.
_STREAMS = ("watchPhoto", "watchNotifications")
# Its refusals by 422 are those of the state, such as a follow of oneself; checks.py looks at the others.
_EXCLUDED_CHECKS = ("positive_data_acceptance",)
_ROOT = Path(__file__).resolve().parents[2]
_CHECKS = "tools.contract.checks"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which calls are made up: the most per operation and phase, and the seed that decides on them."""

    examples: int
    seed: int


@dataclass(frozen=True, slots=True)
class Tried:
    """How many calls were made, how many replies were validated, the failures, and how to repeat them."""

    cases: int
    validated: int
    failures: Sequence[str]
    details: str = ""

    def __add__(self, other: "Tried") -> "Tried":
        return Tried(
            self.cases + other.cases,
            self.validated + other.validated,
            [*self.failures, *other.failures],
            self.details + other.details,
        )


def try_calls(
    document: Path, url: str, headers: Sequence[str], report: Path, scope: Scope, only: Sequence[str] = ()
) -> Tried:
    """Call the API as the document says, and in every way that it does not allow.

    Args:
        document: file of the OpenAPI document.
        url: address of the API.
        headers: `Name: value`, sent with every call.
        report: file for Schemathesis' report.
        scope: which calls are made up.
        only: ids of the operations to call; all if empty.

    Raises:
        RuntimeError: Schemathesis did not finish.
    """
    options = (
        ["--include-operation-id", only[0]]
        if only
        else [argument for stream in _STREAMS for argument in ("--exclude-operation-id", stream)]
    )
    command = [
        *(_SCHEMATHESIS, "run", str(document), "--url", url, "--max-examples", str(scope.examples)),
        *("--seed", str(scope.seed)),
        *("--phases", "examples,coverage,fuzzing,stateful", "--continue-on-failure", "--generation-database", "none"),
        *("--exclude-checks", ",".join(_EXCLUDED_CHECKS), "--request-timeout", "30", "--no-color"),
        *("--report", "json", "--report-json-path", str(report)),
        *(argument for header in headers for argument in ("--header", header)),
        *options,
    ]
    done = subprocess.run(  # noqa: S603  our own environment
        command,
        check=False,
        capture_output=True,
        text=True,
        cwd=_ROOT,
        env={**os.environ, "SCHEMATHESIS_HOOKS": _CHECKS, "PYTHONPATH": str(_ROOT)},
    )
    if done.returncode not in (0, 1) or not report.exists():
        raise RuntimeError(f"schemathesis did not finish: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    found = orjson.loads(report.read_bytes())
    failures = [*found["failures"], *found["errors"]]
    if not found["complete"]:
        failures.append({"stopped": found["stop_reason"]})
    details = done.stdout if failures else ""
    cases = found["test_cases"]
    return Tried(
        cases["generated"],
        cases["generated"] - cases["without_checks"],
        [orjson.dumps(one).decode()[:1000] for one in failures],
        details,
    )

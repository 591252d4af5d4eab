"""The four checks."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import transient_settings

from tools.audit import Audit, UnreachableError

ROOT = Path(__file__).parents[2]
BASELINE = ROOT / ".secrets.baseline"
_BIN = Path(sys.executable).parent
_GENERATED = re.compile(
    r"package-lock\.json|requirements.*\.lock|\.ipynb$|docs/openapi\.json|clients/.*/generated|\.secrets\.baseline"
)
_UNREACHABLE = "advisory service unreachable"
# What the tools write to stderr if the service did not answer: exceptions of requests and pip-audit; npm's own words.
_NO_ANSWER = re.compile(r"requests\.exceptions\.|ConnectionError|ServiceError|Tried to connect|audit endpoint returned")


def _run(*command: str, folder: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603  our own tools


def python_packages() -> Audit:
    """Advisories about the packages of requirements.lock, by pip-audit.

    Raises:
        UnreachableError: the service did not answer.
    """
    lock = "requirements.lock"
    total = sum(" \\" in line and "==" in line for line in (ROOT / lock).read_text().splitlines())
    try:
        done = _run(
            *(str(_BIN / "pip-audit"), "-r", lock, "--require-hashes", "--disable-pip"),
            *("--format", "json", "--progress-spinner", "off"),
        )
    except FileNotFoundError:
        return Audit("Python packages", total, 0, ("pip-audit is missing",))
    return of_python(done.stdout, total, done.stderr)


def of_python(report: str, total: int, errors: str = "") -> Audit:
    """The outcome in a report of pip-audit, about a lock with `total` packages; `errors` is what it wrote to stderr.

    Raises:
        UnreachableError: the service did not answer, or no package could be looked up.
    """
    try:
        packages: Sequence[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return _without_report("Python packages", total, errors)
    audited = [one for one in packages if "skip_reason" not in one]
    if packages and not audited:
        raise UnreachableError(f"Python packages: {_UNREACHABLE}")
    found = tuple(
        f"{one['name']} {one['version']}: {vulnerability['id']}" for one in audited for vulnerability in one["vulns"]
    )
    return Audit("Python packages", total, len(audited), found)


def node_packages() -> Audit:
    """Advisories about the packages of web/package-lock.json, by npm audit.

    Raises:
        UnreachableError: the service did not answer.
    """
    web = ROOT / "web"
    lock = json.loads((web / "package-lock.json").read_text())["packages"]
    try:
        done = _run("npm", "audit", "--json", folder=web)
    except FileNotFoundError:
        return Audit("npm packages", len(lock) - 1, 0, ("npm is missing",))
    return of_node(done.stdout, len(lock) - 1, done.stderr)


def of_node(report: str, total: int, errors: str = "") -> Audit:
    """The outcome in a report of npm audit, about a lock with `total` packages; `errors` is what it wrote to stderr.

    Raises:
        UnreachableError: the service did not answer.
    """
    try:
        document = json.loads(report)
        audited = document["metadata"]["dependencies"]["total"]
    except (ValueError, KeyError, TypeError):
        return _without_report("npm packages", total, errors)
    found = tuple(f"{name}: {one['severity']}" for name, one in document["vulnerabilities"].items())
    return Audit("npm packages", total, audited, found)


def _without_report(name: str, total: int, errors: str) -> Audit:
    """The outcome of a tool that reported nothing: a failure, unless the service is why.

    Raises:
        UnreachableError: the service did not answer.
    """
    if _NO_ANSWER.search(errors):
        raise UnreachableError(f"{name}: {_UNREACHABLE}")
    return Audit(name, total, 0, tuple(errors.strip().splitlines()[-1:]))


def files() -> Audit:
    """Credentials in the files of the repository, by detect-secrets, except those that the baseline allows.

    Locks and generated files are full of hashes, and come from other files.
    """
    baseline = json.loads(BASELINE.read_text())
    allowed = {(name, one["hashed_secret"]) for name, secrets in baseline["results"].items() for one in secrets}
    tracked = _run("git", "ls-files").stdout.splitlines()
    names = [name for name in tracked if (ROOT / name).is_file() and not _GENERATED.search(name)]
    secrets = SecretsCollection(root=str(ROOT))
    with transient_settings({key: baseline[key] for key in ("plugins_used", "filters_used")}):
        for name in names:
            secrets.scan_file(name)
    found = tuple(
        f"{name}:{secret.line_number}: {secret.type}"
        for name, secret in secrets
        if (name, secret.secret_hash) not in allowed
    )
    return Audit("files", len(names), len(names), found)


def code() -> Audit:
    """The security rules of ruff (flake8-bandit); an exception in the code has its reason beside it."""
    checked = _run(str(_BIN / "ruff"), "check", "--show-files", ".").stdout.splitlines()
    sources = [name for name in _run("git", "ls-files", "*.py").stdout.splitlines() if (ROOT / name).is_file()]
    audited = {str(Path(name).relative_to(ROOT)) for name in checked} & set(sources)
    done = _run(str(_BIN / "ruff"), "check", "--output-format", "concise", ".")
    found = tuple(line for line in done.stdout.splitlines() if ": S" in line)
    return Audit("Python files", len(sources), len(audited), found)

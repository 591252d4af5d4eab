"""`make audit`: what counts as audited, found, skipped and unreachable."""

import json

import pytest

from tools.audit import Audit, UnreachableError, __main__, checks


def _python(*packages: dict[str, object]) -> str:
    return json.dumps({"dependencies": [{"version": "1.0", "vulns": []} | package for package in packages]})


def test_a_vulnerable_package_is_named() -> None:
    audit = checks.of_python(_python({"name": "safe"}, {"name": "bad", "vulns": [{"id": "PYSEC-1"}]}), 2)
    assert audit == Audit("Python packages", 2, 2, ("bad 1.0: PYSEC-1",))
    assert not audit.is_clean


def test_a_skipped_package_fails_the_audit() -> None:
    audit = checks.of_python(_python({"name": "safe"}, {"name": "odd", "skip_reason": "not found"}), 2)
    assert (audit.audited, audit.total, audit.is_clean) == (1, 2, False)
    assert checks.of_python(_python({"name": "safe"}), 1).is_clean


_PYPI = "requests.exceptions.ProxyError: HTTPSConnectionPool(host='pypi.org', port=443): Max retries exceeded"
_NPM = "npm warn audit 405 Method Not Allowed\nnpm error audit endpoint returned an error"


@pytest.mark.parametrize("report", ["", "no JSON", "{}", "[]"])
def test_a_service_that_does_not_answer_is_unreachable(report: str) -> None:
    for outcome, errors in ((checks.of_python, _PYPI), (checks.of_node, _NPM)):
        with pytest.raises(UnreachableError, match="advisory service unreachable"):
            outcome(report, 1, errors)
    with pytest.raises(UnreachableError, match="advisory service unreachable"):
        checks.of_python(_python({"name": "a", "skip_reason": "not found"}), 1)


@pytest.mark.parametrize("errors", ["", "ERROR:pip_audit: requirements.lock: No such file", "npm error code EUSAGE"])
def test_a_tool_that_fails_by_itself_fails_the_audit(errors: str) -> None:
    """Exit code 3 would say that only the service is missing."""
    for outcome in (checks.of_python, checks.of_node):
        audit = outcome("", 5, errors)
        assert (audit.audited, audit.total, audit.is_clean) == (0, 5, False)
        assert errors in "".join(audit.found)


def test_npm_counts_its_packages_and_names_vulnerable_ones() -> None:
    report = {"metadata": {"dependencies": {"total": 3}}, "vulnerabilities": {"bad": {"severity": "high"}}}
    assert checks.of_node(json.dumps(report), 3) == Audit("npm packages", 3, 3, ("bad: high",))


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Audit("x", 2, 2), 0),
        (Audit("x", 2, 1), 1),
        (Audit("x", 2, 2, ("found",)), 1),
        (UnreachableError("x: advisory service unreachable"), 3),
    ],
)
def test_the_exit_code_tells_what_happened(
    outcome: Audit | UnreachableError, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check() -> Audit:
        if isinstance(outcome, UnreachableError):
            raise outcome
        return outcome

    for name in ("code", "files", "python_packages", "node_packages"):
        monkeypatch.setattr(__main__, name, check)
    assert __main__.main() == code
    said = capsys.readouterr().out
    assert ("advisory service unreachable" in said) == (code == 3)


def test_no_file_has_a_credential_or_breaks_a_security_rule() -> None:
    audit = checks.code()
    assert (audit.total, audit.found) == (audit.audited, ())
    assert audit.total > 100

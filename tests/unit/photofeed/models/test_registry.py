"""What the registry concludes from answers of MLflow: missing things, outages, and answers of somebody else."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from photofeed.errors import NotFoundError, RetryableError
from photofeed.models.mlflow_api import MlflowApi, RefusedCallerError
from photofeed.models.registry import GateFinding, GateReport, ModelRegistry

MISSING = httpx.Response(404, json={"error_code": "RESOURCE_DOES_NOT_EXIST"})
AT = "2026-03-01T00:00:00"


def _client(answers: Mapping[str, httpx.Response | Exception]) -> httpx.Client:
    """A client that gives the answer of the first part of a path that has one."""

    def answer(request: httpx.Request) -> httpx.Response:
        found = next(one for part, one in answers.items() if part in request.url.path)
        if isinstance(found, Exception):
            raise found
        return found

    return httpx.Client(base_url="http://me:secret@mlflow.test", transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (MISSING, NotFoundError),
        (httpx.Response(404, text="<html>"), RetryableError),
        (httpx.Response(404, json=["RESOURCE_DOES_NOT_EXIST"]), RetryableError),
        (httpx.Response(404, json={"error_code": 5}), RetryableError),
        (httpx.Response(500, json={"error_code": "INTERNAL_ERROR"}), RetryableError),
        (httpx.Response(401), RefusedCallerError),
        (httpx.Response(403), RefusedCallerError),
        (httpx.Response(200, text="<html>"), RetryableError),
        (httpx.Response(200, json=[]), RetryableError),
        (httpx.Response(200, json={"other": {}}), RetryableError),
        (httpx.Response(200, json={"wanted": 5}), RetryableError),
        (httpx.ConnectError("refused"), RetryableError),
        (httpx.InvalidURL("no address"), RetryableError),
    ],
    ids=repr,
)
def test_an_answer_that_is_none_is_told_without_the_password(
    answer: httpx.Response | Exception, error: type[Exception]
) -> None:
    with pytest.raises(error) as told:
        MlflowApi(_client({"": answer})).ask("models/get", "wanted", name="ranker")
    assert type(told.value) is error
    assert "secret" not in str(told.value)


def test_an_answer_is_read() -> None:
    api = MlflowApi(_client({"": httpx.Response(200, json={"wanted": {"a": 1}})}))
    assert api.ask("models/get") == {"wanted": {"a": 1}}
    assert api.ask("models/get", "wanted") == {"a": 1}


def _gates(report: httpx.Response | Exception, run_id: str = "run", **tags: str) -> GateReport:
    version = {"run_id": run_id, "tags": [{"key": name, "value": value} for name, value in tags.items()]}
    found = httpx.Response(200, json={"model_version": version})
    return ModelRegistry(_client({"model-versions/get": found, "get-artifact": report}), "ranker").gates("5")


FINDING = {"gate": "drift", "passed": False, "detail": "62%", "more": "of a later release"}


def test_the_report_of_the_gates_is_that_of_the_versions_run() -> None:
    report = httpx.Response(200, json={"findings": [FINDING]})
    findings = (GateFinding("drift", False, "62%"),)
    assert _gates(report, gates_at=AT, gates="failed: drift") == GateReport("run", "failed: drift", AT, None, findings)
    forced = _gates(report, gates_at=AT, gates="failed: drift", forced="me: why")
    assert forced == GateReport("run", "failed: drift", AT, "me: why", findings)


def test_a_version_whose_gates_never_ran_has_no_report() -> None:
    never: Any = ZeroDivisionError("asked for a report")
    assert _gates(never) == GateReport("run")
    assert _gates(never, run_id="", gates_at=AT) == GateReport(None)


@pytest.mark.parametrize(
    "report",
    [
        MISSING,
        httpx.Response(503),
        httpx.Response(200, text="<html>"),
        *(httpx.Response(200, text=text) for text in ("{}", "[]", '{"findings": 5}', '{"findings": [{}]}')),
    ],
    ids=repr,
)
def test_a_report_that_cannot_be_read_hides_nothing_else(report: httpx.Response) -> None:
    assert _gates(report, gates_at=AT, gates="passed") == GateReport("run", "passed", AT, None, ())


def test_a_version_that_does_not_exist_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        ModelRegistry(_client({"": MISSING}), "ranker").gates("5")

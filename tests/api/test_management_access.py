"""What operators may read in production, and nobody else."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from serving import bootstrap
from serving.app import create_app
from tests.api.contract_client import ContractClient

if TYPE_CHECKING:
    from tests.api.conftest import App

TOKEN = "token-of-the-operators-of-this-test"
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}


def _production(app: "App", **settings: Any) -> ContractClient:
    changed = app.settings.model_copy(update={"env": "production"} | settings)
    return ContractClient(create_app(changed, partial(bootstrap.services, connect_publisher=lambda _: app.log)))


@pytest.fixture(scope="module")
def http(app: "App") -> Iterator[ContractClient]:
    with _production(app, management_token=SecretStr(TOKEN)) as client:
        yield client


@pytest.mark.parametrize("path", ["/metrics", "/openapi.json"])
def test_operators_read_with_the_token_only(http: ContractClient, path: str) -> None:
    assert http.get(path, headers=OPERATOR).status_code == 200
    for headers in ({}, {"Authorization": "Bearer another"}, {"Authorization": "Bearer "}):
        refused = http.get(path, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")


def test_probes_need_no_token_and_tell_nothing_but_the_status(http: ContractClient) -> None:
    assert http.get("/healthz").status_code == 200
    told = http.get("/readyz").json()
    assert told == {"status": told["status"], "failing": [], "model": None, "ranking": None, "reason": None}
    assert http.get("/readyz", headers=OPERATOR).json()["ranking"] is not None


@pytest.mark.parametrize("path", ["/docs", "/docs.html"])
def test_the_page_of_the_document_is_not_public(http: ContractClient, path: str) -> None:
    assert http.get(path).status_code == http.get(path, headers=OPERATOR).status_code == 404


def test_without_a_management_token_nobody_reads(app: "App") -> None:
    with _production(app, management_token=None) as http:
        for headers in ({}, OPERATOR, {"Authorization": "Bearer "}):
            assert [http.get(path, headers=headers).status_code for path in ("/metrics", "/openapi.json")] == [404, 404]


def test_the_document_can_be_made_public(app: "App") -> None:
    with _production(app, public_docs=True) as http:
        assert http.get("/openapi.json").json()["info"]["title"] == "photofeed"
        assert http.get("/metrics").status_code == 404


def test_in_development_all_is_open(app: "App") -> None:
    assert {app.http.get(path).status_code for path in ("/metrics", "/openapi.json", "/readyz")} == {200}
    assert app.http.get("/readyz").json()["ranking"] is not None

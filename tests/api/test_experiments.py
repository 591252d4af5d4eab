"""Arms choose the ranker, the served log names them, and only services may override them."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from photofeed.events import Envelope
from photofeed.experiments import load_experiments
from photofeed.ids import decode_id
from photofeed.topics import FEED_SERVED
from serving import bootstrap
from serving.app import create_app
from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App

DECLARED = """
[[experiments]]
name = "orders"
salt = "x"
arms = [{ name = "newest", ranker = "recency", share = 0.5 }, { name = "chance", ranker = "random", share = 0.5 }]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "experiments.toml"
    file.write_text(DECLARED)
    return file


def test_each_arm_ranks_its_users_and_is_logged(app: "App", file: Path) -> None:
    author = app.person()
    for number in range(4):
        author.upload(picture(number, (160, 120)))
    app.work()
    settings = app.settings.model_copy(update={"experiments_file": file})
    declared = load_experiments(file)
    make_services = partial(bootstrap.services, connect_publisher=lambda _: app.log)
    people = [app.person() for _ in range(6)]
    with TestClient(create_app(settings, make_services), base_url="http://127.0.0.1") as http:
        pages = {one.id: http.get("/v1/feed?limit=5", headers=one.headers).json() for one in people}
    served: dict[str, Any] = {}
    for message in app.log.consumer("experiments-test", [FEED_SERVED]).poll(100_000, 0):
        payload = Envelope.decode(message.value).payload
        served[payload["slateId"]] = payload
    for person in people:
        assigned, page = declared.assignment(decode_id(person.id)), pages[person.id]
        assert assigned
        assert page["ranking"] == assigned.ranker
        logged = served[page["slateId"]]
        assert (logged["experiment"], logged["arm"]) == ("orders", assigned.arm)
    assert "shadow" not in logged


def test_an_arm_whose_model_is_not_loaded_is_told_in_the_reply(app: "App") -> None:
    person = app.person()
    for number in range(6):
        app.person().upload(picture(number, (160, 120)))
    app.work()
    as_service = app.service.headers | {"Act-As": person.id}
    page = app.http.get("/v1/feed?ranker=challenger&limit=3", headers=as_service).json()
    assert page["insteadOf"] == "challenger"
    assert page["ranking"] != "challenger"
    more = app.http.get("/v1/feed", params={"cursor": page["nextCursor"]}, headers=as_service).json()
    assert more["insteadOf"] == "challenger"
    assert app.http.get("/v1/feed?ranker=random", headers=as_service).json()["insteadOf"] is None


def test_only_a_service_may_choose_the_ranker(app: "App") -> None:
    person = app.person()
    as_service = app.service.headers | {"Act-As": person.id}
    for ranker in ("recency", "random"):
        page = app.http.get(f"/v1/feed?ranker={ranker}", headers=as_service).json()
        assert page["ranking"] == ranker
    refused = person.call("GET", "/v1/feed?ranker=recency")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert app.http.get("/v1/feed?ranker=astrology", headers=as_service).status_code == 422

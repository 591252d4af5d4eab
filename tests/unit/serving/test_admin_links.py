"""The links of the admin's page about the model: to MLflow, where a browser finds it."""

import pytest

from photofeed.models.registry import GateReport
from photofeed.settings import Settings
from serving.api.admin import _links

PAGES = "https://mlflow.example"
MODEL = f"{PAGES}/#/models/feed-ranker"


@pytest.mark.parametrize(
    ("live", "gates", "version", "run"),
    [
        ("3", GateReport("r1"), f"{MODEL}/versions/3", f"{PAGES}/#/runs/r1"),
        ("3", GateReport(None), f"{MODEL}/versions/3", None),
        ("3", None, f"{MODEL}/versions/3", None),
        (None, None, None, None),
    ],
)
def test_the_links_lead_to_the_model_its_version_and_its_run(
    live: str | None, gates: GateReport | None, version: str | None, run: str | None
) -> None:
    settings = Settings(mlflow_public_url=f"{PAGES}/", model_name="feed-ranker")
    assert _links(settings, live, gates) == {"model": MODEL, "version": version, "run": run}


def test_where_mlflow_is_not_known_there_are_no_links() -> None:
    assert _links(Settings().model_copy(update={"env": "production", "mlflow_public_url": None}), "3", None) is None

"""Feast's own commands by `photofeed feast`, in an applied feature repo that nobody has changed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from photofeed import database
from tests.command_line import feature_variables, photofeed, set_up, with_own_feature_repo
from tools.listening import free_port

if TYPE_CHECKING:
    from photofeed.settings import Settings


@pytest.fixture(scope="module")
def applied(settings_apart: Callable[[int], "Settings"], tmp_path_factory: pytest.TempPathFactory) -> "Settings":
    settings = with_own_feature_repo(settings_apart(12), tmp_path_factory.mktemp("feast"), "feasting")
    database.migrate(settings)
    set_up(settings)
    return settings


def test_the_plan_of_an_applied_repo_has_no_changes(applied: "Settings") -> None:
    done = photofeed("feast", "plan", **feature_variables(applied))
    assert done.returncode == 0, done.stderr
    assert "No changes to registry" in done.stdout
    assert "Updated" not in done.stdout
    views = applied.feature_repo / "post_views.py"
    views.write_text(views.read_text().replace("Likes of the last hour", "Likes of an hour"))
    done = photofeed("feast", "plan", **feature_variables(applied))
    assert "Updated feature view post_engagement" in done.stdout


def test_the_pages_of_feast_show_the_repo_on_this_machine_only(applied: "Settings") -> None:
    port = free_port()
    command = [str(Path(sys.executable).with_name("photofeed")), "feast", "ui", "--port", str(port)]
    environment = os.environ | {name: str(value) for name, value in feature_variables(applied).items()}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stderr
            said = []
            for line in process.stderr:
                said.append(line)
                if "running on" in line:
                    break
            assert f"running on http://127.0.0.1:{port}" in said[-1], "".join(said)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
                assert "<title>Feast" in http.get("/").text
                projects = http.get("/projects-list.json").json()["projects"]
                assert "feasting" in [project["id"] for project in projects]
                views = http.get("/api/v1/feature_views", params={"project": "feasting"}).json()["featureViews"]
        finally:
            process.terminate()
    assert "post_engagement" in [view["spec"]["name"] for view in views]

"""deploy/Dockerfile builds what it says: a lint, and a comparison with the repository and the settings."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from photofeed.settings import Settings
from tests.deploy.deployment import DEPLOY, OUR_IMAGES, ROOT, dockerfile, image_variables, with_base

LOCKS = {
    "api": "requirements/serving.lock",
    "worker": "requirements/ingestion.lock",
    "trainer": "requirements/training.lock",
}


def test_the_dockerfile_has_no_lint() -> None:
    done = subprocess.run(  # noqa: S603
        [Path(sys.executable).with_name("hadolint"), "--config", DEPLOY / "hadolint.yaml", DEPLOY / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("stage", OUR_IMAGES.values())
def test_an_image_has_the_packages_of_its_role_and_runs_without_root(stage: str) -> None:
    (packages,) = re.findall(r"--from=(\S+)", " ".join(argument for kind, argument in with_base(stage)))
    copied = [argument.split()[0] for kind, argument in dockerfile()[packages] if kind == "COPY"]
    assert copied[0] == LOCKS[stage]
    users = [argument for kind, argument in with_base(stage) if kind == "USER"]
    assert users == ["10001:10001"]
    assert all("gcc" not in argument for kind, argument in with_base(stage) if kind == "RUN")


def test_everything_that_is_copied_exists_and_reaches_the_build() -> None:
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for instructions in dockerfile().values():
        for kind, argument in instructions:
            if kind != "COPY" or argument.startswith("--from"):
                continue
            for source in argument.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert any(Path(source).match(pattern) for pattern in sent), source


@pytest.mark.parametrize("stage", OUR_IMAGES.values())
def test_variables_of_an_image_are_settings(stage: str) -> None:
    ours = {name for name in image_variables(stage) if name.startswith("PHOTOFEED_")}
    assert ours - {f"PHOTOFEED_{name.upper()}" for name in Settings.model_fields} == set()


@pytest.mark.parametrize(("stage", "variable"), [("api", "PHOTOFEED_PORT"), ("worker", "PHOTOFEED_MANAGEMENT_PORT")])
def test_the_port_of_an_image_is_the_one_that_is_exposed_and_checked(stage: str, variable: str) -> None:
    port = image_variables(stage)[variable]
    instructions = dict(dockerfile()[stage])
    assert instructions["EXPOSE"] == port
    command = json.loads(instructions["HEALTHCHECK"].partition("CMD ")[2])
    assert f":{port}/healthz" in command[-1]

"""The Helm chart as it is rendered with each of its value sets."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.deployment import DEPLOY

CHART = DEPLOY / "chart"
RENDERED = Path(__file__).with_name("rendered")
VALUE_SETS = ("small", "managed", "air-gapped")
KUBERNETES = "1.32"
HELM = os.environ.get("HELM") or shutil.which("helm")


def helm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run helm on the chart."""
    command = [str(HELM), *arguments, "--kube-version", KUBERNETES]
    return subprocess.run(command, cwd=CHART, capture_output=True, text=True, check=False)  # noqa: S603


def render(values: str) -> str:
    """What helm renders with a value set."""
    done = helm("template", "photofeed", ".", "--values", f"values/{values}.yaml")
    assert done.returncode == 0, done.stderr
    return done.stdout


def resources(values: str) -> list[dict[str, Any]]:
    """The resources of the committed rendering."""
    documents = yaml.safe_load_all((RENDERED / f"{values}.yaml").read_text())
    return [document for document in documents if document]


def pods(values: str) -> dict[str, dict[str, Any]]:
    """Role -> specification of its pods."""
    found = {}
    for resource in resources(values):
        spec = resource["spec"]
        if resource["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if "template" in spec:
            template = spec["template"]
            found[template["metadata"]["labels"]["app.kubernetes.io/component"]] = template["spec"]
    return found


if __name__ == "__main__":
    for name in VALUE_SETS:
        (RENDERED / f"{name}.yaml").write_text(render(name))

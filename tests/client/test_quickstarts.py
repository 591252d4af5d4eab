"""The quickstarts of docs/clients.md, as a reader would run them, against the running system."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from photofeed_client import PhotofeedClient

from tests.client.conftest import new_token

if TYPE_CHECKING:
    from tests.conftest import RunningApp

ROOT = Path(__file__).parents[2]
KIT = ROOT / "clients" / "typescript"
SECTION = re.search(r"^## Quickstarts$(.*?)^## ", (ROOT / "docs" / "clients.md").read_text(), re.MULTILINE | re.DOTALL)
MOST_LINES = 10


def _block(language: str) -> str:
    """The code of a quickstart."""
    assert SECTION is not None
    (block,) = re.findall(rf"^```{language}\n(.*?)^```", SECTION[1], re.MULTILINE | re.DOTALL)
    code: str = block
    return code


@pytest.fixture
def folder(running_app: "RunningApp", photograph: Path) -> Path:
    """A folder with photo.jpg, while explore has somebody else's post."""
    with PhotofeedClient(running_app.base_url, new_token(running_app)) as author:
        assert list(author.watch(author.upload(photograph, caption="Somebody else's").id))[-1].status == "ready"
    return photograph.parent


def _run(running_app: "RunningApp", folder: Path, token: str, *command: str) -> str:
    environment = {**os.environ, "API": running_app.base_url, "TOKEN": token, "NODE_NO_WARNINGS": "1"}
    done = subprocess.run(  # noqa: S603
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def _captions(running_app: "RunningApp", token: str) -> list[str]:
    """What the account has posted."""
    with PhotofeedClient(running_app.base_url, token) as client:
        me = client.http.get("/v1/me").json()["id"]
        return [post["caption"] for post in client.http.get(f"/v1/users/{me}/posts").json()["items"]]


@pytest.mark.parametrize("language", ["python", "ts", "sh"])
def test_a_quickstart_has_ten_lines(language: str) -> None:
    assert len([line for line in _block(language).splitlines() if line.strip()]) <= MOST_LINES


def test_the_quickstart_in_python(running_app: "RunningApp", token: str, folder: Path) -> None:
    kit = f"import sys; sys.path.insert(0, {str(ROOT / 'clients' / 'python')!r})\n"
    said = _run(running_app, folder, token, sys.executable, "-I", "-c", kit + _block("python"))
    assert said.split()[-1] == "ready"
    assert _captions(running_app, token) == ["First light"]


def test_the_quickstart_in_typescript(running_app: "RunningApp", token: str, folder: Path) -> None:
    node = shutil.which("node")
    if node is None or not (KIT / "dist" / "index.js").exists():
        pytest.skip("node or the TypeScript client is missing: install nodejs 20 or later, run make clients")
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "photofeed-client").symlink_to(KIT)
    (folder / "quickstart.mts").write_text(_block("ts"))
    script = _run(running_app, folder, token, str(KIT / "node_modules" / ".bin" / "tsx"), "quickstart.mts")
    assert script.split() == ["ready"]
    assert _captions(running_app, token) == ["First light"]


def test_the_quickstart_with_curl(running_app: "RunningApp", token: str, folder: Path) -> None:
    if shutil.which("jq") is None or shutil.which("curl") is None:
        pytest.skip("curl or jq is missing")
    said = _run(running_app, folder, token, "/bin/bash", "-euo", "pipefail", "-c", _block("sh"))
    assert "processing" in said.splitlines()[0]
    assert "id: ready" in said
    with PhotofeedClient(running_app.base_url, token) as client:
        explored = client.http.get("/v1/explore", params={"limit": 100}).json()["items"]
    assert said.splitlines()[-1] in {item["post"]["caption"] for item in explored}
    assert _captions(running_app, token) == ["First light"]


def test_the_three_lines_are_the_same_everywhere() -> None:
    """tests/client/three_lines.mjs is what test_three_line_client.py runs."""
    program = (ROOT / "tests" / "client" / "three_lines.mjs").read_text()
    for document in ("README.md", "docs/clients.md"):
        (lines,) = re.findall(
            r"^```js\n(const \{ uploadUrl.*?)```", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL
        )
        assert lines.count("\n") == 3
        assert lines in program

"""The Python kit, installed from its own package with nothing else of photofeed."""

from pathlib import Path

from tests.packaging.empty_venv import run, venv_with

KIT = Path(__file__).parents[2] / "clients" / "python"
PROGRAM = """
import importlib.util
assert importlib.util.find_spec("photofeed") is None
from photofeed_client import AsyncPhotofeedClient, PhotofeedClient
from photofeed_client.generated.api.feed import get_feed
with PhotofeedClient("http://127.0.0.1:9", "token") as client:
    print(client.api is not None, get_feed.sync.__name__)
"""


def test_the_kit_works_without_the_rest_of_photofeed(tmp_path: Path) -> None:
    assert run(venv_with(KIT, tmp_path / "venv"), PROGRAM, tmp_path) == "True sync\n"

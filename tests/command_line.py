"""Runs the `photofeed` command as a user does."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from photofeed.settings import Settings

_PHOTOFEED = Path(sys.executable).with_name("photofeed")


def photofeed(*arguments: str | Path, **variables: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `photofeed` with these arguments and additional environment variables. The exit code is not checked."""
    environment = os.environ | {name: str(value) for name, value in variables.items()}
    return subprocess.run(  # noqa: S603  our own command
        [_PHOTOFEED, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def with_own_feature_repo(settings: Settings, folder: Path, project: str) -> Settings:
    """Settings with a copy of the feature repo, as another project of Feast."""
    repo = shutil.copytree(settings.feature_repo, folder / "feature_repo")
    configuration = repo / "feature_store.yaml"
    configuration.write_text(configuration.read_text().replace("project: photofeed", f"project: {project}"))
    return settings.model_copy(update={"feature_repo": repo})


def set_up(settings: Settings) -> None:
    """Run `photofeed setup` for a lake, a Redis and a feature repo of a test's own.

    In a process of its own: Feast keeps the modules of the first feature repo for the life of a process.
    """
    done = photofeed(
        "setup",
        PHOTOFEED_STATE_DIR=settings.state_dir,
        PHOTOFEED_REDIS_URL=settings.redis_url.get_secret_value(),
        PHOTOFEED_BUCKET_LAKE=settings.bucket_lake,
        PHOTOFEED_FEATURE_REPO=settings.feature_repo,
    )
    assert done.returncode == 0, done.stderr

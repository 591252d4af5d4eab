"""The running stack, found from the folder it was started in or any folder below: what a notebook opens first."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

import structlog

from photofeed.errors import NotFoundError
from photofeed.logs import TEXT
from photofeed.settings import STACK_ENV_FILE, Settings, load_settings
from training.data.sources import Sources

FEATURE_REPO, STATE = Path("feature_repo"), Path(".photofeed")


@dataclass(frozen=True, slots=True)
class Workbench:
    """The settings of the stack, and the logs and features that datasets are built from."""

    settings: Settings
    sources: Sources


def open_workbench() -> Workbench:
    """Open the stack started in this folder or a folder above it, or the one that the `PHOTOFEED_*` variables name.

    Raises:
        NotFoundError: no stack was started in any of these folders.
        RetryableError: there is a stack, and it does not answer.
    """
    if repo := _nearest(FEATURE_REPO, FEATURE_REPO / "feature_store.yaml"):
        os.environ.setdefault("PHOTOFEED_FEATURE_REPO", str(repo))
    if state := _nearest(STATE, STATE / STACK_ENV_FILE):
        os.environ.setdefault("PHOTOFEED_STATE_DIR", str(state))
    started = Path(os.environ.get("PHOTOFEED_STATE_DIR", STATE)) / STACK_ENV_FILE
    if not started.exists() and "PHOTOFEED_DATABASE_URL" not in os.environ:
        raise NotFoundError(
            f"no stack was started in {started.parent.absolute()}: "
            "run `make demo` or `photofeed demo` in a terminal and leave it running"
        )
    # a notebook shows results to people: the log lines of a server would hide them
    structlog.configure(
        processors=[*structlog.get_config()["processors"][:-1], TEXT],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )
    settings = load_settings()
    return Workbench(settings, Sources.open(settings))


def _nearest(folder: Path, mark: Path) -> Path | None:
    """The folder below the working directory, or below the nearest directory above it, that has the mark."""
    here = Path.cwd()
    return next((above / folder for above in (here, *here.parents) if (above / mark).exists()), None)

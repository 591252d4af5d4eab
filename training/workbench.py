"""What a notebook starts from: the stack that runs, found from wherever the notebook lies."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

import structlog

from photofeed.errors import NotFoundError
from photofeed.settings import STACK_ENV_FILE, Settings, load_settings
from training.sources import Sources

PROJECT_MARK = Path("feature_repo") / "feature_store.yaml"


@dataclass(frozen=True, slots=True)
class Workbench:
    """The settings of the stack, and the logs and features that datasets are built from."""

    settings: Settings
    sources: Sources


def open_workbench() -> Workbench:
    """Open the stack of this project; `PHOTOFEED_*` variables name another one.

    Raises:
        NotFoundError: no stack was ever started here.
        RetryableError: there is one, but it does not answer.
    """
    root = _project_root()
    os.environ.setdefault("PHOTOFEED_FEATURE_REPO", str(root / "feature_repo"))
    state = Path(os.environ.setdefault("PHOTOFEED_STATE_DIR", str(root / ".photofeed")))
    if not (state / STACK_ENV_FILE).exists() and "PHOTOFEED_DATABASE_URL" not in os.environ:
        raise NotFoundError(f"nothing was started in {state}: run `make demo` in a terminal, and leave it running")
    # a notebook is read by people: what servers log is in their way
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    settings = load_settings()
    return Workbench(settings, Sources.open(settings))


def _project_root() -> Path:
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / PROJECT_MARK).exists():
            return folder
    raise NotFoundError(f"{here} is not inside the project: there is no {PROJECT_MARK} in it or above it")

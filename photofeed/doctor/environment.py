"""What this process was given: its variables, and the folder that it writes to."""

import os
import shutil
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import partial

from photofeed.doctor.finding import Check, Finding, ok, warning, wrong
from photofeed.settings import PREFIX, Settings

LEAST_FREE_BYTES = 2**30
_NOT_SETTINGS = ("PHOTOFEED_FEAST_", "PHOTOFEED_TEST_", "PHOTOFEED_SAMPLES")  # of Feast's repo, and of the tests


def environment_of(variables: Mapping[str, str]) -> Check:
    """A check of these variables, and of the state folder."""
    return partial(_environment, variables)


def _environment(variables: Mapping[str, str], settings: Settings) -> Iterator[Finding]:
    yield from _unknown(variables)
    yield from _state_folder(settings)


def _unknown(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Variables that look like settings and are none: a setting with a wrong name has its default."""
    known = {name.upper() for name in Settings.model_fields}
    given = {name: name.upper().removeprefix(PREFIX) for name in sorted(variables) if name.upper().startswith(PREFIX)}
    unknown = {
        name: short for name, short in given.items() if short not in known and not name.startswith(_NOT_SETTINGS)
    }
    for name, short in unknown.items():
        like = get_close_matches(short, known, 1, 0.75)
        yield wrong(
            "settings.name",
            f"{name} is no setting, so it has no effect",
            f"is it {PREFIX}{like[0]}? Correct it or remove it" if like else "remove it",
        )
    if not unknown:
        yield ok("settings.name", f"{len(given)} variables, all of them settings")


def _state_folder(settings: Settings) -> Iterator[Finding]:
    """The folder exists or can be made, and has room for models and joins that spill."""
    folder = settings.state_dir.absolute()
    there = next(one for one in (folder, *folder.parents) if one.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield wrong(
            "state.folder",
            f"{there} cannot be written to",
            "set PHOTOFEED_STATE_DIR to a folder of this user on a disk that is not read-only",
        )
        return
    free = shutil.disk_usage(there).free
    if free < LEAST_FREE_BYTES:
        yield warning(
            "state.space",
            f"{free / 2**20:.0f} MiB are free in {there}, which keeps models and joins that spill",
            "make room, or set PHOTOFEED_STATE_DIR to a folder on a larger disk",
        )
    else:
        yield ok("state.space", f"{free / 2**30:.0f} GiB are free in {there}")

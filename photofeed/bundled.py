"""Paths of the feature repo and the browser app: in the root of a checkout, or inside an installed package."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def feature_repo() -> Path:
    """`feature_repo/` of the working directory if there is one, else the one that photofeed contains."""
    own = Path("feature_repo")
    return own if own.is_dir() else _bundled(str(own))


def web_app() -> Path:
    """The built browser app; the folder does not exist if the app was not built."""
    return _bundled("web/dist")


def _bundled(name: str) -> Path:
    installed = _PACKAGE / "_bundled" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name

"""The application factory that the server imports."""

from fastapi import FastAPI

from photofeed.logs import set_up_logs
from photofeed.parent_watch import end_with_parent
from photofeed.settings import load_settings
from serving.app import create_app


def make_app() -> FastAPI:
    """The application with the settings of this machine."""
    end_with_parent()
    settings = load_settings()
    set_up_logs(settings)
    return create_app(settings)

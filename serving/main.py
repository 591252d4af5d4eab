"""Where the server finds the application."""

from fastapi import FastAPI

from photofeed.logs import set_up_logs
from photofeed.settings import load_settings
from serving.app import create_app


def make_app() -> FastAPI:
    """The application on the settings of this machine."""
    settings = load_settings()
    set_up_logs(settings)
    return create_app(settings)

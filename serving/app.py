"""The ASGI application."""

import gc
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypedDict

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from photofeed.settings import Settings
from serving import bootstrap
from serving.api import delivery, dev, events, feed, followers, health, moderation, photos, users
from serving.api.body_limit import BodyLimit
from serving.api.problems import install_problem_handlers
from serving.services import Services

WEB_APP = Path(__file__).parent.parent / "web" / "dist"
MOST_BODY_BYTES = 1_000_000
COLLECT_AFTER = (20_000, 20, 50)  # objects made, and younger collections
SWITCH_SECONDS = 0.0005  # a tenth of Python's own: what threads do here can wait, a request cannot


class State(TypedDict):
    """What requests find in `request.state`."""

    services: Services


MakeServices = Callable[[Settings], AbstractAsyncContextManager[Services]]


@contextmanager
def _requests_first() -> Iterator[None]:
    """Requests wait neither for collections nor for other threads.

    What is loaded by now stays, so no collection need look at it again; and requests leave hardly any cycles.
    """
    thresholds, switch_seconds = gc.get_threshold(), sys.getswitchinterval()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(switch_seconds)
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def create_app(settings: Settings, make_services: MakeServices = bootstrap.services) -> FastAPI:
    """The API with all its routes; services are built when it starts and closed when it stops."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        async with make_services(settings) as services:
            with _requests_first():
                yield {"services": services}

    app = FastAPI(
        title="photofeed",
        version="0.1.0",
        summary="A photo feed, ranked.",
        lifespan=lifespan,
        docs_url="/docs",
        redoc_url=None,
    )
    install_problem_handlers(app)
    app.add_middleware(BodyLimit, most_bytes=MOST_BODY_BYTES)
    # routes are tried in turn: first what is asked for most
    for module in (feed, health, users, followers, photos, moderation, events, delivery):
        app.include_router(module.router)
    if settings.env == "dev":
        app.include_router(dev.router)
    if WEB_APP.is_dir():
        app.mount("/", StaticFiles(directory=WEB_APP, html=True), name="web")
    return app

"""The ASGI application."""

import gc
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from importlib.metadata import version
from typing import TypedDict

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware

from photofeed import bundled
from photofeed.settings import Settings
from photofeed.tracing import tracing
from serving import bootstrap
from serving.api import (
    account,
    admin,
    admin_explanation,
    avatars,
    candidates,
    comments,
    delivery,
    dev,
    events,
    feed,
    followers,
    health,
    items,
    moderation,
    moderation_queue,
    moderation_reported,
    notifications,
    own_lists,
    people_lists,
    photos,
    post_edits,
    posts,
    rank,
    reports,
    session,
    tags,
    users,
    webhooks,
)
from serving.api.admission import Admission
from serving.api.app_page import AppPage
from serving.api.body_limit import BodyLimit
from serving.api.cors import cors_options
from serving.api.document import install_document, operation_id
from serving.api.head import HeadRequests
from serving.api.host_check import HostCheck
from serving.api.management_access import get_document
from serving.api.pages import pages
from serving.api.plain_feed import PlainFeed
from serving.api.policy import enforce
from serving.api.problems import install_problem_handlers
from serving.api.rate_limit import RateLimits
from serving.api.request_context import RequestIds, UnexpectedErrors
from serving.api.request_metrics import RequestMetrics
from serving.api.security_headers import SecurityHeaders
from serving.api.web_app import AllowedMethods, WebApp
from serving.services import Services

MAX_BODY_BYTES = 2**20
BODY_SECONDS = 30.0  # in which a body must have arrived
COMPRESSED_BYTES = 1_000  # shorter replies fit into a packet
COMPRESSION_LEVEL = 1  # of gzip: a page of 30 posts shrinks from 30 KB to 5.6 KB in 0.08 ms; level 6: 5.1 KB, 0.23 ms
COLLECT_AFTER = (20_000, 20, 50)  # thresholds of the garbage collector's three generations
SWITCH_SECONDS = 0.0005  # a tenth of Python's default: background threads can wait, requests cannot


class State(TypedDict):
    """The contents of `request.state`."""

    services: Services


MakeServices = Callable[[Settings], AbstractAsyncContextManager[Services]]


@contextmanager
def requests_first() -> Iterator[None]:
    """Keep garbage collections and background threads from delaying requests.

    Objects loaded by now live as long as the process, so collections skip them; requests create few reference cycles.
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
        with tracing(settings, "photofeed-api"):
            async with make_services(settings) as services:
                with requests_first():
                    yield {"services": services}

    app = FastAPI(
        title="photofeed",
        version=version("photofeed"),
        summary="A ranked photo feed.",
        lifespan=lifespan,
        openapi_url=None,  # served by management_access.py
        docs_url=None,  # a page of the browser app, which needs no other server
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
    )
    # routes are matched in order: the most requested first
    modules = [feed, health, posts, comments, users, followers, people_lists, own_lists, photos, moderation, events]
    modules += [
        avatars,
        webhooks,
        notifications,
        post_edits,
        tags,
        account,
        session,
        reports,
        moderation_queue,
        moderation_reported,
        delivery,
        items,
        candidates,
        rank,
        admin,
        admin_explanation,
    ]
    if settings.is_development:
        modules.append(dev)
    routers = [module.router for module in modules]
    page = AppPage.of(bundled.web_app())
    if page is not None:
        routers.append(pages(page))
    enforce(routers)
    for router in routers:
        app.include_router(router)
    app.router.default = WebApp(bundled.web_app(), page, serves_docs=settings.serves_docs)
    app.add_route("/openapi.json", get_document, include_in_schema=False)
    install_document(app, routers)
    install_problem_handlers(app, AllowedMethods(routers).header)
    # the last one added is the outermost
    app.add_middleware(PlainFeed)
    app.add_middleware(BodyLimit, max_bytes=MAX_BODY_BYTES, seconds=BODY_SECONDS)
    if settings.rate_limits:
        app.add_middleware(RateLimits, settings=settings)
    app.add_middleware(Admission, most=settings.requests_per_process)
    app.add_middleware(HostCheck, hosts=settings.hosts)
    app.add_middleware(RequestMetrics)
    app.add_middleware(HeadRequests)
    if settings.compress_replies:
        app.add_middleware(GZipMiddleware, minimum_size=COMPRESSED_BYTES, compresslevel=COMPRESSION_LEVEL)
    app.add_middleware(UnexpectedErrors)
    app.add_middleware(SecurityHeaders, settings=settings)
    if settings.cors_origins:
        app.add_middleware(CORSMiddleware, **cors_options(settings.cors_origins))
    if settings.traces_endpoint:
        from serving.api.request_traces import RequestTraces  # noqa: PLC0415  imports OpenTelemetry

        app.add_middleware(RequestTraces, settings=settings)
    app.add_middleware(RequestIds)
    return app

"""The browser app, and what answers paths that no call of the API has."""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from mimetypes import guess_type
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from photofeed.cache_control import IMMUTABLE
from photofeed.errors import NotFoundError
from serving.api.app_page import AppPage
from serving.api.head import GET_ONLY

_API = re.compile(r"/(v1|photos)(/.*)?", re.DOTALL)
_HASHED = re.compile(r"assets/.+-[0-9A-Z]{8}\.[a-z.]+")  # as the build names them: another content has another name
_REVALIDATE = "no-cache"
_ENCODINGS = {"br": ".br", "gzip": ".gz"}  # the better first; the build writes them beside each asset
# Pages of the app besides those in pages.py; web/src/router.ts shows them.
_PAGES = re.compile(
    r"/(explore|new|saved|liked|requests|activity|admin(/health|/explain)?|settings|sign-in|tags/[^/]+|@[^/]+/(followers|following)|p/[^/]+/likes)/?"
)
_DOCS = "/docs"  # its file has an ending
_DOCS_PATHS = frozenset({_DOCS, f"{_DOCS}.html"})
_NOTHING = "There is nothing here."
_NO_SLASH = f"{_NOTHING} Paths of this API have no slash at the end."


class WebApp:
    """Serves the files and pages of the browser app; paths of the API never reach them.

    Every other path is a 404: for a browser that opens it a page, for other clients a problem.
    """

    def __init__(self, directory: Path, page: AppPage | None, *, serves_docs: bool = True) -> None:
        self._files = _Files(directory=directory, html=True) if page else None
        self._page = page
        self._serves_docs = serves_docs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a path that no route has.

        Raises:
            NotFoundError: it is a path of the API.
            HTTPException: there is no such file (404), or it cannot be changed (405).
        """
        path = scope["path"]
        if path in _DOCS_PATHS and not self._serves_docs:
            raise NotFoundError(_NOTHING)
        if self._files is None and path == _DOCS:
            raise NotFoundError("The browser app was not built (make web). The API's document is at /openapi.json.")
        if scope["type"] != "http" or self._files is None or self._page is None or _API.fullmatch(path):
            raise NotFoundError(_NO_SLASH if len(path) > 1 and path.endswith("/") else _NOTHING)
        reply = await self._reply(self._files, self._page, {**scope, "method": "GET"})
        if scope["method"] != "GET":
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED.value)
        await reply(scope, receive, send)

    async def _reply(self, files: "_Files", page: AppPage, scope: Scope) -> Response:
        if _PAGES.fullmatch(scope["path"]):
            return page.reply()
        try:
            path = f"{_DOCS}.html" if scope["path"] == _DOCS else scope["path"]
            return await files.get_response(files.get_path({**scope, "path": path}), scope)
        except HTTPException as error:
            if error.status_code != HTTPStatus.NOT_FOUND or "text/html" not in Headers(scope=scope).get("accept", ""):
                raise
            return page.reply(status=HTTPStatus.NOT_FOUND.value, headers={"Vary": "Accept"})


class _Files(StaticFiles):
    """Files with cache headers: hashed names are kept for good, others are asked for again.

    An asset is sent in the best encoding that the client accepts and the build has written.
    """

    async def get_response(self, path: str, scope: Scope) -> Response:
        if not _HASHED.fullmatch(path):
            return await super().get_response(path, scope)
        accepted = Headers(scope=scope).get("accept-encoding", "")
        for encoding, suffix in _ENCODINGS.items():
            if encoding in accepted and self.lookup_path(f"{path}{suffix}")[1] is not None:
                reply = await super().get_response(f"{path}{suffix}", scope)
                reply.headers["Content-Encoding"] = encoding
                reply.headers["Content-Type"] = guess_type(path)[0] or "application/octet-stream"
                break
        else:
            reply = await super().get_response(path, scope)
        reply.headers["Vary"] = "Accept-Encoding"
        return reply

    def file_response(self, full_path: Any, *arguments: Any, **options: Any) -> Response:
        reply = super().file_response(full_path, *arguments, **options)
        name = Path(full_path).relative_to(Path(str(self.directory)).resolve()).as_posix()
        reply.headers["Cache-Control"] = IMMUTABLE if _HASHED.fullmatch(name) else _REVALIDATE
        return reply


class AllowedMethods:
    """The methods that the paths of the API answer, for the header Allow of a 405."""

    def __init__(self, routers: Iterable[APIRouter]) -> None:
        routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
        self._patterns = {route.path_format: route.path_regex for route in routes}
        self._methods: dict[str, set[str]] = {}
        for route in routes:
            self._methods.setdefault(route.path_format, set()).update(route.methods or ())

    def header(self, path: str) -> Mapping[str, str]:
        """The header for a path, by the first of the API's paths that fits; a path outside the API answers GET."""
        fitting = (self._methods[name] for name, pattern in self._patterns.items() if pattern.match(path))
        methods = set(next(fitting, {"GET"}))
        if "GET" in methods and not GET_ONLY.fullmatch(path):
            methods.add("HEAD")
        return {"Allow": ", ".join(sorted(methods))}

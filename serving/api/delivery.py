"""The image origin: what a CDN fetches once and keeps for ever."""

import re
from http import HTTPStatus
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Header, Request
from fastapi.responses import Response

from photofeed.errors import NotFoundError
from photofeed.ids import decode_id
from photofeed.photo_sizes import ZOOM_PIXELS
from serving.services import Services, ServicesDep

router = APIRouter(tags=["images"])

EXTENSIONS = {"jpg": "jpeg", "webp": "webp", "avif": "avif"}
BEST_FIRST = ("avif", "webp", "jpeg")  # smallest at equal quality first
IMMUTABLE = "public, max-age=31536000, immutable"
STAND_IN = "public, max-age=60"  # a smaller size, until the zoom size has been made

_VARIANTS = "select variants from photos where id = %s and status = 'ready'"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_REFUSED = re.compile(r"q=0(\.0*)?")


@router.get("/photos/{photo_id}/{name}")
@router.head("/photos/{photo_id}/{name}", include_in_schema=False)
async def image(
    request: Request,
    photo_id: str,
    name: str,
    services: ServicesDep,
    accept: Annotated[str, Header(include_in_schema=False)] = "*/*",
    if_none_match: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """One variant: `150`, `640`, `1080` or `3840`, with `.jpg`, `.webp` or `.avif`, or negotiated by `Accept`."""
    size, _, extension = name.partition(".")
    wanted = (EXTENSIONS[extension],) if extension in EXTENSIONS else _accepted(accept)
    if not size.isdecimal() or (extension and extension not in EXTENSIONS):
        raise NotFoundError("There is no such image.", code="image_not_found")
    variant = await _find(services, decode_id(photo_id), int(size), wanted)
    headers = {
        "Cache-Control": IMMUTABLE if variant["size"] == int(size) else STAND_IN,
        "ETag": f'"{variant["key"]}"',
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
    }
    if not extension:
        headers["Vary"] = "Accept"
    if if_none_match.strip() == "*" or headers["ETag"] in if_none_match:
        return Response(status_code=HTTPStatus.NOT_MODIFIED.value, headers=headers)
    media_type = f"image/{variant['format']}"
    if request.method == "HEAD":
        return Response(headers=headers | {"Content-Length": str(variant["bytes"])}, media_type=media_type)
    part = _part(request, headers["ETag"], variant["bytes"])
    if part is not None and not part:
        headers["Content-Range"] = f"bytes */{variant['bytes']}"
        return Response(status_code=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE.value, headers=headers)
    data = await anyio.to_thread.run_sync(services.objects.get, services.settings.bucket_variants, variant["key"])
    if part is None:
        return Response(data, headers=headers, media_type=media_type)
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{len(data)}"
    status = HTTPStatus.PARTIAL_CONTENT.value
    return Response(data[part.start : part.stop], status, headers=headers, media_type=media_type)


def _accepted(accept: str) -> tuple[str, ...]:
    """Formats the client takes, best first; JPEG always, which everything shows."""
    offers = [offer.replace(" ", "").lower().split(";") for offer in accept.split(",")]
    named = {kind for kind, *parameters in offers if not any(map(_REFUSED.fullmatch, parameters))}
    return tuple(one for one in BEST_FIRST if one == "jpeg" or f"image/{one}" in named)


def _part(request: Request, etag: str, length: int) -> range | None:
    """The bytes asked for: None for all, empty where there are none such (RFC 9110, section 14)."""
    match = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    if match is None or match[0] == "bytes=-" or request.headers.get("if-range", etag) != etag:
        return None  # none, several ranges, which nobody needs of a picture, or of a file that has changed
    if not match[1]:
        return range(max(0, length - int(match[2])), length)
    last = min(int(match[2]), length - 1) if match[2] else length - 1
    if match[2] and int(match[2]) < int(match[1]):
        return None
    return range(int(match[1]), last + 1)


async def _find(services: Services, photo_id: int, size: int, formats: tuple[str, ...]) -> dict[str, Any]:
    """The variant of a size in the best of `formats`; for a zoom size not made yet, the nearest smaller one."""
    async with services.database.connection() as connection:
        row = await (await connection.execute(_VARIANTS, (photo_id,))).fetchone()
    made: list[dict[str, Any]] = row["variants"] if row else []
    if made and size == ZOOM_PIXELS and all(variant["size"] != size for variant in made):
        size = max(variant["size"] for variant in made)
    found = {variant["format"]: variant for variant in made if variant["size"] == size}
    variant = next((found[one] for one in formats if one in found), None)
    if variant is None:
        raise NotFoundError("There is no such image.", code="image_not_found")
    return variant

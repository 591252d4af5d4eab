"""The image origin: what a CDN fetches once and keeps for ever."""

from http import HTTPStatus
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Header, Request
from fastapi.responses import Response

from photofeed.errors import NotFoundError
from photofeed.ids import decode_id
from serving.services import Services, ServicesDep

router = APIRouter(tags=["images"])

EXTENSIONS = {"jpg": "jpeg", "webp": "webp", "avif": "avif"}
BEST_FIRST = ("avif", "webp", "jpeg")  # smallest at equal quality first
IMMUTABLE = "public, max-age=31536000, immutable"

_VARIANTS = "select variants from photos where id = %s and status = 'ready'"


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
    """One variant: `150`, `640` or `1080`, with `.jpg` or `.webp`, or negotiated by `Accept` where none is named."""
    size, _, extension = name.partition(".")
    wanted = (EXTENSIONS[extension],) if extension in EXTENSIONS else _accepted(accept)
    if not size.isdigit() or (extension and extension not in EXTENSIONS):
        raise NotFoundError("There is no such image.", code="image_not_found")
    variant = await _find(services, decode_id(photo_id), int(size), wanted)
    headers = {"Cache-Control": IMMUTABLE, "ETag": f'"{variant["key"]}"', "X-Content-Type-Options": "nosniff"}
    if not extension:
        headers["Vary"] = "Accept"
    if headers["ETag"] in if_none_match:
        return Response(status_code=HTTPStatus.NOT_MODIFIED.value, headers=headers)
    if request.method == "HEAD":
        headers["Content-Length"] = str(variant["bytes"])
        return Response(headers=headers, media_type=f"image/{variant['format']}")
    data = await anyio.to_thread.run_sync(services.objects.get, services.settings.bucket_variants, variant["key"])
    return Response(data, headers=headers, media_type=f"image/{variant['format']}")


def _accepted(accept: str) -> tuple[str, ...]:
    """Formats the client takes, best first; JPEG always, which everything shows."""
    return tuple(f for f in BEST_FIRST if f == "jpeg" or f"image/{f}" in accept)


async def _find(services: Services, photo_id: int, size: int, formats: tuple[str, ...]) -> dict[str, Any]:
    async with services.database.connection() as connection:
        row = await (await connection.execute(_VARIANTS, (photo_id,))).fetchone()
    found = {v["format"]: v for v in (row["variants"] if row else ()) if v["size"] == size}
    variant = next((found[one] for one in formats if one in found), None)
    if variant is None:
        raise NotFoundError("There is no such image.", code="image_not_found")
    return dict(variant)

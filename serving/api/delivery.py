"""The image origin: variants of photos, which CDNs fetch once and cache without limit."""

import re
from http import HTTPStatus
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response
from psycopg.rows import DictRow
from pydantic import WithJsonSchema

from photofeed.cache_control import IMMUTABLE
from photofeed.errors import ForbiddenError, NotFoundError
from photofeed.ids import decode_id, encode_id
from photofeed.photo_sizes import IMAGE_NAMES
from serving.api.declared import refuses, sends, sends_nothing
from serving.api.fields import IdPath
from serving.api.head import is_head
from serving.api.versions import names_version
from serving.image_addresses import SIGNATURE, SIGNATURE_LENGTH
from serving.services import Services, ServicesDep
from serving.visibility import NOT_BLOCKED

router = APIRouter(tags=["images"])

BEST_FIRST = ("avif", "webp", "jpeg")  # smallest at equal quality first
STAND_IN = "public, max-age=60"  # a smaller size, until the zoom size has been made

PRIVATE = "private, max-age=60"  # of photos that not everybody may see: the edge keeps them no longer either
_VARIANTS = f"""
select p.variants, u.id as owner_id, u.is_private and p.purpose <> 'avatar' as is_private,
       {NOT_BLOCKED} and (not u.is_private or p.purpose = 'avatar' or u.id = %(viewer)s or exists (
           select 1 from follows f where f.follower_id = %(viewer)s and f.followee_id = u.id)) as may_see
from photos p join users u on u.id = p.owner_id where p.id = %(photo)s and p.status = 'ready'
"""  # noqa: S608  a constant
_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")
_MOST_DIGITS = 18  # of a position in a file; more digits mean a position after the end of any file
_REFUSED = re.compile(r"q=0(\.0*)?")


_IMAGE_HEADERS = ("ETag", "Cache-Control")
_IMAGE_TYPES = dict.fromkeys(f"image/{name}" for name in BEST_FIRST)


@router.get(
    "/photos/{photo_id}/{name}",
    responses=sends(_IMAGE_TYPES, *_IMAGE_HEADERS, description="The image")
    | sends(
        _IMAGE_TYPES,
        *_IMAGE_HEADERS,
        "Content-Range",
        status=HTTPStatus.PARTIAL_CONTENT,
        description="The requested range of bytes",
    )
    | sends_nothing(*_IMAGE_HEADERS, status=HTTPStatus.NOT_MODIFIED, description="The client has this version")
    | sends_nothing(
        *_IMAGE_HEADERS,
        "Content-Range",
        status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        description="The range starts after the end of the file",
    )
    | refuses(
        HTTPStatus.NOT_FOUND,
        image_not_found="There is no such image.",
        not_found="There is nothing with the id '15OGRpnNi'.",
    )
    | refuses(
        HTTPStatus.FORBIDDEN,
        image_address_invalid="This address is not valid.",
        image_address_expired="This address has expired. Please load the post again.",
        image_forbidden="You may not see this photo any more.",
    ),
)
async def get_image(
    request: Request,
    photo_id: IdPath,
    name: Annotated[str, WithJsonSchema({"type": "string", "enum": list(IMAGE_NAMES), "examples": ["640"]})],
    services: ServicesDep,
    s: Annotated[
        str | None, Query(description="Signature of an address of a private account's photo, as the API returned it")
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "*/*",
    if_none_match: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """Get one variant: `150`, `320`, `640`, `1080` or `3840`, with `.jpg`, `.webp` or `.avif`, or by `Accept`.

    Addresses of a private account's photos are signed for one viewer, and valid for a day while the viewer follows.
    """
    if name not in IMAGE_NAMES or not _is_only_spelling(request, photo_id, name, s):
        raise _no_image()
    size, format_ = IMAGE_NAMES[name]
    photo = await _photo(services, decode_id(photo_id), s)
    variant = _variant(photo["variants"], size, (format_,) if format_ else _accepted(accept))
    headers = {
        "Cache-Control": PRIVATE if s else IMMUTABLE if variant["size"] == size else STAND_IN,
        "Surrogate-Key": f"photo-{photo_id} {'private' if s else 'author'}-{encode_id(photo['owner_id'])}",
        "ETag": f'"{variant["key"]}"',
        "Accept-Ranges": "bytes",
    }
    if format_ is None:
        headers["Vary"] = "Accept"
    if names_version(if_none_match, headers["ETag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED.value, headers=headers)
    media_type = f"image/{variant['format']}"
    if is_head(request):
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


def _is_only_spelling(request: Request, photo_id: str, name: str, signature: str | None) -> bool:
    """Whether the address is written as in IMAGE_NAMES: without percent-encoded characters, and with no other query."""
    if signature is not None and len(signature) != SIGNATURE_LENGTH:
        return False
    path: bytes = request.scope["raw_path"]
    query = b"" if signature is None else f"{SIGNATURE}={signature}".encode()
    return request.scope["query_string"] == query and path == f"/photos/{photo_id}/{name}".encode()


def _no_image() -> NotFoundError:
    return NotFoundError("There is no such image.", code="image_not_found")


async def _photo(services: Services, photo_id: int, signature: str | None) -> DictRow:
    """The row of a photo that the holder of an address may see.

    Raises:
        NotFoundError: there is no such photo, or the account is private and the address has no signature.
        ForbiddenError: the signature is not valid, or its viewer may not see the photo any more.
    """
    viewer = services.images.read(photo_id, signature) if signature is not None else 0
    async with services.database.connection() as connection:
        row = await (await connection.execute(_VARIANTS, {"photo": photo_id, "viewer": viewer})).fetchone()
    if row is None or (signature is None and row["is_private"]):
        raise _no_image()
    if not row["may_see"]:
        raise ForbiddenError("You may not see this photo any more.", code="image_forbidden")
    return row


def _accepted(accept: str) -> tuple[str, ...]:
    """Formats that the client accepts, best first. JPEG is always included: every client shows it."""
    offers = [offer.replace(" ", "").lower().split(";") for offer in accept.split(",")]
    named = {kind for kind, *parameters in offers if not any(map(_REFUSED.fullmatch, parameters))}
    return tuple(one for one in BEST_FIRST if one == "jpeg" or f"image/{one}" in named)


def _part(request: Request, etag: str, length: int) -> range | None:
    """The requested bytes: None for all, empty if the range cannot be satisfied (RFC 9110, section 14)."""
    match = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    if match is None or match[0] == "bytes=-" or request.headers.get("if-range", etag) != etag:
        return None  # no range, several ranges (no client needs those of an image), or of a file that has changed
    first, last = _position(match[1]), _position(match[2])
    if first is None:
        return range(max(0, length - (last or 0)), length)
    if last is None:
        return range(first, length)
    return range(first, min(last + 1, length)) if first <= last else None


def _position(digits: str) -> int | None:
    """The position that the digits of a range name, limited to _MOST_DIGITS digits; None without digits."""
    significant = digits.lstrip("0") or digits[:1]
    if len(significant) > _MOST_DIGITS:
        return int("9" * _MOST_DIGITS)
    return int(significant) if significant else None


def _variant(made: list[dict[str, Any]], size: int, formats: tuple[str, ...]) -> dict[str, Any]:
    """The variant of a size in the best of `formats`; the next smaller one for a size that the photo does not have yet.

    That is the zoom size of a new photo, and sizes that older photos were not made in.
    """
    size = max((variant["size"] for variant in made if variant["size"] <= size), default=size)
    found = {variant["format"]: variant for variant in made if variant["size"] == size}
    variant = next((found[one] for one in formats if one in found), None)
    if variant is None:
        raise _no_image()
    return variant

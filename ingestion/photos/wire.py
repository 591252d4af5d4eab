"""How the sandbox's child hands its result back: JSON and the encoded files, never pickle.

The child reads files of strangers with large C libraries. Should one of them be taken over, what it sends must not be
able to run anything in the parent, so the parent reads plain values and checks them.

Layout: 4 bytes length of the JSON, the JSON, then the files of the variants in order.
"""

import dataclasses
from typing import Any

import orjson

from ingestion.photos.formats import PhotoFormat
from ingestion.photos.placeholder import Placeholder
from ingestion.photos.process import ProcessedPhoto
from ingestion.photos.quality import Quality
from ingestion.photos.rejection import PhotoRejected
from ingestion.photos.validate import Header
from ingestion.photos.variants import Variant


def encode_photo(photo: ProcessedPhoto) -> bytes:
    """The message of a processed photo."""
    variants = [
        {"size": v.size, "format": v.format, "width": v.width, "height": v.height, "length": len(v.data)}
        for v in photo.variants
    ]
    facts = {
        "header": dataclasses.asdict(photo.header),
        "placeholder": dataclasses.asdict(photo.placeholder),
        "quality": dataclasses.asdict(photo.quality),
        "variants": variants,
    }
    return _message(facts, *(v.data for v in photo.variants))


def encode_rejection(rejection: PhotoRejected) -> bytes:
    """The message of a refused photo."""
    return _message({"rejected": rejection.code, "message": rejection.message_for_user})


def decode(message: bytes) -> ProcessedPhoto:
    """Read either message.

    Raises:
        PhotoRejected: where that is what the message says.
        ValueError, KeyError, TypeError: where the message is none of ours.
    """
    start = 4 + int.from_bytes(message[:4], "big")
    facts: dict[str, Any] = orjson.loads(message[4:start])
    if "rejected" in facts:
        raise PhotoRejected(facts["rejected"], facts["message"])
    header = dict(facts["header"])
    variants = []
    for variant in facts["variants"]:
        end = start + variant.pop("length")
        variants.append(Variant(**variant, data=message[start:end]))
        start = end
    if start != len(message):
        raise ValueError(f"message of {len(message)} bytes, {start} expected")
    return ProcessedPhoto(
        header=Header(**(header | {"format": PhotoFormat(header["format"])})),
        variants=tuple(variants),
        placeholder=Placeholder(**facts["placeholder"]),
        quality=Quality(**facts["quality"]),
    )


def _message(facts: dict[str, Any], *files: bytes) -> bytes:
    head = orjson.dumps(facts)
    return b"".join((len(head).to_bytes(4, "big"), head, *files))

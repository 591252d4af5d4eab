"""The message with which the sandbox's child returns its result: JSON and the encoded files, never pickle.

The child decodes untrusted files with large C libraries. If an attacker takes it over, its message must not be able to
execute code in the parent, so the parent reads plain values and checks them.

Layout: 4 bytes with the length of the JSON, the JSON, the model view, then the files of the variants in order.
"""

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from ingestion.photos.formats import PhotoFormat
from ingestion.photos.location import Location
from ingestion.photos.metadata import CameraFacts
from ingestion.photos.placeholder import Placeholder
from ingestion.photos.process import MODEL_EDGE, ProcessedPhoto
from ingestion.photos.quality import Quality
from ingestion.photos.rejection import PhotoRejected
from ingestion.photos.steps import StepClock, StepOutcome
from ingestion.photos.validate import Header
from ingestion.photos.variants import Variant

_VIEW_BYTES = MODEL_EDGE * MODEL_EDGE * 3


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
        "camera": dataclasses.asdict(photo.camera),
        "location": dataclasses.asdict(photo.location) if photo.location else None,
        "perceptual_hash": photo.perceptual_hash,
        "steps": [dataclasses.asdict(step) for step in photo.steps],
        "variants": variants,
    }
    return _message(facts, photo.model_view, *(v.data for v in photo.variants))


def encode_rejection(rejection: PhotoRejected, steps: Sequence[StepOutcome] = ()) -> bytes:
    """The message of a refused photo, with its steps."""
    facts = {"rejected": rejection.code, "message": rejection.message_for_user}
    return _message(facts | {"steps": [dataclasses.asdict(step) for step in steps]})


def decode(message: bytes, clock: StepClock | None = None) -> ProcessedPhoto:
    """Read either message. `clock` records its steps.

    Raises:
        PhotoRejected: the message is that of a refused photo.
        ValueError, KeyError, TypeError: the message is not valid.
    """
    start = 4 + int.from_bytes(message[:4], "big")
    facts: dict[str, Any] = orjson.loads(message[4:start])
    steps = tuple(StepOutcome(**step) for step in facts["steps"])
    if clock is not None:
        clock.add(steps)
    if "rejected" in facts:
        raise PhotoRejected(facts["rejected"], facts["message"])
    header = dict(facts["header"])
    camera = dict(facts["camera"])
    if camera["captured_at"] is not None:
        camera["captured_at"] = datetime.fromisoformat(camera["captured_at"])
    view, start = message[start : start + _VIEW_BYTES], start + _VIEW_BYTES
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
        camera=CameraFacts(**camera),
        perceptual_hash=int(facts["perceptual_hash"]),
        model_view=view,
        steps=steps,
        location=Location(**facts["location"]) if facts["location"] else None,
    )


def _message(facts: dict[str, Any], *files: bytes) -> bytes:
    head = orjson.dumps(facts)
    return b"".join((len(head).to_bytes(4, "big"), head, *files))

"""The photo path on one file, without any server: its outcome, and the files that would be delivered."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ingestion.photos.hash_list import HashList, known
from ingestion.photos.moderation import STATUS_OF, Moderator, Thresholds, moderate
from ingestion.photos.rejection import PhotoRejected
from ingestion.photos.sandbox import PhotoSandbox
from ingestion.photos.sizes import FEED_SIZES, ZOOM_SIZES, Outputs
from ingestion.photos.steps import StepClock
from ingestion.photos.validate import PhotoLimits
from photofeed.publication import REFUSED_CODE, REFUSED_REASON
from photofeed.settings import Settings


def process_file(file: Path, out: Path, settings: Settings, moderator: Moderator, hashes: HashList) -> dict[str, Any]:
    """Process `file` like an upload, and write its variants in every size to the folder `out`.

    Returns:
        The outcome as JSON: `status` is `ready`, `review`, `rejected` or `failed`; `code` and `reason` say why a photo
        is not ready; `width` and `height` are those of the upright photo. A refused photo leaves no files.

    Raises:
        OSError: `file` cannot be read, or `out` cannot be written.
        RetryableError: the machine failed, not the photo.
    """
    clock = StepClock()
    outputs = Outputs((*FEED_SIZES, *ZOOM_SIZES), avif=settings.avif_variants)
    limits = PhotoLimits.of(settings)
    try:
        limits.check_size(file.stat().st_size)  # before a large file is read
        with PhotoSandbox(limits, outputs) as sandbox:
            data = file.read_bytes()
            photo = sandbox.process(data, clock)
    except PhotoRejected as rejection:
        return _failed("failed", rejection.code, rejection.message_for_user, clock)
    moderation = known(data, photo, hashes) or moderate(photo, moderator, Thresholds.of(settings))
    status = STATUS_OF[moderation.decision]
    if status == "rejected":
        return _failed(status, REFUSED_CODE, REFUSED_REASON, clock) | {"moderation": asdict(moderation)}
    out.mkdir(parents=True, exist_ok=True)
    variants = []
    for variant in photo.variants:
        path = out / f"{variant.size}.{variant.extension}"
        path.write_bytes(variant.data)
        variants.append(
            {
                "size": variant.size,
                "format": variant.format,
                "width": variant.width,
                "height": variant.height,
                "bytes": len(variant.data),
                "file": str(path),
            }
        )
    camera = asdict(photo.camera)
    return {
        "status": status,
        "code": None,
        "reason": None,
        "width": photo.header.width,
        "height": photo.header.height,
        "blurhash": photo.placeholder.blurhash,
        "dominantColor": photo.placeholder.dominant_colour,
        "perceptualHash": photo.perceptual_hash,
        "quality": asdict(photo.quality),
        "camera": {name: value for name, value in camera.items() if value is not None},
        "moderation": asdict(moderation),
        "variants": variants,
        "steps": _steps(clock),
    }


def _failed(status: str, code: str, reason: str, clock: StepClock) -> dict[str, Any]:
    nothing = dict.fromkeys(("width", "height", "blurhash", "dominantColor", "moderation"))
    return {"status": status, "code": code, "reason": reason, **nothing, "variants": [], "steps": _steps(clock)}


def _steps(clock: StepClock) -> list[dict[str, Any]]:
    return [asdict(one) for one in clock.outcomes]

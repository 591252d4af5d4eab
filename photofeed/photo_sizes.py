"""The images of a photo: their sizes, and every name under which they are delivered."""

from collections.abc import Mapping

# The long edges in pixels: two square thumbnails (the larger for dense screens), two feed sizes, and a zoom size.
PHOTO_PIXELS = (150, 320, 640, 1080, 3840)

# The zoom size is made after a photo is published.
ZOOM_PIXELS = PHOTO_PIXELS[-1]

_FORMATS = {"": None, ".jpg": "jpeg", ".webp": "webp", ".avif": "avif"}

# Name -> (long edge, format); the format is None where the request's `Accept` header decides it. Addresses of images
# are `/photos/<id>/<name>` without a query. The origin answers no other spelling, because caches keep each spelling as
# a file of its own: the names of this table are those that are purged and verified when a photo is removed.
IMAGE_NAMES: Mapping[str, tuple[int, str | None]] = {
    f"{size}{ending}": (size, format_) for size in PHOTO_PIXELS for ending, format_ in _FORMATS.items()
}

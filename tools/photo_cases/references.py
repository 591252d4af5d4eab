"""The picture that a file should show: by another program, or from another file."""

import io
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageCms, ImageFile, ImageOps, ImageSequence


@dataclass(frozen=True, slots=True)
class Pictures:
    """What a file may show: one with several pictures is right if it came out as any. `note` says who decoded them."""

    images: list[Image.Image]
    note: str = ""


Reference = Callable[[], Pictures]

# Name in a manifest -> programs that decode a file to PNG, with their arguments. The first that is installed is used.
_PROGRAMS: dict[str, tuple[tuple[str, ...], ...]] = {
    "heif-convert": (("heif-convert", "{file}", "{png}"), ("heif-dec", "{file}", "{png}")),
    "ImageMagick": (("convert", "{file}", "-auto-orient", "{png}"), ("magick", "{file}", "-auto-orient", "{png}")),
    "libvips": (("vips", "autorot", "{file}", "{png}"),),
}
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


class NoReferenceError(Exception):
    """The reference cannot be had here."""


def reference_of(name: str, file: Path) -> Reference:
    """The reference called `name` of a file: a file beside it, or what a program makes of it.

    Pillow decodes the file where the program is not installed. It raises NoReferenceError if there is neither.
    """
    beside = file.parent / name
    if beside.is_file():
        return lambda: Pictures([ImageOps.exif_transpose(_in_srgb(beside))])
    return lambda: _by_program_or_pillow(name, file)


def of_image(image: Image.Image) -> Reference:
    """A picture that is known, as a reference."""
    return lambda: Pictures([image])


def _by_program_or_pillow(name: str, file: Path) -> Pictures:
    if name not in _PROGRAMS:
        raise NoReferenceError(f"{name!r} is neither a file nor one of {', '.join(_PROGRAMS)}")
    try:
        return Pictures(_decoded(name, file))
    except NoReferenceError as error:
        return Pictures(_by_pillow(file), f"compared with Pillow: {error}")


def _decoded(name: str, file: Path) -> list[Image.Image]:
    command = next((command for command in _PROGRAMS[name] if shutil.which(command[0])), None)
    if command is None:
        raise NoReferenceError(f"{name} is not installed")
    with tempfile.TemporaryDirectory() as folder:
        arguments = [part.format(file=file, png=Path(folder, "out.png")) for part in command]
        done = subprocess.run(arguments, capture_output=True, check=False)  # noqa: S603  one of the programs above
        # Their pictures are upright, also where they copied the EXIF orientation.
        pictures = [_in_srgb(png) for png in sorted(Path(folder).glob("*.png"))]
    if not pictures:
        raise NoReferenceError(f"{name} does not read it: {done.stderr.decode(errors='replace').strip()}")
    return pictures


def _by_pillow(file: Path) -> list[Image.Image]:
    """The pictures of a file by Pillow and pillow-heif, upright.

    They share their libraries with the photo path, and nothing of how it chooses, shrinks and converts pictures.
    """
    was_tolerant, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
    try:
        with Image.open(file) as image:
            return [ImageOps.exif_transpose(_converted(frame)) for frame in ImageSequence.Iterator(image)]
    except (OSError, ValueError, EOFError) as error:
        raise NoReferenceError(f"Pillow does not read it: {error}") from error
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = was_tolerant


def _in_srgb(file: Path) -> Image.Image:
    with Image.open(file) as image:
        return _converted(image)


def _converted(image: Image.Image) -> Image.Image:
    """A copy in sRGB."""
    profile = image.info.get("icc_profile")
    rgb = image.convert("RGB")
    if not profile:
        return rgb
    return ImageCms.profileToProfile(rgb, ImageCms.ImageCmsProfile(io.BytesIO(profile)), _SRGB) or rgb

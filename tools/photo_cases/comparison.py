"""What a photo came out as, against what its case expects."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import structural_similarity

from ingestion.photos.process import ProcessedPhoto
from ingestion.photos.rejection import PhotoRejected
from photofeed.errors import RetryableError
from tools.photo_cases.manifest import Case, Point
from tools.photo_cases.references import NoReferenceError

COMPARED_SIZE = 640
_REACH = 4  # pixels
_NOISE = 2  # of JPEG, in pictures too small for SSIM
_LEAST_EDGE = 7  # of a picture that SSIM can compare

Process = Callable[[bytes], ProcessedPhoto]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with a case; right if empty. `notes` say what could not be compared."""

    case: Case
    faults: tuple[str, ...]
    notes: tuple[str, ...] = ()


def judge(case: Case, process: Process) -> Verdict:
    """Process the file of a case and compare the outcome."""
    try:
        photo = process(case.read())
    except PhotoRejected as rejection:
        return Verdict(case, tuple(_refusal_faults(case, rejection)))
    except (OSError, RetryableError) as error:
        return Verdict(case, (f"not processed: {error}",))
    faults = list(_photo_faults(case, photo))
    notes: list[str] = []
    if case.reference is not None and "ready" in case.statuses:
        try:
            pictures = case.reference()
            faults += _reference_faults(case, _delivered(photo), pictures.images)
            notes += filter(None, [pictures.note])
        except NoReferenceError as error:
            notes.append(f"not compared: {error}")
    return Verdict(case, tuple(faults), tuple(notes))


def _refusal_faults(case: Case, rejection: PhotoRejected) -> Iterator[str]:
    sentence = rejection.message_for_user
    if "failed" not in case.statuses:
        yield f"failed with {rejection.code} ({sentence}); expected {_either(case)}"
    elif case.code is not None and rejection.code != case.code:
        yield f"failed with {rejection.code} ({sentence}); expected {case.code}"
    for words in case.says:
        if words not in sentence:
            yield f"the sentence does not say {words!r}: {sentence}"


def _photo_faults(case: Case, photo: ProcessedPhoto) -> Iterator[str]:
    if "ready" not in case.statuses:
        yield f"ready; expected {_either(case)}"
        return
    size = photo.header.width, photo.header.height
    for edge, found, expected in (("width", size[0], case.width), ("height", size[1], case.height)):
        if expected is not None and found != expected:
            yield f"{edge} {found}; expected {expected}"
    if case.points and case.most_delta_e is not None:
        pixels = np.asarray(_delivered(photo), dtype=np.float64)
        for point in case.points:
            found_colour, distance = _distance(pixels, point)
            if distance > case.most_delta_e:
                found_text = ",".join(str(round(band)) for band in found_colour)
                expected_text = ",".join(map(str, point.colour))
                yield (
                    f"at {point.x},{point.y}: {found_text}; expected {expected_text}: "
                    f"deltaE {distance:.2f}, above {case.most_delta_e:g}"
                )


def _reference_faults(case: Case, delivered: Image.Image, references: list[Image.Image]) -> Iterator[str]:
    if case.least_ssim is None:
        return
    similarity = max(ssim(delivered, reference) for reference in references)
    if similarity < case.least_ssim:
        yield f"SSIM {similarity:.3f} to the reference, below {case.least_ssim:g}"


def ssim(delivered: Image.Image, reference: Image.Image) -> float:
    """Structural similarity of the luminance of a picture to a larger one. 0 if their shapes differ."""
    scale = delivered.width / reference.width
    if abs(reference.height * scale - delivered.height) > 1:
        return 0.0
    shrunk = reference.convert("RGB").resize(delivered.size, Image.Resampling.LANCZOS)
    first, second = (np.asarray(image.convert("L")) for image in (delivered, shrunk))
    if min(first.shape) < _LEAST_EDGE:
        return float(np.abs(first.astype(int) - second).max() <= _NOISE)
    return float(structural_similarity(first, second, data_range=255))


def _delivered(photo: ProcessedPhoto) -> Image.Image:
    data = next(v.data for v in photo.variants if (v.size, v.format) == (COMPARED_SIZE, "jpeg"))
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB")


def _distance(pixels: NDArray[np.float64], point: Point) -> tuple[list[float], float]:
    """The colour that fits a point best among the means of 3 x 3 pixels at and around it, and its CIEDE2000.

    A point may lie where two areas meet, and delivered files blur colours over two pixels there.
    """
    expected = rgb2lab(np.asarray(point.colour, dtype=np.float64) / 255)
    found = [
        pixels[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].reshape(-1, 3).mean(axis=0)
        for y, x in product(*((at - _REACH, at, at + _REACH) for at in (point.y, point.x)))
        if 0 <= y < pixels.shape[0] and 0 <= x < pixels.shape[1]
    ]
    distances = [float(deltaE_ciede2000(rgb2lab(colour / 255), expected)) for colour in found]
    best = int(np.argmin(distances))
    return found[best].tolist(), distances[best]


def _either(case: Case) -> str:
    return " or ".join(sorted(case.statuses))

"""What does a photo cost? Prints a table, then one line of JSON.

CPU seconds (user and system) a photo, one thread, of 12-MP photos: four sizes as JPEG and WebP, blurhash and dominant
colour. Compared on the same photos in the same run with npm `sharp` used the typical way and with the naive Pillow
pipeline. Every figure comes from a process of its own; imports and start-up are not counted.

    readyCpuSeconds      what is done before a photo is published: the feed's sizes, blurhash, colour, facts, moderation
    fullCpuSeconds       all eight files in one pass; heicCpuSeconds: the same of a HEIC
    peakRssMb            largest memory of a worker and its sandbox together, on 48-MP JPEG and HEIC: to ready and 4K
    ssimDelta            SSIM lost against Pillow's LANCZOS of all pixels in the same encoding: the worst of the means
                         at 640 and 1080, JPEG and WebP, to ready and all eight in one pass
    photosPerCoreSecond  photos a core makes ready a second
"""

import io
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import blurhash
import numpy as np
import pillow_heif
import typer
from PIL import Image, ImageOps
from rich.console import Console
from rich.table import Table
from skimage.metrics import structural_similarity

from ingestion.photos.moderation import OpenNsfwModerator, Thresholds, moderate
from ingestion.photos.normalise import normalise
from ingestion.photos.process import ProcessedPhoto, process_photo
from ingestion.photos.sizes import FEED_OUTPUTS, FEED_SIZES, ZOOM_OUTPUTS, ZOOM_SIZES, Outputs, enough_for
from ingestion.photos.validate import PhotoLimits, validate
from ingestion.photos.variants import ENCODINGS, encode, make_variants
from simulation.pictures.photographs import PHOTOGRAPHS, take

LIMITS = PhotoLimits(max_bytes=2**27, max_pixels=60_000_000)
ALL_SIZES = (*FEED_SIZES, *ZOOM_SIZES)
SMALL, LARGE = (4032, 3024), (8000, 6000)  # 12 and 48 MP
SHARP = Path(__file__).parent / "sharp"
LANCZOS = Image.Resampling.LANCZOS

app = typer.Typer(add_completion=False)


@cache
def _moderator() -> OpenNsfwModerator:
    return OpenNsfwModerator()


def ready(data: bytes) -> ProcessedPhoto:
    """What a worker does before a photo is published."""
    processed = process_photo(data, LIMITS, FEED_OUTPUTS)
    moderate(processed, _moderator(), Thresholds(review=0.5, reject=0.9))
    return processed


def full(data: bytes) -> ProcessedPhoto:
    """All eight files in one pass."""
    return process_photo(data, LIMITS, Outputs(ALL_SIZES))


def zoom(data: bytes) -> object:
    """What is made after a photo was published."""
    header = validate(data, LIMITS)
    return make_variants(normalise(data, header, enough_for(ZOOM_SIZES, header.width, header.height)), ZOOM_OUTPUTS)


def decode(data: bytes) -> object:
    """The codec's floor: every pixel decoded, none used."""
    return Image.open(io.BytesIO(data)).load()


def naive(data: bytes) -> object:
    """The pipeline as most tutorials have it: each size from the original, the blurhash of all its pixels."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    long_edge = image.copy()
    long_edge.thumbnail((3840, 3840), LANCZOS)
    widths = [image.resize((width, round(image.height * width / image.width)), LANCZOS) for width in (1080, 640)]
    for picture in (long_edge, *widths, ImageOps.fit(image, (150, 150), LANCZOS)):
        picture.save(io.BytesIO(), "JPEG", quality=82)
        picture.save(io.BytesIO(), "WEBP", quality=80)
    colour = image.resize((150, 150)).quantize(5).getpalette()
    return blurhash.encode(image, 4, 3), colour


def encoders(pictures: list[Image.Image]) -> object:
    """The encoders' floor: eight files of pictures that have their size already."""
    return [encode(picture, encoding) for picture in pictures for encoding in ENCODINGS]


def sized(data: bytes) -> list[Image.Image]:
    """A photo in the four sizes."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    wanted = {(variant.width, variant.height) for variant in full(data).variants}
    return [ImageOps.fit(image, size, LANCZOS) for size in wanted]


KINDS: dict[str, Callable[[Any], object]] = {
    function.__name__: function for function in (ready, full, zoom, decode, naive, encoders)
}


def cost(kind: str, paths: list[Path]) -> float:
    """Mean CPU seconds a photo, measured in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", __file__, "measure", kind, *map(str, paths)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)  # noqa: S603  this file
    return float(done.stdout)


@app.command()
def measure(kind: str, paths: list[Path]) -> None:
    """Process files in this process and print what it cost; the first of them also once to warm up."""
    work = KINDS[kind]
    prepare: Callable[[bytes], Any] = sized if work is encoders else bytes
    Image.MAX_IMAGE_PIXELS = LIMITS.max_pixels
    if kind != "naive":
        work(prepare(paths[0].read_bytes()))
    photos = [prepare(path.read_bytes()) for path in paths]
    start = time.process_time()
    for data in photos:
        work(data)
    print((time.process_time() - start) / len(photos))


def worker_megabytes(kind: str, path: Path) -> tuple[float, float]:
    """Largest memory of a fresh worker that processes one photo, and of its sandbox, where the pixels are."""
    command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("photo_worker.py")), kind, str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)  # noqa: S603  our own file
    worker, sandbox = map(float, done.stdout.split())
    return worker, sandbox


def sharp_cost(folder: Path, paths: list[Path]) -> float:
    """CPU seconds a photo of sharp, its start subtracted; installs it into `folder` where it is not."""
    if not (folder / "node_modules").is_dir():
        shutil.copytree(SHARP, folder, dirs_exist_ok=True)
        subprocess.run(["npm", "ci", "--silent"], cwd=folder, check=True)  # noqa: S607  wherever npm is
    shutil.copy(SHARP / "resize.mjs", folder)

    def seconds(photos: list[Path]) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(["node", "resize.mjs", *map(str, photos)], cwd=folder, check=True)  # noqa: S603, S607
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return (seconds(paths) - seconds([])) / len(paths)


def photograph(size: tuple[int, int], number: int) -> Image.Image:
    """Four packaged photographs side by side, enlarged, with the noise of a sensor: as hard to encode as a phone's."""
    random = np.random.default_rng(number)
    page = Image.new("RGB", size)
    half = size[0] // 2, size[1] // 2
    for place in range(4):
        part = take(random, PHOTOGRAPHS[(4 * number + place) % len(PHOTOGRAPHS)])
        page.paste(ImageOps.fit(part, half, LANCZOS), (place % 2 * half[0], place // 2 * half[1]))
    noise = random.normal(0, 3, (size[1], size[0], 1)).astype(np.float32)
    return Image.fromarray((np.asarray(page, np.float32) + noise).clip(0, 255).astype(np.uint8))


def photographs(folder: Path, image_format: str, size: tuple[int, int], count: int) -> list[Path]:
    """Files of photographs, made where they are missing; every second JPEG lies on its side, as phones write them."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{size[0]}-{number}.{image_format.lower()}" for number in range(count)]
    for number, path in enumerate(paths):
        if path.exists():
            continue
        exif = Image.Exif()
        if image_format == "JPEG" and number % 2:
            exif[0x0112] = 6
        options: dict[str, object] = {"quality": 92, "exif": exif}
        if image_format == "HEIF":
            options = {"quality": 60, "enc_params": {"preset": "ultrafast"}}  # minutes otherwise
        partial = path.with_suffix(".partial")
        photograph(size, number).save(partial, image_format, **options)
        partial.rename(path)
    return paths


def ssim_delta(paths: list[Path]) -> float:
    """SSIM lost against Pillow's LANCZOS of all pixels: the worst of the means by size and encoding."""
    lost: dict[tuple[int, str], list[float]] = {}
    for path in paths:
        data = path.read_bytes()
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        for variant in (*ready(data).variants, *full(data).variants):
            if variant.size not in (640, 1080):
                continue
            best = image.resize((variant.width, variant.height), LANCZOS)
            options = next(encoding.options for encoding in ENCODINGS if encoding.format == variant.format)
            file = io.BytesIO()
            best.save(file, variant.format, **options)
            theirs, ours = (_ssim(Image.open(io.BytesIO(one)), best) for one in (file.getvalue(), variant.data))
            lost.setdefault((variant.size, variant.format), []).append(theirs - ours)
    return max(statistics.mean(values) for values in lost.values())


def _ssim(one: Image.Image, other: Image.Image) -> float:
    value: float = structural_similarity(np.asarray(one.convert("L")), np.asarray(other.convert("L")))
    return value


@app.command()
def compare(
    photos: Annotated[int, typer.Option(min=1, help="How many JPEGs and how many HEICs.")] = 8,
    naive_photos: Annotated[int, typer.Option(min=1, help="How many of them for the naive pipeline, the slowest.")] = 8,
) -> None:
    """Measure everything and print it."""
    pillow_heif.register_heif_opener()
    folder = Path(os.environ.get("PHOTOFEED_STATE_DIR", ".photofeed")).absolute() / "benchmarks"
    jpegs = photographs(folder / "photos", "JPEG", SMALL, photos)
    heics = photographs(folder / "photos", "HEIF", SMALL, photos)
    large = [photographs(folder / "photos", image_format, LARGE, 1)[0] for image_format in ("JPEG", "HEIF")]

    ours = {kind: cost(kind, jpegs) for kind in ("ready", "zoom", "full", "decode", "encoders")}
    heic = {kind: cost(kind, heics) for kind in ("ready", "full", "decode")}
    sharp = sharp_cost(folder / "sharp", jpegs)
    slow = cost("naive", jpegs[:naive_photos])
    memory = {
        f"{path.suffix[1:].upper()} of 48 MP {what}": worker_megabytes(kind, path)
        for path in large
        for what, kind in (("to ready", "ready"), ("4K afterwards", "zoom"))
    }

    rows = [
        ("JPEG, decoded whole: the codec's floor", ours["decode"]),
        ("eight files encoded: the encoders' floor", ours["encoders"]),
        ("JPEG to ready", ours["ready"]),
        ("JPEG, 4K afterwards", ours["zoom"]),
        ("JPEG, all eight in one pass", ours["full"]),
        ("HEIC, decoded whole: the codec's floor", heic["decode"]),
        ("HEIC to ready", heic["ready"]),
        ("HEIC, all eight in one pass", heic["full"]),
        ("JPEG, sharp, each size from the original", sharp),
        ("JPEG, naive Pillow, blurhash of all pixels", slow),
    ]
    table = Table("12-MP photo", "CPU s")
    for name, seconds in rows:
        table.add_row(name, f"{seconds:.2f}")
    for name, (worker, sandbox) in memory.items():
        table.add_row(f"{name}, peak memory: worker + sandbox", f"{worker:.0f} + {sandbox:.0f} MB")
    Console().print(table)
    figures = {
        "sharpRatio": sharp / ours["full"],
        "naiveRatio": slow / ours["full"],
        "readyCpuSeconds": ours["ready"],
        "fullCpuSeconds": ours["full"],
        "heicCpuSeconds": heic["full"],
        "peakRssMb": max(map(sum, memory.values())),
        "ssimDelta": ssim_delta(jpegs),
        "photosPerCoreSecond": 1 / ours["ready"],
    }
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


if __name__ == "__main__":
    # `compare` is what a bare call means; `measure` is for the processes it starts
    sys.argv[1:1] = [] if "measure" in sys.argv[1:2] else ["compare"]
    app()

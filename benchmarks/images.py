"""Cost of processing a photo. Prints a table, then one line of JSON.

CPU seconds (user and system) per 12-MP photo with one thread, for five sizes as JPEG and WebP, blurhash and dominant
colour. The same photos go through npm `sharp` in its typical use and through a naive Pillow pipeline. Every figure
comes from a separate process, without imports and start-up.

    readyCpuSeconds      work before a photo is published: the feed's sizes, blurhash, colour, facts, moderation
    fullCpuSeconds       all ten files in one pass, from a JPEG
    heicCpuSeconds       all ten files in one pass, from a HEIC
    peakRssMb            peak memory of a worker and its sandbox together, for 48-MP JPEG and HEIC, ready and 4K
    maxHdrMegapixels     largest HEIC in HDR that is accepted
    hdrPeakRssMb         peak memory of a worker and its sandbox together, for a HEIC in HDR of that size
    ssimDelta            SSIM lost against Pillow's LANCZOS of all pixels in the same encoding: the largest of the means
                         at 640 and 1080 in JPEG and WebP, of published and full processing
    photosPerCoreSecond  photos made ready per core second
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
from photo_settings import LIMITS, THRESHOLDS
from PIL import Image, ImageOps
from rich.console import Console
from rich.table import Table
from skimage.metrics import structural_similarity

from ingestion.photos.moderation import OpenNsfwModerator, moderate
from ingestion.photos.normalise import normalise
from ingestion.photos.process import ProcessedPhoto, process_photo
from ingestion.photos.sizes import FEED_OUTPUTS, FEED_SIZES, ZOOM_OUTPUTS, ZOOM_SIZES, Outputs, enough_for
from ingestion.photos.validate import validate
from ingestion.photos.variants import ENCODINGS, encode, make_variants
from simulation.pictures.photographs import PHOTOGRAPHS, take

ALL_SIZES = (*FEED_SIZES, *ZOOM_SIZES)
SMALL, LARGE = (4032, 3024), (8000, 6000)  # 12 and 48 MP
BT2020, PQ, BT2020_LUMA = 9, 16, 9  # primaries, transfer and matrix of ITU-T H.273 for HDR photos
SHARP = Path(__file__).parent / "sharp"
LANCZOS = Image.Resampling.LANCZOS

app = typer.Typer(add_completion=False)


@cache
def _moderator() -> OpenNsfwModerator:
    return OpenNsfwModerator()


def ready(data: bytes) -> ProcessedPhoto:
    """The work before a photo is published."""
    processed = process_photo(data, LIMITS, FEED_OUTPUTS)
    moderate(processed, _moderator(), THRESHOLDS)
    return processed


def full(data: bytes) -> ProcessedPhoto:
    """All ten files in one pass."""
    return process_photo(data, LIMITS, Outputs(ALL_SIZES))


def zoom(data: bytes) -> object:
    """The work after a photo was published: the 4K size."""
    header = validate(data, LIMITS)
    return make_variants(normalise(data, header, enough_for(ZOOM_SIZES, header.width, header.height)), ZOOM_OUTPUTS)


def decode(data: bytes) -> object:
    """Lower bound of the decoder: decode every pixel and discard it."""
    return Image.open(io.BytesIO(data)).load()


def naive(data: bytes) -> object:
    """The pipeline of most tutorials: every size from the original, and the blurhash of all its pixels."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    long_edge = image.copy()
    long_edge.thumbnail((3840, 3840), LANCZOS)
    widths = [image.resize((width, round(image.height * width / image.width)), LANCZOS) for width in (1080, 640)]
    squares = [ImageOps.fit(image, (edge, edge), LANCZOS) for edge in (320, 150)]
    for picture in (long_edge, *widths, *squares):
        picture.save(io.BytesIO(), "JPEG", quality=82)
        picture.save(io.BytesIO(), "WEBP", quality=80)
    colour = image.resize((150, 150)).quantize(5).getpalette()
    return blurhash.encode(image, 4, 3), colour


def encoders(pictures: list[Image.Image]) -> object:
    """Lower bound of the encoders: ten files from pictures of the right size."""
    return [encode(picture, encoding) for picture in pictures for encoding in ENCODINGS]


def sized(data: bytes) -> list[Image.Image]:
    """A photo in the five sizes."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    sizes = {(variant.width, variant.height) for variant in full(data).variants}
    return [ImageOps.fit(image, size, LANCZOS) for size in sizes]


KINDS: dict[str, Callable[[Any], object]] = {
    function.__name__: function for function in (ready, full, zoom, decode, naive, encoders)
}


def cost(kind: str, paths: list[Path]) -> float:
    """Mean CPU seconds per photo, measured in a separate process."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", __file__, "measure", kind, *map(str, paths)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)  # noqa: S603  this file
    return float(done.stdout)


@app.command()
def measure(kind: str, paths: list[Path]) -> None:
    """Process files in this process and print the mean CPU seconds. The first file is also used to warm up."""
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
    """Peak memory of a new worker that processes one photo, and of its sandbox, which holds the pixels."""
    command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("photo_worker.py")), kind, str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)  # noqa: S603  our own file
    worker, sandbox = map(float, done.stdout.split())
    return worker, sandbox


def sharp_cost(folder: Path, paths: list[Path]) -> float:
    """CPU seconds per photo of sharp, without its start-up. Installs sharp into `folder` if it is missing."""
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
    """Four packaged photographs in a grid, enlarged, with sensor noise, so that encoding is as hard as on a phone."""
    random = np.random.default_rng(number)
    page = Image.new("RGB", size)
    half = size[0] // 2, size[1] // 2
    for cell in range(4):
        part = take(random, PHOTOGRAPHS[(4 * number + cell) % len(PHOTOGRAPHS)])
        page.paste(ImageOps.fit(part, half, LANCZOS), (cell % 2 * half[0], cell // 2 * half[1]))
    noise = random.normal(0, 3, (size[1], size[0], 1)).astype(np.float32)
    return Image.fromarray((np.asarray(page, np.float32) + noise).clip(0, 255).astype(np.uint8))


def photographs(folder: Path, image_format: str, size: tuple[int, int], count: int) -> list[Path]:
    """Files of photographs, made if missing. Every second JPEG is rotated by its EXIF orientation, as phones do."""
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
            options = {"quality": 60, "enc_params": {"preset": "ultrafast"}}  # the default preset takes minutes
        partial = path.with_suffix(".partial")
        photograph(size, number).save(partial, image_format, **options)
        partial.rename(path)
    return paths


def hdr_photograph(folder: Path) -> Path:
    """A HEIC in HDR (10 bits, PQ) with as many pixels as are accepted, 4:3, made if missing."""
    edge = int((LIMITS.max_hdr_pixels / 12) ** 0.5) // 2 * 2
    path = folder / f"hdr-{4 * edge}.heif"
    if not path.exists():
        samples = np.asarray(photograph((4 * edge, 3 * edge), 0)).astype(np.uint16) * 129  # half of PQ's range
        picture = pillow_heif.from_bytes("RGB;16", (4 * edge, 3 * edge), samples.tobytes())
        colours = {"color_primaries": BT2020, "transfer_characteristics": PQ, "matrix_coefficients": BT2020_LUMA}
        partial = path.with_suffix(".partial")
        picture.save(partial, quality=60, enc_params={"preset": "ultrafast"}, save_nclx_profile=True, **colours)
        partial.rename(path)
    return path


def ssim_delta(paths: list[Path]) -> float:
    """SSIM lost against Pillow's LANCZOS of all pixels: the largest of the means by size and encoding."""
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
    photos: Annotated[int, typer.Option(min=1, help="Number of JPEGs, and of HEICs.")] = 8,
    naive_photos: Annotated[int, typer.Option(min=1, help="Number of JPEGs for the naive pipeline, the slowest.")] = 8,
) -> None:
    """Measure everything and print the figures."""
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
        f"48-MP {path.suffix[1:].upper()}, {title}": worker_megabytes(kind, path)
        for path in large
        for title, kind in (("until published", "ready"), ("4K size", "zoom"))
    }

    hdr = sum(worker_megabytes("ready", hdr_photograph(folder / "photos")))

    rows = [
        ("JPEG, decoding only (lower bound)", ours["decode"]),
        ("encoding of ten files only (lower bound)", ours["encoders"]),
        ("JPEG, until published", ours["ready"]),
        ("JPEG, 4K size", ours["zoom"]),
        ("JPEG, all ten files in one pass", ours["full"]),
        ("HEIC, decoding only (lower bound)", heic["decode"]),
        ("HEIC, until published", heic["ready"]),
        ("HEIC, all ten files in one pass", heic["full"]),
        ("JPEG, sharp, every size from the original", sharp),
        ("JPEG, naive Pillow, blurhash of all pixels", slow),
    ]
    table = Table("12-MP photo", "CPU s")
    for name, seconds in rows:
        table.add_row(name, f"{seconds:.2f}")
    for name, (worker, sandbox) in memory.items():
        table.add_row(f"{name}, peak memory: worker + sandbox", f"{worker:.0f} + {sandbox:.0f} MB")
    table.add_row(f"HEIC in HDR of {LIMITS.max_hdr_pixels / 1e6:.0f} MP, peak memory", f"{hdr:.0f} MB")
    Console().print(table)
    figures = {
        "sharpRatio": sharp / ours["full"],
        "naiveRatio": slow / ours["full"],
        "readyCpuSeconds": ours["ready"],
        "fullCpuSeconds": ours["full"],
        "heicCpuSeconds": heic["full"],
        "peakRssMb": max(map(sum, memory.values())),
        "maxHdrMegapixels": LIMITS.max_hdr_pixels / 1e6,
        "hdrPeakRssMb": hdr,
        "ssimDelta": ssim_delta(jpegs),
        "photosPerCoreSecond": 1 / ours["ready"],
    }
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


if __name__ == "__main__":
    # `compare` is the default command; `measure` is for the processes that it starts
    sys.argv[1:1] = [] if "measure" in sys.argv[1:2] else ["compare"]
    app()

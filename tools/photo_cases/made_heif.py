"""HEIC and AVIF files with the items and properties that phones and cameras write."""

import io
import struct
from collections.abc import Iterator

import numpy as np
import pillow_heif
from PIL import Image, ImageCms

from tools.photo_cases.chart import Space, chart, chart_in, points, samples_in
from tools.photo_cases.heif_file import (
    HIDDEN,
    HeifWriter,
    Item,
    box,
    coded,
    full_box,
    grid_data,
    item_of,
    nclx,
    size_property,
)
from tools.photo_cases.made_jpeg import detailed
from tools.photo_cases.manifest import Case, given
from tools.photo_cases.references import of_image

_TILE = 64
_AVIF = (b"avif", b"mif1", b"avif", b"miaf")
_COLUMNS, _ROWS = 8, 6  # 48 tiles, as a phone's
_GAIN_MAP = full_box(b"auxC", 0, 0, b"urn:com:apple:photo:2020:aux:hdrgainmap\0")
_PROFILE = box(b"colr", b"prof", ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
_DEPTH = full_box(b"auxC", 0, 0, b"urn:mpeg:hevc:2015:auxid:2\0")


def cases() -> Iterator[Case]:
    """Which picture is shown, how it is turned, its colours, and refusals."""
    yield from _pictures()
    yield from _colours()
    yield from _refusals()


def _pictures() -> Iterator[Case]:
    image = detailed()
    small = image.resize((160, 120)).point(lambda sample: 255 - sample)
    main, thumbnail, av1 = coded(image), coded(small), _av1(image)
    tiled, whole = _tiled(image)
    half = image.crop((80, 60, 560, 420))
    for name, data, expected in (
        ("tiles_48_of_a_phone.heic", tiled, whole),
        ("primary_is_a_thumbnail.heic", _with(main, thumbnail, b"thmb", primary=2), image),
        ("primary_is_a_gain_map.heic", _with(main, thumbnail, b"auxl", primary=2), image),
        ("tone_mapped_primary.heic", _tone_mapped(main, thumbnail, primary=3), image),
        ("tone_mapped_alternative.heic", _tone_mapped(main, thumbnail, primary=1), image),
        ("general_brand.heic", _with(main, thumbnail, b"thmb", primary=1, brands=(b"mif1", b"mif1", b"miaf")), image),
        ("motion_photo.heic", _motion_photo(main), image),
        ("cropped.heic", _one(main, _clap(480, 360)), half),
        ("turned.heic", _one(main, box(b"irot", b"\1")), image.transpose(Image.Transpose.ROTATE_90)),
        (
            "cropped_turned_mirrored.heic",
            _one(main, _clap(480, 360), box(b"irot", b"\1"), box(b"imir", b"\1")),
            half.transpose(Image.Transpose.ROTATE_90).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        ),
        ("cropped.avif", _one(av1, _clap(480, 360), brands=_AVIF), half),
        (
            "cropped_at_a_corner_and_turned.avif",
            _one(av1, _clap(201, 101, (-439, 2), (379, 2)), box(b"irot", b"\3"), brands=_AVIF),
            image.crop((0, 379, 201, 480)).transpose(Image.Transpose.ROTATE_270),
        ),
        ("crop_beyond_the_picture.avif", _one(av1, _clap(700, 360), brands=_AVIF), image),
        ("primary_is_a_thumbnail.avif", _with(av1, _av1(small), b"thmb", primary=2, brands=_AVIF), image),
    ):
        yield Case(
            name,
            given(data),
            width=expected.width,
            height=expected.height,
            reference=of_image(expected),
            least_ssim=0.9,
        )


def _colours() -> Iterator[Case]:
    p3 = coded(chart_in("P3"), chroma=444, matrix_coefficients=6, full_range_flag=1)
    files: list[tuple[str, bytes, float]] = [("nclx_p3.heic", _one(p3, nclx(12, 13, 6)), 1.5)]
    spaces: tuple[tuple[Space, int], ...] = (("PQ", 16), ("HLG", 18))
    for space, transfer in spaces:
        item = _deep(space)
        files.append((f"nclx_{space.lower()}_10_bit.heic", _one(item, nclx(9, transfer, 9)), 6))
        limited = _deep(space, is_full_range=False)
        stated = nclx(9, transfer, 9, is_full_range=False)
        files.append((f"nclx_{space.lower()}_limited_range.heic", _one(limited, stated), 6))
        files.append((f"nclx_{space.lower()}_with_profile.heic", _one(item, _PROFILE, nclx(9, transfer, 9)), 6))
        files.append((f"nclx_{space.lower()}.avif", _avif(chart_in(space), 9, transfer), 6))
    files.append(("nclx_p3.avif", _avif(chart_in("P3"), 12, 13), 1.5))
    files.append(
        ("gain_map.heic", _with(coded(chart(), chroma=444), coded(chart().resize((160, 120))), b"auxl", 1), 1.5)
    )
    for name, data, most in files:
        yield Case(name, given(data), width=640, height=480, points=points(), most_delta_e=most)


def _refusals() -> Iterator[Case]:
    main = coded(Image.new("RGB", (160, 120), "teal"))
    decoder = tuple(one for one in main.properties if one[4:8] != b"ispe")
    huge = (*decoder, size_property(17_000, 17_000))
    sequence = (
        box(b"ftyp", b"msf1", bytes(4), b"msf1", b"hevc", b"iso8") + box(b"moov", bytes(64)) + box(b"mdat", bytes(64))
    )
    empty = _one(Item(b"hvc1", main.data, main.properties[1:])) + box(b"moov", bytes(64))
    limits = ("289 megapixels", "61 are allowed")
    for name, data, code, says in (
        (
            "another_size_than_stated.heic",
            _one(Item(b"hvc1", main.data, (*decoder, size_property(640, 480)))),
            "damaged",
            (),
        ),
        ("image_sequence.heic", sequence, "unsupported_format", ("HEVC image sequences", "Send one picture")),
        ("image_sequence_with_an_empty_picture.heic", empty, "unsupported_format", ("HEVC image sequences",)),
        ("layered.heic", _one(Item(b"lhv1", main.data, main.properties)), "unsupported_format", ("layered HEVC",)),
        ("av1_in_heic.heic", _one(Item(b"av01", main.data, main.properties)), "unsupported_format", ("AV1 pictures",)),
        ("pixels_289_million.heic", _one(Item(b"hvc1", main.data, huge)), "too_many_pixels", limits),
        ("pixels_289_million.avif", _huge_avif(), "too_many_pixels", limits),
    ):
        yield Case(name, given(data), statuses=frozenset({"failed"}), code=code, says=says)


def _one(item: Item, *properties: bytes, brands: tuple[bytes, ...] = HeifWriter().brands) -> bytes:
    writer = HeifWriter(brands)
    return writer.file(writer.add(Item(item.kind, item.data, (*item.properties, *properties))))


def _with(main: Item, other: Item, kind: bytes, primary: int, brands: tuple[bytes, ...] = HeifWriter().brands) -> bytes:
    writer = HeifWriter(brands)
    more = (_GAIN_MAP,) if kind == b"auxl" else ()
    writer.add(main)
    writer.add(Item(other.kind, other.data, (*other.properties, *more)))
    writer.refer(kind, 2, 1)
    return writer.file(primary)


def _tone_mapped(main: Item, gain_map: Item, primary: int) -> bytes:
    writer = HeifWriter((b"heic", b"mif1", b"heic", b"tmap"))
    writer.add(main)
    writer.add(Item(gain_map.kind, gain_map.data, gain_map.properties, HIDDEN))
    writer.add(Item(b"tmap", bytes(62), (size_property(640, 480),)))
    writer.refer(b"dimg", 3, 1, 2)
    return writer.file(primary)


def _motion_photo(main: Item) -> bytes:
    return (
        _one(main)
        + box(b"mpvd", box(b"ftyp", b"mp42", bytes(4)), box(b"mdat", bytes(99)))
        + b"SEFH"
        + bytes(9)
        + b"SEFT"
    )


def _tiled(image: Image.Image) -> tuple[bytes, Image.Image]:
    """A picture of 48 tiles with a thumbnail, a gain map and a depth map; and the picture, whose last tiles are cut."""
    size = (_COLUMNS * _TILE - 12, _ROWS * _TILE - 8)
    page = image.resize((_COLUMNS * _TILE, _ROWS * _TILE))
    writer = HeifWriter()
    for row in range(_ROWS):
        for column in range(_COLUMNS):
            left, top = column * _TILE, row * _TILE
            tile = coded(page.crop((left, top, left + _TILE, top + _TILE)), enc_params={"preset": "ultrafast"})
            writer.add(Item(tile.kind, tile.data, tile.properties, HIDDEN))
    tiles = range(1, _COLUMNS * _ROWS + 1)
    grid = writer.add(Item(b"grid", grid_data(_ROWS, _COLUMNS, *size), (size_property(*size),)))
    writer.refer(b"dimg", grid, *tiles)
    small = coded(page.resize((128, 96)).convert("L").convert("RGB"))
    for kind, properties in ((b"thmb", ()), (b"auxl", (_GAIN_MAP,)), (b"auxl", (_DEPTH,))):
        writer.refer(kind, writer.add(Item(small.kind, small.data, (*small.properties, *properties))), grid)
    return writer.file(grid), page.crop((0, 0, *size))


def _clap(width: int, height: int, right: tuple[int, int] = (0, 1), down: tuple[int, int] = (0, 1)) -> bytes:
    """A crop whose middle is so far right of and below that of the picture; these are fractions."""
    return box(b"clap", struct.pack(">8i", width, 1, height, 1, *right, *down))


def _deep(space: Space, *, is_full_range: bool = True) -> Item:
    samples = (samples_in(space) * 65_535 + 0.5).astype(np.uint16)
    image = pillow_heif.from_bytes("RGB;16", chart().size, samples.tobytes())
    file = io.BytesIO()
    image.save(file, quality=95, chroma=444, matrix_coefficients=9, full_range_flag=int(is_full_range))
    return item_of(file.getvalue())


def _av1(image: Image.Image) -> Item:
    file = io.BytesIO()
    image.save(file, "AVIF", quality=90, speed=8)
    return item_of(file.getvalue())


def _avif(image: Image.Image, primaries: int, transfer: int) -> bytes:
    """A file whose stated colours are replaced by others."""
    file = io.BytesIO()
    image.save(file, "AVIF", quality=95, subsampling="4:4:4", speed=8)
    data = bytearray(file.getvalue())
    at = data.index(b"colrnclx") + 8
    data[at : at + 4] = struct.pack(">HH", primaries, transfer)
    return bytes(data)


def _huge_avif() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 48)).save(file, "AVIF", speed=10)
    data = bytearray(file.getvalue())
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", 17_000, 17_000)
    return bytes(data)

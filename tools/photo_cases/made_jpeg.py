"""JPEG files as cameras and accidents leave them."""

import io
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from tools.photo_cases.chart import chart, chart_in, points
from tools.photo_cases.manifest import Case, given
from tools.photo_cases.references import of_image

_END = b"\xff\xd9"


def detailed() -> Image.Image:
    """A picture with detail everywhere, 640 x 480, so that missing pixels show."""
    y, x = np.mgrid[0:480, 0:640]
    waves = 128 + 60 * np.sin(x / 9) * np.cos(y / 7) + 60 * np.sin((x + 2 * y) / 31)
    noise = np.random.default_rng(7).integers(-6, 7, (480, 640))
    grey = (waves + noise).clip(0, 255).astype(np.uint8)
    return Image.merge("RGB", [Image.fromarray(one) for one in (grey, grey[::-1], 255 - grey)])


def jpeg(image: Image.Image, **options: Any) -> bytes:
    """A file of good quality."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=92, **options)
    return file.getvalue()


def cases() -> Iterator[Case]:
    """Missing ends, trailers, and HDR."""
    image = detailed()
    sequential, progressive = jpeg(image), jpeg(image, progressive=True)
    restarts = jpeg(image, restart_marker_rows=1)
    trailer = bytes(1000) + b"SEFH" + bytes(20) + b"SEFT"
    misleading = np.random.default_rng(7).bytes(300) + b"\xff\xc4\x00\x03\xff\xda\x00\x08\xff\xd8\xff\xc0" + trailer
    video = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0\0\0\x08mdat"
    for name, data in (
        ("no_end_marker.jpg", sequential.removesuffix(_END)),
        ("half_an_end_marker.jpg", sequential[:-1]),
        ("progressive_without_end_marker.jpg", progressive.removesuffix(_END)),
        ("progressive_with_half_an_end_marker.jpg", progressive[:-1]),
        ("restarts_without_end_marker.jpg", restarts.removesuffix(_END)),
        ("grey_trailer_instead_of_end_marker.jpg", sequential.removesuffix(_END) + trailer),
        ("misleading_trailer_instead_of_end_marker.jpg", sequential.removesuffix(_END) + misleading),
        ("progressive_with_misleading_trailer.jpg", progressive.removesuffix(_END) + misleading),
        ("motion_photo.jpg", sequential + video + trailer),
        ("two_pictures.jpg", sequential + jpeg(Image.new("L", (64, 48)))),
    ):
        yield Case(name, given(data), width=640, height=480, reference=of_image(image), least_ssim=0.9)
    scans = [at for at in range(len(progressive)) if progressive[at : at + 2] == b"\xff\xda"]
    for name, data in (
        ("cut_at_half.jpg", sequential[: len(sequential) // 2]),
        ("cut_20_bytes_before_the_end.jpg", sequential[:-22]),
        ("progressive_cut_at_half.jpg", progressive[: len(progressive) // 2]),
        ("progressive_cut_100_bytes_before_the_end.jpg", progressive[:-100]),
        ("progressive_without_last_scan.jpg", progressive[: scans[-1]]),
        ("restarts_cut.jpg", restarts[: len(restarts) * 9 // 10]),
        *((f"progressive_cut_in_its_last_marker_{kept}.jpg", progressive[: scans[-1] + kept]) for kept in (1, 2, 4)),
    ):
        yield Case(name, given(data), statuses=frozenset({"failed"}), code="truncated", says=("incomplete",))
    hdr = jpeg(chart_in("PQ"), icc_profile=hdr_profile(), subsampling=0)
    yield Case("pq_profile.jpg", given(hdr), points=points(), most_delta_e=6)
    gain_map = jpeg(chart(), subsampling=0) + jpeg(Image.new("L", (160, 120), 200))
    yield Case("gain_map.jpg", given(gain_map), points=points(), most_delta_e=1)


def hdr_profile() -> bytes:
    """An ICC profile that is empty except for its numbers: BT.2020 primaries and PQ (tag "cicp" of ICC.1:2022)."""
    tag = b"cicp" + bytes(4) + bytes((9, 16, 0, 1))
    table = struct.pack(">I4sII", 1, b"cicp", 144, len(tag))
    size = 128 + len(table) + len(tag)
    head = struct.pack(">I4sI4s4s4s", size, b"test", 0x04400000, b"mntr", b"RGB ", b"XYZ ")
    return (head.ljust(36, b"\0") + b"acsp").ljust(128, b"\0") + table + tag

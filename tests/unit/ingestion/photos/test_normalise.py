import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms, ImageOps

from ingestion.photos.normalise import normalise
from ingestion.photos.validate import PhotoLimits, validate

Encode = Callable[..., bytes]

ORIENTATION = 0x0112
UNDO = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def whole(data: bytes, limits: PhotoLimits) -> Image.Image:
    header = validate(data, limits)
    return normalise(data, header, (header.width, header.height))


def difference(image: Image.Image, expected: Image.Image) -> float:
    assert image.size == expected.size
    return float(np.abs(np.asarray(image, dtype=int) - np.asarray(expected.convert("RGB"), dtype=int)).mean())


def pixel(image: Image.Image) -> tuple[int, ...]:
    return tuple(int(band) for band in np.asarray(image)[4, 4])


def exif_with(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("photo_format", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_every_orientation_comes_out_upright_exactly_once(
    orientation: int, photo_format: str, picture: Image.Image, encode: Encode, limits: PhotoLimits
) -> None:
    upright = picture.resize((240, 180))
    turn = UNDO[orientation]
    stored = upright if turn is None else upright.transpose(turn)
    exif = exif_with(orientation)
    assert ImageOps.exif_transpose(with_exif(stored, exif)).tobytes() == upright.tobytes()
    data = encode(stored, photo_format, exif=exif.tobytes(), quality=95)
    header = validate(data, limits)
    assert (header.width, header.height) == upright.size
    assert difference(normalise(data, header, upright.size), upright) < 6


def with_exif(image: Image.Image, exif: Image.Exif) -> Image.Image:
    image = image.copy()
    image.getexif()[ORIENTATION] = exif[ORIENTATION]
    return image


@pytest.mark.parametrize("shape", ["landscape", "portrait"])
def test_the_eight_turned_samples_are_one_picture(shape: str, samples: Path, limits: PhotoLimits) -> None:
    pictures = [
        whole((samples / "photos" / "orientation" / f"{shape}_{n}.jpg").read_bytes(), limits) for n in range(1, 9)
    ]
    small = [np.asarray(picture.resize((60, 60)), dtype=int) for picture in pictures]
    for turned in small[1:]:
        assert np.abs(turned - small[0]).mean() < 3


def test_iphone_heic_is_upright_like_its_own_thumbnail(samples: Path, limits: PhotoLimits) -> None:
    header = validate((samples / "photos" / "heic" / "iphone_13_pro_max.heic").read_bytes(), limits)
    assert (header.width, header.height, header.orientation) == (3024, 4032, 1)


def test_the_primary_picture_of_a_heic_with_several_is_used(picture: Image.Image, limits: PhotoLimits) -> None:
    container = pillow_heif.HeifFile()
    for one in (Image.new("RGB", (64, 48), "red"), picture.resize((320, 240)), Image.new("RGB", (99, 77), "blue")):
        container.add_from_pillow(one)
    file = io.BytesIO()
    container.save(file, primary_index=1, quality=95)
    assert difference(whole(file.getvalue(), limits), picture.resize((320, 240))) < 3


@pytest.mark.parametrize("photo_format", ["MPO", "WEBP", "AVIF", "PNG", "GIF"])
def test_the_first_picture_of_other_files_with_several_is_used(
    photo_format: str, encode: Encode, limits: PhotoLimits
) -> None:
    others = [Image.new("RGB", (64, 48), colour) for colour in ("blue", "black")]
    data = encode(Image.new("RGB", (64, 48), "red"), photo_format, save_all=True, append_images=others)
    assert difference(whole(data, limits), Image.new("RGB", (64, 48), "red")) < 3


def test_transparency_is_flattened_on_white(encode: Encode, limits: PhotoLimits) -> None:
    clear = Image.new("RGBA", (40, 30), (255, 0, 0, 0))
    half = Image.new("RGBA", (40, 30), (0, 0, 0, 128))
    for photo_format in ("PNG", "WEBP"):
        assert pixel(whole(encode(clear, photo_format), limits)) == (255, 255, 255)
        assert abs(pixel(whole(encode(half, photo_format), limits))[0] - 127) <= 2
    grey = Image.new("LA", (40, 30), (0, 0))
    assert pixel(whole(encode(grey, "PNG"), limits)) == (255, 255, 255)


def test_a_palette_with_a_transparent_colour_is_flattened_on_white(encode: Encode, limits: PhotoLimits) -> None:
    image = Image.new("P", (40, 30), 1)
    image.putpalette([10, 20, 30, 200, 100, 50])
    assert pixel(whole(encode(image, "PNG"), limits)) == (200, 100, 50)
    assert pixel(whole(encode(image, "PNG", transparency=1), limits)) == (255, 255, 255)
    assert pixel(whole(encode(image, "GIF", transparency=1), limits)) == (255, 255, 255)


def test_sixteen_bit_grey_keeps_its_shades(encode: Encode, limits: PhotoLimits) -> None:
    ramp = np.linspace(0, 65_535, 256, dtype=np.uint16)[None, :].repeat(8, axis=0)
    result = np.asarray(whole(encode(Image.fromarray(ramp), "PNG"), limits))[0, :, 0]
    assert np.abs(result.astype(int) - np.arange(256)).max() <= 1


@pytest.mark.parametrize("mode", ["1", "L", "CMYK", "YCbCr"])
def test_other_kinds_of_picture_become_rgb(
    mode: str, picture: Image.Image, encode: Encode, limits: PhotoLimits
) -> None:
    photo_format = "PNG" if mode == "1" else "JPEG"
    expected = picture.convert(mode).convert("RGB")
    assert difference(whole(encode(picture.convert(mode), photo_format, quality=95), limits), expected) < 4


def test_a_wide_gamut_photo_keeps_its_colours(samples: Path, limits: PhotoLimits) -> None:
    data = (samples / "photos" / "colour" / "p3.png").read_bytes()
    unmanaged = pixel(Image.open(samples / "photos" / "colour" / "p3.png").convert("RGB"))
    red, green, blue = pixel(whole(data, limits))
    # Display P3's red lies outside sRGB: the nearest is full red; taken as sRGB it would stay dull.
    assert red == 255
    assert red > unmanaged[0]
    assert max(green, blue) < 40


def test_a_printers_cmyk_is_converted_by_its_profile(samples: Path, limits: PhotoLimits) -> None:
    path = samples / "photos" / "colour" / "cmyk.jpg"
    managed = np.asarray(whole(path.read_bytes(), limits), dtype=int)
    crude = np.asarray(Image.open(path).convert("RGB"), dtype=int)
    assert np.abs(managed - crude).mean() > 5


@pytest.mark.parametrize("profile", [b"broken", bytes(200)])
def test_a_broken_profile_is_taken_as_srgb(
    profile: bytes, picture: Image.Image, encode: Encode, limits: PhotoLimits
) -> None:
    data = encode(picture, "JPEG", icc_profile=profile, quality=95)
    assert difference(whole(data, limits), picture) < 3


def test_a_profile_for_another_kind_of_picture_is_taken_as_srgb(
    picture: Image.Image, encode: Encode, limits: PhotoLimits
) -> None:
    rgb_profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey = picture.convert("L")
    assert difference(whole(encode(grey, "JPEG", icc_profile=rgb_profile, quality=95), limits), grey) < 3


def test_a_normalised_picture_has_no_metadata(picture: Image.Image, encode: Encode, limits: PhotoLimits) -> None:
    data = encode(picture, "JPEG", exif=exif_with(6), comment=b"secret", xmp=b"<x:xmpmeta/>", dpi=(300, 300))
    assert whole(data, limits).info == {}


@pytest.mark.parametrize("size", [(240, 180), (300, 225), (480, 360)])
def test_shrinking_while_decoding_looks_like_shrinking_afterwards(
    size: tuple[int, int], picture: Image.Image, encode: Encode, limits: PhotoLimits
) -> None:
    data = encode(picture, "JPEG", quality=95)
    expected = picture.resize(size, Image.Resampling.LANCZOS)
    assert difference(normalise(data, validate(data, limits), size), expected) < 1.5


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
@pytest.mark.parametrize("size", [(960, 720), (900, 675), (500, 375), (97, 73)])
def test_a_heic_shrunk_in_strips_is_the_one_pillow_shrinks_whole(
    mode: str, size: tuple[int, int], picture: Image.Image, encode: Encode, limits: PhotoLimits
) -> None:
    image = picture.convert(mode)
    if mode == "RGBA":
        image.putalpha(picture.getchannel("R"))
    data = encode(image, "HEIF", quality=90)
    reference = Image.open(io.BytesIO(data)).resize(size, Image.Resampling.LANCZOS)
    page = Image.new("RGB", size, "white")
    page.paste(reference.convert("RGB"), mask=reference.getchannel("A") if mode == "RGBA" else None)
    assert difference(normalise(data, validate(data, limits), size), page) < 1

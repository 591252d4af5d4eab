import blurhash
import numpy as np
from PIL import Image

from ingestion.photos.placeholder import make_placeholder


def test_a_blurhash_of_28_characters_that_decodes_to_the_picture(picture: Image.Image) -> None:
    placeholder = make_placeholder(picture)
    assert len(placeholder.blurhash) == 28
    blurred = np.asarray(blurhash.decode(placeholder.blurhash, 32, 32), dtype=int)
    true = np.asarray(picture.resize((32, 32)), dtype=int)
    for corner in ((1, 1), (30, 1), (1, 30), (30, 30)):
        assert np.abs(true[corner] - blurred[corner]).max() < 90


def test_the_picture_is_left_usable(picture: Image.Image) -> None:
    image = picture.copy()
    make_placeholder(image)
    assert image.getpixel((0, 0)) == picture.getpixel((0, 0))


def test_the_dominant_colour_is_the_one_that_covers_most() -> None:
    image = Image.new("RGB", (100, 100), (20, 90, 160))
    image.paste((250, 250, 250), (0, 0, 100, 20))
    assert make_placeholder(image).dominant_colour == "#145aa0"


def test_one_pixel_is_enough() -> None:
    assert make_placeholder(Image.new("RGB", (1, 1), "red")).dominant_colour == "#ff0000"

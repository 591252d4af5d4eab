import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance

from ingestion.photos.perceptual_hash import perceptual_hash

Encode = Callable[..., bytes]


def distance(one: int, other: int) -> int:
    return ((one ^ other) & (2**64 - 1)).bit_count()


def scene(seed: int) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((960, 720), Image.Resampling.BICUBIC)


def test_copies_that_were_shrunk_compressed_or_brightened_have_nearly_the_same_hash(encode: Encode) -> None:
    for seed in range(5):
        original = scene(seed)
        found = perceptual_hash(original)
        poor = Image.open(io.BytesIO(encode(original.resize((320, 240)), "JPEG", quality=30)))
        assert distance(found, perceptual_hash(poor)) <= 6
        assert distance(found, perceptual_hash(ImageEnhance.Brightness(original).enhance(0.8))) <= 6


def test_different_pictures_have_different_hashes() -> None:
    hashes = [perceptual_hash(scene(seed)) for seed in range(30)]
    assert min(distance(a, b) for n, a in enumerate(hashes) for b in hashes[:n]) > 12


def test_a_hash_fits_the_database_and_a_flat_picture_has_the_hash_of_all_flat_pictures() -> None:
    assert all(-(2**63) <= perceptual_hash(scene(seed)) < 2**63 for seed in range(30))
    assert perceptual_hash(Image.new("RGB", (50, 50), "red")) == perceptual_hash(Image.new("RGB", (9, 70), "blue")) == 0

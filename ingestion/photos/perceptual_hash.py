"""A perceptual hash: pictures that look alike have hashes that differ in few of their 64 bits."""

import numpy as np
from PIL import Image

EDGE = 32
_WAVES = 8

# DCT-II (Ahmed, Natarajan and Rao, 1974) of the waves 0 to 8 along an edge, unscaled: only signs matter.
_TRANSFORM = np.cos(np.pi / EDGE * np.outer(np.arange(_WAVES + 1), np.arange(EDGE) + 0.5))


def perceptual_hash(image: Image.Image) -> int:
    """The 64-bit DCT hash of an RGB picture, as a signed integer (PostgreSQL's bigint).

    The pHash of Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010): luminance at
    32 x 32 pixels, its 8 x 8 slowest waves, each above their median or not. The mean of rows and columns (wave 0) is
    left out, so that brightness does not count. Compare by counting the bits that differ: a few for copies that were
    resized or compressed again, about 32 for different pictures.
    """
    grey = image.convert("L").resize((EDGE, EDGE), Image.Resampling.BOX)
    waves = (_TRANSFORM @ np.asarray(grey, dtype=np.float64) @ _TRANSFORM.T)[1:, 1:].round(6)  # a flat picture has none
    bits = np.packbits(waves > np.median(waves))
    return int.from_bytes(bits.tobytes(), "big", signed=True)

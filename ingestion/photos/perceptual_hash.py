"""A perceptual hash: the 64-bit hashes of similar pictures differ in few bits."""

import numpy as np
from PIL import Image

EDGE = 32
_WAVES = 8

# DCT-II (Ahmed, Natarajan and Rao, 1974) of the frequencies 0 to 8 along an edge, unscaled: only signs matter.
_TRANSFORM = np.cos(np.pi / EDGE * np.outer(np.arange(_WAVES + 1), np.arange(EDGE) + 0.5))


def perceptual_hash(image: Image.Image) -> int:
    """The 64-bit DCT hash of an RGB picture, as a signed integer (PostgreSQL's bigint).

    This is the pHash of Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010): each bit
    says whether one of the 8 x 8 lowest frequencies of the luminance at 32 x 32 pixels is above their median. The means
    of rows and columns (frequency 0) are left out, so brightness has no effect. The number of bits that differ is the
    distance: a few for copies that were resized or compressed again, about 32 for different pictures.
    """
    grey = image.convert("L").resize((EDGE, EDGE), Image.Resampling.BOX)
    waves = (_TRANSFORM @ np.asarray(grey, dtype=np.float64) @ _TRANSFORM.T)[1:, 1:].round(6)  # a flat picture has none
    bits = np.packbits(waves > np.median(waves))
    return int.from_bytes(bits.tobytes(), "big", signed=True)

"""Colour spaces that files state by numbers (ITU-T H.273, "CICP": nclx in HEIF and AVIF, cICP in PNG), or by gamma.

Pictures in them are converted to sRGB. HDR pictures (PQ and HLG, ITU-R BT.2100) are tone-mapped.
"""

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_Floats = NDArray[np.float32]

_D65 = (0.3127, 0.3290)
_ILLUMINANT_C = (0.310, 0.316)
# H.273, table 2: number -> chromaticities x, y of red, green, blue and white.
_BT_709 = (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, *_D65)
_SMPTE_170M = (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65)
_PRIMARIES = {
    1: _BT_709,
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, *_ILLUMINANT_C),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65),
    6: _SMPTE_170M,
    7: _SMPTE_170M,
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, *_ILLUMINANT_C),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65),
    22: (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *_D65),
}
# H.273, table 3: number -> exponent. Others are those of sRGB: displays show BT.709's own curve like it.
_EXPONENTS = {4: 2.2, 5: 2.8, 8: 1.0, 17: 2.6}

# ITU-R BT.2408: nits of white in a picture without highlights, which becomes white in sRGB.
WHITE_NITS = 203.0
_PQ_NITS, _HLG_NITS, _HLG_GAMMA = 10_000.0, 1000.0, 1.2
_LUMINANCE_2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)
# Light up to this share of white stays as it is. Above, an exponential compresses it: white itself becomes 0.95.
_KNEE = 0.85

_STRIP_ROWS = 256
_STEPS = 4095  # of the table that encodes the square roots of light as sRGB

# libpng's: a picture whose gamma differs less from the display's is shown as it is.
_GAMMA_TOLERANCE = 0.05
_USUAL_GAMMA = 1 / 2.2


class Curve(Enum):
    """How samples encode light: a power (sRGB if no exponent is given), PQ, or HLG."""

    POWER = "power"
    PQ = "PQ"
    HLG = "HLG"


_CURVES = {16: Curve.PQ, 18: Curve.HLG}


@dataclass(frozen=True, slots=True)
class ColourSpace:
    """Chromaticities (x and y of red, green, blue, white), and the curve by which samples encode light."""

    primaries: tuple[float, ...] = _BT_709
    curve: Curve = Curve.POWER
    exponent: float | None = None

    @property
    def is_hdr(self) -> bool:
        """Whether its light has no largest value that is white, so that pictures are tone-mapped."""
        return self.curve is not Curve.POWER

    @property
    def is_srgb(self) -> bool:
        """Whether pictures in it need no conversion."""
        return self == _SRGB

    @staticmethod
    def of_numbers(primaries: int, transfer: int) -> "ColourSpace":
        """The colour space of H.273's numbers. Unspecified and unknown numbers are those of sRGB."""
        return ColourSpace(
            _PRIMARIES.get(primaries, _BT_709), _CURVES.get(transfer, Curve.POWER), _EXPONENTS.get(transfer)
        )

    @staticmethod
    def of_gamma(gamma: float, primaries: tuple[float, ...] | None = None) -> "ColourSpace":
        """The colour space of PNG's chunks gAMA (the exponent with which light was encoded) and cHRM."""
        is_usual = abs(gamma / _USUAL_GAMMA - 1) < _GAMMA_TOLERANCE
        return ColourSpace(primaries or _BT_709, exponent=None if is_usual else 1 / gamma)


_SRGB = ColourSpace()

_TAGS_AT, _TAG_BYTES, _MOST_TAGS = 128, 12, 100


def hdr_space(profile: bytes) -> ColourSpace | None:
    """The HDR colour space that an ICC profile states by numbers (tag "cicp" of ICC.1:2022); None without one."""
    count = min(int.from_bytes(profile[_TAGS_AT : _TAGS_AT + 4], "big"), _MOST_TAGS)
    for at in range(_TAGS_AT + 4, _TAGS_AT + 4 + count * _TAG_BYTES, _TAG_BYTES):
        if profile[at : at + 4] == b"cicp":
            start = int.from_bytes(profile[at + 4 : at + 8], "big") + 8
            numbers = profile[start : start + 2]
            space = ColourSpace.of_numbers(*numbers) if len(numbers) == 2 else _SRGB  # noqa: PLR2004
            return space if space.is_hdr else None
    return None


def to_srgb(image: Image.Image, space: ColourSpace) -> Image.Image:
    """An RGB picture converted from `space` to sRGB, in strips of rows, which need little memory."""
    page = Image.new("RGB", image.size)
    curve = _decoding(space)
    for top in range(0, image.height, _STRIP_ROWS):
        strip = image.crop((0, top, image.width, min(top + _STRIP_ROWS, image.height)))
        page.paste(Image.fromarray(encoded(curve[np.asarray(strip)], space)), (0, top))
    return page


def encoded(light: _Floats, space: ColourSpace) -> NDArray[np.uint8]:
    """Samples in sRGB of light in `space`, (rows, columns, 3), as `decoded` gives it. `light` is overwritten."""
    if space.curve is Curve.HLG:  # the light of the scene becomes that of a display of 1000 nits
        luminance = light @ _LUMINANCE_2020
        light *= (_HLG_NITS / WHITE_NITS) * np.power(luminance, _HLG_GAMMA - 1)[..., np.newaxis]
    light = light @ _to_bt_709(space.primaries).T
    if space.is_hdr:
        light *= _tone_mapping(light.max(axis=-1))[..., np.newaxis]
    np.clip(light, 0, 1, out=light)
    return _encoding()[(np.sqrt(light) * _STEPS + 0.5).astype(np.uint16)]


def decoded(samples: _Floats, space: ColourSpace) -> _Floats:
    """The light of samples (0 to 1): 1 is white; of the scene for HLG."""
    if space.curve is Curve.PQ:
        return _pq(samples) * np.float32(_PQ_NITS / WHITE_NITS)
    if space.curve is Curve.HLG:
        return _hlg(samples)
    if space.exponent is not None:
        return np.power(samples, np.float32(space.exponent))
    return np.where(samples <= 0.04045, samples / 12.92, ((samples + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004  sRGB


def _tone_mapping(light: _Floats) -> _Floats:
    """The factor by which light is compressed. It is one for the three colours of a pixel, so hues stay."""
    above = np.maximum(light - _KNEE, 0)
    room = 1 - _KNEE
    compressed = _KNEE + room * (1 - np.exp(-above / room))
    return np.where(above > 0, compressed / np.maximum(light, _KNEE), 1).astype(np.float32)


def _pq(samples: _Floats) -> _Floats:
    """SMPTE ST 2084: samples to light, 1 is 10,000 nits."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    root = np.power(samples, 1 / m2)
    light: _Floats = np.power(np.maximum(root - c1, 0) / (c2 - c3 * root), 1 / m1).astype(np.float32)
    return light


def _hlg(samples: _Floats) -> _Floats:
    """ARIB STD-B67: samples to light of the scene, 0 to 1."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    light: _Floats = np.where(samples <= 1 / 2, samples**2 / 3, (np.exp((samples - c) / a) + b) / 12)
    return light.astype(np.float32)


@lru_cache(maxsize=16)
def _decoding(space: ColourSpace) -> _Floats:
    return decoded(np.linspace(0, 1, 256, dtype=np.float32), space).astype(np.float32)


@lru_cache(maxsize=1)
def _encoding() -> NDArray[np.uint8]:
    light = np.linspace(0, 1, _STEPS + 1) ** 2
    samples = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)  # noqa: PLR2004  sRGB
    return (samples * 255 + 0.5).astype(np.uint8)


@lru_cache(maxsize=16)
def _to_bt_709(primaries: tuple[float, ...]) -> _Floats:
    """The matrix of linear light from other primaries to those of sRGB. White stays white (Bradford)."""
    return (np.linalg.inv(_to_xyz_d65(_BT_709)) @ _to_xyz_d65(primaries)).astype(np.float32)


_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def _to_xyz_d65(primaries: tuple[float, ...]) -> NDArray[np.float64]:
    columns = np.array([_xyz(*primaries[at : at + 2]) for at in (0, 2, 4)]).T
    white, d65 = np.array(_xyz(*primaries[6:])), np.array(_xyz(*_D65))
    to_xyz = columns * np.linalg.solve(columns, white)
    adaptation = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ d65) / (_BRADFORD @ white)) @ _BRADFORD
    adapted: NDArray[np.float64] = adaptation @ to_xyz
    return adapted


def _xyz(x: float, y: float) -> tuple[float, float, float]:
    return x / y, 1.0, (1 - x - y) / y

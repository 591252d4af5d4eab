"""Times of day: the colours of sky, sun and haze that light a scene."""

from dataclasses import dataclass

import numpy as np

from simulation.pictures.colour import Pixels, light


@dataclass(frozen=True, slots=True)
class Daylight:
    """The light of one moment. Colours are light (3, 1, 1).

    `sun` and `ambient` are the strength of direct and indirect light on a white surface. `sun_x` and `sun_height` are
    the position of the sun: 0 to 1 across the picture, and in heights of the sky above the horizon (below 0: it has
    set).
    """

    name: str
    zenith: Pixels
    middle: Pixels
    horizon: Pixels
    glow: Pixels
    sun: Pixels
    ambient: Pixels
    haze: Pixels
    cloud: Pixels
    sun_x: float
    sun_height: float


# zenith, middle, horizon, glow, sun, ambient, haze, lit cloud; strength of the sun; range of its height
_TIMES: dict[str, tuple[tuple[str, ...], float, tuple[float, float]]] = {
    "dawn": (
        ("#4f74ad", "#a9b4d6", "#f8d3b4", "#ffb88a", "#ffd2a6", "#8a97c0", "#dcc8cf", "#ffe3d0"),
        1.5,
        (0.02, 0.2),
    ),
    "day": (
        ("#2a68b4", "#6fa6dc", "#cfe3f2", "#fff3d8", "#fff0d8", "#86abd8", "#bcd3ea", "#ffffff"),
        2.1,
        (0.75, 1.2),
    ),
    "golden": (
        ("#5a86ba", "#b9bfc0", "#ffdc9c", "#ffb04a", "#ffc070", "#8892b8", "#ecd0a6", "#fff0d0"),
        2.0,
        (0.12, 0.35),
    ),
    "sunset": (
        ("#2b3f72", "#8c5a8c", "#ff9a58", "#ff7038", "#ff9a5c", "#6f6596", "#d08a80", "#ff9f78"),
        1.5,
        (0.0, 0.13),
    ),
    "dusk": (
        ("#0f1a40", "#35447f", "#d8909a", "#e0788c", "#a08aac", "#46548a", "#6a6a9c", "#b98aa8"),
        0.5,
        (-0.1, -0.02),
    ),
    "mist": (
        ("#93a3b0", "#b6c1c8", "#dde2e2", "#fff8ea", "#e8e4da", "#a3b0ba", "#d2d9db", "#f0f0ec"),
        0.9,
        (0.3, 0.7),
    ),
    "night": (
        ("#040817", "#0a1531", "#1f3158", "#31497a", "#7f9bd0", "#24365f", "#1a2a4d", "#33476f"),
        0.35,
        (0.4, 0.8),
    ),
}


def daylight(rng: np.random.Generator, *times: str) -> Daylight:
    """The light of one of `times`, with random variation in colour and position of the sun."""
    name = str(rng.choice(times))
    colours, strength, (lowest, highest) = _TIMES[name]
    tint = np.exp(rng.normal(0, 0.05, (3, 1, 1))).astype(np.float32)
    zenith, middle, horizon, glow, sun, ambient, haze, cloud = (light(colour) * tint for colour in colours)
    return Daylight(
        name,
        zenith,
        middle,
        horizon,
        glow,
        (sun / sun.max() * strength).astype(np.float32),
        (ambient * 0.9).astype(np.float32),
        haze,
        cloud,
        sun_x=float(rng.uniform(0.15, 0.85)),
        sun_height=float(rng.uniform(lowest, highest)),
    )

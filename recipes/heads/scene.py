"""What of a latent decides on everything but the head: light, place, clothes and camera."""

from __future__ import annotations

import math

import numpy as np

from .latents import Reader, normal_cdf

BOKEH_GROUPS = 4  # of the soft discs behind the head


def tinted(grey: float, warm: float, green: float) -> np.ndarray:
    """Linear RGB (3,) of luminance `grey`, moved towards orange (or blue) and green (or rose) on a log scale."""
    tint = np.exp(warm * np.array([0.42, 0.0, -0.42]) + green * np.array([-0.22, 0.10, -0.16]))
    return grey * tint / (tint @ np.array([0.2126, 0.7152, 0.0722]))  # type: ignore[no-any-return]


def read_scene(read: Reader) -> dict:
    """The fields of HeadParameters for light, backdrop, clothes and camera."""
    direction = np.array([read.bell(0.0, 32.0, -75.0, 75.0), read.bell(28.0, 12.0, 0.0, 60.0)])
    strength, warmth = read.bell(1.06, 0.12, 0.75, 1.4), read.bell(0.0, 0.4, -1.0, 1.0)
    fill, rim, softness = read.uniform(0.15, 0.75), max(read.uniform(-0.6, 1.0), 0.0), read.uniform(0.0, 1.0)
    backdrop = _read_backdrop(read)
    # Darker cloth may be of a stronger colour: white, grey, denim, navy, black, olive, burgundy, sand.
    cloth, jacket_cloth = _read_cloth(read, 0.72), _read_cloth(read, 0.36)
    jacket = normal_cdf(4.0 * float(read.raw(1)[0]) - 1.6)
    neckline, collar, focal = read.uniform(0, 1), read.uniform(0, 1), read.uniform(9.0, 17.0)
    jitter = np.clip(read.raw(4), -2, 2) * np.array([0.012, 0.012, 0.02, 1.0])
    return {
        "light_direction": direction,
        "light_strength": strength,
        "light_warmth": warmth,
        "fill": fill,
        "rim": rim,
        "softness": softness,
        **backdrop,
        "cloth": cloth,
        "neckline": neckline,
        "collar": collar,
        "jacket": jacket,
        "jacket_cloth": jacket_cloth,
        "focal": focal,
        "jitter": jitter,
    }


def _read_cloth(read: Reader, lightest: float) -> np.ndarray:
    shade, warm, green = read.uniform(0, 1), float(read.raw(1)[0]), float(read.raw(1)[0])
    strong = 1 - 0.78 * shade
    return tinted(0.015 + lightest * shade**2.2, strong * (warm - 0.1), strong * 0.75 * green)


def _read_backdrop(read: Reader) -> dict:
    raw = read.raw(14)
    outdoor = 1.0 / (1.0 + math.exp(-2.2 * float(raw[0])))
    level = normal_cdf(float(raw[1]))  # of the whole
    # Muted all of them: (luminance, warm, green) of a wall and of a sky, of furniture and of foliage or ground.
    inside = 0.09 + 0.66 * level, 0.30 + 0.46 * raw[2], 0.16 - 0.10 * raw[2] + 0.20 * raw[3]
    sky = 0.42 + 0.70 * level, -0.40 + 0.36 * raw[2], 0.18 - 0.10 * raw[2] + 0.14 * raw[3]
    shade = normal_cdf(float(raw[4]))
    wood = 0.03 + (0.08 + 0.26 * level) * shade, 0.48 + 0.42 * raw[5], 0.12 + 0.15 * raw[3]
    leaves = 0.06 + (0.10 + 0.22 * level) * shade, 0.95 + 0.16 * raw[5], 1.05 - 0.30 * raw[5] + 0.10 * raw[3]
    wall = np.exp((1 - outdoor) * np.log(tinted(*inside)) + outdoor * np.log(tinted(*sky)))
    floor = np.exp((1 - outdoor) * np.log(tinted(*wood)) + outdoor * np.log(tinted(*leaves)))
    strength = normal_cdf(float(raw[11]) - 0.3)
    glow = tinted(0.8 + 0.5 * level, 0.18 + 0.30 * raw[2] - 0.2 * outdoor, 0.10 + 0.10 * outdoor)
    groups = np.array([raw[6] + raw[12], raw[9] - raw[4], raw[5] + raw[8], raw[13] - raw[7]]) / math.sqrt(2.0)
    return {
        "outdoor": outdoor,
        "wall": wall,
        "floor": floor,
        "horizon": np.array([0.05 + 0.38 * raw[6] - 0.25 * outdoor, 0.10 * raw[7]]),
        "window": np.array([0.85 * raw[8], -0.50 + 0.35 * raw[9], math.exp(0.25 + 0.25 * raw[10]), strength]),
        "glow": glow,
        "mass": np.array([0.95 * raw[12], 0.85 * normal_cdf(float(raw[13]) - 0.2)]),
        "bokeh": np.log1p(np.exp(2.5 * groups - 1.0)) / 2.5,
    }

"""Colours and lights of a head from its parameters."""

from __future__ import annotations

import numpy as np

from .backdrop import draw_backdrop
from .parameters import HAIR_STYLES, HeadParameters
from .shading import KNEE, SHOULDER
from .surface import Look

# Faces as photographs show them in soft light, over the Monk scale: (skin tone, sRGB).
SKIN_KEYS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.88, 1.0)
SKIN_LIT = ("e8c6b2", "deb59b", "d0a284", "bc8d6e", "9e7154", "7c563f", "5f402f", "4b3125")
SKIN_LIGHT = 1.42  # light on a surface that faces the camera, for which SKIN_LIT is meant
# Melanin between a blond and a black head of hair, linear RGB.
HAIR_KEYS = (0.0, 0.25, 0.5, 0.75, 1.0)
HAIR_COLOURS = (
    (0.52, 0.36, 0.17),
    (0.26, 0.145, 0.060),
    (0.090, 0.046, 0.022),
    (0.034, 0.018, 0.011),
    (0.012, 0.009, 0.008),
)
GREY_HAIR = np.array([0.42, 0.42, 0.42])
RED_HAIR = np.array([0.30, 0.075, 0.022])


def decode(colour: str) -> np.ndarray:
    """Linear RGB (3,) of an sRGB hex colour."""
    value = np.array([int(colour[k : k + 2], 16) for k in (0, 2, 4)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def untone(value: np.ndarray) -> np.ndarray:
    """Radiance that the tone curve of shading.py maps to a linear `value` below its top."""
    high = KNEE - SHOULDER * np.log(np.maximum(1 - (value - KNEE) / SHOULDER, 1e-3))
    return np.where(value <= KNEE, value, high)  # type: ignore[no-any-return]


SKIN_ALBEDO = np.stack([untone(decode(colour)) for colour in SKIN_LIT]) / SKIN_LIGHT  # (8, 3)


def skin_colour(p: HeadParameters) -> np.ndarray:
    """Albedo (3,) over the Monk scale with the hue moved towards olive or rosy, duller with age."""
    tone = np.exp([np.interp(p.skin_tone, SKIN_KEYS, np.log(SKIN_ALBEDO[:, c])) for c in range(3)])
    hue = np.array([1 + 0.03 * p.skin_hue, 1 - 0.03 * p.skin_hue, 1 + 0.04 * p.skin_hue])
    old = max(p.age - 40, 0) / 35
    colour = tone * hue * (1 - 0.06 * old)
    return colour * (1 - 0.14 * old) + colour.mean() * 0.14 * old  # type: ignore[no-any-return]


def hair_colour(p: HeadParameters, grey: float) -> np.ndarray:
    """Hair albedo (3,)."""
    colour = np.array([np.interp(p.hair_dark, HAIR_KEYS, [row[c] for row in HAIR_COLOURS]) for c in range(3)])
    red = p.hair_red * max(0.0, 1 - 1.25 * abs(p.hair_dark - 0.35) * 1.4)
    colour = colour * (1 - 0.8 * red) + RED_HAIR * 0.8 * red
    return colour * (1 - grey) + GREY_HAIR * grey  # type: ignore[no-any-return]


def hairline(p: HeadParameters) -> float:
    """What the SCALP attribute must exceed for hair to grow: 0, more for older men, only the sides for the bald."""
    if HAIR_STYLES[p.hair_style] == "bald":
        return 6.5 - 3.0 * p.gender * float(np.clip((p.age - 40) / 20, 0, 1))
    return 1.1 * p.hair_recede * p.gender * float(np.clip((p.age - 25) / 40, 0, 1))


def iris_colour(p: HeadParameters) -> np.ndarray:
    """Iris albedo (3,): brown where little light, else between green and blue through grey."""
    brown = np.array([0.046, 0.021, 0.0095])
    light = (1 - p.iris_hue) * np.array([0.12, 0.14, 0.065]) + p.iris_hue * np.array([0.11, 0.19, 0.29])
    share = float(np.clip((p.iris_light - 0.15) / 0.5, 0, 1))
    return brown * (1 - share) + light * share  # type: ignore[no-any-return]


def aim(azimuth: float, elevation: float) -> np.ndarray:
    """Unit vector (3,) towards a light; azimuth to the picture's right, degrees."""
    a, e = np.radians([azimuth, elevation])
    return np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])


def ambient_tint(colour: np.ndarray) -> np.ndarray:
    """The hue (3,) that surroundings of a colour give to the light, about 1."""
    return 0.6 + 0.4 * np.clip(colour / max(float(colour.mean()), 1e-3), 0.5, 1.5)  # type: ignore[no-any-return]


def choose_look(p: HeadParameters, with_backdrop: bool = True) -> Look:
    """All colours and amounts the shader needs; without its backdrop, which takes most of the time, if so asked."""
    hair, brow = hair_colour(p, p.grey), hair_colour(p, 0.35 * p.grey)
    style = HAIR_STYLES[p.hair_style]
    old = float(np.clip((p.age - 28) / 47, 0, 1))
    scalp = {"bald": 0.10 * (1 - p.grey) * p.gender, "buzz": 0.94}.get(style, 1.0)
    warm = np.array([1 + 0.12 * p.light_warmth, 1.0, 1 - 0.17 * p.light_warmth])
    above, below = ambient_tint(0.5 * p.wall + 0.5 * p.window[3] * p.glow), ambient_tint(p.floor)
    towards = aim(*p.light_direction)
    # A camera opens up where the light comes from the side.
    key = 1.22 * p.light_strength * (0.82 / (0.25 + 0.75 * towards[2])) ** 0.55 * warm
    fill_side = -1.0 if p.light_direction[0] > 0 else 1.0
    side = np.clip(p.light_direction[0] / 20.0, -1, 1)
    return Look(
        skin=skin_colour(p),
        dark=p.skin_tone,
        redness=p.redness,
        oil=p.oil,
        freckles=p.freckles,
        age=old**1.3,
        makeup=p.makeup,
        lip_colour=p.lip_colour,
        hair=hair,
        scalp=scalp,
        recede=hairline(p),
        brow=0.75 * brow,
        brow_thickness=p.brow_thickness + 0.9 * (p.gender - 0.5),
        mouth=float(np.clip(1.6 * p.mouth_open + 1.2 * (p.smile - 0.2), 0.03, 1.0)),
        beard=p.beard,
        shaven=float(np.clip((p.gender - 0.55) / 0.3, 0, 1)) * (0.1 + 0.25 * p.hair_dark) * (1 - 0.6 * p.skin_tone),
        fold=0.15 + 0.75 * old + 0.2 * p.smile,
        beard_colour=0.85 * hair_colour(p, p.grey),
        iris=iris_colour(p),
        cloth=p.cloth,
        jacket=p.jacket_cloth,
        light=towards,
        key=key,
        fill_direction=aim(-45.0 * side, 10.0),
        fill=key * (0.02 + 0.28 * p.fill),
        rim_direction=aim(fill_side * 130.0, 25.0),
        rim=0.7 * p.rim * np.ones(3),
        sky=0.34 * above,
        ground=0.18 * below,
        shadow_softness=2.0 + 5.0 * p.softness,
        backdrop=draw_backdrop(p) if with_backdrop else np.zeros((0, 0, 3)),
    )

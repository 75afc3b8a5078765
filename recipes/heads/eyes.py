"""Shape and colour of the eyeballs, the lids' shadow on them and the catch light; the teeth."""

from __future__ import annotations

import numpy as np
from numba import njit

from .parameters import HeadParameters
from .surface import ramp

EYES_MEET = 1.6  # degrees that each eye turns inwards, to a point about a metre away
EYES_DOWN = 3.5  # degrees below the axis of the mesh's eyes at which the iris stands in the middle of the lids
EYE_RINGS, EYE_SECTORS = 14, 28
PUPIL, IRIS = 0.158, 0.485  # radians from the axis; 3.8 mm and 11.4 mm across a 24 mm eye


@njit(cache=True, nogil=True, fastmath=True)
def eye_albedo(look, dx, dy, dz, albedo):  # type: ignore[no-untyped-def]
    """Colour of an eyeball in direction (dx, dy, dz) of its own frame, the gaze being +z; returns the iris' share."""
    across = np.sqrt(dx * dx + dy * dy)
    radius = np.arctan2(across, dz)
    angle = np.arctan2(dy, dx)
    rays = 0.5 + 0.25 * np.sin(angle * 23.0 + 1.3 * np.sin(angle * 7.0)) + 0.25 * np.sin(angle * 41.0 + 2.0)
    iris = ramp(IRIS + 0.045, IRIS - 0.03, radius)
    ring = ramp(IRIS - 0.14, IRIS, radius)
    pupil = ramp(PUPIL + 0.035, PUPIL - 0.015, radius)
    warm = ramp(0.34, 0.2, radius) * 0.22
    # Light that the cornea bends collects in the lower half of the iris.
    caustic = 1.0 + 0.6 * min(max(-dy, 0.0) / IRIS, 1.0)
    redden = ramp(0.55, 1.3, radius)
    for c in range(3):
        white = (0.50, 0.455, 0.425)[c] * (1.0 - redden * (0.12, 0.34, 0.36)[c]) * (1.0 - 0.22 * look.dark)
        tone = look.iris[c] * (0.75 + 0.5 * rays) * caustic * (1.0 - 0.75 * ring) + warm * (0.10, 0.055, 0.02)[c]
        albedo[c] = (white * (1 - iris) + tone * iris) * (1 - pupil) + 0.004 * pupil
    return iris


@njit(cache=True, nogil=True, fastmath=True)
def lid_gaps(lids, side, across, up):  # type: ignore[no-untyped-def]
    """Distances of a point of the eyeball below the upper lid and above the lower one, and how far it is inwards.

    `lids` is a row of Renderer._eye_frames; `across` and `up` are in eye radii from the eye's centre, `side` is +1 for
    the left eye. The third value is 1 at the inner corner and -1 at the outer one.
    """
    place = (across - lids[3]) / lids[4]
    arch = max(1.0 - place * place, 0.0)
    upper = lids[2] + (lids[0] - lids[2]) * arch
    lower = lids[2] + (lids[1] - lids[2]) * arch
    return upper - up, up - lower, -side * place


@njit(cache=True, nogil=True, fastmath=True)
def catch_light(n, axis, view, light):  # type: ignore[no-untyped-def]
    """Brightness of the key light's mirror image on the cornea, which bulges out of the ball around `axis`."""
    along = n[0] * axis[0] + n[1] * axis[1] + n[2] * axis[2]
    total, size, flat = 0.0, 0.0, 0.0
    for c in range(3):
        # A light that stands high or to the side is drawn in, so that lids never hide its image all at once.
        half = 1.6 * view[c] + light[c]
        bent = axis[c] * along + 1.75 * (n[c] - axis[c] * along)
        total += half * bent
        size += half * half
        flat += bent * bent
    return ramp(0.021, 0.005, 1.0 - total / np.sqrt(size * flat + 1e-9))


@njit(cache=True, nogil=True, fastmath=True)
def tooth_albedo(number, height, albedo):  # type: ignore[no-untyped-def]
    """Colour of the teeth; `number` counts teeth from the middle, `height` runs from the edge (0) to the root (1)."""
    count = abs(number)
    beside = abs(count - np.floor(count + 0.5))  # distance from the nearest gap, in teeth
    gap = ramp(0.10 + 0.16 * ramp(0.14, 0.0, height), 0.0, beside)
    gum = ramp(0.50, 0.60, height + 0.10 * (1.0 - 2.0 * beside))
    back = 1.0 - 0.80 * ramp(1.0, 4.2, count)
    for c in range(3):
        tooth = (0.49, 0.435, 0.36)[c] * (1.0 - 0.35 * ramp(0.12, 0.5, height)) * (1.0 - (0.42, 0.52, 0.58)[c] * gap)
        albedo[c] = (tooth * (1.0 - gum) + (0.34, 0.12, 0.11)[c] * gum) * back
    return back


def gaze_rotation(gaze: np.ndarray) -> np.ndarray:
    """Rotation (3, 3) of an eyeball that looks `gaze` degrees to the person's left and up."""
    y, x = np.radians([gaze[0], -gaze[1]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    return about_y @ about_x  # type: ignore[no-any-return]


def eye_rotation(p: HeadParameters, eye: int) -> np.ndarray:
    """Rotation (3, 3) of the left (0) or right (1) eyeball: both turn a little inwards, and down as a lid closes."""
    inwards = (-EYES_MEET, EYES_MEET)[eye]
    return gaze_rotation(p.gaze + np.array([inwards, -EYES_DOWN - 12.0 * p.eye_close[eye]]))


def eyeball() -> tuple[np.ndarray, np.ndarray]:
    """Unit directions (N, 3) and triangles of the front of an eyeball around +z."""
    polar = np.linspace(0, 0.72 * np.pi, EYE_RINGS)
    turn = np.linspace(0, 2 * np.pi, EYE_SECTORS, endpoint=False)
    grid = np.stack(
        [
            np.outer(np.sin(polar), np.cos(turn)),
            np.outer(np.sin(polar), np.sin(turn)),
            np.outer(np.cos(polar), np.ones_like(turn)),
        ],
        -1,
    ).reshape(-1, 3)
    faces = []
    for ring in range(EYE_RINGS - 1):
        for sector in range(EYE_SECTORS):
            a, b = ring * EYE_SECTORS + sector, ring * EYE_SECTORS + (sector + 1) % EYE_SECTORS
            faces += [[a, a + EYE_SECTORS, b + EYE_SECTORS], [a, b + EYE_SECTORS, b]]
    return grid, np.array(faces)

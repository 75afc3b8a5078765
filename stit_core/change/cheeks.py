"""What a smile does to cheeks and eyes, without which it looks like a mask.

The muscle that draws a mouth's corner out and up, zygomaticus major, heaps up the cheek; around the eye it does so
together with orbicularis oculi: the lower lid rises over the iris and its roll gets clearer, and the skin beside the
outer corner creases. What heaps up is lit as the face is, brighter on the side from which its light comes.

Source: ours; what moves after Ekman, Friesen and Hager, "Facial Action Coding System" (2002), units 6 and 12; that
light is Lambert's, fitted to the skin over a head that counts as an ellipsoid.
"""

from __future__ import annotations

import numpy as np

from stit_core.change.drawn import Drawn, moved_point
from stit_core.change.opening import CORNERS
from stit_core.change.smile import EYES, Smile, gaussian
from stit_core.faces.labels import NOSE, SKIN, is_one_of

# Lengths are in the eyes' distance, but where something else is said.
LID_RISE = 0.32  # of an eye's opening, by which a broad smile raises the lower lid
LID_EDGE = 0.7  # of that rise: over how much of the eye the lid's edge is pressed together
LID_REACH = 0.11  # below the lid, deviation of the Gaussian by which the skin under it rises with it
CHEEK = 0.1, 0.42  # where a cheek is fullest: outwards and down from the middle of the lower lid
CHEEK_RISE = 0.085  # by which a broad smile raises it
CHEEK_WIDTH, CHEEK_ABOVE, CHEEK_BELOW = (
    0.26,
    0.16,
    0.2,
)  # deviations of its Gaussian: across, and up and down from there
BULGE = 0.08  # by which it looks larger there
HEIGHT, HEIGHT_DOWN = 0.06, 0.08  # by which it comes forwards, and how far below that place the most
HILL_WIDTH, HILL_HEIGHT = 0.2, 0.17  # deviations of that Gaussian
ROLL, ROLL_DOWN, ROLL_WIDTH = 0.016, 0.055, 0.03  # of the lower lid: height, and where below its edge it lies
CREASES = 0.05  # of the logarithm of light, by which the creases beside an eye are darker
CREASE_TURNS = (-0.35, 0.0, 0.4)  # radians by which they turn down from the eye's axis
CREASE_BEGINS, CREASE_LENGTH, CREASE_WIDTH = 0.07, 0.13, 0.011
CREASED = (0.45, 1.0)  # of a broad smile: from where on an eye has them, and in full
DIMPLE, DIMPLE_OUT, DIMPLE_SIZE = 0.06, 0.055, 0.045  # of the logarithm, by which it is darker beside a mouth's corner
AMBIENT = 0.3  # of the mean light on skin, that comes from all around
USUAL_LIGHT = np.array([0.0, -0.4, 0.6])  # to the right, down and forwards, of that mean: where skin says little
TRUST = 0.3  # how much of all skin that guess weighs as much as
STEEPEST = 0.85  # squared sine up to which skin is seen at an angle: beyond, it says nothing of the light
SHADED = 0.45  # of what a side that is turned away would get darker
LARGEST = 0.2  # of the logarithm, by which a cheek gets brighter or darker


def raise_cheeks(motion: np.ndarray, smile: Smile) -> np.ndarray:
    """A motion (S, S, 2) under which cheeks and lower lids rise with the corners of the mouth; the irises stay."""
    size, unit = motion.shape[0], smile.unit
    rise, fuller = np.zeros((size, size), np.float32), np.zeros((size, size, 2), np.float32)
    for side, eye in zip((-1, 1), EYES, strict=True):
        rise += _lid_rise(smile, eye, size)
        centre = _cheek(smile, side, eye)
        across, along = smile.around(centre, size)
        high = np.where(along < 0, CHEEK_ABOVE, CHEEK_BELOW) * unit
        near = np.exp(-0.5 * (np.square(across / (CHEEK_WIDTH * unit)) + np.square(along / high))).astype(np.float32)
        rise += CHEEK_RISE * unit * near
        fuller -= (BULGE * near)[..., None] * smile.over(across, along)
    return motion + np.float32(smile.strength) * (fuller + rise[..., None] * smile.down.astype(np.float32))


def cheek_shade(motion: np.ndarray, smile: Smile, source: Drawn) -> np.ndarray:
    """Logarithm of the ratio (S, S) by which what a smile heaps up and creases is lit after a motion (S, S, 2)."""
    size = motion.shape[0]
    slopes, shade = np.zeros((2, size, size), np.float32), np.zeros((size, size), np.float32)
    creased = float(np.interp(smile.strength, CREASED, (0, 1)))
    for side, eye, corner in zip((-1, 1), EYES, CORNERS, strict=True):
        centre = moved_point(_cheek(smile, side, eye) + HEIGHT_DOWN * smile.unit * smile.down, motion)
        slopes += smile.strength * _slopes(smile, centre, (HILL_WIDTH, HILL_HEIGHT), HEIGHT, size)
        slopes += smile.strength * _roll_slopes(smile, eye, size)
        if creased > 0:
            shade -= creased * CREASES * _creases(smile, side, smile.points[eye[0]], size)
        beside = moved_point(smile.points[corner], motion) + side * DIMPLE_OUT * smile.unit * smile.right
        pit = DIMPLE_SIZE * smile.unit
        shade -= smile.strength * DIMPLE * gaussian(smile, beside, pit, pit, size)
    return shade + _relit(smile, source, slopes)


def find_light(source: Drawn, face: Smile) -> np.ndarray:
    """Where the light on a face comes from, (3,): to the right, down and forwards, of the mean light on its skin.

    Skin is lit by AMBIENT and by this times its normal, on the average.
    """
    normals, seen = _normals(face, source.labels.shape[0])
    known = (is_one_of(source.labels, (SKIN, NOSE)) > 0) & seen
    light = source.picture.mean(axis=-1)[known][::4].astype(np.float64)
    if not len(light) or light.mean() <= 0:
        return USUAL_LIGHT
    normal = normals[:, known][:, ::4].T.astype(np.float64)
    weight = TRUST * len(light)
    left = normal.T @ normal + weight * np.eye(3)
    right = normal.T @ (light / light.mean() - AMBIENT) + weight * USUAL_LIGHT
    return np.linalg.solve(left, right)


def _cheek(smile: Smile, side: int, eye: tuple[int, ...]) -> np.ndarray:
    """The point (2,) of the source's crop where a cheek is fullest."""
    lower = smile.points[list(eye[4:])].mean(axis=0)
    return lower + smile.unit * (side * CHEEK[0] * smile.right + CHEEK[1] * smile.down)


def _lid(smile: Smile, eye: tuple[int, ...], size: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Of every pixel (size, size): how far below the edge of the lower lid it lies, in pixels, and how near the middle
    of the eye, 0 at its corners and 1 in between; and the eye's opening, pixels."""
    outer, inner = smile.points[[eye[0], eye[1]]]
    middle = (outer + inner) / 2
    half = max(float(np.hypot(*(outer - inner))) / 2, 1.0)
    marks = smile.points[[eye[0], eye[1], *eye[4:]]] - middle
    line = np.polynomial.Polynomial.fit(marks @ smile.right / half, marks @ smile.down, 2, domain=[-1, 1])
    across, along = smile.around(middle, size)
    at = np.clip(across / half, -1, 1)
    opening = smile.points[list(eye[4:])].mean(axis=0) - smile.points[list(eye[2:4])].mean(axis=0)
    return along - line(at).astype(np.float32), 1 - np.square(np.square(at)), max(float(opening @ smile.down), 0.0)


def _lid_rise(smile: Smile, eye: tuple[int, ...], size: int) -> np.ndarray:
    """Pixels (size, size) by which a broad smile raises the lower lid: all of it at its edge, nothing above it."""
    below, within, opening = _lid(smile, eye, size)
    rise = LID_RISE * opening * within
    # It is pressed together over a strip above where it comes to lie, as if it slid over the eye.
    strip = np.maximum(LID_EDGE * rise, 1.0)
    edge = np.clip((below + rise) / strip + 1, 0, 1)
    return (rise * edge * np.exp(-0.5 * np.square(np.maximum(below, 0) / (LID_REACH * smile.unit)))).astype(np.float32)


def _slopes(smile: Smile, centre: np.ndarray, widths: tuple[float, float], height: float, size: int) -> np.ndarray:
    """Slopes (2, size, size) to the right and down of a hill that is a Gaussian; all but pixels in eyes' distances."""
    across, along = smile.around(centre, size)
    x, y = across / smile.unit / widths[0], along / smile.unit / widths[1]
    hill = height * np.exp(-0.5 * (np.square(x) + np.square(y)))
    return np.stack([-hill * x / widths[0], -hill * y / widths[1]]).astype(np.float32)


def _roll_slopes(smile: Smile, eye: tuple[int, ...], size: int) -> np.ndarray:
    """Slopes (2, size, size) to the right and down of the roll under the lashes of the lower lid."""
    below, within, opening = _lid(smile, eye, size)
    y = ((below + LID_RISE * smile.strength * opening) / smile.unit - ROLL_DOWN) / ROLL_WIDTH
    down = -ROLL * within * np.exp(-0.5 * np.square(y)) * y / ROLL_WIDTH
    return np.stack([np.zeros_like(down), down]).astype(np.float32)


def _creases(smile: Smile, side: int, corner: np.ndarray, size: int) -> np.ndarray:
    """How deep (size, size), 0 ... 1, the creases are that fan out from the outer corner of an eye."""
    across, along = smile.around(corner, size)
    x, y = side * across / smile.unit, along / smile.unit
    depth = np.zeros((size, size), np.float32)
    for turn in CREASE_TURNS:
        way = x * np.cos(turn) + y * np.sin(turn)
        off = y * np.cos(turn) - x * np.sin(turn)
        t = np.clip((way - CREASE_BEGINS) / CREASE_LENGTH, 0, 1)
        depth += np.sin(np.pi * t) ** 2 * np.exp(-0.5 * np.square(off / CREASE_WIDTH))
    return depth


def _normals(face: Smile, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Normals (3, size, size) of a head that is an ellipsoid, right, down and forwards, and where they are known."""
    points, right, down = face.points, face.right, face.down
    ends = points[[1, 15]]
    half = max(abs(float((ends[1] - ends[0]) @ right)) / 2, 1.0)
    bridge = points[28]
    middle = bridge + ((ends.mean(axis=0) - bridge) @ right) * right
    high = max(1.15 * float((points[8] - bridge) @ down), 1.0)
    across, along = face.around(middle, size)
    x, y = across / np.float32(1.05 * half), along / np.float32(high)
    aside = np.square(x) + np.square(y)
    seen = aside < STEEPEST
    return np.stack([x, y, np.sqrt(np.maximum(1 - aside, 1 - STEEPEST))]).astype(np.float32), seen


def _relit(smile: Smile, source: Drawn, slopes: np.ndarray) -> np.ndarray:
    """Logarithm of the ratio (S, S) by which skin is lit once it has these slopes (2, S, S) besides its own."""
    normals, _ = _normals(smile, slopes.shape[1])
    light = find_light(source, smile).astype(np.float32)

    def lit(normal: np.ndarray) -> np.ndarray:
        level = np.tensordot(light, normal / np.sqrt(np.square(normal).sum(axis=0)), 1)
        return AMBIENT + np.maximum(level, 0)

    sloped = np.stack(
        [normals[0] / normals[2] - slopes[0], normals[1] / normals[2] - slopes[1], np.ones_like(slopes[0])]
    )
    ratio = np.log(lit(sloped) / lit(normals))
    # Light from all around, and from the skin beside, gets to the side that is turned away.
    ratio = np.maximum(ratio, np.float32(SHADED) * ratio)
    return np.float32(LARGEST) * np.tanh(ratio / np.float32(LARGEST))

"""What a smile does to cheeks and eyes, without which it looks like a mask.

The muscle that draws a mouth's corner out and up, zygomaticus major, heaps up the cheek; around the eye it does so
together with orbicularis oculi: the lower lid rises over the iris and its roll gets clearer, and the skin beside the
outer corner creases. What heaps up is lit as the face is, brighter on the side from which its light comes.

Source: ours; what moves after Ekman, Friesen and Hager, "Facial Action Coding System" (2002), units 6 and 12; that
light is Lambert's, fitted to the skin over a head that counts as an ellipsoid.
"""

from __future__ import annotations

import math

import numpy as np

from stit_core.change.drawn import Drawn, moved_point
from stit_core.change.opening import CORNERS
from stit_core.change.smile import EYES, Pixels, Smile, pixels_of
from stit_core.faces.labels import NOSE, SKIN, is_one_of

# Lengths are in the eyes' distance, but where something else is said.
EAGER = 0.6  # share by which cheeks and lids are ahead of a smile that begins
LID_RISE = 0.34  # of an eye's opening, by which a broad smile raises the lower lid
LID_EDGE = 0.7  # of that rise: over how much of the eye the lid's edge is pressed together
LID_REACH = 0.11  # below the lid, deviation of the Gaussian by which the skin under it rises with it
CHEEK = 0.1, 0.42  # where a cheek is fullest: outwards and down from the middle of the lower lid
CHEEK_RISE = 0.085  # by which a broad smile raises it
CHEEK_WIDTH, CHEEK_ABOVE, CHEEK_BELOW = 0.26, 0.16, 0.2  # deviations of its Gaussian: across, up and down
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
STEP = 4  # pixels from one to the next that is looked at for that
JAW_ENDS, BRIDGE, CHIN = (1, 15), 28, 8  # landmarks
WIDER, HIGHER = 1.05, 1.15  # half the ellipsoid's width, of that between them, and its height, of bridge to chin
STEEPEST = 0.85  # squared sine up to which skin is seen at an angle: beyond, it says nothing of the light
AROUND, BELOW, ABOVE = 0.95, 0.75, 0.35  # aside and down from a cheek, and up from an eye: beyond, nothing changes
SHADED = 0.45  # of what a side that is turned away would get darker
LARGEST = 0.2  # of the logarithm, by which a cheek gets brighter or darker


def raise_cheeks(motion: np.ndarray, smile: Smile) -> np.ndarray:
    """A motion (S, S, 2) under which cheeks and lower lids rise with the corners of the mouth; the irises stay."""
    place, pixels = _cheeks_place(motion, smile)
    unit, more = smile.unit, np.zeros_like(motion[place])
    for side, eye in zip((-1, 1), EYES, strict=True):
        across, along = smile.around(_cheek(smile, side, eye), pixels)
        high = np.where(along < 0, CHEEK_ABOVE, CHEEK_BELOW) * unit
        near = np.exp(-0.5 * (np.square(across / (CHEEK_WIDTH * unit)) + np.square(along / high))).astype(np.float32)
        rise = CHEEK_RISE * unit * near + _lid_rise(smile, eye, pixels)
        more += smile.over(-BULGE * near * across, rise - BULGE * near * along)
    result = motion.copy()
    result[place] += np.float32(_effort(smile)) * more
    return result


def cheek_shade(motion: np.ndarray, smile: Smile, source: Drawn) -> np.ndarray:
    """Logarithm of the ratio (S, S) by which what a smile heaps up and creases is lit after a motion (S, S, 2)."""
    place, pixels = _cheeks_place(motion, smile)
    slopes, dark = np.zeros((2, *motion[place].shape[:2]), np.float32), np.zeros(motion[place].shape[:2], np.float32)
    creased = CREASES * float(np.interp(smile.strength, CREASED, (0, 1)))
    for side, eye, corner in zip((-1, 1), EYES, CORNERS, strict=True):
        slopes += _hill_slopes(smile, moved_point(_cheek(smile, side, eye), motion), pixels)
        slopes += _roll_slopes(smile, eye, pixels)
        if creased > 0:
            dark += creased * _creases(smile, side, smile.points[eye[0]], pixels)
        beside = moved_point(smile.points[corner], motion) + side * DIMPLE_OUT * smile.unit * smile.right
        across, along = (way / (DIMPLE_SIZE * smile.unit) for way in smile.around(beside, pixels))
        dark += smile.strength * DIMPLE * np.exp(-0.5 * (np.square(across) + np.square(along)))
    shade = np.zeros(motion.shape[:2], np.float32)
    shade[place] = _relit(smile, source, pixels, np.float32(_effort(smile)) * slopes) - dark
    return shade


def find_light(source: Drawn, face: Smile) -> np.ndarray:
    """Where the light on a face comes from, (3,): to the right, down and forwards, of the mean light on its skin.

    Skin is lit by AMBIENT and by this times its normal, on the average.
    """
    normals, seen = _normals(face, pixels_of(len(source.labels), STEP))
    known = (is_one_of(source.labels[::STEP, ::STEP], (SKIN, NOSE)) > 0) & seen
    light = source.picture[::STEP, ::STEP][known].mean(axis=-1)
    if not len(light) or light.mean() <= 0:
        return USUAL_LIGHT
    normal = normals[:, known].T.astype(np.float64)
    weight = TRUST * len(light)
    left = normal.T @ normal + weight * np.eye(3)
    right = normal.T @ (light / light.mean() - AMBIENT) + weight * USUAL_LIGHT
    return np.linalg.solve(left, right)


def _effort(smile: Smile) -> float:
    """How far, 0 ... 1, cheeks and lids join: soon in a smile that begins, or it looks put on."""
    return smile.strength * (1 + EAGER * (1 - smile.strength))


def _cheeks_place(motion: np.ndarray, smile: Smile) -> tuple[tuple[slice, slice], Pixels]:
    """The part of a crop where a smile changes cheeks and eyes: as an index, and its pixels."""
    ends = [moved_point(smile.points[i], motion) for i in CORNERS]
    for side, eye in zip((-1, 1), EYES, strict=True):
        cheek, aside = _cheek(smile, side, eye), side * AROUND * smile.right
        ends += [cheek + smile.unit * (aside + level * smile.down) for level in (-CHEEK[1] - ABOVE, BELOW)]
    low, high = np.min(ends, axis=0), np.max(ends, axis=0)
    left, top = np.clip(np.floor(low), 0, motion.shape[0]).astype(int)
    right, bottom = np.clip(np.ceil(high), 0, motion.shape[0]).astype(int)
    rows, columns = (places.astype(np.float32) for places in np.ogrid[top:bottom, left:right])
    return (slice(top, bottom), slice(left, right)), (rows, columns)


def _cheek(smile: Smile, side: int, eye: tuple[int, ...]) -> np.ndarray:
    """The point (2,) of the source's crop where a cheek is fullest."""
    lower = smile.points[list(eye[4:])].mean(axis=0)
    return lower + smile.unit * (side * CHEEK[0] * smile.right + CHEEK[1] * smile.down)


def _lid(smile: Smile, eye: tuple[int, ...], pixels: Pixels) -> tuple[np.ndarray, np.ndarray, float]:
    """Where pixels (h, w) lie about a lower lid.

    Returns
    -------
    How many pixels below its edge (h, w); how near the middle of the eye (h, w), 0 at its corners and 1 in between;
    and the eye's opening, pixels.
    """
    outer, inner = smile.points[[eye[0], eye[1]]]
    middle = (outer + inner) / 2
    half = max(float(np.hypot(*(outer - inner))) / 2, 1.0)
    marks = smile.points[[eye[0], eye[1], *eye[4:]]] - middle
    a, b, c = np.polyfit(marks @ smile.right / half, marks @ smile.down, 2)
    across, along = smile.around(middle, pixels)
    at = np.clip(across / half, -1, 1)
    edge = np.float32(a) * at * at + np.float32(b) * at + np.float32(c)
    opening = smile.points[list(eye[4:])].mean(axis=0) - smile.points[list(eye[2:4])].mean(axis=0)
    return along - edge, 1 - np.square(np.square(at)), max(float(opening @ smile.down), 0.0)


def _lid_rise(smile: Smile, eye: tuple[int, ...], pixels: Pixels) -> np.ndarray:
    """Pixels (h, w) by which a broad smile raises the lower lid: all of it at its edge, nothing above it."""
    below, within, opening = _lid(smile, eye, pixels)
    rise = LID_RISE * opening * within
    # It is pressed together over a strip above where it comes to lie, as if it slid over the eye.
    edge = np.clip((below + rise) / np.maximum(LID_EDGE * rise, 1.0) + 1, 0, 1)
    fades = np.exp(-0.5 * np.square(np.maximum(below, 0) / np.float32(LID_REACH * smile.unit)))
    return rise * edge * fades  # type: ignore[no-any-return]


def _hill_slopes(smile: Smile, cheek: np.ndarray, pixels: Pixels) -> np.ndarray:
    """Slopes (2, h, w) to the right and down of a cheek that comes forwards, heights and lengths in one unit."""
    across, along = smile.around(cheek + HEIGHT_DOWN * smile.unit * smile.down, pixels)
    x, y = across / np.float32(smile.unit * HILL_WIDTH), along / np.float32(smile.unit * HILL_HEIGHT)
    hill = HEIGHT * np.exp(-0.5 * (np.square(x) + np.square(y)))
    return np.stack([-hill * x / HILL_WIDTH, -hill * y / HILL_HEIGHT])


def _roll_slopes(smile: Smile, eye: tuple[int, ...], pixels: Pixels) -> np.ndarray:
    """The same of the roll under the lashes of a lower lid."""
    below, within, opening = _lid(smile, eye, pixels)
    y = ((below + LID_RISE * _effort(smile) * opening) / smile.unit - ROLL_DOWN) / ROLL_WIDTH
    down = -ROLL * within * np.exp(-0.5 * np.square(y)) * y / ROLL_WIDTH
    return np.stack([np.zeros_like(down), down])


def _creases(smile: Smile, side: int, corner: np.ndarray, pixels: Pixels) -> np.ndarray:
    """How deep (h, w), 0 ... 1, the creases are that fan out from the outer corner of an eye."""
    across, along = (way / np.float32(smile.unit) for way in smile.around(corner, pixels))
    depth, end = np.zeros(across.shape, np.float32), CREASE_BEGINS + CREASE_LENGTH
    near = (side * across > 0) & (side * across < end) & (np.abs(along) < end)
    x, y = side * across[near], along[near]
    for turn in CREASE_TURNS:
        way = x * math.cos(turn) + y * math.sin(turn)
        off = y * math.cos(turn) - x * math.sin(turn)
        t = np.clip((way - CREASE_BEGINS) / CREASE_LENGTH, 0, 1)
        depth[near] += np.square(np.sin(math.pi * t)) * np.exp(-0.5 * np.square(off / CREASE_WIDTH))
    return depth


def _normals(face: Smile, pixels: Pixels) -> tuple[np.ndarray, np.ndarray]:
    """Normals (3, h, w) of a head that is an ellipsoid, right, down and forwards, and where they are known (h, w)."""
    points, right, down = face.points, face.right, face.down
    ends, bridge = points[list(JAW_ENDS)], points[BRIDGE]
    half = WIDER * max(abs(float((ends[1] - ends[0]) @ right)) / 2, 1.0)
    high = HIGHER * max(float((points[CHIN] - bridge) @ down), 1.0)
    middle = bridge + ((ends.mean(axis=0) - bridge) @ right) * right
    across, along = face.around(middle, pixels)
    x, y = across / np.float32(half), along / np.float32(high)
    aside = np.square(x) + np.square(y)
    return np.stack([x, y, np.sqrt(np.maximum(1 - aside, 1 - STEEPEST))]), aside < STEEPEST


def _relit(smile: Smile, source: Drawn, pixels: Pixels, slopes: np.ndarray) -> np.ndarray:
    """Logarithm of the ratio (h, w) by which skin is lit once it has these slopes (2, h, w) besides its own."""
    normals, _ = _normals(smile, pixels)
    light = find_light(source, smile).astype(np.float32)

    def lit(right: np.ndarray, down: np.ndarray) -> np.ndarray:  # by the slopes of a surface
        level = -light[0] * right - light[1] * down + light[2]
        return AMBIENT + np.maximum(level, 0) / np.sqrt(np.square(right) + np.square(down) + 1)

    own = -normals[:2] / normals[2]
    ratio = np.log(lit(*(own + slopes)) / lit(*own))
    # Light from all around, and from the skin beside, gets to the side that is turned away.
    ratio = np.maximum(ratio, np.float32(SHADED) * ratio)
    return np.float32(LARGEST) * np.tanh(ratio / np.float32(LARGEST))

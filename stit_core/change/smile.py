"""Mouths that smile after an edit: how far, what holds them, and the folds from the nose past their corners.

What a smile does to cheeks and eyes is in `change.cheeks`. Source: ours; what moves after Ekman, Friesen and Hager,
"Facial Action Coding System" (2002), unit 12.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np

from stit_core.change.drawn import Drawn, moved_point
from stit_core.change.opening import COLUMNS, CORNERS, Opening
from stit_core.faces.labels import HEAD, MOUTH, is_one_of

EYES = (36, 39, 37, 38, 40, 41), (45, 42, 44, 43, 47, 46)  # landmarks: outer, inner, two of the upper lid, two below
LIFTS = (0.02, 0.1)  # of the eyes' distance, by which corners rise: from where on a mouth smiles, and smiles broadly
WIDENS = 0.025, 0.06  # of a mouth's width, held against the eyes': from where on one is drawn wider, and surely
NARROWS = -0.06  # of a mouth's width, held against the eyes': by which one that is pursed gets narrower
# Of the fold from a nostril's wing past the corner of the mouth (nasolabial), in the eyes' distance.
WINGS = 31, 35  # landmarks where it begins
WING_OUT, CORNER_OUT, CORNER_DOWN, BULGE = 0.13, 0.17, 0.04, 0.05
CREASE = 0.15
CREASE_WIDTH = 0.024, 0.015  # towards the lip, where its shadow goes on, and the cheek above it
HOLLOW, HOLLOW_WIDTH = 0.02, 0.04
HEAP, HEAP_WIDTH = 0.055, 0.07
UNEVEN, WAVES = 0.25, 9.0  # of its depth, by which that varies along it, over so many radians: no two are alike
FOLD_REACH = 0.35  # beside it, within which it is seen
TAPER = (0.0, 0.15, 0.45, 0.85), (0.35, 1.0, 0.7, 0.0)  # places along it, and its depth there
SMUDGE_WIDTH, SMUDGE_HEIGHT = 0.65, 0.35  # of the eyes' distance, deviations of the Gaussian around a mouth that smiles
GRINS = 0.95, 1.08  # of a mouth's width, in the eyes' distance: from where on it grins, and can grin no more
SHOWS = 0.03, 0.08  # of what a mouth shows of its inside, in squares of that: shut, and teeth bared
GRIN_WIDTH, GRIN_HEIGHT = 0.6, 0.35  # of the eyes' distance, deviations of the Gaussian around such a mouth
PURSED = 0.66, 0.76  # of a mouth's width, in the eyes' distance: up to where it is pursed, from where on it is not
PURSED_WIDTH, PURSED_HEIGHT = 0.4, 0.25  # of the eyes' distance, deviations of the Gaussian around such a mouth
LIPS_OUTLINE = slice(48, 60)  # landmarks
HIDDEN = 0.15, 0.35  # share of a mouth that is hidden: up to where it moves, from where on it does not
NOSE, LIPS = 33, (51, 57)  # landmarks: below it, and of the middle of the lips' outline
TEETH_SEEN = 25.5  # millimetres from a mouth's middle, up to where a smile parts the lips
TEETH_DEPTH = 18.0  # millimetres by which the incisors stand before the corners
TURNED = 0.35, 0.75  # of a cheek's breadth, of the other's: up to where it is seen edgeways, and its fold is not
FOLD_DEPTH = 1.05  # of one that a face has for good
FOLDS = 0.7, 0.9  # of a mouth's width after the edit, in the eyes' distance: from where on there is one, and in full


Pixels = tuple[np.ndarray, np.ndarray]  # rows (h, 1) and columns (1, w) of a part of a crop, float32


@dataclass(frozen=True)
class Smile:
    """How far a mouth smiles after an edit, and the face it smiles in.

    Attributes
    ----------
    strength: 0 for none, 1 for a broad one.
    points: (68, 2), landmarks of the source's crop.
    right, down: unit vectors (2,) along the eyes and down the face.
    unit: the eyes' distance, pixels.
    """

    strength: float
    points: np.ndarray
    right: np.ndarray
    down: np.ndarray
    unit: float

    @property
    def width(self) -> float:
        """Of its mouth, in the eyes' distance."""
        return float(np.hypot(*(self.points[CORNERS[1]] - self.points[CORNERS[0]]))) / self.unit

    def around(self, point: np.ndarray, pixels: Pixels) -> tuple[np.ndarray, np.ndarray]:
        """How far right and down the face pixels (h, w) of the crop lie from a point (2,); float32."""
        y, x = (places - np.float32(place) for places, place in zip(pixels, point[::-1], strict=True))
        right, down = self.right.astype(np.float32), self.down.astype(np.float32)
        return x * right[0] + y * right[1], x * down[0] + y * down[1]

    def over(self, across: np.ndarray, along: np.ndarray) -> np.ndarray:
        """Vectors (..., 2) of the crop that go so far right and down the face."""
        right, down = self.right.astype(np.float32), self.down.astype(np.float32)
        return across[..., None] * right + along[..., None] * down


def pixels_of(size: int, step: int = 1) -> Pixels:
    """Every pixel of a crop, or one in `step` both ways."""
    places = np.arange(0, size, step, dtype=np.float32)
    return places[:, None], places[None]


def find_smile(source: Drawn, motion: np.ndarray) -> Smile | None:
    """The smile that a motion (S, S, 2) gives to the source; None where it gives none.

    A mouth smiles as far as its corners rise, above what the nose does and above what the lips' middle does: one that
    goes up as a whole, in a face that gets shorter, does not, nor one that only gets wider.
    """
    face = unsmiling(source)
    if face is None:
        return None
    points = face.points

    def rise(*landmarks: int) -> float:
        return -float(np.mean([(moved_point(points[i], motion) - points[i]) @ face.down for i in landmarks]))

    lift = (rise(*CORNERS) - max(rise(NOSE), rise(*LIPS))) / face.unit
    strength = float(np.interp(lift, LIFTS, (0, 1)))
    strength *= float(np.interp(_widened(points, motion), (NARROWS, 0), (0, 1)))
    return dataclasses.replace(face, strength=strength) if strength > 0 else None


def widens(source: Drawn, motion: np.ndarray) -> float:
    """How far, 0 ... 1, a motion (S, S, 2) draws the mouth wider, as a smile does and a jaw that drops does not."""
    return 0.0 if unsmiling(source) is None else float(np.interp(_widened(source.points, motion), WIDENS, (0, 1)))


def _widened(points: np.ndarray, motion: np.ndarray) -> float:
    """By what share a motion makes a mouth wider, held against the eyes; `points` are landmarks (68, 2)."""

    def times(a: np.ndarray, b: np.ndarray) -> float:
        moved = moved_point(b, motion) - moved_point(a, motion)
        return float(np.hypot(*moved) / max(float(np.hypot(*(b - a))), 1.0))

    return times(*points[list(CORNERS)]) / times(*(points[list(eye)].mean(axis=0) for eye in EYES)) - 1


def hold_grin(motion: np.ndarray, source: Drawn, opens: float) -> tuple[np.ndarray, float]:
    """A motion (S, S, 2) that leaves a mouth alone which grins already, and how far, 0 ... 1, it does so.

    A broad grin is the end of what the muscles can do: lips that are drawn further bare gums that nobody has seen.
    `opens` is how far, 0 ... 1, the edit drops the jaw, which a grin does not hinder. One that is hidden by more than a
    part is left alone in any case: half a mouth cannot open.
    """
    face = unsmiling(source)
    if face is None:
        return motion, 0.0
    corners = face.points[list(CORNERS)]
    inside = float(is_one_of(source.labels, (MOUTH,)).sum()) / face.unit**2
    stays = (1 - opens) * float(np.interp(face.width, GRINS, (0, 1)) * np.interp(inside, SHOWS, (0, 1)))
    stays = max(stays, float(np.interp(_hidden(source), HIDDEN, (0, 1))))
    if stays <= 0:
        return motion, 0.0
    near = gaussian(face, corners.mean(axis=0), GRIN_WIDTH * face.unit, GRIN_HEIGHT * face.unit, motion.shape[0])
    return motion * (1 - np.float32(stays) * np.clip(2 * near, 0, 1)[..., None]), stays


def hold_pursed(motion: np.ndarray, source: Drawn, shut: float) -> np.ndarray:
    """A motion (S, S, 2) under which a mouth that is pursed goes along as one piece, as far, 0 ... 1, as it is `shut`.

    Small generators hardly know such mouths: what they draw instead makes pursed lips thick, or tears them.
    """
    face = unsmiling(source)
    if face is None or shut <= 0:
        return motion
    stays = shut * float(np.interp(face.width, PURSED, (1, 0)))
    if stays <= 0:
        return motion
    corners = face.points[list(CORNERS)]
    near = gaussian(face, corners.mean(axis=0), PURSED_WIDTH * face.unit, PURSED_HEIGHT * face.unit, motion.shape[0])
    common = (motion * near[..., None]).sum(axis=(0, 1)) / max(float(near.sum()), 1e-6)
    return motion + (np.float32(stays) * np.clip(2 * near, 0, 1))[..., None] * (common - motion)


def _hidden(source: Drawn) -> float:
    """What share of a mouth, by its landmarks, is hidden by what is no part of the head."""
    outline = np.rint(cv2.convexHull(source.points[LIPS_OUTLINE].astype(np.float32))).astype(np.int32)
    mouth = cv2.fillConvexPoly(np.zeros(source.labels.shape, np.uint8), outline, 1) > 0
    return float(1 - is_one_of(source.labels, HEAD)[mouth].mean()) if mouth.any() else 0.0


def unsmiling(source: Drawn) -> Smile | None:
    """The face of a smile of no strength; None where the eyes lie in one place."""
    eyes = [source.points[list(eye)].mean(axis=0) for eye in EYES]
    unit = float(np.hypot(*(eyes[1] - eyes[0])))
    if unit < 1:
        return None
    right = (eyes[1] - eyes[0]) / unit
    return Smile(0.0, source.points, right, np.array([-right[1], right[0]]), unit)


def close_corners(opening: Opening, share: float) -> Opening:
    """An opening that ends, by a share of the way, where a smile shows the last of the teeth.

    Lips that are drawn aside lie on each other from there to their corners; parted, they would show a dark wedge.
    """
    x = COLUMNS[0].astype(np.float64)
    open_ = np.flatnonzero(opening.bottom > opening.top + 1e-3)
    if share <= 0 or not len(open_) or not x[open_[0]] < 0 < x[open_[-1]]:
        return opening
    turned = np.clip(opening.middle / TEETH_DEPTH, -0.7, 0.7)  # sine of the angle
    seen = TEETH_SEEN * float(np.sqrt(1 - turned**2))
    ends = x[open_[[0, -1]]]
    closed = ends + share * (np.clip(ends, -seen, seen) - ends)
    came = np.where(x < 0, x * ends[0] / closed[0], x * ends[1] / closed[1])
    top, bottom = (np.interp(came, x, side) for side in (opening.top, opening.bottom))
    return dataclasses.replace(opening, top=top, bottom=bottom)


def without_smudges(shade: np.ndarray, tone: np.ndarray, motion: np.ndarray, smile: Smile) -> np.ndarray:
    """A shade of skin (S, S, 3) that is not darker around a smiling mouth than its mean `tone`, (3,).

    Small generators draw the folds of a smile as broad shadows, which read as dirt beside the mouth's corners.
    """
    mouth = np.mean([moved_point(smile.points[i], motion) for i in CORNERS], axis=0)
    near = gaussian(smile, mouth, SMUDGE_WIDTH * smile.unit, SMUDGE_HEIGHT * smile.unit, len(shade))
    share = np.float32(smile.strength) * np.clip(1.5 * near, 0, 1)[..., None]
    return shade - share * np.minimum(shade - tone, 0)  # type: ignore[no-any-return]


def fold_shade(motion: np.ndarray, smile: Smile) -> np.ndarray:
    """Logarithm of the ratio (S, S) by which the folds of a smile shade the result of a motion (S, S, 2).

    They are as deep as the mouth is wide once it smiles: one that is pursed meanwhile has none.
    """
    left, right = (moved_point(smile.points[i], motion) for i in CORNERS)
    wide = float(np.hypot(*(right - left))) / smile.unit
    depth = smile.strength * float(np.clip((wide - FOLDS[0]) / (FOLDS[1] - FOLDS[0]), 0, 1))
    return FOLD_DEPTH * depth * nasolabial_shade(motion, smile) if depth > 0 else np.zeros(motion.shape[:2], np.float32)


def nasolabial_shade(motion: np.ndarray, smile: Smile, edgeways: bool = False) -> np.ndarray:
    """Logarithm of the ratio (S, S) of full folds from the nostrils' wings past the mouth's corners, moved along.

    One on a cheek that is seen edgeways is left out unless `edgeways` says otherwise.
    """
    shade = np.zeros(motion.shape[:2], np.float32)
    corners = [moved_point(smile.points[i], motion) for i in CORNERS]
    nose = moved_point(smile.points[NOSE], motion)
    wide = [max(side * float((corner - nose) @ smile.right), 0) for side, corner in zip((-1, 1), corners, strict=True)]
    for side, wing, corner, seen in zip((-1, 1), WINGS, corners, wide, strict=True):
        faces = 1.0 if edgeways else float(np.interp(seen / max(*wide, 1e-3), TURNED, (0, 1)))
        outwards = side * smile.right
        first = moved_point(smile.points[wing], motion) + smile.unit * WING_OUT * outwards
        last = corner + smile.unit * (CORNER_OUT * outwards + CORNER_DOWN * smile.down)
        shade += faces * _fold(first, last, outwards, smile.unit, len(shade))
    return shade


def _fold(first: np.ndarray, last: np.ndarray, outwards: np.ndarray, unit: float, size: int) -> np.ndarray:
    """Logarithm of the ratio (size, size) of a fold at full depth from one point to another, bent outwards."""
    length = max(float(np.hypot(*(last - first))), 1.0)
    along = (last - first) / length
    across = outwards - (outwards @ along) * along
    across /= max(float(np.hypot(*across)), 1e-6)
    # No further from it than it is seen.
    low, high = np.minimum(first, last) - FOLD_REACH * unit, np.maximum(first, last) + FOLD_REACH * unit
    left, top = np.clip(np.floor(low), 0, size).astype(int)
    right, bottom = np.clip(np.ceil(high), 0, size).astype(int)
    rows, columns = np.ogrid[top:bottom, left:right]
    x, y = columns - float(first[0]), rows - float(first[1])
    t = (x * along[0] + y * along[1]) / length  # 0 ... 1 from its beginning to its end
    inside = np.clip(t, 0, 1)
    beyond = (t - inside) * length / unit
    d = (x * across[0] + y * across[1]) / unit - BULGE * 4 * inside * (1 - inside)  # outwards from the crease
    crease, hollow, heap = (
        depth * np.exp(-0.5 * np.square((d - middle) / width))
        for depth, middle, width in (
            (-CREASE, 0.0, np.where(d < 0, *CREASE_WIDTH)),
            (-HOLLOW, -HOLLOW_WIDTH, HOLLOW_WIDTH),
            (HEAP, HEAP_WIDTH, HEAP_WIDTH),
        )
    )
    uneven = 1 + UNEVEN * np.sin(WAVES * inside + 2 * np.sign(outwards[0]))
    ends = np.interp(inside, *TAPER) * uneven * np.exp(-0.5 * np.square(beyond / HOLLOW_WIDTH))
    shade = np.zeros((size, size), np.float32)
    shade[top:bottom, left:right] = ends * (crease + hollow + heap)
    return shade


def gaussian(smile: Smile, centre: np.ndarray, width: float, height: float, size: int) -> np.ndarray:
    """A Gaussian (size, size) around a point, as wide and high in the face as is said; pixels."""
    across, along = smile.around(centre, pixels_of(size))
    return np.exp(-0.5 * (np.square(across / width) + np.square(along / height))).astype(np.float32)

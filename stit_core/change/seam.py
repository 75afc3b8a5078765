"""The line where shut lips meet, and a mouth that opens along it.

The generator parts its own lips, which do not meet to the pixel where the source's do. Were the source's parted there,
a strip of one lip would hang on the other, and the dark line between them would lie across it. Source: ours.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from stit_core.change.drawn import Drawn
from stit_core.change.novelty import MOUTH_EDGE, is_shut, own_mouth, own_teeth
from stit_core.change.opening import COLUMNS, CORNERS, FINE, GAPES, ROWS, SHAPE, TOP, Opening

PAIRS = ((60, 60), (61, 67), (62, 66), (63, 65), (64, 64))  # landmarks on either side of the line
SEARCHED = 2.0  # millimetres from the landmarks, within which it is the darkest line
DEGREE = 4  # of the polynomial that it is, from corner to corner
CLEAR = 0.6  # millimetres from that line at which a lip begins
LARGEST, YIELDS = 3.0, 6.0  # millimetres by which an opening grows to reach it; by which it yields to lips if it gapes
JOINED = 2.0  # millimetres from them, within which it hardly grows for any reason: there lips are one
WEB = 10.0  # millimetres from the ends of an opening, within which it grows less
RIM = 1.1  # millimetres of lip beside the source's own open mouth that are not seen either: its edge is soft
CORNERS_BEGIN, CORNERS_END = 16.0, 22.0  # millimetres aside: from where on an own corner keeps its edge, and in full
SMOOTH = 2.5  # millimetres, deviation of the Gaussian along the outline of what is added


def below_seam(points: np.ndarray, rest: Opening, motion: np.ndarray, seam: np.ndarray) -> np.ndarray:
    """Millimetres below the source's seam, from where a motion (S, S, 2) brings points (h, w, 2) of the crop."""
    there = rest.millimetres(points + looked_up(motion, points))
    return there[..., 1] - np.interp(there[..., 0], COLUMNS[0], seam)  # type: ignore[no-any-return]


def at_rest(opening: Opening, source: Drawn) -> Opening:
    """An opening whose axes lie on the source's shut mouth."""
    return dataclasses.replace(opening, corners=source.points[list(CORNERS)])


def open_along_seam(opening: Opening, source: Drawn, motion: np.ndarray) -> Opening:
    """An opening that takes in the line where the source's lips meet, moved (S, S, 2), as far as they are shut."""
    shut = is_shut(source)
    if shut <= 0:
        return opening
    rest = at_rest(opening, source)
    below = below_seam(crop_points(opening, COLUMNS, ROWS), rest, motion, find_seam(source, rest))
    middle = ((opening.top + opening.bottom) / 2)[None]
    upper = (middle > ROWS) & (opening.top[None] - LARGEST < ROWS) & (below > -CLEAR)
    lower = (middle < ROWS) & (opening.bottom[None] + LARGEST > ROWS) & (below < CLEAR)
    # Where no row belongs to the dark between them, lips have not parted.
    up = np.where(upper.any(axis=0), opening.top - ROWS[upper.argmax(axis=0), 0], opening.top - middle[0])
    last = ROWS[len(ROWS) - 1 - lower[::-1].argmax(axis=0), 0]
    down = np.where(lower.any(axis=0), last - opening.bottom, middle[0] - opening.bottom)
    yields = YIELDS * opening.gapes(GAPES)
    # Lips part towards their corners less and less: what is stretched there is the web between them.
    web = np.clip(_from_ends(opening) / WEB, 0, 1)
    return _grown(opening, *(shut * np.clip(by, -yields, LARGEST * web) for by in (up, down)))


def open_over_own(opening: Opening, source: Drawn, motion: np.ndarray) -> Opening:
    """An opening that takes in where the source's own mouth is open, moved (S, S, 2), as far as it is."""
    open_ = 1 - is_shut(source)
    if open_ <= 0:
        return opening
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    own = cv2.warpAffine(own_mouth(source, motion), opening.matrix, SHAPE, flags=flags) > 0.5
    rim = RIM * np.clip(_from_ends(opening) / WEB, 0, 1)  # a corner comes to a point
    top, bottom = ROWS[own.argmax(axis=0), 0] - rim, ROWS[len(ROWS) - 1 - own[::-1].argmax(axis=0), 0] + rim
    seen = own.any(axis=0)
    over = (np.where(seen, by, 0) for by in (opening.top - top, bottom - opening.bottom))
    return _grown(opening, *(open_ * np.clip(by, 0, LARGEST) for by in over))


def hide_own(opening: Opening, source: Drawn, motion: np.ndarray, closes: float) -> np.ndarray:
    """Where the inside of the source's own mouth, moved (S, S, 2), is hidden by one that is drawn: (S, S) in [0, 1].

    In a corner that a smile closes, by a share of `closes`, the line between the lips stays and teeth do not. One that
    is open is dark already, so that its edge, where it comes to a point, is the source's own.
    """
    own = own_mouth(source, motion)
    inner = cv2.erode((own > 0.5).astype(np.float32), np.ones((3, 3), np.uint8))
    x, _ = opening.place(len(own))
    corner = np.clip((np.abs(x - np.float32(opening.middle)) - CORNERS_BEGIN) / (CORNERS_END - CORNERS_BEGIN), 0, 1)
    own += corner * (np.minimum(cv2.GaussianBlur(inner, (0, 0), MOUTH_EDGE), own) - own)
    return own + np.float32(closes) * (np.minimum(own_teeth(source, motion), own) - own)


def _grown(opening: Opening, up: np.ndarray, down: np.ndarray) -> Opening:
    """An opening whose lips lie further apart, by smooth ways for each column where they are apart; millimetres."""
    open_ = (opening.bottom > opening.top + 1e-3).astype(np.float32)
    middle = (opening.top + opening.bottom) / 2
    joined = np.clip(_from_ends(opening) / JOINED, 0, 1)

    def smooth(by: np.ndarray) -> np.ndarray:
        by = (by * open_).astype(np.float32)
        return joined * cv2.GaussianBlur(by[None], (0, 0), SMOOTH * FINE, sigmaY=1e-3)[0]

    top, bottom = opening.top - smooth(up), opening.bottom + smooth(down)
    parted = bottom > top
    return dataclasses.replace(opening, top=np.where(parted, top, middle), bottom=np.where(parted, bottom, middle))


def _from_ends(opening: Opening) -> np.ndarray:
    """Millimetres from where an opening ends, for every column; below 0 beyond that."""
    open_ = COLUMNS[0, opening.bottom > opening.top + 1e-3]
    ends = (open_[0], open_[-1]) if len(open_) else (0.0, 0.0)
    return np.minimum(COLUMNS[0] - ends[0], ends[1] - COLUMNS[0])  # type: ignore[no-any-return]


def find_seam(source: Drawn, rest: Opening) -> np.ndarray:
    """y of the line where the lips meet, for every column of the fine picture of a shut mouth; millimetres."""
    points = rest.millimetres(np.array([source.points[list(pair)].mean(axis=0) for pair in PAIRS]))
    marked = np.interp(COLUMNS[0], *points[np.argsort(points[:, 0])].T)
    grey = cv2.cvtColor(source.picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = cv2.warpAffine(grey, rest.matrix, SHAPE, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    away = ROWS - marked[None]
    darkest = np.where(np.abs(away) < SEARCHED, fine + 4.0 * away**2, np.inf).argmin(axis=0)
    known = (COLUMNS[0] > points[:, 0].min() + 2) & (COLUMNS[0] < points[:, 0].max() - 2)
    if known.sum() < 4 * FINE:
        return marked
    half = float(np.abs(points[:, 0]).max())
    fitted = np.polynomial.Polynomial.fit(COLUMNS[0, known], ROWS[darkest[known], 0], DEGREE, domain=[-half, half])
    return np.where(known, fitted(np.clip(COLUMNS[0], -half, half)), marked)


def crop_points(opening: Opening, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Points (h, w, 2) of the crop that lie x and y millimetres, (h, w) or what broadcasts, around a mouth's middle."""
    fine = np.stack(np.broadcast_arrays((x - COLUMNS[0, 0]) * FINE, (y - TOP) * FINE - 0.5), axis=-1)
    return fine @ opening.matrix[:, :2].T + opening.matrix[:, 2]


def looked_up(motion: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A motion (S, S, 2) at points (h, w, 2) of its crop."""
    x, y = np.ascontiguousarray(np.moveaxis(points, -1, 0), np.float32)
    return cv2.remap(motion.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

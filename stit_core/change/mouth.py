"""The inside of a mouth that opens: where it opens, and teeth, tongue and the dark behind them.

A small generator draws teeth as one white block and the rest as one brown patch. What is there is known from anatomy
better: teeth are fixed to the skull, and a lip that rises or falls only uncovers them.

Source: ours, after the teeth proxy of Garrido et al., "VDub: Modifying Face Video of Actors for Plausible Visual
Alignment to a Dubbed Audio Track" (2015), section 6; widths of teeth after Wheeler, "Dental Anatomy".
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np

from stit_core.change.drawn import Drawn, moved_point
from stit_core.faces.labels import EYES, MOUTH, SKIN_LIKE, is_one_of

CORNERS, UPPER_LIP = (48, 54), (61, 62, 63)  # landmarks: of the mouth, and of the upper lip's inner edge
MIDDLE = (33, 51, 62, 66, 57)  # landmarks on the face's midline, from the nose to below the mouth
WIDTH = 50.0  # millimetres from corner to corner
FINE = 4  # pixels a millimetre at which a mouth is drawn
LEFT, TOP, RIGHT, BOTTOM = -34.0, -16.0, 34.0, 30.0  # millimetres around the middle of a mouth
SHAPE = int((RIGHT - LEFT) * FINE), int((BOTTOM - TOP) * FINE)  # width and height of that picture
COLUMNS = (LEFT + (np.arange(SHAPE[0]) + 0.5) / FINE)[None]  # x of its columns, millimetres
ROWS = (TOP + (np.arange(SHAPE[1]) + 0.5) / FINE)[:, None]  # y of its rows
SMALLEST = 1.0  # millimetres: no less counts as an opening
OUTLINE_DEGREE = 2  # of the polynomial along a lip, beside the arc from corner to corner
ROUND = (0.12, 0.4)  # height of an opening, of its width: up to where its corners are pointed, from where on round
CREASE = (1.08, 0.88)  # of the half width, where a pointed corner ends, in its crease past the landmark; a round one
SHOWN_AT_REST = 2.5  # millimetres of the upper incisors below a relaxed lip
CROWN = 10.5  # millimetres, height of an upper incisor
CLOSED = (1.5, 4.0)  # millimetres of dark under the teeth: up to where they reach the lower lip, from where on not
PALE = (95.0, 0.62)  # of what is a tooth in a drawn mouth: least grey level, and blue as a share of red
ARCH = 25.0  # millimetres, radius of the arch of teeth
DEPTH = 18.0  # millimetres by which the incisors stand before the corners of the mouth
GAPS = np.array([0.0, 8.5, 15.2, 22.8, 29.8, 36.8])  # millimetres along the arch from the middle to each next gap
EDGES = np.array([0.0, 0.9, 0.3, 1.2, 2.2])  # millimetres by which the edge of each next tooth stands higher
HELD = (6.0, 12.0)  # millimetres inwards from a corner of the mouth, and around it, that move with it
WIDE_GAP, LIP_DROP = (7.5, 10.5), (1.0, 2.5)  # millimetres: up to where an edit does not open the jaw, and does
JAW = 30.0  # millimetres from the midline within which the jaw's skin goes down with it
IVORY = np.array([1.0, 0.91, 0.84], np.float32)
GUM = np.array([0.62, 0.36, 0.35], np.float32)
TONGUE = np.array([0.72, 0.34, 0.32], np.float32)
DARK = np.array([0.20, 0.09, 0.08], np.float32)
SHADOW_HUE = np.array([0.8, 1.1, 1.2], np.float32)  # powers: what reaches a shadow in a mouth comes from red tissue
LIP_SHADOW = 0.8  # of the light, right under the upper lip
SKIN_LIGHT = 0.25  # power of the skin's hue that teeth take over: what lights a mouth comes from skin
TEETH_LIGHT = 1.3  # of the source's lit skin, or of the whites of its eyes where they are lighter


@dataclass(frozen=True)
class Opening:
    """The place of an open mouth in the source's crop, and what is seen in it.

    Attributes
    ----------
    matrix: (2, 3), from the pixels of the fine picture of the mouth to those of the crop.
    corners: (2, 2), of the mouth in the crop.
    top, bottom: of the opening for every column of that picture, millimetres.
    edge: of the upper incisors, millimetres.
    middle: x of the face's midline, millimetres.
    """

    matrix: np.ndarray
    corners: np.ndarray
    top: np.ndarray
    bottom: np.ndarray
    edge: float
    middle: float

    @property
    def centre(self) -> int:
        """The column of the midline."""
        return _column(self.middle)

    @property
    def gap(self) -> float:
        """Millimetres of dark between the upper incisors and the lower lip."""
        return float(max(0.0, self.bottom[self.centre] - max(self.edge, self.top[self.centre])))

    def narrowed(self, share: float) -> Opening:
        """The same mouth, open by a share of it: half-open lips hide the rest, they are never half transparent."""
        middle = (self.top + self.bottom) / 2
        top, bottom = (middle + share * (side - middle) for side in (self.top, self.bottom))
        return dataclasses.replace(self, top=top, bottom=bottom)

    @property
    def millimetre(self) -> float:
        """Pixels of the crop."""
        return float(np.hypot(*self.matrix[:, 0]) * FINE)

    def millimetres(self, points: np.ndarray) -> np.ndarray:
        """Where points (..., 2) of the crop lie around the middle of the mouth."""
        fine = (points - self.matrix[:, 2]) @ np.linalg.inv(self.matrix[:, :2]).T
        return fine / FINE + np.array([LEFT, TOP])

    def place(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """x and y (size, size) of every pixel of the crop, in millimetres around the middle of the mouth."""
        pixels = np.indices((size, size), dtype=np.float32)[::-1].transpose(1, 2, 0)
        places = self.millimetres(pixels).astype(np.float32)
        return places[..., 0], places[..., 1]

    @property
    def down(self) -> np.ndarray:
        """Unit vector (2,) of the crop that points down the face."""
        return (self.matrix[:, 1] / np.hypot(*self.matrix[:, 1])).astype(np.float32)


def _column(x: float) -> int:
    """Of the fine picture, for a place in millimetres."""
    return int(np.clip((x - LEFT) * FINE, 0, SHAPE[0] - 1))


def find_opening(wanted: np.ndarray, source: Drawn, motion: np.ndarray, drawn: np.ndarray) -> Opening | None:
    """Where a mouth is open in an edit, laid out over the source's crop; None where it is shut.

    Parameters
    ----------
    wanted: (S, S) uint8, the edit's classes over the source's crop.
    motion: (S, S, 2), where in the source a pixel of the result comes from.
    drawn: (S, S, 3), the edit's picture over the source's crop.
    """
    corners = np.array([moved_point(source.points[corner], motion) for corner in CORNERS])
    along = corners[1] - corners[0]
    width = float(np.hypot(*along))
    pixel = float(np.hypot(*(source.points[CORNERS[1]] - source.points[CORNERS[0]]))) / WIDTH / FINE
    if width < 1 or pixel <= 0:
        return None
    across = np.array([-along[1], along[0]]) / width
    axes = np.stack([along / width, across], axis=1) * pixel  # (2, 2), fine pixels -> crop
    origin = corners.mean(axis=0) + axes @ (np.array([LEFT, TOP]) * FINE)
    matrix = np.concatenate([axes, origin[:, None]], axis=1)

    def fine(values: np.ndarray) -> np.ndarray:
        return cv2.warpAffine(values, matrix, SHAPE, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)

    inside = _largest(fine(is_one_of(wanted, (MOUTH,))) > 0.5)
    half = width / pixel / FINE / 2
    outline = _outline(inside, half)
    if outline is None:
        return None
    points = (source.points - origin) @ np.linalg.inv(axes).T / FINE + np.array([LEFT, TOP])  # millimetres
    middle = float(np.clip(points[list(MIDDLE), 0].mean(), -0.6 * half, 0.6 * half))
    rest = float(points[list(UPPER_LIP), 1].mean())
    column, (top, bottom) = _column(middle), outline
    upper, lower = float(top[column]), float(bottom[column])
    seen = _drawn_edge(fine(drawn), inside, middle)
    edge = float(np.clip(max(max(rest, upper) + SHOWN_AT_REST, seen), upper, upper + CROWN))
    gap = lower - edge
    if seen > (upper + lower) / 2:  # teeth that are together, as in a smile, not those of a mouth that speaks
        edge += gap * float(np.clip((CLOSED[1] - gap) / (CLOSED[1] - CLOSED[0]), 0, 1))
    return Opening(matrix, corners, top, bottom, edge, middle)


def jaw_drop(motion: np.ndarray, opening: Opening) -> float:
    """Pixels of the crop by which a motion (S, S, 2) takes the lower lip down.

    No more than what is dark between teeth and lower lip: a smile that shows teeth opens nothing.
    """
    lip = opening.matrix @ np.array([opening.centre, (opening.bottom[opening.centre] + 2.0 - TOP) * FINE, 1.0])
    x, y = np.clip(np.rint(lip).astype(int), 0, motion.shape[0] - 1)
    return float(np.clip(-motion[y, x] @ opening.down, 0, opening.gap * opening.millimetre))


def jaw_opens(motion: np.ndarray, opening: Opening) -> float:
    """How far, 0 ... 1, a motion (S, S, 2) drops the jaw: to a wide gap between teeth and lip, by way of the lip."""
    drop = jaw_drop(motion, opening) / opening.millimetre
    return float(np.interp(opening.gap, WIDE_GAP, (0, 1)) * np.interp(drop, LIP_DROP, (0, 1)))


def drop_jaw(motion: np.ndarray, opening: Opening) -> np.ndarray:
    """A motion (S, S, 2) under which the chin goes down with the lower lip: the jaw is one bone."""
    down, opens = opening.down, jaw_drop(motion, opening)
    x, y = opening.place(motion.shape[0])
    lip = np.interp(x, COLUMNS[0], opening.bottom)
    share = np.clip((y - lip) / 6.0 + 1, 0, 1) * np.exp(-0.5 * ((x - opening.middle) / JAW) ** 4)
    more = np.maximum(opens * share - np.maximum(-(motion @ down), 0), 0).astype(np.float32)
    return motion - cv2.GaussianBlur(more, (0, 0), 2.0)[..., None] * down


def hold_corners(motion: np.ndarray, opening: Opening, source: Drawn) -> np.ndarray:
    """A motion (S, S, 2) under which the corners of a mouth move as one piece.

    Lips part beside them; without this the crease of a corner is torn along with the lower lip.
    """
    x, y = opening.place(motion.shape[0])
    for side, corner, arrived in zip((-1, 1), CORNERS, opening.corners, strict=True):
        there = opening.millimetres(arrived)
        outwards, down = side * (x - there[0]), y - there[1]
        share = _ramp(outwards + HELD[0] / 2, HELD[0] / 2) * np.exp(-((down / HELD[1]) ** 2))
        share = (share * np.exp(-((np.maximum(outwards, 0) / HELD[1]) ** 2)))[..., None].astype(np.float32)
        motion = motion + share * ((source.points[corner] - arrived).astype(np.float32) - motion)
    return motion


def draw_mouth(opening: Opening, source: Drawn) -> tuple[np.ndarray, np.ndarray]:
    """What is seen in a mouth: its place (S, S) in [0, 1] and its colours (S, S, 3), grey levels, over the crop."""
    top, bottom = opening.top[None], opening.bottom[None]
    place = _ramp(ROWS - top, 0.15) * _ramp(bottom - ROWS, 0.15) * (bottom > top)
    tooth, ivory, facing = _teeth(opening)
    colours = _cavity(opening)
    colours += tooth[..., None] * (ivory - colours)
    # The lips' shadow lies on what stands right under the upper one, and towards the corners.
    half = max(float((bottom > top).sum()) / FINE / 2, 1.0)
    light = (LIP_SHADOW + (1 - LIP_SHADOW) * _ramp(ROWS - top - 0.9, 1.2)) * (
        1 - 0.5 * np.clip(np.abs(COLUMNS) / half, 0, 1) ** 3
    )
    light = (light * facing)[..., None] ** SHADOW_HUE
    seen = np.concatenate([colours * light * _light(source), place[..., None]], axis=-1)
    seen = cv2.GaussianBlur(seen.astype(np.float32), (0, 0), FINE / opening.millimetre / 2)  # it has finer pixels
    size = source.labels.shape[1], source.labels.shape[0]
    seen = cv2.warpAffine(seen, opening.matrix, size, flags=cv2.INTER_LINEAR)
    return seen[..., 3], seen[..., :3]


def _cavity(opening: Opening) -> np.ndarray:
    """The dark of a mouth and the tongue in it, (h, w, 3) of the light of a tooth."""
    x, bottom, height = COLUMNS - opening.middle, opening.bottom[None], max(opening.gap, 1.0)
    cheeks = np.clip((np.abs(x) - 12) / 12, 0, 1)[..., None]
    colours = DARK * (1 + 0.8 * cheeks) * np.ones((SHAPE[1], 1, 1))
    rise = 0.75 * height * np.sqrt(np.clip(1 - (x / 19.0) ** 2, 0, 1))
    into = ROWS - (bottom - rise)  # millimetres below the tongue's outline
    surface = (0.35 + 0.65 * np.clip(into / (0.6 * height), 0, 1)) * (1 - 0.12 * np.exp(-((x / 2.5) ** 2)))
    return colours + _ramp(into, 0.22 * height)[..., None] * (TONGUE * surface[..., None] - colours)


def _teeth(opening: Opening) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The upper teeth: place (h, w), colours (h, w, 3) of the light there, and the light on every column (1, w)."""
    turn = np.arcsin(np.clip(opening.middle / DEPTH, -0.7, 0.7))
    angle = np.linspace(-1.45, 1.45, 400)  # along the arch
    seen = ARCH * np.sin(angle) * np.cos(turn) + (ARCH * np.cos(angle) - (ARCH - DEPTH)) * np.sin(turn)
    facing = np.cos(angle - turn)
    front = facing > 0.05
    along = np.abs(np.interp(COLUMNS, seen[front], ARCH * angle[front]))  # millimetres from the middle
    number = np.clip(np.searchsorted(GAPS, along, side="right") - 1, 0, len(GAPS) - 2)
    width = np.diff(GAPS)[number]
    across = (along - GAPS[number]) / width  # 0 ... 1 over a tooth
    beside = np.minimum(across, 1 - across) * width  # millimetres from the nearest gap
    rounded = 0.7 * np.exp(-beside / 0.6)
    edge = opening.edge - np.interp(along, (GAPS[:-1] + GAPS[1:]) / 2, EDGES) - rounded
    closed = 1 - np.clip(opening.gap, 0, 1)  # up to the lower lip, which they follow then
    edge = edge + closed * (np.maximum(edge, opening.bottom[None] - 0.4 - rounded) - edge)
    height = np.clip(edge - ROWS, 0, CROWN)  # millimetres from the edge towards the root
    gap = _ramp(0.28 + 0.08 * np.clip(1.3 - height, 0, 1.3) - beside, 0.3)
    shade = (0.88 + 0.12 * np.clip(height / 2.6, 0, 1)) * (1 - 0.14 * (2 * across - 1) ** 2) * (1 - 0.22 * gap)
    gum = _ramp(height - 9.4 + 1.6 * (1 - np.minimum(beside / 2.5, 1)), 0.4)[..., None]
    ivory = shade[..., None] * IVORY
    light = 0.6 + 0.4 * np.interp(COLUMNS, seen[front], facing[front])
    return _ramp(edge - ROWS, 0.3), ivory + gum * (GUM - ivory), light


def _outline(inside: np.ndarray, half: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Top and bottom of an opening for every column, smooth and meeting in the corners; millimetres.

    `half` is half the way from corner to corner. Thin openings end in a point, wide ones are round, and end before it.
    """
    columns, heights = np.flatnonzero(inside.any(axis=0)), inside.sum(axis=0)
    if len(columns) < 6 * FINE or heights.max() < SMALLEST * FINE:
        return None
    wide = float(np.clip((heights.max() / FINE / half / 2 - ROUND[0]) / (ROUND[1] - ROUND[0]), 0, 1))
    half *= CREASE[0] + wide * (CREASE[1] - CREASE[0])
    power = 1 - 0.5 * wide
    x = COLUMNS[0]
    arc = np.clip(1 - (x / half) ** 2, 0, 1) ** power
    known = columns[np.abs(x[columns]) < half]
    shape = arc[known, None] * (x[known, None] / half) ** np.arange(OUTLINE_DEGREE + 1)

    def smooth(rows: np.ndarray) -> np.ndarray:
        fitted = np.linalg.lstsq(shape, TOP + rows[known] / FINE, rcond=None)[0]
        return arc * np.polyval(fitted[::-1], np.clip(x / half, -1, 1))

    top = smooth(inside.argmax(axis=0))
    bottom = smooth(inside.shape[0] - inside[::-1].argmax(axis=0))
    open_ = (np.abs(x) < half) & (bottom > top)
    middle = (top + bottom) / 2
    return np.where(open_, top, middle), np.where(open_, bottom, middle)


def _drawn_edge(drawn: np.ndarray, inside: np.ndarray, middle: float) -> float:
    """How far down the generator draws teeth in the middle of a mouth; millimetres, far above it where it draws none.

    Teeth are what is pale: neither dark nor as red as tongue and lips.
    """
    centre = _column(middle)
    near = slice(max(centre - 6 * FINE, 0), centre + 6 * FINE)
    pale = (drawn.mean(axis=-1) > PALE[0]) & (drawn[..., 2] > PALE[1] * drawn[..., 0])
    edges = []
    for mouth, column in zip(inside[:, near].T, pale[:, near].T, strict=True):
        rows = np.flatnonzero(mouth)
        if len(rows):
            reach = rows[: max(len(rows) * 2 // 5, 1)]  # where the teeth have to begin
            begins = reach[column[reach]]
            edge = -np.inf
            if len(begins):
                ends = np.flatnonzero(~column[begins[0] : rows[-1] + 1])
                edge = begins[0] + (ends[0] if len(ends) else rows[-1] + 1 - begins[0])
            edges.append(edge)
    return TOP + float(np.median(edges)) / FINE if edges else -np.inf


def _light(source: Drawn) -> np.ndarray:
    """Colour (3,) of a white tooth in the source's light, grey levels.

    How light it is say the lit skin and the whites of the eyes, its hue is a little of the skin's.
    """
    levels = source.picture.mean(axis=-1)
    skin, eyes = is_one_of(source.labels, SKIN_LIKE) > 0, is_one_of(source.labels, EYES) > 0
    found, hue = [], np.ones(3)
    if skin.any():
        found.append(TEETH_LIGHT * float(np.percentile(levels[skin], 75)))
        colour = source.picture[skin].mean(axis=0) + 1.0
        hue = (colour / colour.mean()) ** SKIN_LIGHT
    if eyes.any():
        found.append(float(np.percentile(levels[eyes], 90)))
    return float(np.clip(max(found, default=160.0), 40.0, 230.0)) * hue


def _ramp(distance: np.ndarray, width: float) -> np.ndarray:
    """0 well below a distance of 0, 1 well above it."""
    return np.clip(distance / (2 * width) + 0.5, 0, 1)


def _largest(mask: np.ndarray) -> np.ndarray:
    count, parts, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return parts == 1 + int(facts[1:, cv2.CC_STAT_AREA].argmax()) if count > 1 else mask

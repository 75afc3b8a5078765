"""Where a mouth is open in an edit, and how jaw and corners go with it.

A small generator's mouth is a patch of colour with a rough outline; here it becomes an outline in millimetres, fixed to
the face. Source: ours, after the teeth proxy of Garrido et al., "VDub: Modifying Face Video of Actors for Plausible
Visual Alignment to a Dubbed Audio Track" (2015), section 6.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from stit_core.change.drawn import Drawn, moved_point
from stit_core.faces.labels import MOUTH, is_one_of
from stit_core.warps import mean_of_channels

CORNERS, UPPER_LIP = (48, 54), (61, 62, 63)  # landmarks: of the mouth, and of the upper lip's inner edge
MIDDLE = (33, 51, 62, 66, 57)  # landmarks on the face's midline, from the nose to below the mouth
EYES = slice(36, 42), slice(42, 48)  # landmarks around them
EYES_APART = 63.0  # millimetres between their middles
FINE = 4  # pixels a millimetre at which a mouth is drawn
LEFT, TOP, RIGHT, BOTTOM = -40.0, -16.0, 40.0, 30.0  # millimetres around the middle of a mouth
SHAPE = int((RIGHT - LEFT) * FINE), int((BOTTOM - TOP) * FINE)  # width and height of that picture
COLUMNS = (LEFT + (np.arange(SHAPE[0], dtype=np.float32) + 0.5) / FINE)[None]  # x of its columns, millimetres
ROWS = (TOP + (np.arange(SHAPE[1], dtype=np.float32) + 0.5) / FINE)[:, None]  # y of its rows
SMALLEST = 1.0  # millimetres: no less counts as an opening
OUTLINE_DEGREE = 2  # of the polynomial along a lip, beside the arc from corner to corner
ARC, ALMOND = 0.6, 0.85  # powers of 1 - x^2 between the corners: lips are fitted to one, and part to the other at most
PURSED = (38.0, 47.0), (0.7, 0.97)  # millimetres, widths of a mouth from pursed to at ease; how far it is open there
NARROWER = 0.1  # of its width, by which a mouth gives way that gapes
GAPES = (3.0, 16.0)  # millimetres of dark under the teeth: up to where a mouth keeps its width, from where on it gapes
CHEEK = 11.0  # millimetres above and below an opening at which skin follows its corners a third as far
REACH = 5.0  # millimetres beside what the generator draws open, that open along with it
EVEN = 0.1  # weight of an arc that is even, beside the outline that is drawn
SHOWN_AT_REST = 2.5  # millimetres of the upper incisors below a relaxed lip
NOSE = 33  # landmark at its base
BELOW_NOSE = (24.0, 28.0)  # millimetres from there, at which the upper incisors end
ASIDE = 5.0, 12.0  # millimetres of the midline from the middle of a mouth: up to where a face looks ahead, and aside
CROWN = 10.5  # millimetres, height of an upper incisor
CLOSED = (1.5, 4.0)  # millimetres of dark under the teeth: up to where they reach the lower lip, from where on not
PALE = (95.0, 0.62)  # of what is a tooth in a drawn mouth: least grey level, and blue as a share of red
HELD = (6.0, 12.0)  # millimetres inwards from a corner of the mouth, and around it, that move with it
WIDE_GAP, LIP_DROP = (5.5, 8.5), (1.0, 2.5)  # millimetres: up to where an edit does not open the jaw, and does
JAW = 30.0  # millimetres from the midline within which the jaw's skin goes down with it


@dataclass(frozen=True)
class Opening:
    """The place of an open mouth in the source's crop, and what is seen in it.

    Attributes
    ----------
    corners: (2, 2), of the mouth in the crop.
    millimetre: pixels of the crop.
    top, bottom: of the opening for every column of the fine picture of a mouth (SHAPE), millimetres.
    edge: of the upper incisors, millimetres.
    middle: x of the face's midline, millimetres.
    """

    corners: np.ndarray
    millimetre: float
    top: np.ndarray
    bottom: np.ndarray
    edge: float
    middle: float

    @property
    def matrix(self) -> np.ndarray:
        """(2, 3), from the pixels of the fine picture of the mouth to those of the crop."""
        return _matrix(self.corners, self.millimetre)

    @property
    def centre(self) -> int:
        """The column of the midline."""
        return _column(self.middle)

    @property
    def gap(self) -> float:
        """Millimetres of dark between the upper incisors and the lower lip."""
        return float(max(0.0, self.bottom[self.centre] - max(self.edge, self.top[self.centre])))

    def gapes(self, limits: tuple[float, float]) -> float:
        """How far, 0 ... 1, that gap lies between two limits, millimetres."""
        return float(np.clip((self.gap - limits[0]) / (limits[1] - limits[0]), 0, 1))

    def narrowed(self, share: float, shut: float = 1.0) -> Opening:
        """The same mouth, open by a share of it: half-open lips hide the rest, they are never half transparent.

        Where the source's own mouth is open, `shut` being 0, there are no lips between: it begins at the upper one.
        """
        start = self.top + shut / 2 * (self.bottom - self.top)
        top, bottom = (start + share * (side - start) for side in (self.top, self.bottom))
        return dataclasses.replace(self, top=top, bottom=bottom)

    def carried(self, way: np.ndarray) -> Opening:
        """The same mouth in another frame of the clip, each of whose pixels was here at itself plus `way` (S, S, 2)."""
        corners = np.array([moved_point(corner, way) for corner in self.corners])
        # Where flow has lost the mouth, at a cut say, its corners may meet.
        lost = np.hypot(*(corners[1] - corners[0])) < 0.5 * np.hypot(*(self.corners[1] - self.corners[0]))
        return self if lost else dataclasses.replace(self, corners=corners)

    def millimetres(self, points: np.ndarray) -> np.ndarray:
        """Where points (..., 2) of the crop lie around the middle of the mouth."""
        matrix = self.matrix
        inverse = np.linalg.inv(matrix[:, :2]) / FINE
        start = np.array([LEFT, TOP]) - inverse @ matrix[:, 2]
        return points @ inverse.T.astype(points.dtype) + start.astype(points.dtype)

    def place(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """x and y (size, size) of every pixel of the crop, in millimetres around the middle of the mouth."""
        pixels = np.indices((size, size), dtype=np.float32)[::-1].transpose(1, 2, 0)
        x, y = np.moveaxis(self.millimetres(pixels), -1, 0)
        return x, y

    def inside(self, size: int) -> np.ndarray:
        """1 where it is open, and a pixel around, in the crop (size, size); float32."""
        open_ = np.flatnonzero(self.bottom > self.top + 1e-3)
        found = np.zeros((size, size), np.float32)
        if len(open_):
            x, columns = COLUMNS[0, open_], [self.top[open_], self.bottom[open_][::-1]]
            outline = np.stack([np.concatenate([x, x[::-1]]) - LEFT, np.concatenate(columns) - TOP], axis=-1) * FINE
            outline = outline @ self.matrix[:, :2].T + self.matrix[:, 2]
            cv2.fillPoly(found, [np.rint(outline).astype(np.int32)], 1.0)
        return cv2.dilate(found, np.ones((3, 3), np.uint8))

    def beside(self, outwards: float, up: float) -> np.ndarray:
        """Places (2, 2) of the crop, so many millimetres outwards and up from either corner."""
        sides = np.array([[-1.0], [1.0]])
        return self.corners + outwards * sides * self.along - up * self.millimetre * self.down  # type: ignore[no-any-return]

    @property
    def along(self) -> np.ndarray:
        """From a place to one that is a millimetre nearer to the face's left, (2,) pixels of the crop."""
        along = self.corners[1] - self.corners[0]
        return (along * (self.millimetre / np.hypot(*along))).astype(np.float32)

    @property
    def down(self) -> np.ndarray:
        """Unit vector (2,) of the crop that points down the face."""
        along = self.corners[1] - self.corners[0]
        return (np.array([-along[1], along[0]]) / np.hypot(*along)).astype(np.float32)


def mean_opening(parts: Sequence[tuple[float, Opening]]) -> Opening:
    """The mean of openings with weights, all in one crop."""
    weights = np.array([weight for weight, _ in parts])

    def mean(values: list[np.ndarray] | list[float]) -> np.ndarray:
        return np.average(np.asarray(values), axis=0, weights=weights)

    each = [opening for _, opening in parts]
    return Opening(
        mean([o.corners for o in each]),
        float(mean([o.millimetre for o in each])),
        mean([o.top for o in each]),
        mean([o.bottom for o in each]),
        float(mean([o.edge for o in each])),
        float(mean([o.middle for o in each])),
    )


def midline(points: np.ndarray, half: float) -> float:
    """x of the midline of a face, by landmarks (68, 2) in millimetres around a mouth that is twice `half` wide."""
    return float(np.clip(points[list(MIDDLE), 0].mean(), -0.6 * half, 0.6 * half))


def millimetre_of(points: np.ndarray) -> float:
    """How many pixels a millimetre of a face with landmarks (68, 2) is wide, by the distance of its eyes."""
    eyes = [points[eye].mean(axis=0) for eye in EYES]
    return float(np.hypot(*(eyes[1] - eyes[0]))) / EYES_APART


def _matrix(corners: np.ndarray, millimetre: float) -> np.ndarray:
    """(2, 3), from the pixels of the fine picture of a mouth with these corners (2, 2) to those of the crop."""
    along = (corners[1] - corners[0]) / np.hypot(*(corners[1] - corners[0]))
    axes = np.stack([along, np.array([-along[1], along[0]])], axis=1) * millimetre / FINE
    origin = corners.mean(axis=0) + axes @ (np.array([LEFT, TOP]) * FINE)
    return np.concatenate([axes, origin[:, None]], axis=1)


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
    width = float(np.hypot(*(corners[1] - corners[0])))
    millimetre = millimetre_of(source.points)
    if width < 1 or millimetre <= 0:
        return None
    matrix = _matrix(corners, millimetre)

    def fine(values: np.ndarray) -> np.ndarray:
        return cv2.warpAffine(values, matrix, SHAPE, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)

    inside = _largest(fine(is_one_of(wanted, (MOUTH,))) > 0.5)
    half = width / millimetre / 2
    outline = _outline(inside, half)
    if outline is None:
        return None
    top, bottom = outline
    opening = Opening(corners, millimetre, top, bottom, 0.0, 0.0)
    arrived = source.points.copy()
    arrived[list(MIDDLE)] = [moved_point(source.points[point], motion) for point in MIDDLE]
    # Where the upper lip would be, had it gone along with the skull and not moved by itself.
    arrived[list(UPPER_LIP)] = source.points[list(UPPER_LIP)] + arrived[NOSE] - source.points[NOSE]
    points = opening.millimetres(arrived)
    middle = midline(points, half)
    rest = float(points[list(UPPER_LIP), 1].mean())
    column = _column(middle)
    upper, lower = float(top[column]), float(bottom[column])
    seen = _drawn_edge(fine(drawn), inside, middle)
    # Lips say where teeth end, but not those that are pursed or drawn up: teeth are fixed to the skull. In a face that
    # looks aside, whose eyes are nearer to each other, nobody knows how far that is.
    below, nose = max(rest, upper) + SHOWN_AT_REST, float(points[NOSE, 1])
    frontal = float(np.interp(abs(middle), ASIDE, (1, 0)))
    below += frontal * (float(np.clip(below, nose + BELOW_NOSE[0], nose + BELOW_NOSE[1])) - below)
    edge = float(np.clip(max(below, seen), upper, upper + CROWN))
    gap = lower - edge
    if seen > (upper + lower) / 2:  # teeth that are together, as in a smile, not those of a mouth that speaks
        edge += gap * float(np.clip((CLOSED[1] - gap) / (CLOSED[1] - CLOSED[0]), 0, 1))
    opening = dataclasses.replace(opening, edge=edge, middle=middle)
    before = float(np.hypot(*(source.points[CORNERS[1]] - source.points[CORNERS[0]]))) / width
    return _giving_way(opening, before)


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
    lip = np.interp(x, COLUMNS[0], opening.bottom).astype(np.float32)
    aside = np.square((x - np.float32(opening.middle)) / np.float32(JAW))
    share = np.clip((y - lip) / 6 + 1, 0, 1) * np.exp(-0.5 * aside * aside)
    more = np.maximum(opens * share - np.maximum(-(motion @ down), 0), 0).astype(np.float32)
    return motion - cv2.GaussianBlur(more, (0, 0), 2.0)[..., None] * down


def narrow_mouth(motion: np.ndarray, opening: Opening, source: Drawn) -> np.ndarray:
    """A motion (S, S, 2) that takes the corners of a mouth as far inwards as an opening has them.

    Lips and cheeks go along smoothly: lips by how far from the middle they are, cheeks the less the further.
    """
    x, y = opening.place(motion.shape[0])
    ends = opening.millimetres(opening.corners)
    beyond = np.maximum(np.maximum(opening.top.min() - y, y - opening.bottom.max()), 0)
    for side, corner, end in zip((-1, 1), CORNERS, ends, strict=True):
        come = opening.millimetres(moved_point(source.points[corner], motion))
        way = side * float(come[0] - end[0])  # millimetres inwards
        out = np.maximum(side * x, 0) / max(side * float(end[0]), 1.0)
        share = out * np.exp((1 - out**4) / 4) * np.exp(-np.square(beyond / CHEEK))
        along = side * max(way, 0.0) * opening.along
        motion = motion + (share[..., None] * along).astype(np.float32)
    return motion


def hold_corners(motion: np.ndarray, opening: Opening, source: Drawn) -> np.ndarray:
    """A motion (S, S, 2) under which the corners of a mouth move as one piece.

    Lips part beside them; without this the crease of a corner is torn along with the lower lip.
    """
    x, y = opening.place(motion.shape[0])
    open_ = COLUMNS[0, opening.bottom > opening.top + 1e-3]
    ends = {-1: open_.min(), 1: open_.max()} if len(open_) else {-1: 0.0, 1: 0.0}
    for side, corner, arrived in zip((-1, 1), CORNERS, opening.corners, strict=True):
        there = opening.millimetres(arrived)
        outwards, down = side * (x - there[0]), y - there[1]
        inwards = HELD[0] + max(side * float(there[0] - ends[side]), 0.0)
        share = ramp(outwards + inwards / 2, inwards / 2) * np.exp(-((down / HELD[1]) ** 2))
        share = (share * np.exp(-((np.maximum(outwards, 0) / HELD[1]) ** 2)))[..., None].astype(np.float32)
        motion = motion + share * ((source.points[corner] - arrived).astype(np.float32) - motion)
    return motion


def ramp(distance: np.ndarray, width: float | np.ndarray) -> np.ndarray:
    """0 well below a distance of 0, 1 well above it."""
    return np.clip(distance / (2 * width) + 0.5, 0, 1)


def _outline(inside: np.ndarray, half: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Top and bottom of an opening for every column, smooth and meeting in the corners; millimetres.

    `half` is half the way from corner to corner. Small generators end a mouth like a box; lips are joined in its
    corners, and part from there on as an almond does.
    """
    columns, heights = np.flatnonzero(inside.any(axis=0)), inside.sum(axis=0)
    if len(columns) < 6 * FINE or heights.max() < SMALLEST * FINE:
        return None
    x = COLUMNS[0]
    widest = float(np.interp(2 * half, *PURSED)) * half
    left, right = np.clip((x[columns[0]] - REACH, x[columns[-1]] + REACH), -widest, widest)
    half = max((right - left) / 2, 1.0)
    x = (x - (left + right) / 2) / half
    arc = np.clip(1 - x**2, 0, 1) ** ARC
    known = columns[np.abs(x[columns]) < 1]
    shape = arc[known, None] * x[known, None] ** np.arange(OUTLINE_DEGREE + 1)
    # How high a mouth is says its middle, where lips meet drawings are blunt.
    weight = arc[known] ** 2
    even = EVEN * np.linalg.norm(weight) * np.eye(OUTLINE_DEGREE + 1)[1:]

    def smooth(rows: np.ndarray) -> np.ndarray:
        wanted = np.append(weight * (TOP + rows[known] / FINE), np.zeros(OUTLINE_DEGREE))
        fitted = np.linalg.lstsq(np.concatenate([weight[:, None] * shape, even]), wanted, rcond=None)[0]
        return arc * np.polyval(fitted[::-1], np.clip(x, -1, 1))

    top = smooth(inside.argmax(axis=0))
    bottom = smooth(inside.shape[0] - inside[::-1].argmax(axis=0))
    bottom = np.minimum(bottom, top + float((bottom - top).max()) * arc ** (ALMOND / ARC))
    open_ = (np.abs(x) < 1) & (bottom > top)
    middle = (top + bottom) / 2
    return np.where(open_, top, middle), np.where(open_, bottom, middle)


def _giving_way(opening: Opening, before: float) -> Opening:
    """A mouth that is narrower the further it gapes; `before` is its own width, of this one's."""
    across = min(1.0, (1 - NARROWER * opening.gapes(GAPES)) * max(before, 1.0))
    middle = opening.corners.mean(axis=0)
    top, bottom = (np.interp(COLUMNS[0] / across, COLUMNS[0], side) for side in (opening.top, opening.bottom))
    return dataclasses.replace(opening, corners=middle + across * (opening.corners - middle), top=top, bottom=bottom)


def _drawn_edge(drawn: np.ndarray, inside: np.ndarray, middle: float) -> float:
    """How far down the generator draws teeth in the middle of a mouth; millimetres, far above it where it draws none.

    Teeth are what is pale: neither dark nor as red as tongue and lips.
    """
    centre = _column(middle)
    near = slice(max(centre - 6 * FINE, 0), centre + 6 * FINE)
    pale = (mean_of_channels(drawn) > PALE[0]) & (drawn[..., 2] > PALE[1] * drawn[..., 0])
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


def _largest(mask: np.ndarray) -> np.ndarray:
    count, parts, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return parts == 1 + int(facts[1:, cv2.CC_STAT_AREA].argmax()) if count > 1 else mask

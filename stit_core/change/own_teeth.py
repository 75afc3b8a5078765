"""The upper teeth that a clip shows of somebody, for frames in which an edit bares them.

Nobody has the teeth of a textbook. Where a clip shows somebody's own, some of their edges free, they are cut from a
frame, laid out in millimetres, and completed by drawn ones where lips cover them. They are fixed to the skull, as the
base of the nose is.

Source: ours, after the teeth proxy of Garrido et al., "VDub: Modifying Face Video of Actors for Plausible
Visual Alignment to a Dubbed Audio Track" (2015), section 6.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np

from stit_core.change.drawn import Drawn, moved_point
from stit_core.change.novelty import less_red, shown_teeth
from stit_core.change.opening import (
    ASIDE,
    BELOW_NOSE,
    CLOSED,
    COLUMNS,
    CORNERS,
    CROWN,
    FINE,
    NOSE,
    ROWS,
    SHAPE,
    TOP,
    Opening,
    midline,
    millimetre_of,
)
from stit_core.change.teeth import Teeth, drawn_teeth
from stit_core.faces.labels import MOUTH, SKIN_LIKE, is_one_of
from stit_core.warps import fill, mean_of_channels, warp

WHITER = 0.07  # of green as a share of red, by which teeth exceed skin
LEAST_LIGHT = (0.8, 0.5), (6.0, 18.0)  # of the mean of skin, that teeth have; millimetres from the midline, there
SHADED_LIGHT, SHADED_WHITER = 0.45, 0.04  # of the same, that what goes on from them still has
STARTS = 5.0  # millimetres above and below the upper edge of what is seen as the mouth's inside, where teeth begin
SPECK = 0.75  # millimetres: what is smaller is no tooth, nor a gap
CLEAR = 0.8  # millimetres below an edge that are no tooth, so that it is one
LEAST_FREE = 8.0  # millimetres of free edges, that tell where the others end
STRAYS = 1.0  # millimetres by which a free edge lies above the line of all, at most
BESIDE = 3.0  # millimetres beside the last of them, that they still tell of
RESTS = 0.8  # millimetres by which teeth that rest on something end lower than those, at most
HEIGHTS = 2.0, 11.0  # millimetres of a tooth that are seen, at least, and at most where its edge is free: of one
FRONT = 11.0  # millimetres from the midline, within which teeth have to be seen
LEAST_SEEN = 0.7  # of them
LEAST_SHOWN = 5.0  # millimetres of them, in the middle: what is less shows no more than their edges
INWARDS = 0.6  # millimetres: what is nearer to an outline has the colours of both sides
JOINT = 0.8  # millimetres, deviation of the Gaussian over which own teeth go over into drawn ones
SOFT = 0.3  # millimetres, deviation of the Gaussian over an edge
FOCUS, SHARPER = 0.8, 1.0  # pixels of the frame, a usual deviation of its softness; how far it is undone
LEAST_STANDING = 3.5  # millimetres of teeth over lower ones that are seen, on the average in front
BROAD = 25.0, 30.0  # millimetres of them across: up to where they are too few to stand, and from where on they do
HOLDS = 1.5  # pixels of the crop, deviation of the Gaussian between them and what moves
GAP = 5  # pixels of the crop that part two teeth at most
FINEST = 1.0  # pixels of the frame to a millimetre, at least
TURNED = 5.0, 10.0  # millimetres by which the midline lies elsewhere: up to where they are one's own, and no more
TOGETHER = 0.5, 1.5  # millimetres between drawn teeth and the lower lip: up to where they reach it, and do not


@dataclass(frozen=True)
class OwnTeeth:
    """Somebody's upper teeth, as one frame shows them.

    Attributes
    ----------
    teeth: over the fine picture of that frame's mouth.
    edge: y of the middle ones' edges there, millimetres.
    middle: x of the face's midline there, millimetres.
    below_nose: millimetres from the base of the nose down to that edge.
    seen: pixels of the frame that show them.
    """

    teeth: Teeth
    edge: float
    middle: float
    below_nose: float
    seen: float

    def share(self, opening: Opening) -> float:
        """How far, 0 ... 1, they are the teeth of another mouth: one that has turned shows other sides of them."""
        return float(np.interp(abs(opening.middle - self.middle), TURNED, (1, 0)))

    def seated(self, opening: Opening, drawn: Teeth) -> tuple[Teeth, np.ndarray]:
        """The teeth in another mouth, and how far they are own ones, (1, 1) in [0, 1]; the rest is as drawn."""
        shift = np.array([[1, 0, opening.middle - self.middle], [0, 1, opening.edge - self.edge]])
        shift[:, 2] *= FINE

        def over(values: np.ndarray) -> np.ndarray:
            return cv2.warpAffine(values, shift, SHAPE, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

        share = np.float32(self.share(opening)).reshape(1, 1)
        place = drawn.place + share * (over(self.teeth.place) - drawn.place)
        colours = drawn.colours + share[..., None] * (over(self.teeth.colours) - drawn.colours)
        return Teeth(place, colours), share

    def seat(self, opening: Opening, source: Drawn, motion: np.ndarray) -> Opening:
        """An opening whose teeth end where the skull has them, in a source that is moved (S, S, 2)."""
        nose = opening.millimetres(moved_point(source.points[NOSE], motion))
        upper, lower = (float(side[opening.centre]) for side in (opening.top, opening.bottom))
        edge = float(nose[1]) + self.below_nose
        # Teeth that are together reach the lower lip.
        gap, together = max(lower - edge, 0.0), float(np.interp(opening.gap, TOGETHER, (1, 0)))
        edge += together * gap * float(np.clip((CLOSED[1] - gap) / (CLOSED[1] - CLOSED[0]), 0, 1))
        edge = opening.edge + self.share(opening) * (edge - opening.edge)
        return dataclasses.replace(opening, edge=float(np.clip(edge, upper, upper + CROWN)))


def cut_teeth(
    frame: np.ndarray, to_crop: tuple[np.ndarray, np.ndarray], source: Drawn, light: np.ndarray
) -> OwnTeeth | None:
    """The upper teeth that a frame shows, some of their edges free; None where it shows too little of them.

    Parameters
    ----------
    frame: (H, W, 3) uint8.
    to_crop: from its pixels to those of the source, as geometry.frame_to_crop has it.
    source: the frame's crop and what is known of it.
    light: colour (3,) of a white tooth in it, grey levels.
    """
    skin, mouth = source.picture[is_one_of(source.labels, SKIN_LIKE) > 0], _mouth_of(source)
    if mouth is None or not len(skin):
        return None
    back = np.linalg.inv(to_crop[0])
    to_frame = np.column_stack([back @ mouth.matrix[:, :2], back @ (mouth.matrix[:, 2] - to_crop[1])])
    finer = FINE * float(np.sqrt(abs(np.linalg.det(to_frame[:, :2]))))  # pixels of the frame to a millimetre
    if finer < FINEST:
        return None
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    picture = cv2.warpAffine(frame, to_frame, SHAPE, flags=flags, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    inside = cv2.warpAffine(is_one_of(source.labels, (MOUTH,)), mouth.matrix, SHAPE, flags=flags) > 0.5
    points, middle = mouth.millimetres(source.points), mouth.middle
    place, ends = _upper(_pale(picture, inside, skin.mean(axis=0), middle), inside)
    seen, aside = np.asarray(place.any(axis=0)), np.abs(COLUMNS[0] - middle)
    front = seen & (aside < FRONT)
    if front.sum() < LEAST_SEEN * (aside < FRONT).sum() or not (front & (aside < FRONT / 2)).any():
        return None
    if np.median(place[:, front].sum(axis=0)) < LEAST_SHOWN * FINE:
        return None
    edge = TOP + float(np.median(ends[seen & (aside < FRONT / 2)])) / FINE
    # Over a frame they are softened as all that is drawn; these are as soft as the frame already.
    soft = cv2.GaussianBlur(picture, (0, 0), FOCUS / finer * FINE)
    teeth = _completed((picture + SHARPER * (picture - soft)) / light.astype(np.float32), place, ends, edge, middle)
    shown = float(place.sum()) * (min(finer, FINE) / FINE) ** 2
    return OwnTeeth(teeth, edge, middle, edge - float(points[NOSE, 1]), shown)


def standing_teeth(source: Drawn, below_nose: float | None = None) -> np.ndarray:
    """Where a source shows upper teeth over clenched lower ones, (S, S) in [0, 1]: a jaw that drops leaves them there.

    They end so many millimetres `below_nose`, where anybody's do if that is not known. Gums and lip above them count
    too. Nothing is said of a face that looks aside.
    """
    nothing = np.zeros(source.labels.shape, np.float32)
    skin, mouth = source.picture[is_one_of(source.labels, SKIN_LIKE) > 0], _mouth_of(source)
    if mouth is None or not len(skin):
        return nothing
    x, y = mouth.place(source.labels.shape[0])
    above = y < float(mouth.millimetres(source.points)[NOSE, 1]) + (
        sum(BELOW_NOSE) / 2 if below_nose is None else below_nose
    )
    seen = shown_teeth(source) * above
    front = np.abs(x - mouth.middle) < FRONT / 2
    if seen[front].sum() < LEAST_STANDING * FRONT * mouth.millimetre**2:
        return nothing
    seen = cv2.morphologyEx(seen.astype(np.float32), cv2.MORPH_CLOSE, np.ones((GAP, GAP), np.uint8))
    broad = np.interp((seen > 0.5).any(axis=0).sum() / mouth.millimetre, BROAD, (0, 1))
    up = np.ones((2 * round(STARTS * mouth.millimetre) + 1, 1), np.uint8)
    return np.float32(broad * np.interp(abs(mouth.middle), ASIDE, (1, 0))) * cv2.dilate(seen, up) * above  # type: ignore[no-any-return]


def _mouth_of(source: Drawn) -> Opening | None:
    """A source's own mouth, for what lies around it in millimetres; None where its landmarks fall together."""
    corners, millimetre = source.points[list(CORNERS)], millimetre_of(source.points)
    width = float(np.hypot(*(corners[1] - corners[0])))
    if millimetre <= 0 or width < 1:
        return None
    flat = np.zeros(SHAPE[0])
    mouth = Opening(corners, millimetre, flat, flat, 0.0, 0.0)
    middle = midline(mouth.millimetres(source.points), width / millimetre / 2)
    return dataclasses.replace(mouth, middle=middle)


def hold_standing(motion: np.ndarray, stands: np.ndarray, source: Drawn) -> np.ndarray:
    """A motion (S, S, 2) under which what stands (S, S) goes along with the skull, as the base of the nose does."""
    x, y = np.clip(np.rint(moved_point(source.points[NOSE], motion)).astype(int), 0, motion.shape[0] - 1)
    skull = np.broadcast_to(motion[y, x], motion.shape)
    near = cv2.GaussianBlur(cv2.dilate(warp(stands, skull), np.ones((3, 3), np.uint8)), (0, 0), HOLDS)
    return motion + np.minimum(2 * near, 1)[..., None] * (skull - motion)


def _pale(picture: np.ndarray, inside: np.ndarray, skin: np.ndarray, middle: float) -> np.ndarray:
    """Where a picture (h, w, 3) is nearly as light as skin of a colour (3,), and not as red: teeth. (h, w) uint8.

    What goes on from there in the mouth's `inside` (h, w), in the shadow of a lip, is darker.
    """
    paler, light = less_red(picture, skin), mean_of_channels(picture) / skin.mean()
    shares, places = LEAST_LIGHT
    least = np.interp(np.abs(COLUMNS - middle), places, shares)  # those further back are darker
    speck = np.ones((round(SPECK * FINE),) * 2, np.uint8)

    def whole(place: np.ndarray) -> np.ndarray:
        return cv2.morphologyEx(cv2.morphologyEx(place.astype(np.uint8), cv2.MORPH_CLOSE, speck), cv2.MORPH_OPEN, speck)

    surely = whole((paler > WHITER) & (light > least))
    shaded = (paler > SHADED_WHITER) & (light > SHADED_LIGHT) & inside
    _, parts = cv2.connectedComponents(whole(shaded | (surely > 0)))
    return np.isin(parts, np.setdiff1d(parts[surely > 0], 0)).astype(np.uint8)


def _upper(pale: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of what is pale (h, w), the upper teeth: where they are seen (h, w) bool, and the rows where they end (w,).

    Their edges are free where something that is none lies below, in the mouth. Teeth that rest on the lower ones, or
    that a lip hides, end as those do; the ends are NaN far beside. Parsers begin the inside of a mouth anywhere on the
    teeth.
    """
    seen, ends = np.zeros(pale.shape, bool), np.full(pale.shape[1], np.nan)
    reach, clear = round(STARTS * FINE), round(CLEAR * FINE)
    free: dict[int, slice] = {}
    others: dict[int, slice] = {}
    for x in map(int, np.flatnonzero(inside.any(axis=0))):
        first = int(inside[:, x].argmax())
        start = max(first - reach, 0)
        column = pale[start:, x]
        if not column[: first - start + reach].any():
            continue
        top = start + int(column.argmax())
        over = np.flatnonzero(pale[top:, x] == 0)
        if not len(over) or over[0] < HEIGHTS[0] * FINE:
            continue
        end = top + int(over[0])
        below = slice(end, end + clear)
        clear_below = inside[below, x].all() and not pale[below, x].any()
        (free if clear_below and end - top <= HEIGHTS[1] * FINE else others)[x] = slice(top, end)
    if len(free) < LEAST_FREE * FINE:
        return seen, ends
    far = round(BESIDE * FINE)
    columns = np.arange(max(min(free) - far, 0), min(max(free) + far + 1, len(ends)))
    curve = np.polyfit(list(free), [rows.stop for rows in free.values()], 2)
    for x in [x for x, rows in free.items() if np.polyval(curve, x) - rows.stop > STRAYS * FINE]:
        others[x] = free.pop(x)  # what seems to be the mouth's dark there may be the edge of a lip
    ends[columns] = np.clip(np.polyval(curve, columns), 0, len(pale))
    for x in others.keys() & set(columns.tolist()):
        ends[x] = np.clip(others[x].stop, ends[x], ends[x] + RESTS * FINE)
        seen[others[x].start : min(others[x].stop, int(ends[x])), x] = True
    for x, rows in free.items():
        seen[rows, x], ends[x] = True, rows.stop
    return seen, ends


def _completed(picture: np.ndarray, place: np.ndarray, ends: np.ndarray, edge: float, middle: float) -> Teeth:
    """Teeth that are seen in a place (h, w) of a picture (h, w, 3), and drawn ones of their colour around them.

    `ends` (w,) are the rows where they end, NaN where that is not known.
    """
    wide = np.full(SHAPE[0], edge + 20.0)
    drawn = drawn_teeth(Opening(np.zeros((2, 2)), 1.0, wide - 40.0, wide, edge, middle))
    core = cv2.erode(place.astype(np.uint8), np.ones((round(2 * INWARDS * FINE) + 1,) * 2, np.uint8)).astype(np.float32)
    if not core.any():
        core = place.astype(np.float32)
    tone = picture[core > 0].mean(axis=0) / drawn.colours[core > 0].mean(axis=0)
    known = np.clip(2 * cv2.GaussianBlur(core, (0, 0), JOINT * FINE), 0, 1)[..., None]
    colours = drawn.colours * tone
    colours += known * (fill(picture, core) - colours)
    # From the first column where edges are seen to the last teeth end there, and beside them no lower; they reach up
    # behind the lip.
    seen = np.flatnonzero(np.isfinite(ends))
    hangs = (np.arange(len(ROWS))[:, None] < np.interp(np.arange(SHAPE[0]), seen, ends[seen])).astype(np.float32)
    whole = np.minimum(drawn.place, hangs)
    whole[:, seen[0] : seen[-1] + 1] = hangs[:, seen[0] : seen[-1] + 1]
    return Teeth(cv2.GaussianBlur(whole, (0, 0), SOFT * FINE), colours.astype(np.float32))

"""The inside of a mouth that an edit opens: teeth, tongue and the dark behind them, as fine as the frame.

A small generator draws teeth as one white block and the rest as one brown patch. What is there is known from anatomy
better: teeth are fixed to the skull, and lips that part only uncover them.

Source: ours, after the teeth proxy of Garrido et al., "VDub: Modifying Face Video of Actors for Plausible Visual
Alignment to a Dubbed Audio Track" (2015), section 6; widths of teeth after Wheeler, "Dental Anatomy".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from stit_core.change.drawn import Drawn
from stit_core.change.opening import COLUMNS, CROWN, FINE, ROWS, SHAPE, Opening, mean_opening, ramp
from stit_core.faces.labels import EYES, SKIN_LIKE, is_one_of

ARCH = 25.0  # millimetres, radius of the arch of teeth
DEPTH = 18.0  # millimetres by which the incisors stand before the corners of the mouth
GAPS = np.array([0.0, 8.5, 15.2, 22.8, 29.8, 36.8])  # millimetres along the arch from the middle to each next gap
EDGES = np.array([0.0, 0.9, 0.3, 1.2, 2.2])  # millimetres by which the edge of each next tooth stands higher
TINTS = np.array([1.0, 0.97, 0.9, 0.88, 0.86])  # how light each next tooth is
LAST = 31.0  # millimetres along the arch, where teeth go over into the dark between them and the cheek
BETWEEN = 0.24  # by which it is darker between two teeth
TIP = 1.5  # millimetres from a corner of an opening within which lips close over it, softly
IVORY = np.array([1.0, 0.92, 0.84], np.float32)
GUM = np.array([0.62, 0.36, 0.35], np.float32)
TONGUE = np.array([0.74, 0.36, 0.35], np.float32)
DARK = np.array([0.3, 0.12, 0.105], np.float32)
CHEEK = np.array([0.42, 0.18, 0.16], np.float32)  # the inside of a cheek, in a corner
WET = 0.13  # of the light: a glint on the tongue
SHADOW_HUE = np.array([0.8, 1.1, 1.2], np.float32)  # powers: what reaches a shadow in a mouth comes from red tissue
LIP_SHADOW = 0.8  # of the light, right under the upper lip
CORNER_SHADOW = 0.3  # by which it is darker in the corners
SKIN_LIGHT = 0.25  # power of the skin's hue that teeth take over: what lights a mouth comes from skin
TEETH_LIGHT = 1.3  # of the source's lit skin, or of the whites of its eyes where they are lighter


@dataclass(frozen=True)
class Mouth:
    """A mouth that is drawn.

    Attributes
    ----------
    opening: where, in the source's crop.
    light: colour (3,) of a white tooth, grey levels.
    share: 0 ... 1: how far it is open; the lips hide the rest.
    """

    opening: Opening
    light: np.ndarray
    share: float

    def carried(self, way: np.ndarray) -> Mouth:
        """The same mouth in another frame, see `Opening.carried`."""
        return dataclasses.replace(self, opening=self.opening.carried(way))

    def over(
        self, matrix: np.ndarray, width: int, height: int, focus: float = 0.0
    ) -> tuple[slice, slice, np.ndarray, np.ndarray]:
        """What is seen in it, over a picture to whose pixels `matrix` (2, 3) leads from the crop's.

        `focus` is the deviation, in those pixels, by which the picture's own edges are soft.

        Returns
        -------
        Rows and columns of the picture (height, width) that can show it; its place (h, w) there in [0, 1]; its colours
        (h, w, 3), grey levels.
        """
        whole = matrix[:, :2] @ self.opening.matrix
        whole[:, 2] += matrix[:, 2]
        ends = np.array([[0, 0, SHAPE[0], SHAPE[0]], [0, SHAPE[1], 0, SHAPE[1]], [1, 1, 1, 1]])
        low, high = np.floor((whole @ ends).min(axis=1)), np.ceil((whole @ ends).max(axis=1))
        left, top = (int(v) for v in np.clip(low, 0, (width, height)))
        right, bottom = (int(v) for v in np.clip(high, 0, (width, height)))
        rows, columns = slice(top, bottom), slice(left, right)
        if right <= left or bottom <= top:
            return rows, columns, np.zeros((0, 0), np.float32), np.zeros((0, 0, 3), np.float32)
        place, colours = _draw(self.opening.narrowed(self.share))
        fine = np.concatenate([colours * self.light, place[..., None]], axis=-1).astype(np.float32)
        coarse = 1 / float(np.hypot(*whole[:, 0]))  # pixels of the fine picture to one of this
        whole[:, 2] -= left, top
        fine = cv2.GaussianBlur(fine, (0, 0), coarse * max(focus, 0.5)).astype(np.float32, copy=False)
        seen = cv2.warpAffine(
            fine, whole, (right - left, bottom - top), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return rows, columns, seen[..., 3], seen[..., :3]


def mean_mouth(parts: Sequence[tuple[float, Mouth | None]]) -> Mouth | None:
    """The mean with weights of what frames around each other show, all carried to one; None where none shows any."""
    shown = [(weight * mouth.share, mouth) for weight, mouth in parts if mouth is not None and mouth.share > 0]
    total = sum(weight for weight, _ in shown)
    if total <= 0:
        return None
    light = np.average([mouth.light for _, mouth in shown], axis=0, weights=[weight for weight, _ in shown])
    opening = mean_opening([(weight, mouth.opening) for weight, mouth in shown])
    return Mouth(opening, light, total / sum(weight for weight, _ in parts))


def mouth_light(source: Drawn) -> np.ndarray:
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


def _draw(opening: Opening) -> tuple[np.ndarray, np.ndarray]:
    """The fine picture of a mouth: its place (h, w) in [0, 1], and its colours (h, w, 3) of the light of a tooth."""
    top, bottom = opening.top.astype(np.float32)[None], opening.bottom.astype(np.float32)[None]
    open_ = np.flatnonzero(opening.bottom > opening.top + 1e-3)
    half = max(len(open_) / FINE / 2, 1.0)
    x = COLUMNS - (COLUMNS[0, open_].mean() if len(open_) else 0.0)
    place = ramp(ROWS - top, 0.15) * ramp(bottom - ROWS, 0.15) * np.clip((half - np.abs(x)) / TIP, 0, 1)
    turn = np.arcsin(np.clip(opening.middle / DEPTH, -0.7, 0.7))
    tooth, ivory, facing = _teeth(opening, turn)
    colours = _cavity(opening, half)
    colours += tooth[..., None] * (ivory - colours)
    # The lips' shadow lies on what stands right under the upper one, and towards the corners.
    light = (LIP_SHADOW + (1 - LIP_SHADOW) * ramp(ROWS - top - 0.9, 1.2)) * (
        1 - CORNER_SHADOW * np.clip(np.abs(x) / half, 0, 1) ** 3
    )
    return place, colours * (light * facing)[..., None] ** SHADOW_HUE


def _cavity(opening: Opening, half: float) -> np.ndarray:
    """The dark of a mouth and the tongue in it, (h, w, 3) of the light of a tooth."""
    bottom, gap = opening.bottom[None], max(opening.gap, 1.0)
    cheeks = np.clip((np.abs(COLUMNS) / half - 0.55) / 0.45, 0, 1)[..., None]
    colours = (DARK + cheeks * (CHEEK - DARK)) * np.ones((SHAPE[1], 1, 1))
    # The tongue is a dome whose front is lit and whose middle has a furrow.
    x = COLUMNS - 0.5 * opening.middle  # it is seen from aside less, since it lies deeper
    width = 0.8 * half
    dome = np.sqrt(np.clip(1 - (x / width) ** 2, 0, 1))
    rise = (0.56 + 0.14 * np.clip((gap - 4) / 10, 0, 1)) * gap * dome
    into = ROWS - (bottom - rise)  # millimetres below the tongue's outline
    front = np.clip(into / np.maximum(rise, 0.5), 0, 1)
    surface = (0.5 + 0.5 * front**0.6) * (0.7 + 0.3 * dome)
    surface = surface * (1 - 0.14 * np.exp(-((x / 1.6) ** 2)) * (1 - 0.6 * front))
    lit = surface[..., None] * TONGUE
    glint = sum(np.exp(-(((x - at) / 2.6) ** 2) - ((front - 0.42) / 0.16) ** 2) for at in (-6.0, 3.5))
    lit = lit + WET * np.clip((gap - 5) / 6, 0, 1) * glint[..., None]
    return colours + (ramp(into, 0.5) * (dome > 0))[..., None] * (lit - colours)


def _teeth(opening: Opening, turn: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The upper teeth: place (h, w), colours (h, w, 3) of the light there, and the light on every column (1, w)."""
    along, facing = _along_arch(turn)
    number, across, beside = _tooth_at(along)
    rounded = 0.7 * np.exp(-beside / 0.6)
    edge = opening.edge - np.interp(along, (GAPS[:-1] + GAPS[1:]) / 2, EDGES) - rounded
    closed = 1 - np.clip(opening.gap, 0, 1)  # up to the lower lip, which they follow then
    edge = edge + closed * (np.maximum(edge, opening.bottom[None] - 0.4 - rounded) - edge)
    height = np.clip(edge - ROWS, 0, CROWN)  # millimetres from the edge towards the root
    gap = ramp(0.22 + 0.1 * np.clip(1.3 - height, 0, 1.3) - beside, 0.25)
    shade = (0.88 + 0.12 * np.clip(height / 2.6, 0, 1)) * (1 - 0.14 * (2 * across - 1) ** 2) * (1 - BETWEEN * gap)
    gum = ramp(height - 9.4 + 1.6 * (1 - np.minimum(beside / 2.5, 1)), 0.4)[..., None]
    ivory = (shade * TINTS[number])[..., None] * IVORY
    seen = ramp(edge - ROWS, 0.25) * ramp(LAST - along, 2.5)
    return seen, ivory + gum * (GUM - ivory), 0.6 + 0.4 * facing


def _along_arch(turn: float) -> tuple[np.ndarray, np.ndarray]:
    """For every column (1, w): millimetres from the middle along the arch of teeth, and how far it faces the camera."""
    angle = np.linspace(-1.45, 1.45, 400)
    seen = ARCH * np.sin(angle) * np.cos(turn) + (ARCH * np.cos(angle) - (ARCH - DEPTH)) * np.sin(turn)
    facing = np.cos(angle + turn)  # the arch is turned with the head, and so is what it faces
    front = facing > 0.05
    return np.abs(np.interp(COLUMNS, seen[front], ARCH * angle[front])), np.interp(COLUMNS, seen[front], facing[front])


def _tooth_at(along: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which tooth stands at a place along the arch, where across it, 0 ... 1, and how many millimetres from a gap."""
    number = np.clip(np.searchsorted(GAPS, along, side="right") - 1, 0, len(GAPS) - 2)
    width = np.diff(GAPS)[number]
    across = (along - GAPS[number]) / width
    return number, across, np.minimum(across, 1 - across) * width

"""What is seen inside an open mouth: teeth, tongue and the dark behind them, and how lips turn into it.

Drawn in millimetres, in the light that gets in between lips.

Source: ours, after the teeth proxy of Garrido et al., "VDub: Modifying Face Video of Actors for Plausible Visual
Alignment to a Dubbed Audio Track" (2015), section 6; widths of teeth after Wheeler, "Dental Anatomy"; light as measured
in a photographed mouth that calls out.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stit_core.change.opening import COLUMNS, CROWN, FINE, ROWS, Opening, ramp

ARCH = 25.0  # millimetres, radius of the arch of teeth
DEPTH = 18.0  # millimetres by which the incisors stand before the corners of the mouth
GAPS = np.array([0.0, 8.5, 15.2, 22.8, 29.8, 36.8], np.float32)  # millimetres along the arch to each next gap
EDGES = np.array([0.0, 0.9, 0.3, 1.2, 2.2], np.float32)  # millimetres by which each next tooth ends higher
TINTS = np.array([1.0, 0.97, 0.9, 0.88, 0.86], np.float32)  # how light each next tooth is
LOWER_GAPS = np.array([0.0, 5.3, 11.0, 17.7, 24.7, 31.7], np.float32)  # the same of the lower teeth
LOWER_TINT = 0.64  # of the light of a white tooth
LOWER_SHOWN = (0.0, 2.4)  # millimetres of them over the lower lip, in a mouth that only shows teeth, and one that gapes
LOWER_REACH = 17.0  # millimetres from the midline, within which they are seen
LAST = 31.0  # millimetres along the arch, where teeth go over into the dark between them and the cheek
BETWEEN = 0.24  # by which it is darker between two teeth
TIP = 3.5  # millimetres from a corner of an opening within which lips close over it, softly
OUTLINE_SOFT = (0.3, 0.6)  # millimetres over which lips go over into what is open; so many more in the corners
IVORY = np.array([1.0, 0.92, 0.84], np.float32)
GUM = np.array([0.62, 0.36, 0.35], np.float32)
DARK = np.array([0.37, 0.26, 0.23], np.float32)  # of flesh that is lit, as is the next
CHEEK = np.array([0.46, 0.35, 0.33], np.float32)  # the inside of a cheek, in a corner
WEB, WEB_BEGINS = 0.75, 0.7  # of flesh in full light, between the lips in a corner; of the way from the middle to there
SHADOW_HUE = np.array([0.8, 1.1, 1.2], np.float32)  # powers: what reaches a shadow in a mouth comes from red tissue
TEETH_HUE = np.array([0.94, 1.03, 1.06], np.float32)  # the same of teeth over such a dark
DROPPED = (
    2.0,
    9.0,
)  # millimetres of dark under the teeth: up to where a mouth only shows teeth, from where on it gapes
# Of a mouth that only shows teeth, and of one that gapes:
LIP_SHADOW = (0.22, 0.3)  # by which it is darker right under the upper lip
LIP_REACH = (1.2, 1.6)  # millimetres below it at which a third of that is left
EDGE_SOFT = (0.25, 0.6)  # millimetres over which the edges of teeth go over into the dark
CORNER_SHADOW = (0.3, 0.56)  # by which it is darker in the corners
ROLL = (0.0, 0.25)  # by which lips get darker where they turn inwards
ROLL_REACH = 3.5  # millimetres from their edge within which they do
ROLL_ENDS = 7.0  # millimetres from the ends of an opening, within which they do so less: a corner is dark already
RISE = (0.92, 0.85)  # of that dark, how high a tongue lies, where the mouth hardly gapes and where it gapes widely
WIDE = (6.0, 20.0)  # millimetres of dark that are hardly and widely
FLOOR_SHADOW, FLOOR_REACH = 0.3, 2.0  # by which a tongue is darker where it goes down behind the lip; millimetres
WET = 0.1  # of the light: a glint on the tongue


@dataclass(frozen=True)
class Cavity:
    """The fine picture of a mouth (opening.SHAPE).

    Attributes
    ----------
    place: (h, w) in [0, 1], where its inside is seen.
    colours: (h, w, 3), of the inside, in grey levels.
    shade: (h, w) in [0, 1], by what the lips around it get darker.
    """

    place: np.ndarray
    colours: np.ndarray
    shade: np.ndarray


def draw_cavity(opening: Opening, light: np.ndarray, flesh: np.ndarray) -> Cavity:
    """A mouth in which a white tooth has the colour `light` (3,), and the tongue `flesh` (3,), grey levels."""
    top, bottom = opening.top.astype(np.float32)[None], opening.bottom.astype(np.float32)[None]
    open_ = np.flatnonzero(opening.bottom > opening.top + 1e-3)
    half = max(len(open_) / FINE / 2, 1.0)
    x = COLUMNS - np.float32(COLUMNS[0, open_].mean() if len(open_) else 0.0)
    aside = np.abs(x) / half
    gapes = opening.gapes(DROPPED)
    soft = np.float32(OUTLINE_SOFT[0]) + np.float32(OUTLINE_SOFT[1]) * np.clip(aside, 0, 1) ** 3
    place = ramp(ROWS - top, soft) * ramp(bottom - ROWS, soft) * _smooth((half - np.abs(x)) / TIP)
    tooth, ivory, facing = _teeth(opening)
    colours = _tongue(opening, aside, x, half, flesh)
    lower, lower_ivory = _lower_teeth(opening)
    colours += lower[..., None] * (lower_ivory * light.astype(np.float32) - colours)
    colours += tooth[..., None] * (ivory * light.astype(np.float32) * facing[..., None] - colours)
    # Light comes from the front and from above, so that the upper lip and the corners keep it out.
    shadow, reach, corner = (_between(pair, gapes) for pair in (LIP_SHADOW, LIP_REACH, CORNER_SHADOW))
    gets_in = 1 - shadow * np.exp(-np.maximum(ROWS - top, 0) / reach)
    gets_in = gets_in * (1 - corner * _smooth((aside - 0.35) / 0.65))
    hue = SHADOW_HUE + np.float32(gapes) * tooth[..., None] * (TEETH_HUE - SHADOW_HUE)
    colours = colours * gets_in[..., None] ** hue
    # In its corners one sees the web of flesh between both lips, which is lit as they are.
    web = np.float32(gapes) * _smooth((aside - WEB_BEGINS) / (1 - WEB_BEGINS))
    colours += web[..., None] * (WEB * flesh.astype(np.float32) - colours)
    turned = _between(ROLL, gapes) * _smooth((half - np.abs(x)) / ROLL_ENDS)
    return Cavity(place, colours, 1 - turned * _beside(place))


def _beside(place: np.ndarray) -> np.ndarray:
    """1 at and in an opening (h, w), falling to 0 at ROLL_REACH from it."""
    away = cv2.distanceTransform((place < 0.5).astype(np.uint8), cv2.DIST_L2, 3) / FINE
    return np.square(np.clip(1 - away / np.float32(ROLL_REACH), 0, 1))  # type: ignore[no-any-return]


def _tongue(opening: Opening, aside: np.ndarray, x: np.ndarray, half: float, flesh: np.ndarray) -> np.ndarray:
    """The dark of a mouth and the tongue in it, (h, w, 3) grey levels."""
    bottom, gap = opening.bottom[None].astype(np.float32), max(opening.gap, 1.0)
    colours = DARK + _smooth((aside - 0.5) / 0.5)[..., None] * (CHEEK - DARK)
    x = x - np.float32(0.5 * opening.middle)  # a tongue lies deeper than lips, and is seen from aside less
    dome = np.sqrt(np.clip(1 - np.square(x / (0.86 * half)), 0, 1))
    wide = opening.gapes(WIDE)
    rise = _between(RISE, wide) * gap * dome
    into = ROWS - (bottom - rise)  # millimetres below the outline of its back
    front = np.clip(into / np.maximum(rise, 0.5), 0, 1)
    # Its back is in the dark, its front is lit and goes down behind the lower lip; its sides turn away.
    surface = (0.5 + 0.5 * _smooth(front / 0.6)) * (0.45 + 0.55 * _smooth(dome))
    surface = surface * (1 - FLOOR_SHADOW * np.exp(-np.maximum(bottom - ROWS, 0) / FLOOR_REACH))
    furrow = 0.1 * np.exp(-np.square(x / 1.8)) - 0.05 * np.exp(-np.square((np.abs(x) - 4.5) / 2.5))
    surface = surface * (1 - furrow * (1 - front))
    glint = sum(np.exp(-np.square((x - at) / 2.6) - np.square((front - 0.5) / 0.16)) for at in (-6.0, 3.5))
    surface = surface + WET * wide * glint
    colours = colours + (ramp(into, 0.8) * (dome > 0))[..., None] * (surface[..., None] - colours)
    return colours * flesh.astype(np.float32)


def _teeth(opening: Opening) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The upper teeth: place (h, w), colours (h, w, 3) of the light there, and the light on every column (1, w)."""
    along, facing = _along_arch(float(np.arcsin(np.clip(opening.middle / DEPTH, -0.7, 0.7))))
    number, across, beside = _tooth_at(along)
    rounded = 0.7 * np.exp(-beside / 0.6)
    edge = opening.edge - np.interp(along, (GAPS[:-1] + GAPS[1:]) / 2, EDGES).astype(np.float32) - rounded
    closed = 1 - min(max(opening.gap, 0.0), 1.0)  # up to the lower lip, which they follow then
    edge = edge + closed * (np.maximum(edge, opening.bottom[None].astype(np.float32) - 0.4 - rounded) - edge)
    height = np.clip(edge - ROWS, 0, CROWN)  # millimetres from the edge towards the root
    gap = ramp(0.22 + 0.1 * np.clip(1.3 - height, 0, 1.3) - beside, 0.25)
    shade = (0.88 + 0.12 * np.clip(height / 2.6, 0, 1)) * (1 - 0.14 * (2 * across - 1) ** 2) * (1 - BETWEEN * gap)
    gum = ramp(height - 9.4 + 1.6 * (1 - np.minimum(beside / 2.5, 1)), 0.4)[..., None]
    ivory = (shade * TINTS[number])[..., None] * IVORY
    seen = ramp(edge - ROWS, _between(EDGE_SOFT, opening.gapes(DROPPED))) * ramp(LAST - along, 2.5)
    return seen, ivory + gum * (GUM - ivory), 0.6 + 0.4 * facing


def _lower_teeth(opening: Opening) -> tuple[np.ndarray, np.ndarray]:
    """The edges of the lower teeth over the lower lip: place (h, w), colours (h, w, 3) of the light there."""
    along, facing = _along_arch(float(np.arcsin(np.clip(opening.middle / DEPTH, -0.7, 0.7))))
    _, across, beside = _tooth_at(along, LOWER_GAPS)
    shown = _between(LOWER_SHOWN, opening.gapes(DROPPED))
    shown = shown * np.clip(1 - np.square((COLUMNS - opening.middle) / LOWER_REACH), 0, 1) - 0.5 * np.exp(-beside / 0.6)
    edge = opening.bottom[None].astype(np.float32) - shown
    gap = ramp(0.3 - beside, 0.25)
    shade = LOWER_TINT * (1 - 0.14 * (2 * across - 1) ** 2) * (1 - BETWEEN * gap) * (0.6 + 0.4 * facing)
    seen = ramp(ROWS - edge, 0.5) * np.clip(shown / 0.5, 0, 1)
    return seen, shade[..., None] * IVORY * np.ones_like(ROWS)[..., None]


def _along_arch(turn: float) -> tuple[np.ndarray, np.ndarray]:
    """For every column (1, w): millimetres from the middle along the arch of teeth, and how far it faces the camera."""
    angle = np.linspace(-1.45, 1.45, 400)
    seen = ARCH * np.sin(angle) * np.cos(turn) + (ARCH * np.cos(angle) - (ARCH - DEPTH)) * np.sin(turn)
    facing = np.cos(angle + turn)  # the arch is turned with the head, and so is what it faces
    front = facing > 0.05
    along, faces = (np.interp(COLUMNS, seen[front], values[front]) for values in (ARCH * angle, facing))
    return np.abs(along).astype(np.float32), faces.astype(np.float32)


def _tooth_at(along: np.ndarray, gaps: np.ndarray = GAPS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which tooth stands at a place along the arch, where across it, 0 ... 1, and how many millimetres from a gap."""
    number = np.clip(np.searchsorted(gaps, along, side="right") - 1, 0, len(gaps) - 2)
    width = np.diff(gaps)[number]
    across = (along - gaps[number]) / width
    return number, across, np.minimum(across, 1 - across) * width


def _between(ends: tuple[float, float], share: float) -> float:
    return ends[0] + share * (ends[1] - ends[0])


def _smooth(values: np.ndarray) -> np.ndarray:
    """0 up to 0, 1 from 1 on, without a corner there."""
    values = np.clip(values, 0, 1)
    return values * values * (3 - 2 * values)

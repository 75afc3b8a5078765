"""What is seen inside an open mouth: teeth, tongue and the dark behind them, and how lips turn into it.

Drawn in millimetres, in the light that gets in between lips.

Source: ours, with light as it was measured in a photographed mouth that calls out.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stit_core.change.opening import COLUMNS, FINE, ROWS, Opening, ramp
from stit_core.change.own_teeth import OwnTeeth
from stit_core.change.teeth import DROPPED, between, drawn_teeth, grain, lower_teeth, smooth

TIP = 2.0  # millimetres from a corner of an opening within which lips close over it, softly
OUTLINE_SOFT = (0.65, 0.6)  # millimetres over which lips go over into what is open; so many more in the corners
DARK = np.array([0.37, 0.26, 0.23], np.float32)  # of flesh that is lit, as is the next
CHEEK = np.array([0.46, 0.35, 0.33], np.float32)  # the inside of a cheek, in a corner
WEB, WEB_BEGINS = 0.75, 0.7  # of flesh in full light, between the lips in a corner; of the way from the middle to there
SHADOW_HUE = np.array([0.8, 1.1, 1.2], np.float32)  # powers: what reaches a shadow in a mouth comes from red tissue
TEETH_HUE = np.array([0.94, 1.03, 1.06], np.float32)  # the same of teeth over such a dark
# Of a mouth that only shows teeth, and of one that gapes:
LIP_SHADOW = (0.24, 0.3)  # by which it is darker right under the upper lip
LIP_REACH = (1.4, 1.8)  # millimetres below it at which a third of that is left
SLIT, SLIT_REACH = 0.5, 1.2  # by which it is darker between lips that hardly part; millimetres by which they do
CORNER_SHADOW = (0.2, 0.5)  # by which it is darker in the corners
SEEN_SHADE = 0.3  # of that dark, what own teeth bring along
ROLL = (0.0, 0.15)  # by which lips get darker where they turn inwards
ROLL_REACH = 2.5  # millimetres from their edge within which they do
ROLL_ENDS = 7.0  # millimetres from the ends of an opening, within which they do so less: a corner is dark already
RISE = (0.92, 0.85)  # of that dark, how high a tongue lies, where the mouth hardly gapes and where it gapes widely
WIDE = (6.0, 20.0)  # millimetres of dark that are hardly and widely
FLOOR_SHADOW, FLOOR_REACH = 0.2, 2.2  # by which a tongue is darker where it goes down behind the teeth; millimetres
GRAIN, GRAIN_FINE = 0.06, 0.5  # of its light, the deviation of a tongue's grain; millimetres, how fine that is
WET = 0.12  # of its light, what glints where that grain is moist


@dataclass(frozen=True)
class Cavity:
    """The fine picture of a mouth (opening.SHAPE).

    Attributes
    ----------
    place: (h, w) in [0, 1], where its inside is seen.
    colours: (h, w, 3), of the inside, in grey levels.
    shade: (h, w) in [0, 1], by what the lips around it get darker.
    upper: (h, w) in [0, 1], where upper teeth are.
    """

    place: np.ndarray
    colours: np.ndarray
    shade: np.ndarray
    upper: np.ndarray


def draw_cavity(
    opening: Opening, light: np.ndarray, flesh: np.ndarray, own: OwnTeeth | None = None, shut: float = 1.0
) -> Cavity:
    """A mouth in which a white tooth has the colour `light` (3,), and the tongue `flesh` (3,), grey levels.

    Its upper teeth are somebody's own where they are known. `shut` says how far, 0 ... 1, the source's own mouth is:
    a grin's corners are open, and dark.
    """
    top, bottom = opening.top.astype(np.float32)[None], opening.bottom.astype(np.float32)[None]
    open_ = np.flatnonzero(opening.bottom > opening.top + 1e-3)
    half = max(len(open_) / FINE / 2, 1.0)
    x = COLUMNS - np.float32(COLUMNS[0, open_].mean() if len(open_) else 0.0)
    aside = np.abs(x) / half
    gapes = opening.gapes(DROPPED)
    soft = np.float32(OUTLINE_SOFT[0]) + np.float32(OUTLINE_SOFT[1]) * np.clip(aside, 0, 1) ** 3
    place = ramp(ROWS - top, soft) * ramp(bottom - ROWS, soft) * smooth((half - np.abs(x)) / TIP)
    upper, kept = drawn_teeth(opening), np.zeros((1, 1), np.float32)
    if own is not None:
        upper, kept = own.seated(opening, upper)
    lower = lower_teeth(opening, aside)
    colours = _tongue(opening, aside, x, half, flesh, lower.top)
    for teeth in (lower, upper):
        colours += teeth.place[..., None] * (teeth.colours * light.astype(np.float32) - colours)
    # Light comes from the front and from above, so that the upper lip and the corners keep it out.
    shadow, reach, corner = (between(pair, gapes) for pair in (LIP_SHADOW, LIP_REACH, CORNER_SHADOW))
    gets_in = 1 - shadow * np.exp(-np.maximum(ROWS - top, 0) / reach)
    gets_in = gets_in * (1 - corner * smooth((aside - 0.35) / 0.65))
    gets_in = gets_in * (1 - SLIT * np.exp(-np.maximum(bottom - top, 0) / SLIT_REACH))
    hue = SHADOW_HUE + np.float32(gapes) * upper.place[..., None] * (TEETH_HUE - SHADOW_HUE)
    # Teeth that were seen lay in such a shadow already.
    colours = colours * gets_in[..., None] ** (hue * (1 - SEEN_SHADE * (kept * upper.place)[..., None]))
    # In its corners one sees the web of flesh between both lips, which is lit as they are.
    web = np.float32(gapes * shut) * smooth((aside - WEB_BEGINS) / (1 - WEB_BEGINS))
    colours += web[..., None] * (WEB * flesh.astype(np.float32) - colours)
    turned = between(ROLL, gapes) * smooth((half - np.abs(x)) / ROLL_ENDS)
    return Cavity(place, colours, 1 - turned * _beside(place), upper.place)


def _beside(place: np.ndarray) -> np.ndarray:
    """1 at and in an opening (h, w), falling to 0 at ROLL_REACH from it."""
    away = cv2.distanceTransform((place < 0.5).astype(np.uint8), cv2.DIST_L2, 3) / FINE
    return np.square(np.clip(1 - away / np.float32(ROLL_REACH), 0, 1))  # type: ignore[no-any-return]


def _tongue(
    opening: Opening, aside: np.ndarray, x: np.ndarray, half: float, flesh: np.ndarray, floor: np.ndarray
) -> np.ndarray:
    """The dark of a mouth and the tongue in it, (h, w, 3) grey levels; `floor` (1, w) is where lower teeth hide it."""
    gap = max(opening.gap, 1.0)
    colours = DARK + smooth((aside - 0.5) / 0.5)[..., None] * (CHEEK - DARK)
    x = x - np.float32(0.5 * opening.middle)  # a tongue lies deeper than lips, and is seen from aside less
    dome = np.sqrt(np.clip(1 - np.square(x / (0.86 * half)), 0, 1))
    rise = between(RISE, opening.gapes(WIDE)) * gap * dome
    into = ROWS - (opening.bottom[None].astype(np.float32) - rise)  # millimetres below the outline of its back
    front = np.clip(into / np.maximum(rise, 0.5), 0, 1)
    # Its back is in the dark, its front is lit and goes down behind the lower teeth; its sides turn away.
    surface = (0.4 + 0.6 * smooth(front / 0.6)) * (0.45 + 0.55 * smooth(dome))
    surface = surface * (1 - FLOOR_SHADOW * np.exp(-np.maximum(floor - ROWS, 0) / FLOOR_REACH))
    furrow = 0.08 * np.exp(-np.square(x / 2.5)) * (1 - front)
    surface = surface * (1 - furrow) * (1 + GRAIN * _GRAIN + WET * smooth(front / 0.5) * np.maximum(_GRAIN - 1.2, 0))
    colours = colours + (ramp(into, 1.6) * (dome > 0))[..., None] * (surface[..., None] - colours)
    return colours * flesh.astype(np.float32)


_GRAIN = grain(GRAIN_FINE)

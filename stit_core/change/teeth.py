"""Teeth as anybody has them, drawn in millimetres.

Source: ours, after the teeth proxy of Garrido et al., "VDub: Modifying Face Video of Actors for Plausible Visual
Alignment to a Dubbed Audio Track" (2015), section 6; widths of teeth after Wheeler, "Dental Anatomy".
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stit_core.change.opening import COLUMNS, CROWN, FINE, ROWS, SHAPE, Opening, ramp

ARCH = 25.0  # millimetres, radius of the arch of teeth
DEPTH = 18.0  # millimetres by which the incisors stand before the corners of the mouth
GAPS = np.array([0.0, 8.5, 15.2, 22.8, 29.8, 36.8], np.float32)  # millimetres along the arch to each next gap
EDGES = np.array([0.0, 0.45, 0.2, 0.9, 1.6], np.float32)  # millimetres by which each next tooth ends higher
TINTS = np.array([1.0, 0.95, 0.92, 0.86, 0.82], np.float32)  # how light each next tooth is
LAST = 31.0  # millimetres along the arch, where teeth go over into the dark between them and the cheek
BETWEEN = 0.17  # by which it is darker between two teeth
ROUNDED = 0.15  # by which the sides of a tooth are darker than its middle
HIDDEN = 2.0  # millimetres of a tooth that a lower lip hides at most
ROUND = 0.45  # millimetres by which a tooth's corners end higher than its middle
GAP_HUE = np.array([0.8, 1.05, 1.25], np.float32)  # powers: what is dark between teeth is warm
ASIDE_HUE = np.array([0.85, 1.05, 1.15], np.float32)  # the same of teeth that face aside
SURFACE, SURFACE_FINE = 0.06, 0.6  # of their light, the deviation of what an uneven surface reflects; its millimetres
SHINE = 0.1  # of the light, what glints on front teeth, which are wet
SHINE_ACROSS, SHINE_HIGH = (0.4, 0.22), (4.5, 1.6)  # its middle and width, of a tooth's; the same up from its edge, mm
FRONT_TEETH = 2  # on either side
IVORY = np.array([0.94, 0.918, 0.885], np.float32)  # of a white tooth, in the light between lips
GUM = np.array([0.62, 0.36, 0.35], np.float32)
EDGE_SOFT = (0.25, 0.6)  # millimetres over which the edges of teeth go over into the dark
DROPPED = 2.0, 9.0  # millimetres of dark under the teeth: up to where a mouth only shows them, from where on it gapes


LOWER_GAPS = np.array([0.0, 5.3, 11.2, 18.0, 25.0, 32.0], np.float32)  # the same as GAPS of the lower teeth
SHOWN_BELOW = (15.0, 25.0), (0.0, 3.0)  # millimetres of dark; of them the lower lip then bares so many of its teeth
LEAST_BELOW = 1.2  # millimetres, of which less would be a line along the lip
BETWEEN_LOWER = 0.2  # as BETWEEN, of the lower ones, which lie in shadow
LOWER_TINT = np.array([0.78, 0.7, 0.66], np.float32)  # of the light that falls on the upper ones


@dataclass(frozen=True)
class Teeth:
    """A row of teeth in the fine picture of a mouth (opening.SHAPE).

    Attributes
    ----------
    place: (h, w) in [0, 1], where they are, were there no lips.
    colours: (h, w, 3), of the light that falls on them, as shares of the colour of a white tooth.
    """

    place: np.ndarray
    colours: np.ndarray


def drawn_teeth(opening: Opening) -> Teeth:
    """The upper teeth of a mouth, those beside each other of different heights."""
    along, facing = _along_arch(float(np.arcsin(np.clip(opening.middle / DEPTH, -0.7, 0.7))))
    number, across, beside = _tooth_at(along)
    rounded = ROUND * np.exp(-beside / 0.6)
    edge = opening.edge - np.interp(along, (GAPS[:-1] + GAPS[1:]) / 2, EDGES).astype(np.float32) - rounded
    closed = 1 - min(max(opening.gap, 0.0), 1.0)  # up to the lower lip, which they follow then
    edge = edge + closed * (np.maximum(edge, opening.bottom[None].astype(np.float32) - 0.4 - rounded) - edge)
    # Where a broad smile lifts its corners above them, a row is bent as the lower lip is: no gums are seen there.
    edge = np.minimum(edge, opening.bottom[None].astype(np.float32) + HIDDEN)
    height = np.clip(edge - ROWS, 0, CROWN)  # millimetres from the edge towards the root
    gap = ramp(0.12 + 0.08 * np.clip(1.5 - height, 0, 1.5) - beside, 0.22)
    shade = (0.88 + 0.12 * np.clip(height / 2.6, 0, 1)) * (1 - ROUNDED * (2 * across - 1) ** 2)
    shade = shade * (1 + SURFACE * _surface_at(opening.middle, opening.edge))
    glint = np.square((across - SHINE_ACROSS[0]) / SHINE_ACROSS[1])
    glint = glint + np.square((height - SHINE_HIGH[0]) / SHINE_HIGH[1])
    shade = shade + SHINE * (number < FRONT_TEETH) * np.exp(-glint) * facing**2
    gum = ramp(height - 9.4 + 1.6 * (1 - np.minimum(beside / 2.5, 1)), 0.4)[..., None]
    ivory = (shade * TINTS[number])[..., None] * IVORY * (1 - BETWEEN * gap)[..., None] ** GAP_HUE
    seen = ramp(edge - ROWS, between(EDGE_SOFT, opening.gapes(DROPPED))) * ramp(LAST - along, 2.5)
    return Teeth(seen, (ivory + gum * (GUM - ivory)) * (0.6 + 0.4 * facing)[..., None] ** ASIDE_HUE)


@dataclass(frozen=True)
class LowerTeeth(Teeth):
    """Those behind the lower lip; `top` (1, w) is where they end, millimetres."""

    top: np.ndarray


def lower_teeth(opening: Opening, aside: np.ndarray) -> LowerTeeth:
    """The lower teeth of a mouth that gapes; `aside` (1, w) is how far from its middle a column lies, 1 at its ends."""
    along, _ = _along_arch(float(np.arcsin(np.clip(opening.middle / DEPTH, -0.7, 0.7))))
    number, across, beside = _tooth_at(along, LOWER_GAPS)
    bottom = opening.bottom[None].astype(np.float32)
    shown = np.interp(opening.gap, *SHOWN_BELOW) * (1 - np.clip(aside, 0, 1) ** 3)
    top = (bottom - shown).astype(np.float32)
    rounded = top + 0.6 * np.exp(-beside / 0.5) + 0.25 * (number % 2)
    gap = ramp(0.2 - beside, 0.3)
    deep = np.clip((ROWS - rounded) / 3.5, 0, 1)  # lit from above
    shade = (1 - 0.25 * deep) * (1 - 0.15 * (2 * across - 1) ** 2) * (1 - BETWEEN_LOWER * gap) * (1 - 0.5 * aside**2)
    place = ramp(ROWS - rounded, 0.5) * ramp(shown - LEAST_BELOW, 0.3)
    return LowerTeeth(place, shade[..., None] * LOWER_TINT * IVORY, top)


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


def between(ends: tuple[float, float], share: float) -> float:
    """The number that lies so far from the first of two to the second."""
    return ends[0] + share * (ends[1] - ends[0])


def smooth(values: np.ndarray) -> np.ndarray:
    """0 up to 0, 1 from 1 on, without a corner there."""
    values = np.clip(values, 0, 1)
    return values * values * (3 - 2 * values)


def grain(finest: float) -> np.ndarray:
    """A grain (h, w) of mean 0 and deviation 1, of so many millimetres and of three times as many.

    It is always the same, so that it lies still.
    """
    noise = np.random.default_rng(0).standard_normal(SHAPE[::-1]).astype(np.float32)
    fine, broad = (cv2.GaussianBlur(noise, (0, 0), finest * FINE * scale) for scale in (1, 3))
    both = fine / fine.std() + broad / broad.std()
    return both / both.std()  # type: ignore[no-any-return]


_SURFACE = grain(SURFACE_FINE)


def _surface_at(middle: float, edge: float) -> np.ndarray:
    """The grain of teeth (h, w) that stand and end there, millimetres: it goes along with them."""
    shift = np.array([[1, 0, middle * FINE], [0, 1, edge * FINE]])
    return cv2.warpAffine(_SURFACE, shift, SHAPE, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)

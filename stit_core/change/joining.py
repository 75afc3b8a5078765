"""Lips that stay shut while their mouth smiles.

A small generator parts the lips of any smile and draws teeth that nobody has seen. Those of a mouth that is shut come
together again in the line where they met, which makes another smile of it, and nothing new. Source: ours.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np

from stit_core.change.drawn import Drawn, moved_point
from stit_core.change.opening import COLUMNS, FINE, NOSE, Opening
from stit_core.change.seam import SMOOTH, WEB, at_rest, below_seam, crop_points, find_seam, looked_up
from stit_core.warps import warp

STAY_SHUT = 1.0, 3.0  # millimetres of dark under the teeth: up to where a smile leaves shut lips shut, and parts them
LIP = 2.0  # millimetres from where lips meet, within them
OUTLINES = tuple(range(48, 55)), (48, *range(59, 53, -1))  # landmarks around the lips, above and below
LIPS = 5.0, 8.0  # millimetres above and below the line, within which all goes along with a lip
BESIDE = 6.0, 14.0  # millimetres above and below those, deviations of the Gaussians within which skin goes along
THINNER = 0.85  # of a lip's height, to which a smile thins it at most
HIGHEST, LEAST = 20.0, 0.5  # millimetres of a lip
MISSES = 4.0  # millimetres by which lips that are brought together miss the line where they met, at most
APPROACHES = 2  # times that they are brought there


def opens_nothing(opening: Opening) -> float:
    """How far, 0 ... 1, a mouth that smiles has its teeth together, with no dark below them: it smiles as well shut."""
    return 1 - opening.gapes(STAY_SHUT)


def join_lips(
    opening: Opening, source: Drawn, motion: np.ndarray, share: float, full: float = 1.0
) -> tuple[Opening, np.ndarray]:
    """An opening less high by a share of it, and a motion (S, S, 2) that brings the source's shut lips together again.

    Each lip goes back by the part that it had in parting; joined wholly, they meet in the line where they met. `full`
    is how far, 0 ... 1, they stay as full as they were.
    """
    high = np.maximum(opening.bottom - opening.top, 0)
    highest = float(high.max())
    if share <= 0 or highest <= 0:
        return opening, motion
    rest = at_rest(opening, source)
    seam = find_seam(source, rest)
    up, down, meet = _parting(opening, source, motion, rest, seam)
    apart = up + down
    up, down = (share * way / apart for way in (up, down))
    joined = dataclasses.replace(opening, top=opening.top + up * high, bottom=opening.bottom - down * high)
    parted = min(1.0, apart / highest)  # an outline may tell of an opening that no motion makes
    met = np.clip(1 - (1 - share) * highest, 0, 1) * np.clip((_half(opening) - np.abs(COLUMNS[0])) / WEB, 0, 1)
    joint = _Joint(opening, rest, seam, _line(opening, rest, seam, meet), met)
    motion = joint.brought(motion, parted * up * high, parted * down * high)
    # What an outline tells is rough: by how much lips miss each other in the line, the motion itself says.
    for _ in range(APPROACHES):
        motion = joint.nearer(motion)
    motion = joint.as_it_was(motion)
    if full > 0:
        motion = motion + np.float32(full) * (joint.as_full(motion, source) - motion)
    less = float((opening.bottom - joined.bottom)[opening.centre])
    return dataclasses.replace(joined, edge=opening.edge - max(less - opening.gap, 0.0)), motion


def _parting(
    opening: Opening, source: Drawn, motion: np.ndarray, rest: Opening, seam: np.ndarray
) -> tuple[float, float, float]:
    """By how much a motion (S, S, 2) takes the lips apart, up and down, and y at which they meet again; millimetres.

    They meet in the middle as far below the nose as they did, or as near to that as one of them stays.
    """
    rows = np.array([opening.top[opening.centre] - LIP, opening.bottom[opening.centre] + LIP])
    places = crop_points(opening, np.full((2, 1), opening.middle), rows[:, None])
    nose = moved_point(source.points[NOSE], motion) - source.points[NOSE]
    upper, lower = (float(y) for y in (-looked_up(motion, places)[:, 0] - nose) @ opening.down / opening.millimetre)
    lower = max(lower, upper + 1e-3)
    stays = float(np.clip(0.0, upper, lower))
    met = crop_points(rest, np.full((1, 1), opening.middle), np.full((1, 1), seam[opening.centre])) + nose
    return stays - upper, lower - stays, float(opening.millimetres(met)[0, 0, 1]) + stays


def _line(opening: Opening, rest: Opening, seam: np.ndarray, meet: float) -> np.ndarray:
    """y of the line where lips meet again, for every column: the seam, bent as the corners rise above its middle."""
    out = COLUMNS[0] / _half(opening)
    line = np.interp(out * _half(rest), COLUMNS[0], seam)
    return line + (meet - line[opening.centre]) * np.clip(1 - out**2, 0, 1)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class _Joint:
    """Where the source's lips come together again; what is said for every column is in millimetres.

    Attributes
    ----------
    opening: its axes lie on the mouth as it smiles.
    rest: the same with axes on the source's mouth.
    seam: y of the line where the source's lips meet, by `rest`.
    line: y of that where they meet again, by `opening`.
    met: how far, 0 ... 1, they meet there.
    """

    opening: Opening
    rest: Opening
    seam: np.ndarray
    line: np.ndarray
    met: np.ndarray

    def brought(self, motion: np.ndarray, above: np.ndarray, below: np.ndarray) -> np.ndarray:
        """A motion (S, S, 2) whose lips come down and up to the line, by ways for each column."""
        x, away = self._place(motion)
        ways = np.where(away < 0, -_at(x, above), _at(x, below))
        return _moved(motion, self.opening, ways * _goes_along(away))

    def nearer(self, motion: np.ndarray) -> np.ndarray:
        """A motion (S, S, 2) whose lips come to the line by what they miss it."""
        below = self._below_seam(motion, np.stack([self.line - LIP, self.line + LIP]))
        missed = self.met * np.clip(np.stack([below[0] + LIP, LIP - below[1]]), -MISSES, MISSES)
        return self.brought(motion, *_along(missed))

    def as_it_was(self, motion: np.ndarray) -> np.ndarray:
        """A motion (S, S, 2) under which the lips on either side of the line lie as they did."""
        x, away = self._place(motion)
        pixels = np.indices(away.shape, dtype=np.float32)[::-1].transpose(1, 2, 0)
        missed = away - below_seam(pixels, self.rest, motion, self.seam)
        by = _at(x, self.met) * np.clip((2 * LIP - np.abs(away)) / LIP, 0, 1) * missed * self.rest.millimetre
        return motion + by.astype(np.float32)[..., None] * self.rest.down

    def as_full(self, motion: np.ndarray, source: Drawn) -> np.ndarray:
        """A motion (S, S, 2) under which lips are hardly less full than they were, and not fuller.

        Where a generator draws teeth, its lips are those of a mouth that is open.
        """
        x, away = self._place(motion)
        before = COLUMNS[0] * _half(self.rest) / _half(self.opening)  # where each column was
        rise, steps = np.zeros_like(away), np.arange(0.0, HIGHEST, 1 / FINE)[:, None]
        for side, outline in zip((-1, 1), OUTLINES, strict=True):
            edge = np.interp(before, *self.rest.millimetres(source.points[list(outline)]).T)
            was = np.maximum(side * (edge - np.interp(before, COLUMNS[0], self.seam)), LEAST)
            came = side * self._below_seam(motion, self.line + side * steps)
            high = (np.maximum.accumulate(came, axis=0) < was).sum(axis=0) / FINE
            wanted = np.clip(high, THINNER * was, was)
            too = _along((self.met * np.clip(high - wanted, -MISSES, MISSES))[None])[0]
            lip = np.maximum(_at(x, wanted) - LIP, 1.0)
            rise += side * _at(x, too) * np.clip((side * away - LIP) / lip, 0, 1)
        return _moved(motion, self.opening, rise * _goes_along(away))

    def _place(self, motion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x of every pixel of the crop, and how far below the line it lies, (S, S)."""
        x, y = self.opening.place(motion.shape[0])
        return x, y - _at(x, self.line)

    def _below_seam(self, motion: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """How far below the seam that comes from which a motion (S, S, 2) brings to y `rows` (h, columns)."""
        return below_seam(crop_points(self.opening, COLUMNS, rows), self.rest, motion, self.seam)


def _at(x: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values for every column, at every x (S, S)."""
    return np.interp(x, COLUMNS[0], values).astype(np.float32)


def _along(values: np.ndarray) -> np.ndarray:
    """Values (n, w) for every column, smooth from each to the next."""
    return cv2.GaussianBlur(values.astype(np.float32), (0, 0), SMOOTH * FINE, sigmaY=1e-3)


def _half(opening: Opening) -> float:
    """Half the way from corner to corner, millimetres."""
    return max(float(opening.millimetres(opening.corners)[1, 0]), 1.0)


def _goes_along(away: np.ndarray) -> np.ndarray:
    """How far, 0 ... 1, skin goes along with the lips, by millimetres below the line where they meet."""
    beyond = np.maximum(np.where(away < 0, -away - LIPS[0], away - LIPS[1]), 0)
    return np.exp(-0.5 * np.square(beyond / np.where(away < 0, *BESIDE)))


def _moved(motion: np.ndarray, opening: Opening, rise: np.ndarray) -> np.ndarray:
    """A motion (S, S, 2), and what it shows goes up the face by millimetres (S, S)."""
    way = (opening.millimetre * rise).astype(np.float32)[..., None] * opening.down
    return warp(motion, way) + way

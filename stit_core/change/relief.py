"""The folds and wrinkles that an edit brings and the generator does not draw, laid over the source. Source: ours.

A map of relief is the mean of many faces, in which a wrinkle is a wide, even band. Here it becomes lines again: narrow,
broken, no two sides alike, each with the light that falls on its lower side.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stit_core.change.drawn import Drawn
from stit_core.change.smile import PURSED, nasolabial_shade, unsmiling
from stit_core.faces.labels import EYES, LIPS, NOSE, is_one_of
from stit_core.faces.relief import SHAPE, lay_over
from stit_core.warps import warp

SHADOW = np.array([0.88, 1.04, 1.08], np.float32)  # of red, green and blue, for a mean of 1: folds in skin are warm
FULL = 0.008  # root mean square of a map that ages skin as far as can be
FINER = 2  # times a map's size, at which its lines are drawn
ALONG = 11.0  # pixels of a map, deviation of the Gaussian along a band that makes a line of it
PEAK = 3.0  # pixels of a map, across a band, within which its darkest is its line
STRAY, LONG, TALL = 1.3, 7.0, 2.5  # pixels of a map: how far a line strays, and over what length and height
DEEP, VARIES, BROKEN = (
    0.7,
    0.35,
    (0.15, 1.3),
)  # of a line's depth: its mean, deviation, and where it is weakest and deepest
LOWER, LIT = 1.3, 0.5  # pixels of a map, from a line to its lower side, and how light that is, of the line's dark
LIKELY = 0.003, 0.03  # of the logarithm of brightness in the mean: from where on there may be a line, and surely is
FOREHEAD = slice(34, 69)  # rows of a map, from the hairline to above the brows
FURROWS = (42.0, 0.55), (50.5, 0.8), (59.5, 0.6)  # rows of the furrows across it, and how deep each is
FURROW_WIDTH = 0.7  # pixels of a map, deviation across one
FURROW_ENDS = 26.0, 50.0  # pixels of a map from the midline, where one begins to fade and where it is gone
FURROW_STRAY, FURROW_NOISE = 0.8, (14.0, 5.0)  # pixels of a map: how far one strays, over what length and height
FURROW_ARCH = 2.5, 28.0, 14.0  # rows by which one rises over the brows, how far aside that is, and how wide
NARROW = 3.0  # power of a band's profile that makes it a line
DEPTH = 0.15  # of the logarithm of brightness, by which a line shades
SOFT = 0.5  # of what the mean has, which stays around its lines
CLEAR = 5.0, 14.0  # pixels of a crop of 256, from eyes, nose and lips: up to where there is no line, and from where all
DOUBLED, DOUBLED_SHADE = 0.06, 0.02  # of the eyes' distance, around that fold, and its shade: the map's own is left out
SHALLOWER = 0.4  # of their depth, beside a mouth that is pursed
BESIDE_NOSE = 1.0  # of the folds of a broad smile, which skin has for good when it is old


@dataclass(frozen=True)
class Folds:
    """What a map of relief says of folds.

    Attributes
    ----------
    ageing: how much older skin gets, -1 ... 1; below 0 its folds get shallower.
    lines: map, FINER times faces.relief.SHAPE, float32: logarithms by which the lines that come shade.
    """

    ageing: float
    lines: np.ndarray


def read_folds(relief: np.ndarray | None) -> Folds | None:
    """What a map (faces.relief.SHAPE), times the edit's factors, says of folds; None where there is nothing in it.

    Folds are dark and narrow, what lies between them is light and wide: a map that brings them has a negative skew.
    """
    if relief is None or not relief.any():
        return None
    sign = -float(np.sign(np.power(relief, 3).mean()))
    ageing = sign * min(float(np.sqrt(np.square(relief).mean())) / FULL, 1.0)
    if ageing == 0:
        return None
    size = SHAPE[1] * FINER, SHAPE[0] * FINER
    if ageing <= 0:
        return Folds(ageing, np.zeros(size[::-1], np.float32))
    finer = cv2.resize(relief.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    random = np.random.default_rng(0)  # the same lines in every frame and run

    def noise(long: float, tall: float) -> np.ndarray:
        """Smooth noise over the map, of deviation 1."""
        white = random.standard_normal(size[::-1]).astype(np.float32)
        found = cv2.GaussianBlur(white, (0, 0), sigmaX=long * FINER, sigmaY=tall * FINER)
        return found / found.std()  # type: ignore[no-any-return]

    # A band of the mean is dark where many people have a line; each has a whole line somewhere in it.
    sure = _lines(np.maximum(-finer, 0))
    stray = STRAY * FINER * np.stack([noise(LONG, TALL), noise(LONG, TALL)], axis=-1)
    strong = np.clip(DEEP + VARIES * noise(LONG, TALL), *BROKEN)
    line = DEPTH * strong * _with_furrows(warp(sure, stray), FURROW_STRAY * noise(*FURROW_NOISE))
    lower = np.roll(cv2.GaussianBlur(line, (0, 0), 0.6 * FINER), round(LOWER * FINER), axis=0)
    soft = SOFT * cv2.GaussianBlur(finer, (0, 0), FINER)
    return Folds(ageing, (soft + ageing * (LIT * lower - line)).astype(np.float32))


def _lines(dark: np.ndarray) -> np.ndarray:
    """How surely, 0 ... 1, a line runs through each pixel of bands (h, w), which are as dark as lines are likely."""
    across = cv2.GaussianBlur(dark, (0, 0), ALONG * FINER / 4)
    x, y = cv2.Sobel(across, cv2.CV_32F, 1, 0), cv2.Sobel(across, cv2.CV_32F, 0, 1)
    xx, yy, xy = (cv2.GaussianBlur(part, (0, 0), ALONG * FINER / 2) for part in (x * x, y * y, x * y))
    angle = 0.5 * np.arctan2(2 * xy, xx - yy)  # of the direction across the bands
    normal = np.stack([np.cos(angle), np.sin(angle)], axis=-1).astype(np.float32)
    tangent = np.stack([-normal[..., 1], normal[..., 0]], axis=-1)
    steps = np.linspace(-2, 2, 17, dtype=np.float32)
    weights = np.exp(-0.5 * np.square(steps))
    drawn = sum(w * warp(dark, step * ALONG * FINER * tangent) for w, step in zip(weights, steps, strict=True))
    drawn = drawn / weights.sum()
    peak = np.max([warp(drawn, step * PEAK * FINER * normal) for step in steps[::2] / 2], axis=0)
    profile = np.power(drawn / np.maximum(peak, 1e-6), NARROW)
    return np.clip((peak - LIKELY[0]) / (LIKELY[1] - LIKELY[0]), 0, 1) * profile


def _with_furrows(sure: np.ndarray, stray: np.ndarray) -> np.ndarray:
    """Lines (h, w) of which those on the forehead are whole furrows, as sure as the surest there.

    In the mean of many faces furrows at different heights cancel each other but near the midline, where most have one;
    each face has its own from one side to the other, as wide as the muscle that folds the skin. `stray` (h, w) is how
    many rows of the map they stray.
    """
    rows = slice(FOREHEAD.start * FINER, FOREHEAD.stop * FINER)
    y, x = np.mgrid[rows, : sure.shape[1]].astype(np.float32) / FINER
    aside = np.abs(x - SHAPE[1] / 2)
    rise, where, wide = FURROW_ARCH
    y += rise * np.exp(-0.5 * np.square((aside - where) / wide)) + stray[rows]
    fade = np.clip((FURROW_ENDS[1] - aside) / (FURROW_ENDS[1] - FURROW_ENDS[0]), 0, 1)
    across = np.max([depth * np.exp(-0.5 * np.square((y - row) / FURROW_WIDTH)) for row, depth in FURROWS], axis=0)
    whole = sure.copy()
    whole[rows] = sure[rows].max() * across * fade * fade * (3 - 2 * fade)
    return whole


def relief_shade(folds: Folds, source: Drawn, edited: Drawn, offset: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Logarithm of the ratio (S, S, 3) by which the folds that come with an edit shade the source.

    Parameters
    ----------
    source, edited: of one frame and one size; the edit's places are known.
    offset: (S, S, 2), from each pixel of the source to its place in the pivot.
    motion: (S, S, 2), where in the source a pixel of the result comes from.
    """
    size = len(source.picture)
    if folds.ageing <= 0:
        return np.zeros((size, size, 3), np.float32)
    # Along lids, nostrils and lips a map has what moves there, which motion has already moved.
    features = is_one_of(edited.labels, (*EYES, NOSE, *LIPS)).astype(np.uint8)
    away = cv2.distanceTransform(1 - features, cv2.DIST_L2, 3) * (256 / size)
    clear = np.clip((away - CLEAR[0]) / (CLEAR[1] - CLEAR[0]), 0, 1).astype(np.float32)
    shade = warp(lay_over(folds.lines, edited.places, edited.head, size) * clear, offset)
    face = unsmiling(source)
    if face is not None:
        beside = nasolabial_shade(motion, face)
        everywhere = np.abs(nasolabial_shade(motion, face, edgeways=True))
        near = cv2.GaussianBlur(everywhere, (0, 0), face.unit * DOUBLED)
        beside = beside * np.float32(np.interp(face.width, PURSED, (SHALLOWER, 1)))
        shade = shade * (1 - np.clip(near / DOUBLED_SHADE, 0, 1)) + BESIDE_NOSE * folds.ageing * beside
    return shade[..., None] * SHADOW

"""The neck below a crop: another tone of skin does not end where a crop does.

A parser has seen no more than the crop. Skin below is what has the colours of the neck and hangs together with it; the
shade fades over it, as far down as it goes. Source: ours.
"""

from __future__ import annotations

import cv2
import numpy as np

from stit_core.geometry import BELOW

SEEN = 0.6  # of the crop's side from its top, below which the neck's colours are learned
LEAST_NECK = 60  # pixels of it
NOISE = 40.0  # squared grey levels by which its colours vary at least
ALIKE = 2.5, 4.5  # deviations of these colours: up to where something is skin, and from where on it is not
RIM = 16  # pixels of the crop at its lower edge, in which skin below hangs together with the neck
EDGE = 5  # pixels of the crop, twice the way by which a parser may miss the neck's edge
WIDENS = 0.7  # pixels a pixel, by which it gets wider on each side on the way down to the shoulders
SMOOTH = 1.2  # pixels of the crop, deviation of the Gaussian over the edge of that skin
FADES = 0.04, 0.46  # of the crop's side below it, between which the shade fades


def skin_below(frame: np.ndarray, matrix: np.ndarray, shift: np.ndarray, neck: np.ndarray) -> np.ndarray:
    """Where there is skin around a crop's lower edge and below, and how far a shade of the neck goes on there.

    Parameters
    ----------
    frame: (H, W, 3) uint8.
    matrix, shift: from its pixels to the crop's, see geometry.frame_to_crop.
    neck: (S, S), 1 where the parser sees it in the crop.

    Returns
    -------
    (S + BELOW S, S) float32 in [0, 1], in the crop's pixels; it holds for the lower part of the crop and below.
    """
    size = len(neck)
    height = round(size * (1 + BELOW))
    place = np.column_stack([matrix, shift])
    seen = cv2.warpAffine(frame, place, (size, height), flags=cv2.INTER_LINEAR)
    picture = cv2.GaussianBlur(seen, (0, 0), SMOOTH).astype(np.float32)
    known = cv2.erode(neck.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    known[: round(SEEN * size)] = False
    if known.sum() < LEAST_NECK:
        return np.zeros((height, size), np.float32)
    colours = picture[:size][known]
    apart = picture - colours.mean(axis=0)
    inverse = np.linalg.inv(np.cov(colours.T) + NOISE * np.eye(3)).astype(np.float32)
    away = np.sqrt(np.maximum(np.einsum("ijk,kl,ijl->ij", apart, inverse, apart), 0))
    alike = np.clip((ALIKE[1] - away) / (ALIKE[1] - ALIKE[0]), 0, 1).astype(np.float32)
    alike *= _reach(neck, height)
    _, parts = cv2.connectedComponents((alike > 0.5).astype(np.uint8))
    at_rim = np.unique(parts[size - RIM : size][(neck[size - RIM :] > 0) & (parts[size - RIM : size] > 0)])
    held = cv2.dilate(np.isin(parts, at_rim).astype(np.float32), np.ones((3, 3), np.uint8))
    t = np.clip((np.arange(height) / size - 1 - FADES[0]) / (FADES[1] - FADES[0]), 0, 1)
    fade = (1 - t * t * (3 - 2 * t)).astype(np.float32)[:, None]
    return fade * cv2.GaussianBlur(alike * held, (0, 0), SMOOTH)  # type: ignore[no-any-return]


def _reach(neck: np.ndarray, height: int) -> np.ndarray:
    """1 where skin may be, (height, S): in the crop where the parser sees a neck, below in a cone from there."""
    size = len(neck)
    reach = np.zeros((height, size), np.float32)
    reach[:size] = cv2.dilate(neck, np.ones((EDGE, EDGE), np.uint8))
    columns = np.flatnonzero(neck[size - RIM :].any(axis=0))
    if len(columns):
        beyond = np.arange(height - size)[:, None]
        x = np.arange(size)[None]
        reach[size:] = (x >= columns[0] - WIDENS * beyond) & (x <= columns[-1] + WIDENS * beyond)
    return reach

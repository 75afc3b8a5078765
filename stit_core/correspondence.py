"""Motion between two pictures of a face, read off maps that say which point of the head each pixel shows.

Where optical flow compares brightness, this compares places: the pixel of picture A that shows the same point of the
head as a pixel of picture B is where B's pixel has come from. Source: the search is inverse compositional (Baker and
Matthews 2004) with normal equations smoothed as in Lucas and Kanade (1981), on three channels, coarse to fine.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

# Classes that lie on the head, in the order of the 19 labels: skin, brows, eyes, ears, nose, mouth, lips, neck, hair.
HEAD_CLASSES = (1, 2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 14, 17)
PLACES_A_SIDE = 2.4  # units of places that an aligned crop is wide, about
LEVELS = ((4, 4, 1.5), (2, 4, 1.2), (1, 5, 1.0))  # (shrinking, steps, smoothing in pixels of that level)
STEEPEST = 4.0  # times the mean change of places from pixel to pixel, over which an edge is taken to run there
DAMPING = 0.02  # of the mean structure
DOUBT = 2.0  # pixels at 256 px by which places may disagree until a match is half believed
WIDE = 4.0  # times DOUBT: what the search, which begins far off, may disagree by
SPREAD = 6.0  # pixels of the map over which motion is carried on past the head


@dataclass(frozen=True)
class Motion:
    """Where the pixels of a picture have come from.

    Attributes
    ----------
    flow: (H, W, 2) float32, pixels right and down: pixel q of picture B shows what is at q + flow[q] in picture A.
        Past the head it runs out smoothly.
    confidence: (H, W) float32 in [0, 1]: 0 past the head and where A does not show the point (a tooth that a smile
        has bared), 1 where the places agree.
    """

    flow: np.ndarray
    confidence: np.ndarray


def read_motion(
    places_a: np.ndarray,
    places_b: np.ndarray,
    weight_a: np.ndarray | None = None,
    weight_b: np.ndarray | None = None,
    size: int = 256,
) -> Motion:
    """The motion that leads from each pixel of picture B back to picture A.

    Parameters
    ----------
    places_a, places_b: (h, w, 3) float, which point of the head each pixel shows, as CompactReader.read gives them.
    weight_a, weight_b: (h, w) in [0, 1], how surely a pixel is part of the head; 1 everywhere where left out.
    size: the side of the motion, which the maps' motion is enlarged to.

    Returns
    -------
    Motion at `size`, for warping A onto B: B(q) is A(q + flow(q)).

    Raises
    ------
    ValueError: shapes that do not belong together.
    """
    a, b = (np.ascontiguousarray(places, np.float32) for places in (places_a, places_b))
    if a.ndim != 3 or a.shape[2] != 3 or a.shape != b.shape:
        raise ValueError(f"Places must be (h, w, 3) and alike, not {a.shape} and {b.shape}.")
    weights = []
    for weight in (weight_a, weight_b):
        whole = np.ones(a.shape[:2], np.float32) if weight is None else np.ascontiguousarray(weight, np.float32)
        if whole.shape != a.shape[:2]:
            raise ValueError(f"Weights must be {a.shape[:2]}, not {whole.shape}.")
        weights.append(whole)
    flow = np.zeros((1, 1, 2), np.float32)
    for shrinking, steps, smoothing in LEVELS:
        level = [_shrunk(places, weight, shrinking) for places, weight in zip((a, b), weights, strict=True)]
        shape = level[0][0].shape[:2]
        grown = cv2.resize(flow, shape[::-1], interpolation=cv2.INTER_LINEAR)
        flow = np.atleast_3d(grown) * np.float32(shape[1] / flow.shape[1])
        flow, agree = _refined(flow, *level[0], *level[1], steps, smoothing)
    flow = _carried_on(flow, agree)
    scale = size / a.shape[1]
    shape = (size, round(size * a.shape[0] / a.shape[1]))
    return Motion(
        cv2.resize(flow, shape, interpolation=cv2.INTER_CUBIC) * np.float32(scale),
        np.clip(cv2.resize(agree, shape, interpolation=cv2.INTER_LINEAR), 0, 1),
    )


def head_weight(logits: np.ndarray) -> np.ndarray:
    """How surely pixels are part of the head: logits (19, h, w) -> (h, w) float32 in [0, 1]."""
    shares = np.exp(logits - logits.max(0))
    return (shares[list(HEAD_CLASSES)].sum(0) / shares.sum(0)).astype(np.float32)  # type: ignore[no-any-return]


def _shrunk(places: np.ndarray, weight: np.ndarray, shrinking: int) -> tuple[np.ndarray, np.ndarray]:
    """Means of places (h, w, 3) by weight, and mean weights, over blocks of `shrinking` pixels a side."""
    if shrinking == 1:
        return places, weight
    shape = places.shape[1] // shrinking, places.shape[0] // shrinking
    total = cv2.resize(weight, shape, interpolation=cv2.INTER_AREA)
    summed = cv2.resize(places * weight[..., None], shape, interpolation=cv2.INTER_AREA)
    return summed / np.maximum(total, 1e-4)[..., None], total


def _refined(
    flow: np.ndarray,
    places_a: np.ndarray,
    weight_a: np.ndarray,
    places_b: np.ndarray,
    weight_b: np.ndarray,
    steps: int,
    smoothing: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Flow (h, w, 2) after `steps` Gauss-Newton steps, and how far the places agree then (h, w)."""
    height, width = places_a.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    right = cv2.Scharr(places_b, cv2.CV_32F, 1, 0, scale=1 / 32)
    down = cv2.Scharr(places_b, cv2.CV_32F, 0, 1, scale=1 / 32)
    step = PLACES_A_SIDE / width
    structure = np.dstack([_dot(right, right), _dot(right, down), _dot(down, down)])
    steep = np.maximum(structure[..., 0], structure[..., 2])
    base = weight_b / (1 + (steep / (step * STEEPEST) ** 2) ** 2)
    packed = np.dstack([places_a, weight_a])
    doubt = DOUBT * PLACES_A_SIDE / 256
    agree = base
    for number in range(steps + 1):
        moved = cv2.remap(packed, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        apart = moved[..., :3] - places_b
        distance = _dot(apart, apart)
        if number == steps:
            agree = weight_b * moved[..., 3] / (1 + distance / doubt**2)
            break
        # A wide berth at first, when all are far from their goal.
        trust = base * moved[..., 3] / (1 + distance / (WIDE * doubt) ** 2)
        terms = np.dstack([structure, _dot(right, apart), _dot(down, apart)]) * trust[..., None]
        terms = cv2.GaussianBlur(terms, (0, 0), smoothing)
        xx, xy, yy, xr, yr = np.moveaxis(terms, 2, 0)
        damping = DAMPING * step * step
        xx, yy = xx + damping, yy + damping
        scale = 1 / (xx * yy - xy * xy)
        flow = flow - np.dstack([(yy * xr - xy * yr) * scale, (xx * yr - xy * xr) * scale])
    return flow, agree


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sum over the three channels of a product, (h, w, 3) twice -> (h, w)."""
    return cv2.transform(a * b, np.ones((1, 3), np.float32))


def _carried_on(flow: np.ndarray, agree: np.ndarray) -> np.ndarray:
    """Flow (h, w, 2) that is its own where places agree and runs out smoothly elsewhere."""
    total, known = flow * agree[..., None], agree
    filled, share = np.zeros_like(flow), np.zeros_like(agree)
    for sigma in (SPREAD / 4, SPREAD):
        weight = cv2.GaussianBlur(known, (0, 0), sigma)
        mean = cv2.GaussianBlur(total, (0, 0), sigma) / np.maximum(weight, 1e-3)[..., None]
        part = (1 - share) * np.clip(4 * weight, 0, 1)
        filled += part[..., None] * mean
        share += part
    own = np.clip(2 * agree, 0, 1)[..., None]
    return own * flow + (1 - own) * filled  # type: ignore[no-any-return]

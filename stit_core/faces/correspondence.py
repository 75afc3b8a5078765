"""Motion between two pictures of a face, read off maps that say which point of the head each pixel shows.

Where optical flow compares brightness only, this compares places first: the pixel of picture A that shows the same
point of the head as a pixel of picture B is where B's pixel has come from. Places know where a lip has gone, but only
to about a pixel; where the pictures are given too, their texture then settles the rest. Source: the search is inverse
compositional (Baker and Matthews 2004) with normal equations smoothed as in Lucas and Kanade (1981), on three channels
of places and one of brightness, coarse to fine; putting the two together is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from stit_core.warps import blurred

# Classes that lie on the head, in the order of the 19 labels: skin, brows, eyes, ears, nose, mouth, lips, neck, hair.
HEAD_CLASSES = (1, 2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 14, 17)
PLACES_A_SIDE = 2.4  # units of places that an aligned crop is wide, about
STEEPEST = 4.0  # times the mean change of places from pixel to pixel, over which an edge is taken to run there
DAMPING = 0.02  # of the mean structure
DOUBT = 2.0  # pixels at 256 px by which places may disagree until a match is half believed
WIDE = 4.0  # times DOUBT: what the search, which begins far off, may disagree by
SPREAD = 6.0  # pixels of the map over which motion is carried on past the head
PLACE_NOISE = 1.5  # pixels at 256 px, of places
TEXTURE_NOISE = 0.1  # of brightness in local standard deviations
TEXTURE_DOUBT = 0.5  # the same: what differs by more is a change, not a motion
TEXTURE_REACH = 4.0  # pixels, of the local mean and deviation
FLAT = 3.0  # grey levels of deviation under which there is no texture


class Level(NamedTuple):
    """A step of the search: side in shares of the map's, Gauss-Newton steps, smoothing in pixels, texture or not."""

    share: float
    steps: int
    smoothing: float
    texture: bool


BY_PLACES = (Level(0.25, 4, 1.5, False), Level(0.5, 4, 1.2, False), Level(1, 5, 1.0, False))
BY_TEXTURE = (Level(1, 5, 4.0, True), Level(2, 4, 4.0, True))


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


@dataclass(frozen=True)
class _View:
    """One picture at one size: places (h, w, 3), weight (h, w), and its brightness in local deviations, or none."""

    places: np.ndarray
    weight: np.ndarray
    texture: np.ndarray | None


def read_motion(
    places_a: np.ndarray,
    places_b: np.ndarray,
    weight_a: np.ndarray | None = None,
    weight_b: np.ndarray | None = None,
    pictures: tuple[np.ndarray, np.ndarray] | None = None,
    size: int = 256,
) -> Motion:
    """The motion that leads from each pixel of picture B back to picture A.

    Parameters
    ----------
    places_a, places_b: (h, h, 3) float, which point of the head each pixel shows, as CompactReader.read gives them.
    weight_a, weight_b: (h, h) in [0, 1], how surely a pixel is part of the head; 1 everywhere where left out.
    pictures: A and B, (H, H, 3) uint8, whose texture makes the motion finer where they share it.
    size: the side of the motion, pixels.

    Returns
    -------
    Motion at `size`, for warping A onto B: B(q) is A(q + flow(q)).

    Raises
    ------
    ValueError: shapes that do not belong together.
    """
    first, second = _whole(places_a, weight_a), _whole(places_b, weight_b)
    if first.places.shape != second.places.shape:
        raise ValueError(f"Places must be alike, not {first.places.shape} and {second.places.shape}.")
    if pictures is not None and pictures[0].shape != pictures[1].shape:
        raise ValueError(f"Pictures must be alike, not {pictures[0].shape} and {pictures[1].shape}.")
    side = first.places.shape[0]
    flow, agree = np.zeros((side, side, 2), np.float32), first.weight
    for level in BY_PLACES if pictures is None else (*BY_PLACES, *BY_TEXTURE):
        target = round(side * level.share)
        picture_a, picture_b = pictures if pictures is not None and level.texture else (None, None)
        views = _at(first, target, picture_a), _at(second, target, picture_b)
        flow, agree = _search(_resized(flow, target), *views, level)
    flow = _carried_on(flow, agree)
    return Motion(_resized(flow, size), np.clip(cv2.resize(agree, (size, size), interpolation=cv2.INTER_LINEAR), 0, 1))


def head_weight(logits: np.ndarray) -> np.ndarray:
    """How surely pixels are part of the head: logits (19, h, w) -> (h, w) float32 in [0, 1]."""
    shares = np.exp(logits - logits.max(0))
    return (shares[list(HEAD_CLASSES)].sum(0) / shares.sum(0)).astype(np.float32)  # type: ignore[no-any-return]


def _whole(places: np.ndarray, weight: np.ndarray | None) -> _View:
    maps = np.ascontiguousarray(places, np.float32)
    if maps.ndim != 3 or maps.shape[2] != 3 or maps.shape[0] != maps.shape[1]:
        raise ValueError(f"Places must be (h, h, 3), not {maps.shape}.")
    shares = np.ones(maps.shape[:2], np.float32) if weight is None else np.ascontiguousarray(weight, np.float32)
    if shares.shape != maps.shape[:2]:
        raise ValueError(f"Weights must be {maps.shape[:2]}, not {shares.shape}.")
    return _View(maps, shares, None)


def _at(view: _View, size: int, picture: np.ndarray | None) -> _View:
    """A view at another size; places are averaged by their weight. The texture is that of `picture`."""
    places, weight = view.places, view.weight
    if size < len(weight):
        total = cv2.resize(weight, (size, size), interpolation=cv2.INTER_AREA)
        summed = cv2.resize(places * weight[..., None], (size, size), interpolation=cv2.INTER_AREA)
        places, weight = summed / np.maximum(total, 1e-4)[..., None], total
    elif size > len(weight):
        places, weight = (cv2.resize(each, (size, size), interpolation=cv2.INTER_LINEAR) for each in (places, weight))
    return _View(places, weight, None if picture is None else _texture(picture, size))


def _texture(picture: np.ndarray, size: int) -> np.ndarray:
    """Brightness (size, size) of a picture (H, H, 3) uint8 less its local mean, in local deviations."""
    grey = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (size, size), interpolation=cv2.INTER_AREA)
    fine = grey.astype(np.float32)
    fine -= cv2.GaussianBlur(fine, (0, 0), TEXTURE_REACH)
    spread = cv2.GaussianBlur(fine * fine, (0, 0), TEXTURE_REACH)
    return fine / np.sqrt(spread + FLAT * FLAT)  # type: ignore[no-any-return]


def _resized(flow: np.ndarray, size: int) -> np.ndarray:
    """Flow (h, h, 2) at another size, in that size's pixels."""
    if len(flow) == size:
        return flow
    kind = cv2.INTER_AREA if size < len(flow) else cv2.INTER_LINEAR
    return cv2.resize(flow, (size, size), interpolation=kind) * np.float32(size / len(flow))  # type: ignore[no-any-return]


def _search(flow: np.ndarray, a: _View, b: _View, level: Level) -> tuple[np.ndarray, np.ndarray]:
    """Flow (h, h, 2) after the level's Gauss-Newton steps, and how far the places agree then (h, h)."""
    size = len(flow)
    x, y = np.meshgrid(np.arange(size, dtype=np.float32), np.arange(size, dtype=np.float32))
    pixel = PLACES_A_SIDE / size
    doubt, noise = DOUBT * PLACES_A_SIDE / 256, PLACE_NOISE * PLACES_A_SIDE / 256
    right, down = _slopes(b.places)
    structure = np.dstack([_dot(right, right), _dot(right, down), _dot(down, down)])
    steep = np.maximum(structure[..., 0], structure[..., 2])
    base = b.weight / (noise * noise * (1 + (steep / (pixel * STEEPEST) ** 2) ** 2))
    source = np.dstack([a.places, a.weight])
    for _ in range(level.steps):
        across, along = x + flow[..., 0], y + flow[..., 1]
        moved = _sampled(source, across, along)
        apart = moved[..., :3] - b.places
        trust = base * moved[..., 3] / (1 + _dot(apart, apart) / (WIDE * doubt) ** 2)
        terms = np.dstack([structure, _dot(right, apart), _dot(down, apart)]) * trust[..., None]
        if a.texture is not None and b.texture is not None:
            terms += _texture_terms(_sampled(a.texture, across, along), b.texture)
        flow = flow - _solved(blurred(terms, level.smoothing), DAMPING * (pixel / noise) ** 2)
    moved = _sampled(source, x + flow[..., 0], y + flow[..., 1])
    apart = moved[..., :3] - b.places
    return flow, b.weight * moved[..., 3] / (1 + _dot(apart, apart) / doubt**2)


def _texture_terms(moved: np.ndarray, texture: np.ndarray) -> np.ndarray:
    """The five terms of the normal equations (h, h, 5) that brightness adds."""
    right, down = _slopes(texture)
    apart = moved - texture
    trust = 1 / (TEXTURE_NOISE**2 * (1 + (apart / TEXTURE_DOUBT) ** 2))
    first, second = right * trust, down * trust
    return np.dstack([right * first, right * second, down * second, first * apart, second * apart])


def _slopes(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Change of values (h, h) or (h, h, 3) from pixel to pixel, right and down."""
    return (
        cv2.Scharr(values, cv2.CV_32F, 1, 0, scale=1 / 32),
        cv2.Scharr(values, cv2.CV_32F, 0, 1, scale=1 / 32),
    )


def _sampled(values: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _solved(terms: np.ndarray, damping: float) -> np.ndarray:
    """Steps (h, h, 2) that solve the damped normal equations (h, h, 5: xx, xy, yy, x, y)."""
    xx, xy, yy, x, y = cv2.split(terms)
    xx += damping
    yy += damping
    scale = 1 / (xx * yy - xy * xy)
    return np.dstack([(yy * x - xy * y) * scale, (xx * y - xy * x) * scale])


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sum over the three channels of a product, (h, h, 3) twice -> (h, h)."""
    return cv2.transform(a * b, np.ones((1, 3), np.float32))


def _carried_on(flow: np.ndarray, agree: np.ndarray) -> np.ndarray:
    """Flow (h, h, 2) that is its own where places agree and runs out smoothly elsewhere."""
    reach = SPREAD * len(flow) / 128
    total = np.dstack([flow * agree[..., None], agree])
    filled, share = np.zeros_like(flow), np.zeros_like(agree)
    for smoothing in (reach / 4, reach):
        mean = blurred(total, max(smoothing, 1.0))
        part = (1 - share) * np.clip(4 * mean[..., 2], 0, 1)
        filled += (part / np.maximum(mean[..., 2], 1e-3))[..., None] * mean[..., :2]
        share += part
    own = np.clip(2 * agree, 0, 1)[..., None]
    return own * flow + (1 - own) * filled  # type: ignore[no-any-return]

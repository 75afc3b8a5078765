"""Several edited faces in one frame: each where it stands, and where two meet, the one in front over the other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from stit_core.geometry import frame_to_crop, patch_bounds

SEAM = 0.008  # of the quad's side, deviation of the Gaussian over the line between two faces
FOREHEAD = 0.9  # of the way from the brows to the nose's tip, by which a face reaches above its brows
_SKIN_NOISE = 25.0  # squared grey levels by which the colour of a face varies at least
_FEWEST = 30  # pixels of a face, to know its colour


@dataclass(frozen=True)
class Layer:
    """One person's edited face in a frame.

    Attributes
    ----------
    points: (68, 2), landmarks in frame pixels.
    quad: (4, 2), frame pixels.
    edited: (H, W, 3) uint8, the frame with this face only; None for somebody who is not edited.
    mask: (S, S) uint8, 0 or 255: what the parser takes for the face, and its border, in the crop along the quad; None
        where it is not known, and the outline alone counts.
    """

    points: np.ndarray
    quad: np.ndarray
    edited: np.ndarray | None = None
    mask: np.ndarray | None = None


def lay_together(frame: np.ndarray, layers: Sequence[Layer]) -> np.ndarray:
    """The frame with all faces, a new array.

    A pixel that only one face's crop reaches is that of its own edit to the bit. Where crops overlap, a pixel belongs
    to the nearest face whose outline or, failing that, whose mask holds it, and no other face changes it; in between,
    what each would change adds up. So two faces meet along one line, and nothing is changed twice.

    Parameters
    ----------
    frame: (H, W, 3) uint8, the source.
    layers: the face in front first.
    """
    result = frame.copy()
    height, width = frame.shape[:2]
    bounds = [patch_bounds(layer.quad, width, height) for layer in layers]
    for layer, (left, top, right, bottom) in zip(layers, bounds, strict=True):
        if layer.edited is not None:
            result[top:bottom, left:right] = layer.edited[top:bottom, left:right]
    for a, b in itertools.combinations(range(len(layers)), 2):
        place = _shared(bounds[a], bounds[b])
        if place is not None:
            _mix(result, frame, layers, bounds, place)
    return result


def face_outline(points: np.ndarray) -> np.ndarray:
    """The outline (N, 2) of a face from its landmarks (68, 2), forehead and all; convex."""
    brows = points[17:27]
    up = FOREHEAD * (brows.mean(axis=0) - points[30])
    return cv2.convexHull(np.concatenate([points, brows + up]).astype(np.float32))[:, 0]


def shows_first(frame: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Which of two faces is seen where their outlines overlap, by the colours that each has elsewhere.

    Parameters
    ----------
    frame: (H, W, 3) uint8, the source.
    first, second: (68, 2), landmarks.

    Returns
    -------
    Pixels that look like the first less those that look like the second; 0 where they do not overlap.

    Source: ours.
    """
    outlines = [face_outline(points) for points in (first, second)]
    left, top = np.floor(np.min([o.min(axis=0) for o in outlines], axis=0)).astype(int)
    right, bottom = np.ceil(np.max([o.max(axis=0) for o in outlines], axis=0)).astype(int) + 1
    left, top = max(0, left), max(0, top)
    picture = frame[top:bottom, left:right].astype(np.float32)
    if picture.size == 0:
        return 0.0
    inside = [_filled(outline - [left, top], picture.shape[:2]) for outline in outlines]
    both = inside[0] & inside[1]
    if not both.any():
        return 0.0
    apart = []
    for own in inside:
        colours = picture[own & ~both]
        if len(colours) < _FEWEST:  # the other covers all of it, or it covers the other
            return 0.0
        inverse = np.linalg.inv(np.cov(colours.T) + _SKIN_NOISE * np.eye(3))
        away = picture[both] - colours.mean(axis=0)
        apart.append(np.einsum("ij,jk,ik->i", away, inverse, away))
    return float(np.sign(apart[1] - apart[0]).sum())


def _mix(
    result: np.ndarray,
    frame: np.ndarray,
    layers: Sequence[Layer],
    bounds: Sequence[tuple[int, int, int, int]],
    place: tuple[int, int, int, int],
) -> None:
    """Fill a place where crops overlap, in `result`."""
    left, top, right, bottom = place
    here = [i for i, other in enumerate(bounds) if _shared(other, place) is not None]
    owned = _owned([layers[i] for i in here], place)
    source = frame[top:bottom, left:right].astype(np.float32)
    mixed = source.copy()
    others = np.sum(owned, axis=0)
    for i, own in zip(here, owned, strict=True):
        edited = layers[i].edited
        if edited is None:
            continue
        reach = np.zeros(source.shape[:2], np.float32)
        x0, y0, x1, y1 = bounds[i]
        reach[max(0, y0 - top) : max(0, y1 - top), max(0, x0 - left) : max(0, x1 - left)] = 1
        change = edited[top:bottom, left:right].astype(np.float32) - source
        mixed += change * (reach * (1 - (others - own)))[..., None]
    result[top:bottom, left:right] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def _owned(layers: Sequence[Layer], place: tuple[int, int, int, int]) -> list[np.ndarray]:
    """How far each face has each pixel of a place, (h, w) float32 in [0, 1]; their sum is at most 1."""
    left, top, right, bottom = place
    # A margin, so that the blur sees what lies around the place.
    margin = 2 + max(round(4 * _seam(layer)) for layer in layers)
    left, top, right, bottom = left - margin, top - margin, right + margin, bottom + margin
    shape = bottom - top, right - left
    owner = np.full(shape, -1)
    nearest = np.full(shape, np.inf, np.float32)
    for number, layer in enumerate(layers):
        if layer.mask is None:
            continue
        size = layer.mask.shape[0]
        matrix, shift = frame_to_crop(layer.quad, size)
        affine = np.concatenate([matrix, (shift + matrix @ [left, top])[:, None]], axis=1)
        rows, columns = np.indices(shape, dtype=np.float32)
        x = np.float32(affine[0, 0]) * columns + np.float32(affine[0, 1]) * rows + np.float32(affine[0, 2])
        y = np.float32(affine[1, 0]) * columns + np.float32(affine[1, 1]) * rows + np.float32(affine[1, 2])
        mask = cv2.remap(layer.mask, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT) > 127
        middle = matrix @ layer.points.mean(axis=0) + shift
        away = np.hypot(x - np.float32(middle[0]), y - np.float32(middle[1])) / size
        closer = mask & (away < nearest)
        owner[closer], nearest[closer] = number, away[closer]
    for number in reversed(range(len(layers))):  # an outline counts more than any mask, the one in front most
        owner[_filled(face_outline(layers[number].points) - [left, top], shape)] = number
    inner = np.s_[margin : shape[0] - margin, margin : shape[1] - margin]
    sigma = max(_seam(layer) for layer in layers)
    return [
        cv2.GaussianBlur((owner == number).astype(np.float32), (0, 0), sigma)[inner] for number in range(len(layers))
    ]


def _seam(layer: Layer) -> float:
    return max(0.7, SEAM * float(np.hypot(*(layer.quad[3] - layer.quad[0]))))


def _filled(outline: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(h, w) bool, inside a convex outline (N, 2)."""
    canvas = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(canvas, np.rint(outline).astype(np.int32), 1)
    return canvas > 0


def _shared(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> tuple[int, int, int, int] | None:
    """What two boxes have in common, or None."""
    left, top, right, bottom = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
    return (left, top, right, bottom) if left < right and top < bottom else None

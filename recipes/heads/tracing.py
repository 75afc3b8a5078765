"""Which point of the head each pixel shows: its place on the mean rest head, and its true motion to another picture.

Places are lengths of PLACE_UNIT from PLACE_CENTRE on the mean head at rest: the same for all people, expressions and
poses. Motion is known because two heads have the same mesh and strands. Source: ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from .raster import EMPTY

if TYPE_CHECKING:
    from .renderer import Camera

PLACE_CENTRE = np.array([0.0, 0.2, 0.0])  # decimetres from the head joint
PLACE_UNIT = 1.25  # decimetres
# A point is seen in the other picture where nothing is nearer to the camera by more than this, decimetres.
SKIN_TOLERANCE, STRAND_TOLERANCE = 0.02, 0.12


@dataclass(frozen=True)
class Trace:
    """What a picture's samples show; V vertices, N points of strands, FACTOR x FACTOR samples a pixel.

    Attributes
    ----------
    owner, bary: (H', W') and (H', W', 2), as raster.py leaves them.
    faces: (F, 3) vertices of the triangles.
    frozen: (F,) bool, faces whose points do not move with the mesh alone (eyeballs, which look somewhere).
    position, strand_position: (V, 3) and (N, 3) in space, decimetres.
    camera: that saw them.
    """

    owner: np.ndarray
    bary: np.ndarray
    faces: np.ndarray
    frozen: np.ndarray
    position: np.ndarray
    strand_position: np.ndarray
    camera: Camera

    def projected(self) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (V, 3) and strand points (N, 3) in the picture: x, y in samples, nearness (1 / depth)."""
        points = [self.camera.project(each) for each in (self.position, self.strand_position)]
        for each in points:
            each[:, :2] *= self.owner.shape[1]
        return points[0], points[1]


def to_places(points: np.ndarray) -> np.ndarray:
    """Points (N, 3) of the mean rest head, decimetres, as places."""
    return (points - PLACE_CENTRE) / PLACE_UNIT


@njit(cache=True, nogil=True, fastmath=True)
def interpolate(who, bary, near, faces, values, strand_values, out):  # type: ignore[no-untyped-def]
    """Value at one sample of what is given at vertices and strand points, into `out`; perspective is minded."""
    if who <= -2:
        s, t = -2 - who, bary[0]
        for c in range(out.shape[0]):
            out[c] = strand_values[s, c] * (1.0 - t) + strand_values[s + 1, c] * t
        return
    i, j, k = faces[who, 0], faces[who, 1], faces[who, 2]
    wi, wj, wk = bary[0] * near[i], bary[1] * near[j], (1.0 - bary[0] - bary[1]) * near[k]
    scale = 1.0 / (wi + wj + wk)
    for c in range(out.shape[0]):
        out[c] = (wi * values[i, c] + wj * values[j, c] + wk * values[k, c]) * scale


@njit(cache=True, nogil=True, fastmath=True)
def resolve_places(  # type: ignore[no-untyped-def]
    owner, bary, near, faces, values, strand_values, labels, factor, small_labels, small
):
    """Mean place (H, W, 3) of the samples that have their pixel's label; 0 where nothing of the head is seen."""
    point = np.zeros(3)
    for y in range(small.shape[0]):
        for x in range(small.shape[1]):
            count = 0
            small[y, x] = 0.0
            for j in range(y * factor, (y + 1) * factor):
                for i in range(x * factor, (x + 1) * factor):
                    if owner[j, i] == EMPTY or labels[j, i] != small_labels[y, x]:
                        continue
                    interpolate(owner[j, i], bary[j, i], near, faces, values, strand_values, point)
                    count += 1
                    for c in range(3):
                        small[y, x, c] += point[c]
            if count:
                small[y, x] /= count


@njit(cache=True, nogil=True, fastmath=True)
def depth_at(who, bary, points, strand_points, faces):  # type: ignore[no-untyped-def]
    """Distance from the camera's plane of what a sample shows."""
    if who <= -2:
        s = -2 - who
        return 1.0 / (strand_points[s, 2] * (1.0 - bary[0]) + strand_points[s + 1, 2] * bary[0])
    i, j, k = faces[who, 0], faces[who, 1], faces[who, 2]
    return 1.0 / (bary[0] * points[i, 2] + bary[1] * points[j, 2] + (1.0 - bary[0] - bary[1]) * points[k, 2])


@njit(cache=True, nogil=True, fastmath=True)
def resolve_motion(  # type: ignore[no-untyped-def]
    owner, bary, near, other_owner, other_bary, other_points, other_strands, faces, frozen, factor, motion
):
    """Mean motion (H, W, 2), x and y in pixels, of the samples that are seen in both pictures; else NaN."""
    height, width = owner.shape
    point = np.zeros(3)
    for y in range(motion.shape[0]):
        for x in range(motion.shape[1]):
            count, right, down = 0, 0.0, 0.0
            for j in range(y * factor, (y + 1) * factor):
                for i in range(x * factor, (x + 1) * factor):
                    who = owner[j, i]
                    if who == EMPTY or (who >= 0 and frozen[who]):
                        continue
                    interpolate(who, bary[j, i], near, faces, other_points, other_strands, point)
                    u, v = int(np.floor(point[0])), int(np.floor(point[1]))
                    if u < 0 or v < 0 or u >= width or v >= height or other_owner[v, u] == EMPTY:
                        continue
                    nearest = depth_at(other_owner[v, u], other_bary[v, u], other_points, other_strands, faces)
                    tolerance = STRAND_TOLERANCE if who <= -2 else SKIN_TOLERANCE
                    if 1.0 / point[2] > nearest + tolerance:
                        continue
                    count += 1
                    right += point[0] - i - 0.5
                    down += point[1] - j - 0.5
            motion[y, x] = np.nan
            if 2 * count >= factor * factor:
                motion[y, x, 0] = right / (count * factor)
                motion[y, x, 1] = down / (count * factor)


def true_motion(trace: Trace, other: Trace, factor: int) -> np.ndarray:
    """Where each pixel of a picture has gone in another picture of the same mesh and strands.

    Parameters
    ----------
    trace, other: of the two pictures, of one size; the heads may differ in all but the family of their hair.
    factor: samples a side and pixel.

    Returns
    -------
    (H, W, 2) float32, pixels (right, down); NaN where the point is hidden in the other picture, and on eyeballs.

    Raises
    ------
    ValueError: the strands are not the same ones, or the pictures differ in size.
    """
    if trace.strand_position.shape != other.strand_position.shape or trace.owner.shape != other.owner.shape:
        raise ValueError("Motion is known between pictures of one size and one family of hair only.")
    near = trace.projected()[0][:, 2]
    points, strands = other.projected()
    height, width = trace.owner.shape
    motion = np.empty((height // factor, width // factor, 2), np.float32)
    resolve_motion(
        trace.owner,
        trace.bary,
        near,
        other.owner,
        other.bary,
        points,
        strands,
        trace.faces,
        trace.frozen,
        factor,
        motion,
    )
    return motion

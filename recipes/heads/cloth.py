"""What is worn at the neck: where its edge runs on the rest head, how far it stands off, and how it is coloured."""

from __future__ import annotations

import numpy as np
from numba import njit

from .surface import CLOTH, JACKET, REST_X, REST_Y, REST_Z, ramp

HEM = 0.10  # decimetres of the band at the neckline
_STEP = 0.01

# Folds that are attached to the surface: waves over the rest head, (x, y, z) per decimetre, phase, slope.
_FOLDS = np.array(
    [
        [5.5, 7.5, 2.0, 0.4, 0.30],
        [-6.5, 6.0, 3.0, 2.1, 0.28],
        [2.5, 12.0, -4.0, 4.4, 0.16],
        [-9.0, -3.0, 6.0, 1.2, 0.15],
    ]
)


def edge_height(points: np.ndarray, neckline: float, collar: float) -> np.ndarray:
    """Height (N,) of the neckline over rest points (N, 3): a tilted ring, or a V."""
    across = np.abs(points[:, 0])
    front = 1 / (1 + np.exp(-14 * points[:, 2]))
    depth = 0.9 * max(neckline - 0.35, 0.0) ** 1.3
    wedge = 0.5 * (0.5 - across + np.sqrt((0.5 - across) ** 2 + 0.003)) / 0.5
    stand = 0.17 * collar + 1.1 * max(collar - 0.8, 0.0)  # the highest are turtlenecks
    return -1.13 + stand - 0.33 * points[:, 2] - depth * wedge * front  # type: ignore[no-any-return]


def cloth_depth(points: np.ndarray, normals: np.ndarray, neckline: float, collar: float) -> np.ndarray:
    """Decimetres (N,) along the surface from the neckline down into the cloth, negative on the skin.

    `points` and `normals` (N, 3) are those of the rest head. Source: ours.
    """
    height = edge_height(points, neckline, collar)
    slope = np.zeros_like(points)
    slope[:, 1] = -1.0
    for k in (0, 2):
        moved = points.copy()
        moved[:, k] += _STEP
        slope[:, k] = (edge_height(moved, neckline, collar) - height) / _STEP
    slope -= normals * (slope * normals).sum(1, keepdims=True)
    along = np.maximum(np.linalg.norm(slope, axis=1), 0.35)
    return np.clip((height - points[:, 1]) / along, -0.5, 1.5)  # type: ignore[no-any-return]


def jacket_depth(points: np.ndarray, normals: np.ndarray, jacket: float) -> np.ndarray:
    """Decimetres (N,) from the edge of an open jacket into it, negative outside; at `jacket` 0 it is out of sight."""
    opening = np.abs(points[:, 0]) - 0.47 - 0.40 * _lesser(points[:, 1] + 1.05, np.array(0.1)) - 2.6 * (1 - jacket)
    behind = 1 / (1 + np.exp(18 * (points[:, 2] + 0.02)))
    opening = -_lesser(-opening, 1.5 - 3.0 * behind + 2.6 * (1 - jacket))
    ring = cloth_depth(points, normals, 0.0, 0.62)
    return np.clip(_lesser(opening, ring), -0.5, 1.5)  # type: ignore[no-any-return]


def _lesser(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smaller of two (N,), rounded where they meet."""
    return 0.5 * (a + b - np.sqrt((a - b) ** 2 + 0.012))  # type: ignore[no-any-return]


@njit(cache=True, nogil=True, fastmath=True)
def cloth_albedo(look, a, n, albedo):  # type: ignore[no-untyped-def]
    """Colour of cloth at a point with attributes `a`; bends the normal `n` by hem and folds, returns the occlusion."""
    d, over = a[CLOTH], a[JACKET]
    colour = look.cloth
    shadow = 1.0 - 0.5 * ramp(-0.16, 0.0, over)  # of the jacket's edge
    if over > 0.0:
        d, colour, shadow = over, look.jacket, 1.0
    seam = np.exp(-(((d - HEM) / 0.014) ** 2))
    edge = ramp(0.0, 0.03, d)
    for c in range(3):
        albedo[c] = colour[c] * (0.80 + 0.20 * edge) * (1.0 - 0.30 * seam)
    # The band is round in section: its upper half looks up.
    roll = 0.8 * (1.0 - 2.0 * d / HEM) * ramp(HEM, 0.7 * HEM, d)
    n[1] += roll
    n[2] += 0.3 * roll
    share = ramp(HEM, 0.45, d)
    for k in range(_FOLDS.shape[0]):
        kx, ky, kz = _FOLDS[k, 0], _FOLDS[k, 1], _FOLDS[k, 2]
        # Each wave is bent by the one before, or they would look like a weave.
        bend = 1.3 * np.sin(0.45 * (ky * a[REST_X] - kx * a[REST_Y] + 3.0 * a[REST_Z]) + 2.0 * k)
        phase = kx * a[REST_X] + ky * a[REST_Y] + kz * a[REST_Z] + _FOLDS[k, 3] + bend
        size = np.sqrt(kx * kx + ky * ky + kz * kz)
        tilt = share * _FOLDS[k, 4] * np.cos(phase) / size
        n[0] -= tilt * kx
        n[1] -= tilt * ky
        n[2] -= tilt * kz
    return (1.0 - 0.25 * seam) * shadow

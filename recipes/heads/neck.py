"""What the mesh of the neck lacks: the muscles and collar bones that show under its skin, and the chin's soft shade."""

from __future__ import annotations

import numpy as np

# Ridges on the left half of the rest head: from, to (decimetres), width, height.
_RIDGES = (
    ((0.50, -0.30, -0.05), (0.07, -1.20, 0.30), 0.075, 0.040),  # sternocleidomastoid
    ((0.10, -1.24, 0.30), (0.95, -1.14, 0.02), 0.060, 0.035),  # collar bone
    ((0.00, -0.90, 0.42), (0.00, -1.02, 0.36), 0.090, 0.022),  # larynx
)
_NOTCH = ((0.0, -1.24, 0.29), 0.085, 0.050)  # between the collar bones: centre, width, depth
_STEP = 0.01


def relief(points: np.ndarray) -> np.ndarray:
    """Height (N,) in decimetres over the mesh at rest points (N, 3)."""
    mirrored = np.stack([np.abs(points[:, 0]), points[:, 1], points[:, 2]], 1)
    total = np.zeros(len(points))
    for start, end, width, height in _RIDGES:
        a, b = np.array(start), np.array(end)
        t = np.clip((mirrored - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        away = np.linalg.norm(mirrored - a - t[:, None] * (b - a), axis=1)
        total += height * np.sin(np.pi * (0.15 + 0.7 * t)) * np.exp(-((away / width) ** 2))
    centre, width, depth = _NOTCH
    return total - depth * np.exp(-((np.linalg.norm(points - np.array(centre), axis=1) / width) ** 2))  # type: ignore[no-any-return]


def relief_slope(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """What to take off the normals (N, 3) so that they follow the relief."""
    height = relief(points)
    slope = np.stack([(relief(points + _STEP * axis) - height) / _STEP for axis in np.eye(3)], 1)
    return slope - normals * (slope * normals).sum(1, keepdims=True)  # type: ignore[no-any-return]


def chin_shade(points: np.ndarray) -> np.ndarray:
    """Share (N,) of the surrounding light that the chin and the jaw leave to the neck below them."""
    below = -0.62 + 0.5 * np.clip(0.75 - points[:, 2], 0, 0.9) - points[:, 1]
    under = np.clip(below / 0.12, 0, 1)
    front = np.clip((points[:, 2] + 0.35) / 0.4, 0, 1)
    return 1 - 0.5 * under**2 * (3 - 2 * under) * front * np.exp(-np.maximum(below - 0.12, 0) / 0.30)  # type: ignore[no-any-return]

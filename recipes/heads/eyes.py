"""Colour of the eyeballs."""

from __future__ import annotations

import numpy as np
from numba import njit

from .surface import ramp


@njit(cache=True, nogil=True, fastmath=True)
def eye_albedo(look, dx, dy, dz, albedo):  # type: ignore[no-untyped-def]
    """Colour of an eyeball in direction (dx, dy, dz) of its own frame, the gaze being +z."""
    across = np.sqrt(dx * dx + dy * dy)
    radius = np.arctan2(across, dz)
    angle = np.arctan2(dy, dx)
    rays = 0.5 + 0.25 * np.sin(angle * 23.0 + 1.3 * np.sin(angle * 7.0)) + 0.25 * np.sin(angle * 41.0 + 2.0)
    iris = ramp(0.50, 0.455, radius)
    ring = ramp(0.36, 0.47, radius)
    pupil = ramp(0.20, 0.165, radius)
    warm = ramp(0.34, 0.2, radius) * 0.35
    redden = ramp(0.6, 1.3, radius)
    for c in range(3):
        white = (0.66, 0.62, 0.58)[c] * (1.0 - redden * (0.1, 0.3, 0.33)[c])
        tone = look.iris[c] * (0.65 + 0.6 * rays) * (1.0 - 0.72 * ring) + warm * (0.10, 0.055, 0.02)[c]
        albedo[c] = (white * (1 - iris) + tone * iris) * (1 - pupil) + 0.004 * pupil
    return iris

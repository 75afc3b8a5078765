"""What is behind the head."""

from __future__ import annotations

import numpy as np
from numba import njit

from .surface import ramp


@njit(cache=True, nogil=True, fastmath=True)
def backdrop(look, u, v, out):  # type: ignore[no-untyped-def]
    """Background colour at u, v in [-1, 1] (right, down): a gradient, soft discs, or a lit wall."""
    along = np.cos(look.angle) * u + np.sin(look.angle) * v
    t = ramp(-1.2, 1.2, along)
    if look.background_style == 2:
        t = ramp(-0.25, 0.25, along) * 0.75 + 0.25 * t
    for c in range(3):
        out[c] = look.background[0, c] * (1 - t) + look.background[1, c] * t
    if look.background_style == 1:
        for b in range(look.blobs.shape[0]):
            du, dv = u - look.blobs[b, 0], v - look.blobs[b, 1]
            reach = look.blobs[b, 2]
            weight = max(look.blobs[b, 3], 0.0) * ramp(1.3, 0.6, np.sqrt(du * du + dv * dv) / reach)
            for c in range(3):
                out[c] = out[c] * (1 - weight) + look.blob_colour[c] * weight
    fall = 1.0 - 0.12 * (u * u + v * v)
    for c in range(3):
        out[c] *= fall

"""Light on hair strands."""

from __future__ import annotations

import numpy as np
from numba import njit

from .surface import ramp


@njit(cache=True, nogil=True, fastmath=True)
def shade_hair(look, p, q, colour, ao, n, view, share, out):  # type: ignore[no-untyped-def]
    """Strand shading: soft diffuse, a weak white and a wide coloured highlight shifted along the strand.

    `n` is the normal of the lock, which gives the mass its form; `ao` darkens what lies deep.
    Source: Kajiya and Kay 1989; Marschner et al. 2003.
    """
    tx, ty, tz = q[0] - p[0], q[1] - p[1], q[2] - p[2]
    inverse = 1.0 / np.sqrt(tx * tx + ty * ty + tz * tz + 1e-12)
    tx, ty, tz = tx * inverse, ty * inverse, tz * inverse
    depth = ao * ao
    # Light hair passes light on to what lies deep in it.
    open_to = (
        ao / (1.0 - 1.2 * colour[0] * (1.0 - ao)),
        ao / (1.0 - 1.2 * colour[1] * (1.0 - ao)),
        ao / (1.0 - 1.2 * colour[2] * (1.0 - ao)),
    )
    for k in range(3):
        if k == 0:
            d, light, s = look.light, look.key, share
        elif k == 1:
            d, light, s = look.fill_direction, look.fill, 1.0
        else:
            d, light, s = look.rim_direction, look.rim, 1.0
        t_l = tx * d[0] + ty * d[1] + tz * d[2]
        n_l = n[0] * d[0] + n[1] * d[1] + n[2] * d[2]
        if n_l < -0.5:
            continue
        sine = np.sqrt(max(1.0 - t_l * t_l, 0.0))
        wrap = max((n_l + 0.5) / 1.5, 0.0)
        hx, hy, hz = d[0] + view[0], d[1] + view[1], d[2] + view[2]
        inverse = 1.0 / np.sqrt(hx * hx + hy * hy + hz * hz + 1e-9)
        t_h = (tx * hx + ty * hy + tz * hz) * inverse
        # sin ** 2m of the angle to the strand, as exp(-m * cos ** 2) with the tilt of the scales.
        first = np.exp(-28.0 * (t_h + 0.10) ** 2)
        second = np.exp(-7.0 * (t_h - 0.16) ** 2)
        facing = ramp(-0.2, 0.7, n_l) * depth
        for c in range(3):
            shine = (0.030 + 0.05 * colour[c]) * first + (0.020 + 0.95 * colour[c] / (1.0 + 2.5 * colour[c])) * second
            out[c] += light[c] * s * (colour[c] * (0.35 + 0.65 * sine) * wrap * 0.8 * open_to[c] + facing * shine)
    up = 0.5 + 0.5 * n[1]
    for c in range(3):
        out[c] += (1.15 * colour[c] + 0.004) * open_to[c] * (look.sky[c] * up + look.ground[c] * (1 - up))

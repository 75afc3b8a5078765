"""Light on hair strands."""

from __future__ import annotations

import numpy as np
from numba import njit

from .surface import ramp


@njit(cache=True, nogil=True, fastmath=True)
def shade_hair(look, p, q, colour, ao, n, view, share, out):  # type: ignore[no-untyped-def]
    """Strand shading: Kajiya-Kay diffuse and two highlights shifted along the strand. Source: Marschner et al. 2003."""
    tx, ty, tz = q[0] - p[0], q[1] - p[1], q[2] - p[2]
    inverse = 1.0 / np.sqrt(tx * tx + ty * ty + tz * tz + 1e-12)
    tx, ty, tz = tx * inverse, ty * inverse, tz * inverse
    for k in range(3):
        if k == 0:
            d, light, s = look.light, look.key, share
        elif k == 1:
            d, light, s = look.fill_direction, look.fill, 1.0
        else:
            d, light, s = look.rim_direction, look.rim, 1.0
        t_l = tx * d[0] + ty * d[1] + tz * d[2]
        sine = np.sqrt(max(1.0 - t_l * t_l, 0.0))
        n_l = n[0] * d[0] + n[1] * d[1] + n[2] * d[2]
        wrap = max((n_l + 0.4) / 1.4, 0.0)
        hx, hy, hz = d[0] + view[0], d[1] + view[1], d[2] + view[2]
        inverse = 1.0 / np.sqrt(hx * hx + hy * hy + hz * hz + 1e-9)
        t_h = (tx * hx + ty * hy + tz * hz) * inverse
        first = np.sqrt(max(1.0 - (t_h + 0.08) ** 2, 0.0)) ** 70
        second = np.sqrt(max(1.0 - (t_h - 0.12) ** 2, 0.0)) ** 18
        facing = ramp(-0.1, 0.6, n_l)
        for c in range(3):
            shine = 0.03 * first + 0.5 * colour[c] * second
            out[c] += light[c] * s * ao * (colour[c] * sine * wrap * 0.95 + facing * shine)
    up = 0.5 + 0.5 * n[1]
    for c in range(3):
        out[c] += colour[c] * ao * (look.sky[c] * up + look.ground[c] * (1 - up))

"""Rasterisation in numba: triangles and hair segments into a depth buffer, with what is needed to shade later."""

from __future__ import annotations

import numpy as np
from numba import njit

EMPTY = -1
FIRST_SEGMENT = -2  # segment s is stored as FIRST_SEGMENT - s


@njit(cache=True, nogil=True, fastmath=True)
def raster_triangles(points, faces, offset, depth, owner, bary, cull):  # type: ignore[no-untyped-def]
    """Draw faces (F, 3) over points (V, 3: x, y in pixels, nearness); larger nearness wins; owner = offset + face."""
    height, width = depth.shape
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if (cull and area >= 0.0) or area == 0.0:
            continue
        x0 = max(int(np.ceil(min(ax, bx, cx) - 0.5)), 0)
        x1 = min(int(np.floor(max(ax, bx, cx) - 0.5)), width - 1)
        y0 = max(int(np.ceil(min(ay, by, cy) - 0.5)), 0)
        y1 = min(int(np.floor(max(ay, by, cy) - 0.5)), height - 1)
        scale = 1.0 / area
        az, bz, cz = points[a, 2], points[b, 2], points[c, 2]
        for y in range(y0, y1 + 1):
            py = y + 0.5
            for x in range(x0, x1 + 1):
                px = x + 0.5
                u = ((bx - px) * (cy - py) - (by - py) * (cx - px)) * scale
                v = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) * scale
                w = 1.0 - u - v
                if u < 0.0 or v < 0.0 or w < 0.0:
                    continue
                near = u * az + v * bz + w * cz
                if near > depth[y, x]:
                    depth[y, x] = near
                    owner[y, x] = offset + f
                    bary[y, x, 0] = u
                    bary[y, x, 1] = v


@njit(cache=True, nogil=True, fastmath=True)
def raster_segments(points, starts, widths, depth, owner, bary):  # type: ignore[no-untyped-def]
    """Draw hair segments points[s] - points[s + 1] for s in starts, `widths` (N,) pixels wide at points (N, 3)."""
    height, width = depth.shape
    for k in range(starts.shape[0]):
        s = starts[k]
        ax, ay, az = points[s, 0], points[s, 1], points[s, 2]
        dx, dy, dz = points[s + 1, 0] - ax, points[s + 1, 1] - ay, points[s + 1, 2] - az
        steep = abs(dy) > abs(dx)
        long_start, long_step = (ay, dy) if steep else (ax, dx)
        side_start, side_step = (ax, dx) if steep else (ay, dy)
        if abs(long_step) < 1e-3:
            continue
        limit = height if steep else width
        other = width if steep else height
        low = max(int(np.floor(min(long_start, long_start + long_step))), 0)
        high = min(int(np.floor(max(long_start, long_start + long_step))), limit - 1)
        slope = side_step / long_step
        stretch = 0.5 * np.sqrt(1.0 + slope * slope)
        inverse = 1.0 / long_step
        half_start, half_step = widths[s] * stretch, (widths[s + 1] - widths[s]) * stretch
        if half_start + half_step + half_start <= 0.0:
            continue
        for i in range(low, high + 1):
            t = min(max((i + 0.5 - long_start) * inverse, 0.0), 1.0)
            half = half_start + t * half_step
            centre = side_start + t * side_step
            near = az + t * dz
            first = max(int(np.ceil(centre - half - 0.5)), 0)
            last = min(int(np.floor(centre + half - 0.5)), other - 1)
            for j in range(first, last + 1):
                x, y = (j, i) if steep else (i, j)
                if near > depth[y, x]:
                    depth[y, x] = near
                    owner[y, x] = FIRST_SEGMENT - s
                    bary[y, x, 0] = t

"""Colour of the skin, brows, lips, painted beard and scalp."""

from __future__ import annotations

import numpy as np
from numba import njit

from .surface import (
    BEARD,
    BROW,
    CHEEK,
    CREASE,
    EAR,
    FLUSH,
    FOLD,
    FRECKLE,
    GRAIN,
    INTERIOR,
    L_HAIR,
    L_LEFT_BROW,
    L_LEFT_EAR,
    L_LOWER_LIP,
    L_MOUTH,
    L_NECK,
    L_NOSE,
    L_RIGHT_BROW,
    L_RIGHT_EAR,
    L_SKIN,
    L_UPPER_LIP,
    LASHES,
    LID,
    LIPS,
    LOWER_LIP,
    NECK,
    NOSE,
    REST_X,
    REST_Z,
    SCALP,
    SHADE,
    STUBBLE,
    UPPER_LIP,
    ramp,
)


@njit(cache=True, nogil=True, fastmath=True)
def sample(texture, x, y, out):  # type: ignore[no-untyped-def]
    """Bilinear look-up of the detail texture at rest position x, y."""
    height, width, channels = texture.shape
    fx = (x + 1.0) / 2.0 * width - 0.5
    fy = (1.6 - y) / 2.6 * height - 0.5
    fx, fy = min(max(fx, 0.0), width - 1.001), min(max(fy, 0.0), height - 1.001)
    ix, iy = int(fx), int(fy)
    u, v = fx - ix, fy - iy
    for c in range(channels):
        top = texture[iy, ix, c] * (1 - u) + texture[iy, ix + 1, c] * u
        low = texture[iy + 1, ix, c] * (1 - u) + texture[iy + 1, ix + 1, c] * u
        out[c] = top * (1 - v) + low * v


@njit(cache=True, nogil=True, fastmath=True)
def beard_cover(look, a, detail, free):  # type: ignore[no-untyped-def]
    """Share of a point that beard hides: a shade when shaven, single hairs, then a dense fleece with a ragged edge."""
    shaven = 0.5 * look.shaven * ramp(0.35, 0.85, a[BEARD])
    if look.beard <= 0.0:
        return shaven * free
    hair = detail[STUBBLE]
    area = ramp(0.36, 0.68, a[BEARD] + 0.30 * (hair - 0.5))
    edge = 1.05 - 1.25 * look.beard * area
    strands = ramp(edge - 0.28, edge + 0.28, hair)
    cover = ramp(0.0, 0.25, look.beard) * area * (0.10 + 0.45 * look.beard + (0.50 - 0.15 * look.beard) * strands)
    return max(shaven, cover) * free


@njit(cache=True, nogil=True, fastmath=True)
def skin_albedo(look, a, detail, front, albedo):  # type: ignore[no-untyped-def]
    """Colour of the skin from masks `a` and detail; returns (label, gloss, roughness)."""
    lips = detail[LIPS] * ramp(0.45, 0.6, a[REST_Z])
    blood = (0.35 + 0.8 * look.redness) * (detail[FLUSH] * front + 0.8 * a[EAR]) * (1.0 - 0.45 * look.dark)
    shade = detail[SHADE] * front * (0.7 + 0.6 * look.age) + 0.5 * (1.0 - front) * a[NECK]
    lines = look.age * detail[CREASE] + look.fold * detail[FOLD]
    lines = lines * front
    pores = 1.0 + (0.055 + 0.035 * look.age) * detail[GRAIN] * front
    absorb = (0.05, 0.27, 0.20)
    darken = (0.13, 0.20, 0.24)
    sink = (0.30, 0.50, 0.56)
    for c in range(3):
        albedo[c] = look.skin[c] * pores * np.exp(-blood * absorb[c] - shade * darken[c] - lines * sink[c])
    spots = look.freckles * detail[FRECKLE] * front * (0.5 + 0.5 * min(1.0, a[CHEEK] * 1.5 + a[NOSE]))
    spots = max(spots, 0.5 * look.age * detail[FRECKLE] * front * (1.0 - look.dark))
    natural = (0.81 - 0.22 * look.dark, 0.53 - 0.08 * look.dark, 0.51 - 0.03 * look.dark)
    for c in range(3):
        albedo[c] *= 1.0 - spots * (0.28 + 0.14 * c)
        flesh = look.skin[c] * natural[c] * 1.12
        painted = flesh * 0.45 + look.lip_colour[c] * (0.58 - 0.36 * look.dark)
        mouth = flesh * (1 - look.makeup) + painted * look.makeup
        albedo[c] = albedo[c] * (1 - lips) + mouth * lips
    beard = beard_cover(look, a, detail, 1.0 - lips)
    hairline = a[SCALP] - look.recede + 0.3 * (detail[STUBBLE] - 0.5) * front
    scalp = ramp(0.10, 0.85, hairline) * look.scalp * (0.85 + 0.15 * detail[STUBBLE])
    for c in range(3):
        albedo[c] = albedo[c] * (1 - beard) + look.beard_colour[c] * (0.55 + 0.9 * detail[STUBBLE]) * beard
        albedo[c] = albedo[c] * (1 - scalp) + look.hair[c] * 0.8 * scalp
    label = L_SKIN
    if a[NECK] > 0.5:
        label = L_NECK
    if a[EAR] > 0.3:
        label = L_LEFT_EAR if a[REST_X] > 0 else L_RIGHT_EAR
    if a[NOSE] > 0.5:
        label = L_NOSE
    brow = 0.84 * ramp(0.20, 0.86, detail[BROW] * (1.0 + 0.45 * look.brow_thickness)) * front
    lid = max(0.75 * detail[LID] * front, a[LASHES] * (0.50 + 0.3 * look.makeup))
    for c in range(3):
        albedo[c] *= 1.0 - (0.84, 0.91, 0.93)[c] * lid
    if brow > 0.0:
        for c in range(3):
            albedo[c] = albedo[c] * (1 - brow) + look.brow[c] * brow
        if brow > 0.28:
            label = L_LEFT_BROW if a[REST_X] > 0 else L_RIGHT_BROW
    if lips > 0.5:
        label = L_UPPER_LIP if a[UPPER_LIP] > a[LOWER_LIP] else L_LOWER_LIP
    if scalp > 0.6:
        label = L_HAIR
    if a[INTERIOR] > 0.5:
        label = L_MOUTH
        for c in range(3):
            albedo[c] = (0.20, 0.055, 0.048)[c]
    matte = max(max(scalp, beard), brow)
    spec = (
        (0.021 + 0.022 * look.oil)
        * (1.0 + 0.3 * look.dark)
        * (1.0 - 0.4 * look.age)
        * (1.0 + 0.35 * a[NOSE])
        * (1.0 + 0.10 * detail[GRAIN] * front)
    )
    spec = spec * (1 - lips) + lips * (0.026 + 0.04 * look.makeup)
    rough = (0.58 - 0.10 * look.oil) * (1 - lips) + 0.42 * lips
    return label, spec * (1.0 - 0.8 * matte), rough

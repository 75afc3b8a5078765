"""Per-pixel shading in numba: skin, eyes, mouth, hair, cloth and background under key, fill, rim and sky."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

# Columns of the static vertex attributes.
UPPER_LIP, LOWER_LIP, CHEEK, NOSE, EAR, SOCKET, BEARD, SCALP, OCCLUSION, INTERIOR, NECK, CLOTH = range(12)
REST_X, REST_Y, REST_Z = 12, 13, 14
NUM_ATTRIBUTES = 15
SKIN_FACE, LEFT_EYE, RIGHT_EYE, TEETH, TONGUE, LASH = range(6)
(
    L_BACKGROUND,
    L_SKIN,
    L_LEFT_BROW,
    L_RIGHT_BROW,
    L_LEFT_EYE,
    L_RIGHT_EYE,
    L_GLASSES,
    L_LEFT_EAR,
    L_RIGHT_EAR,
    L_EARRING,
    L_NOSE,
    L_MOUTH,
    L_UPPER_LIP,
    L_LOWER_LIP,
    L_NECK,
    L_NECKLACE,
    L_CLOTH,
    L_HAIR,
    L_HAT,
) = range(19)
EXPOSURE = 1.15
# Channels of the detail texture over the rest head's front (x, y).
BROW, FRECKLE, GRAIN, WRINKLE_X, WRINKLE_Y, STUBBLE, BLOTCH, LIPS = range(8)
TEXTURE_BOX = (-1.0, 1.0, -1.0, 1.6)  # x0, x1, y0, y1 in decimetres


class Look(NamedTuple):
    """Colours and amounts of one picture, linear RGB."""

    skin: np.ndarray  # (3,)
    dark: float
    redness: float
    oil: float
    freckles: float
    age: float
    makeup: float
    lip_colour: np.ndarray
    hair: np.ndarray
    scalp: float  # how much the scalp is painted with hair
    brow: np.ndarray
    brow_thickness: float
    mouth: float  # how much light gets into the mouth
    beard: float
    stubble: float
    goatee: float
    beard_colour: np.ndarray
    iris: np.ndarray
    cloth: np.ndarray
    light: np.ndarray  # (3,) towards the key light
    key: np.ndarray
    fill_direction: np.ndarray
    fill: np.ndarray
    rim_direction: np.ndarray
    rim: np.ndarray
    sky: np.ndarray
    ground: np.ndarray
    shadow_softness: float
    background: np.ndarray  # (2, 3)
    blobs: np.ndarray
    blob_colour: np.ndarray
    background_style: int
    angle: float


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def ramp(low, high, value):  # type: ignore[no-untyped-def]
    t = min(max((value - low) / (high - low), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@njit(cache=True, nogil=True, fastmath=True)
def lit_share(shadow_map, frame, px, py, pz, softness):  # type: ignore[no-untyped-def]
    """Share of the key light that reaches a point; five taps, spread by `softness` texels, or one tap if it is 0."""
    size = shadow_map.shape[0]
    sx = frame[0, 0] * px + frame[0, 1] * py + frame[0, 2] * pz + frame[0, 3]
    sy = frame[1, 0] * px + frame[1, 1] * py + frame[1, 2] * pz + frame[1, 3]
    near = frame[2, 0] * px + frame[2, 1] * py + frame[2, 2] * pz + 0.035
    total = 0.0
    reach = 1 if softness > 0.0 else 0
    for j in range(-reach, reach + 1):
        for i in range(-reach, reach + 1):
            if (i + j) & 1:
                continue
            fx, fy = sx + i * softness - 0.5, sy + j * softness - 0.5
            x, y = int(np.floor(fx)), int(np.floor(fy))
            if x < 0 or y < 0 or x >= size - 1 or y >= size - 1:
                total += 1.0
                continue
            u, v = fx - x, fy - y
            a = 1.0 if shadow_map[y, x] < near else 0.0
            b = 1.0 if shadow_map[y, x + 1] < near else 0.0
            c = 1.0 if shadow_map[y + 1, x] < near else 0.0
            d = 1.0 if shadow_map[y + 1, x + 1] < near else 0.0
            total += (a * (1 - u) + b * u) * (1 - v) + (c * (1 - u) + d * u) * v
    return total / (5.0 if softness > 0.0 else 1.0)


@njit(cache=True, nogil=True, fastmath=True)
def gloss(nx, ny, nz, lx, ly, lz, vx, vy, vz, rough):  # type: ignore[no-untyped-def]
    """GGX highlight with a cheap visibility term, times N.L. Source: Walter et al. 2007, section 5."""
    n_l = nx * lx + ny * ly + nz * lz
    if n_l <= 0.0:
        return 0.0
    hx, hy, hz = lx + vx, ly + vy, lz + vz
    inverse = 1.0 / np.sqrt(hx * hx + hy * hy + hz * hz + 1e-9)
    n_h = max((nx * hx + ny * hy + nz * hz) * inverse, 0.0)
    v_h = max((vx * hx + vy * hy + vz * hz) * inverse, 0.1)
    a2 = rough**4
    base = n_h * n_h * (a2 - 1.0) + 1.0
    fresnel = 1.0 + 6.0 * (1.0 - v_h) ** 5
    return n_l * a2 / (3.1416 * base * base) * fresnel / (4.0 * v_h * v_h * (rough + 0.5))


@njit(cache=True, nogil=True, fastmath=True)
def add_light(out, albedo, n, view, direction, colour, share, wrap, spec, rough):  # type: ignore[no-untyped-def]
    """Add one light: diffuse wrapped per channel (light that bleeds under the skin), and a highlight."""
    n_l = n[0] * direction[0] + n[1] * direction[1] + n[2] * direction[2]
    shine = 0.0
    if spec > 0.0:
        shine = spec * gloss(
            n[0], n[1], n[2], direction[0], direction[1], direction[2], view[0], view[1], view[2], rough
        )
    for c in range(3):
        w = wrap[c]
        bleed = share * (1.0 + 1.6 * w * (1.0 - share))
        out[c] += colour[c] * (albedo[c] * max((n_l + w) / (1.0 + w), 0.0) * bleed + shine * share)


@njit(cache=True, nogil=True, fastmath=True)
def add_ambient(out, albedo, n, sky, ground, occlusion):  # type: ignore[no-untyped-def]
    up = 0.5 + 0.5 * n[1]
    for c in range(3):
        # Light that bounces inside a crease takes the surface's colour, so dark corners stay warm.
        shade = occlusion / (1.0 - albedo[c] * 0.6 * (1.0 - occlusion))
        out[c] += albedo[c] * (sky[c] * up + ground[c] * (1.0 - up)) * shade


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
def skin_albedo(look, a, detail, front, albedo):  # type: ignore[no-untyped-def]
    """Colour of the skin from masks `a` and detail; returns (label, gloss, roughness)."""
    lips = detail[LIPS] * ramp(0.45, 0.6, a[REST_Z])
    blood = look.redness * (0.5 * a[CHEEK] + 0.45 * a[NOSE] + 0.5 * a[EAR]) + 0.16 * detail[BLOTCH] * front
    blood = 0.75 * blood * (1.0 - 0.55 * look.dark)
    shade = 1.0 - 0.24 * a[SOCKET] * (0.6 + 0.6 * look.age) + 0.05 * detail[GRAIN] * front
    tint = (0.05, -0.17, -0.14)
    for c in range(3):
        albedo[c] = look.skin[c] * shade * (1.0 + blood * tint[c] * 2.2)
    spots = look.freckles * detail[FRECKLE] * front * (0.5 + 0.5 * min(1.0, a[CHEEK] * 1.5 + a[NOSE]))
    spots = max(spots, 0.5 * look.age * detail[FRECKLE] * front * (1.0 - look.dark))
    natural = (0.80 - 0.25 * look.dark, 0.47 - 0.05 * look.dark, 0.46 + 0.0 * look.dark)
    for c in range(3):
        albedo[c] *= 1.0 - spots * (0.28 + 0.14 * c)
        flesh = look.skin[c] * natural[c] * 1.12
        painted = (flesh * 0.35 + look.lip_colour[c] * 0.75) if look.makeup > 0.0 else flesh
        mouth = flesh * (1 - look.makeup) + painted * look.makeup
        albedo[c] = albedo[c] * (1 - lips) + mouth * lips
    chin = ramp(0.42, 0.30, abs(a[REST_X]))
    area = a[BEARD] * (1.0 - look.goatee * (1.0 - chin)) * (1.0 - lips)
    beard = area * look.beard * (0.62 + 0.38 * look.stubble * detail[STUBBLE])
    scalp = ramp(0.25, 0.75, a[SCALP]) * look.scalp * (0.85 + 0.15 * detail[STUBBLE])
    for c in range(3):
        albedo[c] = albedo[c] * (1 - beard) + look.beard_colour[c] * beard
        albedo[c] = albedo[c] * (1 - scalp) + look.hair[c] * 0.8 * scalp
    label = L_SKIN
    if a[NECK] > 0.5:
        label = L_NECK
    if a[EAR] > 0.3:
        label = L_LEFT_EAR if a[REST_X] > 0 else L_RIGHT_EAR
    if a[NOSE] > 0.5:
        label = L_NOSE
    brow = ramp(0.50, 0.72, detail[BROW] + 0.16 * look.brow_thickness) * front
    if brow > 0.0:
        for c in range(3):
            albedo[c] = albedo[c] * (1 - 0.92 * brow) + look.brow[c] * 0.92 * brow
        if brow > 0.35:
            label = L_LEFT_BROW if a[REST_X] > 0 else L_RIGHT_BROW
    if lips > 0.5:
        label = L_UPPER_LIP if a[UPPER_LIP] > a[LOWER_LIP] else L_LOWER_LIP
    if scalp > 0.6:
        label = L_HAIR
    if a[INTERIOR] > 0.5:
        label = L_MOUTH
        for c in range(3):
            albedo[c] = (0.16, 0.04, 0.035)[c]
    matte = max(max(scalp, beard), brow)
    spec = (0.010 + 0.030 * look.oil) * (1.0 + 0.5 * a[NOSE]) * (1 - lips) + lips * (0.035 + 0.05 * look.makeup)
    rough = (0.56 - 0.14 * look.oil) * (1 - lips) + 0.38 * lips
    return label, spec * (1.0 - 0.8 * matte), rough


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


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def kind_of(who, material):  # type: ignore[no-untyped-def]
    return who if who == -1 else (-2 if who <= -2 else material[who])


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def uniform_block(owner, material, y, x):  # type: ignore[no-untyped-def]
    """Whether the 2 x 2 samples around (y, x) show one kind of thing, so that the diagonal two stand for all."""
    j, i = y - (y & 1), x - (x & 1)
    kind = kind_of(owner[j, i], material)
    return (
        kind == kind_of(owner[j, i + 1], material)
        and kind == kind_of(owner[j + 1, i], material)
        and kind == kind_of(owner[j + 1, i + 1], material)
    )


@njit(cache=True, nogil=True, fastmath=True)
def shade(  # type: ignore[no-untyped-def]
    look,
    owner,
    bary,
    near,
    faces,
    material,
    position,
    normal,
    attributes,
    texture,
    strand_position,
    strand_normal,
    strand_look,
    eye_frames,
    head_rotation,
    shadow_map,
    frame,
    camera,
    window,
    image,
    labels,
):
    """Shade all samples into `image` (H, W, 3), linear, and `labels` (H, W)."""
    height, width = owner.shape
    a = np.zeros(attributes.shape[1])
    detail, albedo, n, view, out, p = (
        np.zeros(texture.shape[2]),
        np.zeros(3),
        np.zeros(3),
        np.zeros(3),
        np.zeros(3),
        np.zeros(3),
    )
    skin_wrap, no_wrap = np.array([0.30, 0.10, 0.05]), np.array([0.1, 0.1, 0.1])
    for y in range(height):
        for x in range(width):
            who = owner[y, x]
            if (x + y) & 1 and uniform_block(owner, material, y, x):
                continue
            out[:] = 0.0
            if who == -1:
                u = window[0] + window[1] * (x + 0.5) / width
                v = window[2] + window[3] * (y + 0.5) / height
                backdrop(look, u, v, out)
                image[y, x] = out
                labels[y, x] = L_BACKGROUND
                continue
            if who <= -2:
                s = -2 - who
                t = bary[y, x, 0]
                for c in range(3):
                    p[c] = strand_position[s, c] * (1 - t) + strand_position[s + 1, c] * t
                    n[c] = strand_normal[s, c] * (1 - t) + strand_normal[s + 1, c] * t
                    view[c] = camera[c] - p[c]
                view /= np.sqrt(view[0] ** 2 + view[1] ** 2 + view[2] ** 2)
                ao = strand_look[s, 0] * (1 - t) + strand_look[s + 1, 0] * t
                for c in range(3):
                    albedo[c] = look.hair[c] * strand_look[s, 1]
                share = lit_share(shadow_map, frame, p[0] + 0.05 * n[0], p[1] + 0.05 * n[1], p[2] + 0.05 * n[2], 0.0)
                shade_hair(look, strand_position[s], strand_position[s + 1], albedo, ao, n, view, share, out)
                image[y, x] = out
                labels[y, x] = L_HAIR
                continue
            i, j, k = faces[who, 0], faces[who, 1], faces[who, 2]
            wi, wj = bary[y, x, 0] * near[i], bary[y, x, 1] * near[j]
            wk = (1.0 - bary[y, x, 0] - bary[y, x, 1]) * near[k]
            total = 1.0 / (wi + wj + wk)
            wi, wj, wk = wi * total, wj * total, wk * total
            for c in range(3):
                p[c] = wi * position[i, c] + wj * position[j, c] + wk * position[k, c]
                n[c] = wi * normal[i, c] + wj * normal[j, c] + wk * normal[k, c]
                view[c] = camera[c] - p[c]
            view /= np.sqrt(view[0] ** 2 + view[1] ** 2 + view[2] ** 2)
            for c in range(a.shape[0]):
                a[c] = wi * attributes[i, c] + wj * attributes[j, c] + wk * attributes[k, c]
            kind = material[who]
            spec, rough, occlusion, wrap = 0.02, 0.5, a[OCCLUSION], no_wrap
            label = L_SKIN
            share = 0.0
            if n[0] * look.light[0] + n[1] * look.light[1] + n[2] * look.light[2] > -0.3:
                share = lit_share(shadow_map, frame, p[0], p[1], p[2], look.shadow_softness)
            if kind == SKIN_FACE and a[CLOTH] > 0.5:
                label = L_CLOTH
                for c in range(3):
                    albedo[c] = look.cloth[c] * (0.72 + 0.28 * ramp(0.5, 0.62, a[CLOTH]))
                spec = 0.0
            elif kind == SKIN_FACE:
                front = ramp(0.0, 0.3, a[REST_Z]) * ramp(-1.0, -0.85, a[REST_Y])
                sample(texture, a[REST_X], a[REST_Y], detail)
                label, spec, rough = skin_albedo(look, a, detail, front, albedo)
                gx = front * (look.age * detail[WRINKLE_X])
                gy = front * (look.age * detail[WRINKLE_Y])
                for c in range(3):
                    n[c] -= gx * head_rotation[c, 0] + gy * head_rotation[c, 1]
                wrap = skin_wrap
                if a[INTERIOR] > 0.5:
                    occlusion *= 0.5
            elif kind in (LEFT_EYE, RIGHT_EYE):
                e = kind - LEFT_EYE
                dx, dy, dz = a[0], a[1], a[2]
                iris = eye_albedo(look, dx, dy, dz, albedo)
                label = L_LEFT_EYE + e
                up = n[0] * head_rotation[0, 1] + n[1] * head_rotation[1, 1] + n[2] * head_rotation[2, 1]
                lid = eye_frames[e, 0]
                occlusion = (1.0 - 0.65 * ramp(lid - 0.30, lid + 0.02, up)) * (1.0 - 0.25 * ramp(0.35, 0.75, abs(dx)))
                share *= 1.0 - 0.5 * ramp(lid - 0.2, lid + 0.02, up)
                spec, rough = 0.04 + 0.05 * iris, 0.16
            elif kind == TEETH:
                label = L_MOUTH
                inside = look.mouth * ramp(0.35, 0.95, a[1])
                for c in range(3):
                    albedo[c] = (0.56, 0.50, 0.41)[c] * inside
                occlusion = 0.8 * inside
                spec, rough = 0.05 * inside, 0.25
                share *= inside
            elif kind == TONGUE:
                label = L_MOUTH
                for c in range(3):
                    albedo[c] = (0.30, 0.085, 0.08)[c]
                occlusion = 0.3
                share *= 0.5
                spec, rough = 0.03, 0.3
            else:
                label = L_LEFT_EYE if a[REST_X] > 0 else L_RIGHT_EYE
                for c in range(3):
                    albedo[c] = 0.006 + 0.0 * c
                spec = 0.0
            inverse = 1.0 / np.sqrt(n[0] ** 2 + n[1] ** 2 + n[2] ** 2 + 1e-9)
            n *= inverse
            add_light(out, albedo, n, view, look.light, look.key, share, wrap, spec, rough)
            open_share = ramp(0.05, 0.55, occlusion)
            add_light(out, albedo, n, view, look.fill_direction, look.fill, open_share, wrap, spec * 0.6, rough)
            add_light(out, albedo, n, view, look.rim_direction, look.rim, open_share, no_wrap, spec, rough)
            add_ambient(out, albedo, n, look.sky, look.ground, occlusion)
            image[y, x] = out
            labels[y, x] = label
        for x in range(width):
            if (x + y) & 1 and uniform_block(owner, material, y, x):
                image[y, x] = image[y, x ^ 1]
                labels[y, x] = labels[y, x ^ 1]


@njit(cache=True, nogil=True, fastmath=True)
def resolve(image, labels, curve, factor, small, small_labels):  # type: ignore[no-untyped-def]
    """Tone map, average factor x factor samples and encode; the label is the most frequent one of the block."""
    votes = np.zeros(19, np.int64)
    last = curve.shape[0] - 1
    for y in range(small.shape[0]):
        for x in range(small.shape[1]):
            r = g = b = 0.0
            votes[:] = 0
            for j in range(factor):
                for i in range(factor):
                    s = image[y * factor + j, x * factor + i]
                    r += 1.0 - np.exp(-s[0] * EXPOSURE)
                    g += 1.0 - np.exp(-s[1] * EXPOSURE)
                    b += 1.0 - np.exp(-s[2] * EXPOSURE)
                    votes[labels[y * factor + j, x * factor + i]] += 1
            scale = last / (factor * factor)
            small[y, x, 0] = curve[min(int(r * scale + 0.5), last)]
            small[y, x, 1] = curve[min(int(g * scale + 0.5), last)]
            small[y, x, 2] = curve[min(int(b * scale + 0.5), last)]
            best = 0
            for c in range(19):
                if votes[c] > votes[best]:
                    best = c
            small_labels[y, x] = best

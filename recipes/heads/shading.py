"""Per-pixel shading in numba: skin, eyes, mouth, hair, cloth and background under key, fill, rim and sky."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import ndimage

from .backdrop import backdrop
from .cloth import cloth_albedo
from .eyes import catch_light, eye_albedo, lid_gaps, tooth_albedo
from .skin import sample, skin_albedo
from .strands import shade_hair
from .surface import (
    CLOTH,
    INTERIOR,
    JACKET,
    L_BACKGROUND,
    L_CLOTH,
    L_HAIR,
    L_LEFT_EYE,
    L_MOUTH,
    L_SKIN,
    LEFT_EYE,
    OCCLUSION,
    REST_X,
    REST_Y,
    REST_Z,
    RIGHT_EYE,
    SKIN_FACE,
    TEETH,
    WRINKLE_X,
    WRINKLE_Y,
    ramp,
)

SHADOW_FLOOR = -2.0  # depth that stands for "no occluder", decimetres
SHADOW_NOISE = 0.0016  # least variance of the depth inside a filter, square decimetres
KNEE, SHOULDER = 0.42, 0.52  # where the tone curve leaves the straight line, and how much it still rises


def soften_shadow(depth: np.ndarray, softness: float) -> np.ndarray:
    """Moments (2, S, S) of a depth map (S, S), averaged over `softness` texels. Source: Donnelly & Lauritzen 2006."""
    low = np.maximum(depth, SHADOW_FLOOR)
    moments = np.stack([low, low * low])
    return ndimage.gaussian_filter(moments, (0, softness, softness), truncate=2.0, mode="nearest")  # type: ignore[no-any-return]


@njit(cache=True, nogil=True, fastmath=True)
def lit_share(moments, frame, px, py, pz):  # type: ignore[no-untyped-def]
    """Share of the key light that reaches a point: Chebyshev's bound over the filtered depths."""
    size = moments.shape[1]
    fx = frame[0, 0] * px + frame[0, 1] * py + frame[0, 2] * pz + frame[0, 3] - 0.5
    fy = frame[1, 0] * px + frame[1, 1] * py + frame[1, 2] * pz + frame[1, 3] - 0.5
    near = frame[2, 0] * px + frame[2, 1] * py + frame[2, 2] * pz + 0.03
    x, y = int(np.floor(fx)), int(np.floor(fy))
    if x < 0 or y < 0 or x >= size - 1 or y >= size - 1:
        return 1.0
    u, v = fx - x, fy - y
    top = moments[0, y, x] * (1 - u) + moments[0, y, x + 1] * u
    mean = top * (1 - v) + (moments[0, y + 1, x] * (1 - u) + moments[0, y + 1, x + 1] * u) * v
    if mean <= near:
        return 1.0
    top = moments[1, y, x] * (1 - u) + moments[1, y, x + 1] * u
    square = top * (1 - v) + (moments[1, y + 1, x] * (1 - u) + moments[1, y + 1, x + 1] * u) * v
    variance = max(square - mean * mean, SHADOW_NOISE)
    behind = mean - near
    return ramp(0.12, 1.0, variance / (variance + behind * behind))


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def tone(value):  # type: ignore[no-untyped-def]
    """Straight up to KNEE, then a soft shoulder that never clips."""
    if value <= KNEE:
        return value
    return KNEE + SHOULDER * (1.0 - np.exp((KNEE - value) / SHOULDER))


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
def add_light(out, albedo, n, view, direction, colour, share, bleed, spec, rough):  # type: ignore[no-untyped-def]
    """Add one light: a highlight, and diffuse that runs on past the terminator by `bleed` (3,) under the skin.

    Source: the softened cosine is ours, after the curves of Penner & Borshukov 2011.
    """
    n_l = n[0] * direction[0] + n[1] * direction[1] + n[2] * direction[2]
    shine = 0.0
    if spec > 0.0:
        shine = (
            share
            * spec
            * gloss(n[0], n[1], n[2], direction[0], direction[1], direction[2], view[0], view[1], view[2], rough)
        )
    # Past the terminator a surface shadows itself; what bleeds there does not care.
    reach = share + (1.0 - share) * 0.7 * ramp(0.12, -0.2, n_l)
    for c in range(3):
        k = bleed[c]
        soft = 0.5 * (n_l + np.sqrt(n_l * n_l + k * k)) / (1.0 + 0.25 * k * k)
        under = reach * (1.0 + 1.5 * k * (1.0 - reach))
        out[c] += colour[c] * (albedo[c] * soft * under + shine)


@njit(cache=True, nogil=True, fastmath=True)
def add_ambient(out, albedo, n, view, sky, ground, occlusion, spec):  # type: ignore[no-untyped-def]
    """Add the light of the surroundings, and its dull mirror image that grows towards the edges."""
    up = 0.5 + 0.5 * n[1]
    edge = 1.0 - max(n[0] * view[0] + n[1] * view[1] + n[2] * view[2], 0.0)
    sheen = spec * (0.35 + 4.0 * edge**4) * occlusion
    for c in range(3):
        # Light that bounces inside a crease takes the surface's colour, so dark corners stay warm.
        shade = occlusion / (1.0 - albedo[c] * 0.6 * (1.0 - occlusion))
        out[c] += (albedo[c] * shade + sheen) * (sky[c] * up + ground[c] * (1.0 - up))


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
    deep = 1.0 - 0.35 * look.dark
    skin_bleed, no_bleed = np.array([0.36 * deep, 0.20 * deep, 0.14 * deep]), np.array([0.12, 0.12, 0.12])
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
                share = lit_share(shadow_map, frame, p[0] + 0.05 * n[0], p[1] + 0.05 * n[1], p[2] + 0.05 * n[2])
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
            spec, rough, occlusion, bleed = 0.02, 0.5, a[OCCLUSION], no_bleed
            label = L_SKIN
            share = 0.0
            if n[0] * look.light[0] + n[1] * look.light[1] + n[2] * look.light[2] > -0.3:
                share = lit_share(shadow_map, frame, p[0] + 0.02 * n[0], p[1] + 0.02 * n[1], p[2] + 0.02 * n[2])
            if kind == SKIN_FACE and (a[CLOTH] > 0.0 or a[JACKET] > 0.0):
                label = L_CLOTH
                occlusion *= cloth_albedo(look, a, n, albedo)
                spec = 0.0
            elif kind == SKIN_FACE:
                front = ramp(0.0, 0.3, a[REST_Z]) * ramp(-1.0, -0.85, a[REST_Y])
                sample(texture, a[REST_X], a[REST_Y], detail)
                label, spec, rough = skin_albedo(look, a, detail, front, albedo)
                gx = 0.5 * front * (look.age * detail[WRINKLE_X])
                gy = 0.5 * front * (look.age * detail[WRINKLE_Y])
                for c in range(3):
                    n[c] -= gx * head_rotation[c, 0] + gy * head_rotation[c, 1]
                bleed = skin_bleed
                if a[INTERIOR] > 0.5:
                    occlusion = 0.35 * occlusion + 0.50 * look.mouth
            elif kind in (LEFT_EYE, RIGHT_EYE):
                e = kind - LEFT_EYE
                dx, dy, dz = a[0], a[1], a[2]
                iris = eye_albedo(look, dx, dy, dz, albedo)
                label = L_LEFT_EYE + e
                across = n[0] * head_rotation[0, 0] + n[1] * head_rotation[1, 0] + n[2] * head_rotation[2, 0]
                up = n[0] * head_rotation[0, 1] + n[1] * head_rotation[1, 1] + n[2] * head_rotation[2, 1]
                below, above, inwards = lid_gaps(eye_frames[e], 1.0 - 2.0 * e, across, up)
                shadow = ramp(0.34, 0.0, below)
                occlusion = (1.0 - 0.62 * shadow) * (1.0 - 0.30 * ramp(0.55, 1.0, abs(inwards)))
                share *= 1.0 - 0.55 * shadow
                glint = catch_light(n, eye_frames[e, 5:8], view, look.light) * (0.55 + 0.45 * share)
                lashes = (0.80 + 0.15 * look.makeup) * ramp(0.20 + 0.06 * look.makeup, 0.07, below)
                glint *= 1.0 - lashes
                # The wet edge of the lower lid and the pink of the inner corner.
                flesh = max(0.75 * ramp(0.10, 0.03, above), 0.85 * ramp(0.66, 0.95, inwards))
                for c in range(3):
                    albedo[c] += flesh * (look.skin[c] * (0.95, 0.66, 0.62)[c] - albedo[c])
                    out[c] += ((0.72 - 0.22 * look.dark) * glint + 0.05 * ramp(0.12, 0.05, above)) * look.key[c]
                    albedo[c] *= 1.0 - lashes
                spec, rough = 0.03 + 0.03 * iris, 0.2
            elif kind == TEETH:
                label = L_MOUTH
                inside = look.mouth * tooth_albedo(a[0], a[2], albedo) * ramp(0.2, 0.9, a[1])
                for c in range(3):
                    albedo[c] += (1.0 - inside) * ((0.12, 0.035, 0.03)[c] - albedo[c])
                occlusion = 0.30 * look.mouth + 0.45 * inside
                spec, rough = 0.04 * inside, 0.25
                share *= inside
            else:
                label = L_MOUTH
                for c in range(3):
                    albedo[c] = (0.30, 0.10, 0.09)[c]
                inside = look.mouth * ramp(0.3, 0.95, a[1])
                occlusion = 0.12 + 0.35 * inside
                share *= 0.6 * inside
                spec, rough = 0.02 * inside, 0.4
            inverse = 1.0 / np.sqrt(n[0] ** 2 + n[1] ** 2 + n[2] ** 2 + 1e-9)
            n *= inverse
            add_light(out, albedo, n, view, look.light, look.key, share, bleed, spec, rough)
            open_share = ramp(0.05, 0.55, occlusion)
            add_light(out, albedo, n, view, look.fill_direction, look.fill, open_share, bleed, spec * 0.6, rough)
            add_light(out, albedo, n, view, look.rim_direction, look.rim, open_share, no_bleed, spec, rough)
            add_ambient(out, albedo, n, view, look.sky, look.ground, occlusion, spec)
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
                    r += tone(s[0])
                    g += tone(s[1])
                    b += tone(s[2])
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

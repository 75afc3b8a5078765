"""Per-pixel shading in numba: skin, eyes, mouth, hair, cloth and background under key, fill, rim and sky."""

from __future__ import annotations

import numpy as np
from numba import njit

from .backdrop import backdrop
from .cloth import cloth_albedo
from .eyes import eye_albedo
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
    L_RIGHT_EYE,
    L_SKIN,
    LEFT_EYE,
    OCCLUSION,
    REST_X,
    REST_Y,
    REST_Z,
    RIGHT_EYE,
    SKIN_FACE,
    TEETH,
    TONGUE,
    WRINKLE_X,
    WRINKLE_Y,
    ramp,
)

EXPOSURE = 1.15


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
            if kind == SKIN_FACE and (a[CLOTH] > 0.0 or a[JACKET] > 0.0):
                label = L_CLOTH
                occlusion *= cloth_albedo(look, a, n, albedo)
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

"""A change laid over a frame at the frame's own resolution: how far to believe it where, and the pixels it makes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np

from stit_core.change.drawn import OFFSET, Drawn
from stit_core.change.reading import Change
from stit_core.config import TransferConfig
from stit_core.faces.labels import (
    BROWS,
    COVERS,
    EARS,
    EYES,
    FACE,
    HAIR,
    HEAD,
    LIPS,
    MOUTH,
    NECK,
    SKIN,
    SKIN_LIKE,
    is_one_of,
)
from stit_core.geometry import frame_to_crop, quad_bounds
from stit_core.warps import warp

FADE = 9.0  # pixels of the crop beyond the head's outline over which motion fades out
STILL_FADE = 16.0  # the same before hair and ears: skin that is stretched more streaks
NECK_FADE = 24.0  # the same below the chin, where a neck has to close up or stretch
EDGE_WIDTH = 1.2  # pixels, deviation of the Gaussian over the edge between what changes and what does not
RELIEF = 1.5  # pixels of the crop, deviation of the Gaussian over what counts as relief and not as light
RELIEF_POWER = 0.1  # of the ratio by which light is shaded: the one for relief
MEAN = np.full((1, 3), 1 / 3, np.float32)  # of the channels
SHOULDER = 190.0  # grey levels, from where on what gets brighter is bent towards white
EYE_SHADE = 0.25  # of the skin's, for eyes that keep their own: lids and the skin around light them less
MARGIN = 21  # pixels of the crop, width of the skin around a part that changes with it
GUIDED_WINDOW = 17  # pixels of the crop within which an edge of the picture is looked for
SPILL = 9  # pixels of the crop, twice the reach beyond the parser's edge: hair shaded further in looks hazy
GUIDED_FLAT = 2e-4  # variance of a colour, of 1, under which there is none
GUIDED_CONTRAST = 1.6  # by which the mask it finds is made clearer: the little that it finds beyond an edge shows
STRONG = (0.05, 0.2)  # of the logarithm of a ratio: from where a shade spills to that edge, and where all of it does
EAR_REACH = 0.5  # of the eyes' distance, radius around an ear's place
EAR_ALIKE = 2.5  # deviations of the colour of skin within which something beside it is skin
EAR_NOISE = 30.0  # squared grey levels by which that colour varies at least
SMALLEST_PART = 12  # pixels, area under which what the parser calls a part of the face is a speck


@dataclass(frozen=True)
class Weights:
    """How far each part of a change is believed at every pixel of the source's crop, (S, S) float32 in [0, 1].

    Attributes
    ----------
    motion, shade, fresh: for the three parts of the change.
    room: for a chin to go to, hair and all, up to what must not move.
    spill: for a strong shade, which shows where it ends: up to the edge that the picture has, past the parser's.
    skin: 1 where the shade of skin is meant, which brows share, 0 where that of eyes and lips is.
    """

    motion: np.ndarray
    room: np.ndarray
    shade: np.ndarray
    spill: np.ndarray
    fresh: np.ndarray
    skin: np.ndarray


def place_weights(source: Drawn, classes: Collection[int], config: TransferConfig) -> Weights:
    """How far to believe a change where, from what the parser sees in the source and what may change.

    What may not change keeps its pixels to the bit; so does what covers the face, such as glasses.
    """
    labels = source.labels
    allowed = _largest(cv2.morphologyEx(is_one_of(labels, classes), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)))
    free = {*classes, *FACE}
    if SKIN in classes:  # the face is one piece: a hole of no change around the eyes would show
        allowed = _largest(np.maximum(allowed, is_one_of(labels, FACE)))
    else:  # an eye cannot open, nor a nose grow, without the skin around it
        around = cv2.dilate(allowed, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (MARGIN, MARGIN)))
        around = cv2.GaussianBlur(around, (0, 0), MARGIN / 4)
        allowed = np.maximum(allowed, around * is_one_of(labels, FACE))
    blocked = _largest(is_one_of(labels, [label for label in (*HEAD, *COVERS) if label not in free]) * (allowed == 0))
    # Inside an edge to what is kept the weight has to reach 0, against the background it may reach over it by a pixel.
    inwards = _up_to(blocked, EDGE_WIDTH)
    unshaded = [MOUTH, *(label for label in (*EYES, *LIPS) if label not in classes)]  # teeth have a colour of their own
    own = is_one_of(labels, unshaded) * (1 - np.float32(EYE_SHADE) * is_one_of(labels, EYES))
    unshaded_place = cv2.GaussianBlur(own, (0, 0), EDGE_WIDTH)
    shade = cv2.GaussianBlur(allowed, (0, 0), EDGE_WIDTH) * inwards * (1 - unshaded_place)
    ears = _ears(source) if {SKIN, *EARS} <= set(classes) else np.zeros_like(allowed)
    tinted = np.maximum(allowed, ears)
    near_skin = cv2.GaussianBlur(cv2.dilate(tinted, np.ones((SPILL, SPILL), np.uint8)), (0, 0), EDGE_WIDTH)
    spill = _guided(tinted, source.picture) * near_skin * (1 - is_one_of(labels, COVERS)) * (1 - unshaded_place)
    whole = HAIR in classes
    # Ears are drawn elsewhere than they are more often than not: they move with the whole head only, as the neck does.
    still = blocked if whole else np.maximum(blocked, is_one_of(labels, EARS))
    moving = allowed * (1 - still) if whole else allowed * (1 - still) * (labels != NECK)
    chin, around = _chin(source), cv2.dilate(moving, np.ones((5, 5), np.uint8))
    near, farther = (np.clip(2 * cv2.GaussianBlur(around, (0, 0), fade / 2), 0, 1) for fade in (FADE, NECK_FADE))
    clear = _up_to(still, STILL_FADE / 2)
    # Twice, so that motion has come to rest before what must not move, not at it.
    motion = np.maximum(near, chin * farther) * clear * clear
    room = chin * np.maximum(clear, _up_to(still * (labels != HAIR), STILL_FADE / 2))
    skin = cv2.GaussianBlur(np.maximum(is_one_of(labels, (*SKIN_LIKE, *BROWS)), ears), (0, 0), EDGE_WIDTH)
    return Weights(
        config.motion * motion,
        room,
        config.shade * shade,
        config.shade * spill,
        config.fresh * inwards,
        skin,
    )


def _ears(source: Drawn) -> np.ndarray:
    """1 where there is skin by its colour beside the jaw's ends: of ears parsers miss the greater part. (S, S)."""
    skin = source.picture[is_one_of(source.labels, (SKIN,)) > 0].astype(np.float32)
    if len(skin) < SMALLEST_PART:
        return np.zeros(source.labels.shape, np.float32)
    apart = source.picture.astype(np.float32) - skin.mean(axis=0)
    inverse = np.linalg.inv(np.cov(skin.T) + EAR_NOISE * np.eye(3)).astype(np.float32)
    alike = (np.einsum("ijk,kl,ijl->ij", apart, inverse, apart) < EAR_ALIKE**2) & (source.labels != HAIR)
    eyes = source.points[36:42].mean(axis=0), source.points[42:48].mean(axis=0)
    near = np.zeros(source.labels.shape, np.uint8)
    for ends, eye in zip(((0, 1, 2), (14, 15, 16)), eyes, strict=True):
        end = source.points[list(ends)].mean(axis=0)
        outwards = (end - eye) / max(float(np.hypot(*(end - eye))), 1.0)
        reach = EAR_REACH * float(np.hypot(*(eyes[1] - eyes[0])))
        x, y = np.rint(end + 0.7 * reach * outwards).astype(int)
        cv2.circle(near, (int(x), int(y)), round(reach), 1, -1)
    return cv2.morphologyEx((near * alike).astype(np.float32), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))


def _chin(source: Drawn) -> np.ndarray:
    """1 around the chin and below it, 0 from the mouth upwards and beside the jaw; (S, S), by the landmarks."""
    mouth, down = source.points[[48, 54]].mean(axis=0), source.points[8] - source.points[[48, 54]].mean(axis=0)
    length = max(float(np.hypot(*down)), 1.0)
    down = down / length
    places = np.indices(source.labels.shape, dtype=np.float32)[::-1] - mouth.astype(np.float32)[:, None, None]
    below = (down[0] * places[0] + down[1] * places[1]) / length  # 0 at the mouth, 1 at the chin
    beside = np.abs(down[0] * places[1] - down[1] * places[0]) / length
    return (np.clip((below - 0.3) / 0.4, 0, 1) * np.clip((1.5 - beside) / 0.4, 0, 1)).astype(np.float32)


def _up_to(kept: np.ndarray, width: float) -> np.ndarray:
    """1 far from what is kept, falling to 0 at its edge and within it."""
    free = 1 - cv2.dilate(kept, np.ones((3, 3), np.uint8))
    return free * np.clip(2 * cv2.GaussianBlur(free, (0, 0), width) - 1, 0, 1)


def _guided(mask: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """A mask (S, S) whose edge goes where the colours of the picture (S, S, 3) uint8 have one nearby.

    Source: He, Sun and Tang, "Guided Image Filtering" (2010), equations 14 to 16.
    """
    guide = picture.astype(np.float32) / 255

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.boxFilter(values, -1, (GUIDED_WINDOW, GUIDED_WINDOW))

    mean_guide, mean_mask = mean(guide), mean(mask)
    shared = mean(guide * mask[..., None]) - mean_guide * mean_mask[..., None]

    def spread(i: int, j: int) -> np.ndarray:
        own = np.float32(GUIDED_FLAT if i == j else 0)
        return mean(guide[..., i] * guide[..., j]) - mean_guide[..., i] * mean_guide[..., j] + own

    # Cramer's rule, since LAPACK spends its time on starting 65,536 systems of three equations.
    a, b, c, d, e, f = spread(0, 0), spread(0, 1), spread(0, 2), spread(1, 1), spread(1, 2), spread(2, 2)
    first, second, third = d * f - e * e, c * e - b * f, b * e - c * d
    across, along, last = b * c - a * e, a * f - c * c, a * d - b * b
    x, y, z = cv2.split(shared)
    slope = cv2.merge(
        [first * x + second * y + third * z, second * x + along * y + across * z, third * x + across * y + last * z]
    )
    slope /= (a * first + b * second + c * third)[..., None]
    start = mean_mask - np.einsum("ijk,ijk->ij", slope, mean_guide)
    found = np.einsum("ijk,ijk->ij", mean(slope), guide) + mean(start)
    return np.clip(0.5 + GUIDED_CONTRAST * (found - 0.5), 0, 1)


def _largest(mask: np.ndarray) -> np.ndarray:
    """The mask without specks that hang on nothing."""
    count, parts, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    sizes = facts[:, cv2.CC_STAT_AREA].copy()
    if count <= 1:
        return mask
    sizes[0] = 0
    kept = sizes >= max(SMALLEST_PART, 0.02 * sizes.max())
    return kept[parts].astype(np.float32)


def apply_change(frame: np.ndarray, quad: np.ndarray, change: Change, weights: Weights) -> np.ndarray:
    """Give a change to the source's own pixels.

    Parameters
    ----------
    frame: (H, W, 3) uint8.
    quad: (4, 2), frame pixels.
    change, weights: over the crop of that quad, (S, S).

    Returns
    -------
    (h, w, 3) uint8: the part of the frame that geometry.quad_bounds names, changed; equal to it where all weights
    are 0, empty where the quad misses the frame.
    """
    size = change.novelty.shape[0]
    left, top, right, bottom = quad_bounds(quad, frame.shape[1], frame.shape[0])
    if right <= left or bottom <= top:
        return np.zeros((0, 0, 3), np.uint8)
    matrix, shift = frame_to_crop(quad, size)
    rows, columns = np.indices((bottom - top, right - left), dtype=np.float32)
    columns, rows = columns + np.float32(left), rows + np.float32(top)
    x = np.float32(matrix[0, 0]) * columns + np.float32(matrix[0, 1]) * rows + np.float32(shift[0])
    y = np.float32(matrix[1, 0]) * columns + np.float32(matrix[1, 1]) * rows + np.float32(shift[1])

    def over_frame(values: np.ndarray) -> np.ndarray:
        return cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)

    # Where a chin comes to lie was none of the face.
    moving = np.maximum(weights.motion, weights.room * warp(weights.motion, change.motion))
    motion = change.motion * moving[..., None]
    # What is shaded is what has come here, so its weights come along with it.
    skin = warp(weights.skin, motion)[..., None]
    strong = np.clip((np.abs(cv2.transform(change.skin, MEAN)) - STRONG[0]) / (STRONG[1] - STRONG[0]), 0, 1)
    believed = warp((1 - strong) * weights.shade + strong * weights.spill, motion)[..., None]
    shade = (skin * change.skin + (1 - skin) * change.features) * believed
    novelty = change.novelty * warp(weights.fresh, motion)
    way = cv2.transform(over_frame(motion), np.linalg.inv(matrix).astype(np.float32))
    moved = cv2.remap(
        frame, columns + way[..., 0], rows + way[..., 1], cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.float32)
    shade = over_frame(shade)
    # What is shaded keeps more of its relief than of its light, as dark skin does.
    base = cv2.GaussianBlur(moved, (0, 0), RELIEF / np.sqrt(abs(np.linalg.det(matrix))))
    result = (base + np.float32(OFFSET)) * np.exp(_below_white(base, shade)) - np.float32(OFFSET)
    result += (moved - base) * np.exp(shade * np.float32(RELIEF_POWER))
    share = over_frame(novelty)[..., None]
    result = result + share * (over_frame(change.fresh) - result)
    if change.mouth is not None:
        to_patch = np.linalg.inv(matrix)
        placed = np.column_stack([to_patch, -to_patch @ shift - (left, top)])
        down, across, place, colours = change.mouth.over(placed, right - left, bottom - top)
        # What is left of the source's own beside it, teeth in a corner, goes too.
        place = np.maximum(place, over_frame(change.hidden)[down, across])
        place = place * over_frame(warp(weights.fresh, motion))[down, across]
        result[down, across] += place[..., None] * (colours - result[down, across])
    return np.clip(np.rint(result), 0, 255).astype(np.uint8)


def _below_white(base: np.ndarray, shade: np.ndarray) -> np.ndarray:
    """A shade (h, w, 3) that brightens grey levels less the nearer it takes them to white, as film does."""

    def bent(levels: np.ndarray) -> np.ndarray:
        over = np.maximum(levels - SHOULDER, 0)
        room = np.float32(255 - SHOULDER)
        return np.minimum(levels, SHOULDER) + room * np.tanh(over / room)

    light = cv2.transform(base, MEAN)[..., None] + np.float32(OFFSET)
    brighter = np.maximum(cv2.transform(shade, MEAN)[..., None], 0)
    if brighter.max() < 0.01:
        return shade
    return shade - brighter + np.log(bent(light * np.exp(brighter)) / bent(light))

"""How far to believe a change where: weights from what the parser sees in the source."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np

from stit_core.change.drawn import Drawn
from stit_core.change.matte import EDGE_WIDTH
from stit_core.change.tint import Tint, hue_apart, read_tint, skin_behind
from stit_core.config import TransferConfig
from stit_core.faces.labels import (
    BROWS,
    COVERS,
    EARRING,
    EARS,
    EYES,
    FACE,
    GLASSES,
    HAIR,
    HEAD,
    LIPS,
    MOUTH,
    NECK,
    SKIN,
    SKIN_LIKE,
    is_one_of,
)

EYE_SHADE = 0.4  # of the skin's, for eyes that keep their own: lids and the skin around light them less
MARGIN = 21  # pixels of the crop, width of the skin around a part that changes with it
EAR_REACH = 0.5  # of the eyes' distance, radius around an ear's place
EAR_RIM = 2.0  # pixels within that radius: what reaches so far out is no ear
WALL_RIM = 12.0  # pixels of it there, from which on all that hangs together with them is none
EAR_ALIKE = 2.5  # deviations of the colour of skin within which something beside it is skin
EAR_HUE = 3.0  # the same of its hue: the light in an ear is redder, but its rim is not
EAR_NOISE = 30.0  # squared grey levels by which that colour varies at least
_WORN = tuple(label for label in COVERS if label != EARRING)
SMALLEST_COVER = 0.002  # of the crop's area, under which what covers a face is a speck
FOLD_RIM = 5  # pixels, window within which all must be skin for folds to be looked for
WITHIN = 0.85  # of the way from the middle of a face to its outline
SMALLEST_PART = 12  # pixels, area under which what the parser calls a part of the face is a speck


@dataclass(frozen=True)
class Weights:
    """How far each part of a change is believed at every pixel of the source's crop, (S, S) float32 in [0, 1].

    Attributes
    ----------
    motion: what moves by itself, as far as is said; what is around goes along.
    shade, fresh: for the other parts of the change.
    still: 1 where nothing may move.
    tint: for a strong shade, which shows where it ends; None where there is none.
    skin: 1 where the shade of skin is meant, which brows share, 0 where that of eyes and lips is.
    ageing: in [-1, 1], how much deeper the folds of skin get, below 0 how much shallower.
    """

    motion: np.ndarray
    still: np.ndarray
    shade: np.ndarray
    fresh: np.ndarray
    skin: np.ndarray
    tint: Tint | None = None
    ageing: np.ndarray | None = None


def place_weights(
    source: Drawn, classes: Collection[int], config: TransferConfig, strong: bool = True, ageing: float = 0.0
) -> Weights:
    """How far to believe a change where, from what the parser sees in the source and what may change.

    What may not change is not shaded and goes along with what moves beside it only; what covers the face, such as
    glasses, keeps its pixels to the bit, unless the whole head moves; skin that is called so gets its tone.

    Parameters
    ----------
    classes: the parser's classes that may change.
    strong: whether the change shades skin strongly anywhere (`tint.strength`), which takes more time.
    ageing: how much older skin gets, -1 ... 1.
    """
    labels = _without_specks(source.labels)
    allowed = _largest(cv2.morphologyEx(is_one_of(labels, classes), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)))
    free = {*classes, *FACE}
    if SKIN in classes:  # the face is one piece: a hole of no change around the eyes would show
        allowed = _largest(np.maximum(allowed, is_one_of(labels, FACE)) * (1 - _strays(labels, source.points)))
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
    with_ears = {SKIN, *EARS} <= set(classes)
    apart = hue_apart(source) if strong or with_ears else np.zeros_like(allowed)
    ears = _ears(source, apart) if with_ears else np.zeros_like(allowed)
    tint = None
    if strong:
        glasses = is_one_of(labels, (GLASSES,))
        behind = skin_behind(source, glasses, apart)
        bare = np.maximum(ears, np.maximum(behind, glasses * _specks(glasses * (1 - behind) > 0.5)))
        free_place = (1 - is_one_of(labels, COVERS) * (1 - bare)) * (1 - unshaded_place) * np.float32(config.shade)
        tint = read_tint(source, np.maximum(allowed, bare), free_place, apart)
    # Ears and hair are drawn elsewhere than they are more often than not: unless the whole head moves they go along
    # with the face beside them, as the neck does and what is worn.
    whole = HAIR in classes
    moving = np.float32(allowed > 0.5) * (1 - is_one_of(labels, (NECK,)) if whole else is_one_of(labels, FACE))
    moving = _largest(moving) if whole else moving  # beside a neck there are specks that are none of it
    beside = [] if {*EARS, HAIR} & set(classes) else [*EARS, HAIR]  # an edit that means the mouth takes neither along
    before = _before_face(labels)
    held = np.float32(before > 0.5) * _within(source.points, len(labels))
    still = (
        np.zeros_like(allowed)
        if whole
        else np.maximum.reduce([is_one_of(labels, [*_WORN, *beside]), _crown(labels, source.points), held])
    )
    skin = cv2.GaussianBlur(np.maximum(is_one_of(labels, (*SKIN_LIKE, *BROWS)), ears), (0, 0), EDGE_WIDTH)
    return Weights(
        config.motion * moving,
        still,
        config.shade * shade,
        config.fresh * inwards * (1 - before),
        skin,
        tint,
        config.shade * ageing * _folding(labels) if ageing and SKIN in classes else None,
    )


def _before_face(labels: np.ndarray) -> np.ndarray:
    """1 on what is no part of the head, (S, S), softly: of a hand that is held before a mouth nothing opens."""
    other = cv2.morphologyEx(1 - is_one_of(labels, (*HEAD, *COVERS)), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return cv2.GaussianBlur(other, (0, 0), EDGE_WIDTH)


def _within(points: np.ndarray, size: int) -> np.ndarray:
    """1 well within the outline of a face with landmarks (68, 2), (size, size): what is there is held before it."""
    middle = points[:27].mean(axis=0)
    hull = cv2.convexHull((middle + WITHIN * (points[:27] - middle)).astype(np.float32))
    return cv2.fillConvexPoly(np.zeros((size, size), np.float32), np.rint(hull).astype(np.int32), 1.0)


def _crown(labels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """1 on hair above the brows, (S, S): no shape of a face moves the line from which it grows; beside it, it hangs."""
    above = np.arange(len(labels))[:, None] < points[17:27, 1].mean()
    return is_one_of(labels, (HAIR,)) * np.float32(above)


def _folding(labels: np.ndarray) -> np.ndarray:
    """1 on skin that has folds, 0 beside it and along its edges, (S, S): lashes, lips and hair are none."""
    skin = cv2.erode(is_one_of(labels, (SKIN,)), np.ones((FOLD_RIM, FOLD_RIM), np.uint8))
    return cv2.GaussianBlur(skin, (0, 0), EDGE_WIDTH) * skin


def _ears(source: Drawn, apart: np.ndarray) -> np.ndarray:
    """1 where there is skin by its colour beside the jaw's ends: of ears parsers miss the greater part. (S, S).

    An earring that has it is the lobe itself. Hues are as far from the skin's as `apart` (S, S) says.
    """
    skin = source.picture[is_one_of(source.labels, (SKIN,)) > 0].astype(np.float32)
    if len(skin) < SMALLEST_PART:
        return np.zeros(source.labels.shape, np.float32)
    mean, inverse = skin.mean(axis=0), np.linalg.inv(np.cov(skin.T) + EAR_NOISE * np.eye(3)).astype(np.float32)
    eyes = source.points[36:42].mean(axis=0), source.points[42:48].mean(axis=0)
    reach = EAR_REACH * float(np.hypot(*(eyes[1] - eyes[0])))
    found = np.zeros(source.labels.shape, np.float32)
    for ends, eye in zip(((0, 1, 2), (14, 15, 16)), eyes, strict=True):
        end = source.points[list(ends)].mean(axis=0)
        outwards = (end - eye) / max(float(np.hypot(*(end - eye))), 1.0)
        middle = end + 0.7 * reach * outwards
        left, top = np.clip(np.floor(middle - reach), 0, len(found)).astype(int)
        right, bottom = np.clip(np.ceil(middle + reach) + 1, 0, len(found)).astype(int)
        box = slice(top, bottom), slice(left, right)
        if right <= left or bottom <= top:
            continue
        labels, colours = source.labels[box], source.picture[box].astype(np.float32) - mean
        alike = (np.einsum("ijk,kl,ijl->ij", colours, inverse, colours) < EAR_ALIKE**2) & (apart[box] < EAR_HUE)
        alike &= labels != HAIR
        x, y = np.arange(left, right) - middle[0], np.arange(top, bottom)[:, None] - middle[1]
        away = np.hypot(x, y)
        near = cv2.morphologyEx((alike & (away < reach)).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        count, parts = cv2.connectedComponents(near)
        beyond = x * outwards[0] + y * outwards[1] > reach / 2
        # No ear reaches so far, walls do; a pixel of it decides nothing.
        rim = np.bincount(parts[beyond & (away > reach - EAR_RIM)], minlength=count)
        share = np.clip(1 - rim / WALL_RIM, 0, 1).astype(np.float32)
        share[0] = 0
        ears = [share[part] * _filled(parts == part) for part in np.flatnonzero(share)]
        bare = 1 - is_one_of(labels, (HAIR, *_WORN))
        found[box] = np.maximum.reduce([found[box], *(ear * bare for ear in ears)])
    worn = source.labels == EARRING
    colours = source.picture[worn].astype(np.float32) - mean
    alike = np.einsum("ij,jk,ik->i", colours, inverse, colours) < EAR_ALIKE**2
    found[worn] = alike & (apart[worn] < EAR_HUE)
    return found


def _filled(mask: np.ndarray) -> np.ndarray:
    """A mask (S, S) bool without holes, as float32."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros(mask.shape, np.float32), outlines, -1, 1.0, cv2.FILLED)


def _without_specks(labels: np.ndarray) -> np.ndarray:
    """Labels of which what covers the face, but for what hangs on an ear, is no speck: that is what lies beside it."""
    worn = is_one_of(labels, _WORN).astype(np.uint8)
    specks = _specks(worn > 0) > 0
    if not specks.any() or worn.all():
        return labels
    _, nearest = cv2.distanceTransformWithLabels(worn, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    beside = np.zeros(int(nearest.max()) + 1, labels.dtype)
    beside[nearest[worn == 0]] = labels[worn == 0]
    return np.where(specks, beside[nearest], labels)


def _specks(cover: np.ndarray) -> np.ndarray:
    """Of what covers a face (S, S) bool, how surely, 0 ... 1, it is too small to be anything."""
    _, parts, facts, _ = cv2.connectedComponentsWithStats(cover.astype(np.uint8))
    small = np.clip(2 - 2 * facts[:, cv2.CC_STAT_AREA] / (SMALLEST_COVER * cover.size), 0, 1).astype(np.float32)
    small[0] = 0
    return small[parts]  # type: ignore[no-any-return]


def _strays(labels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """1 on skin, by labels (S, S), wholly beside a face with landmarks (68, 2): walls that have its colour."""
    skin = cv2.morphologyEx(is_one_of(labels, (SKIN,)), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, parts = cv2.connectedComponents(skin.astype(np.uint8))
    left, right = np.clip([points[:, 0].min(), points[:, 0].max()], 0, len(labels) - 1).astype(int)
    own = np.append(parts[:, left : right + 1], 0)
    beside = (~np.isin(parts, own)).astype(np.uint8)
    return cv2.dilate(beside, np.ones((3, 3), np.uint8)) * is_one_of(labels, (SKIN,))


def _up_to(kept: np.ndarray, width: float) -> np.ndarray:
    """1 far from what is kept, falling to 0 at its edge and within it."""
    free = 1 - cv2.dilate(kept, np.ones((3, 3), np.uint8))
    return free * np.clip(2 * cv2.GaussianBlur(free, (0, 0), width) - 1, 0, 1)


def _largest(mask: np.ndarray) -> np.ndarray:
    """The mask without specks that hang on nothing."""
    count, parts, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    sizes = facts[:, cv2.CC_STAT_AREA].copy()
    if count <= 1:
        return mask
    sizes[0] = 0
    kept = sizes >= max(SMALLEST_PART, 0.02 * sizes.max())
    return kept[parts].astype(np.float32)

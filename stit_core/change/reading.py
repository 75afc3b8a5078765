"""The change that an edit makes to a drawn face: where its pixels go, how their shade changes, what is new.

All three are read between two pictures of one generator, the tuned pivot and the edit, and laid out over the source,
to whose own pixels they are given. Source: ours, after the expression ratio images of Liu, Shan and Zhang, "Expressive
Expression Mapping with Ratio Images" (2001).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from stit_core.change.carrying import calm
from stit_core.change.cheeks import cheek_shade, raise_cheeks
from stit_core.change.drawn import Drawn
from stit_core.change.evening import even
from stit_core.change.eyes import hold_eyes
from stit_core.change.growth import grow
from stit_core.change.jaw import shape_jaw
from stit_core.change.joining import join_lips, opens_nothing
from stit_core.change.mouth import Mouth, mouth_flesh, mouth_light
from stit_core.change.novelty import hold_teeth, is_open, is_shut, is_wide, mouth_share, read_novelty
from stit_core.change.opening import Opening, drop_jaw, find_opening, hold_corners, jaw_opens, narrow_mouth
from stit_core.change.own_teeth import OwnTeeth, hold_standing, standing_teeth
from stit_core.change.pose import keep_head
from stit_core.change.relief import SHADOW, Folds, relief_shade
from stit_core.change.seam import hide_own, open_along_seam, open_over_own
from stit_core.change.shade import read_shade
from stit_core.change.smile import (
    Smile,
    close_corners,
    find_smile,
    fold_shade,
    hold_grin,
    hold_pursed,
    widens,
    without_smudges,
)
from stit_core.faces.correspondence import read_motion
from stit_core.faces.labels import BROWS, EARS, EYES, FACE, LIPS, MOUTH, NOSE, SKIN, is_one_of
from stit_core.warps import fill, warp, warp_between, warp_labels

FIELD = 256  # pixels a side, at most, at which a change is read
EAR_REACH = 0.06  # of the crop's side: width of the window around an ear within which motion is not believed
MOUTH_REACH = 0.05  # of the crop's side: deviation of the Gaussian around it within which landmarks are believed
FLOW_BLUR = 1.5  # pixels: deviation of the Gaussian that steadies the flow between drawn pictures
CLOSES = 2.0  # of how far a mouth smiles, by which lips are joined in its corners
JOINS = 3.0  # of the same, by which lips that were shut stay so, and a mouth that is open is kept
PARTS = 0.0, 0.3  # share of a mouth that is drawn: for none lips that were shut stay so, from the second on they part
LEAST_OPENING = 1.0  # millimetres that an opening is high from which on it is seen in full


@dataclass(frozen=True)
class Change:
    """A change laid out over the source's crop, (S, S) pixels; each field is float32.

    Attributes
    ----------
    motion: (S, S, 2), where in the source a pixel of the result comes from, as an offset x, y in pixels.
    skin: (S, S, 3), logarithm of the ratio by which skin is shaded, known all over.
    features: the same for brows, eyes and lips.
    fresh: (S, S, 3), grey levels of what the source does not have.
    novelty: (S, S), 0 ... 1: where that is shown.
    hidden: (S, S), 0 ... 1: where the inside of the source's own mouth goes, for that of the one that is drawn.
    stands: (S, S), 0 ... 1: where its upper teeth stay none the less.
    mouth: the one that is drawn; None for none.
    """

    CHANNELS: ClassVar[int] = 14

    motion: np.ndarray
    skin: np.ndarray
    features: np.ndarray
    fresh: np.ndarray
    novelty: np.ndarray
    hidden: np.ndarray
    stands: np.ndarray
    mouth: Mouth | None = None

    def stacked(self) -> np.ndarray:
        """All fields as one array (S, S, CHANNELS)."""
        parts = [
            self.motion,
            self.skin,
            self.features,
            self.fresh,
            *(each[..., None] for each in (self.novelty, self.hidden, self.stands)),
        ]
        return np.concatenate(parts, axis=-1)

    @classmethod
    def unstacked(cls, fields: np.ndarray, mouth: Mouth | None = None) -> Change:
        """The inverse of `stacked`."""
        planes = (
            fields[..., :2],
            fields[..., 2:5],
            fields[..., 5:8],
            fields[..., 8:11],
            fields[..., 11],
            fields[..., 12],
            fields[..., 13],
        )
        return cls(*planes, mouth)


@dataclass(frozen=True)
class Anatomy:
    """What is known of people, which is believed more than the generator.

    Attributes
    ----------
    folds: of skin, that come or go with the edit, instead of those that the generator draws.
    turning: share of the way by which the head turns aside that is taken over.
    eye_growth: by which an eye gets higher at most, of its height.
    teeth: looks for those of one's own, asked where a mouth is drawn; None for those of anybody.
    """

    folds: Folds | None = None
    turning: float = 1.0
    eye_growth: float = 0.1
    teeth: Callable[[], OwnTeeth | None] | None = None


@dataclass(frozen=True)
class OpenMouth:
    """What an edit does to a mouth that is open already.

    Attributes
    ----------
    opens: how far, 0 ... 1, it drops the jaw.
    another: how far, 0 ... 1, the mouth is another one then: from a half on it is drawn, and else kept, as a whole,
        since half of two open mouths would show two rows of teeth.
    """

    opens: float
    another: float


def read_change(
    source: Drawn,
    pivot: Drawn,
    edited: Drawn,
    offset: np.ndarray,
    classes: Collection[int],
    anatomy: Anatomy | None = None,
    known: OpenMouth | None = None,
    laid: Laid | None = None,
) -> Change:
    """Read the change from a pivot to an edit and lay it out over the source.

    Parameters
    ----------
    source, pivot, edited: of one frame and one size.
    offset: (S, S, 2), from each pixel of the source to its place in the pivot.
    classes: the parser's classes that may change.
    anatomy: what is known of people; None for what the generator draws.
    known: what the edit does to a mouth that is open, by the frames around; None for what this one says.
    laid: what `lay_out` makes of the others, where that is at hand.
    """
    laid = lay_out(source, pivot, edited, offset, anatomy) if laid is None else laid
    edited, flow, offset, motion = laid.edited, laid.flow, laid.offset, laid.motion
    wanted, before = laid.wanted, laid.before
    folds = None if anatomy is None else anatomy.folds
    # What makes a whole face another draws beards along with it; what means a beard leaves eyes and nose alone.
    beards = anatomy is None or not {*EYES, *BROWS, NOSE} & set(classes)
    shade = read_shade(source, pivot, edited, flow, anatomy is not None, folds is None, beards)
    opening, share, opens, shut, smile = None, 0.0, 0.0, is_shut(source), None
    if MOUTH in classes:
        opening = None if anatomy is None else laid.find_opening(source)
        known = None if opening is None else known
        motion, smile, said = _read_mouth(source, pivot, laid, opening, anatomy is not None, known)
        opens, share = said.opens, said.another
        if opening is not None and (known is not None or is_open(source)):
            share = float(share > 0.5)
    smiles = 0.0 if smile is None else smile.strength * (1 - opens)
    closes = min(1.0, CLOSES * smiles)
    if opening is not None:
        opening = close_corners(opening, closes)
        smiling = max(min(1.0, JOINS * smiles), widens(source, motion)) * opens_nothing(opening)
        # Nor do lips part between which nothing is drawn.
        stays = max(smiling, float(np.interp(share, PARTS, (1, 0)))) * shut
        opening, motion = join_lips(opening, source, motion, stays, smiling)
        share *= min(1.0, float((opening.bottom - opening.top).max()) / LEAST_OPENING)
        motion = drop_jaw(motion, opening)
        held = hold_corners(narrow_mouth(motion, opening, source), opening, source)
        kept = motion + np.float32(1 - shut) * (hold_teeth(motion, source, opens) - motion)
        motion = np.float32(share) * held + np.float32(1 - share) * kept
    drawn = opening is not None
    novelty, fresh = read_novelty(source, pivot, edited, wanted, before, offset, motion, classes, drawn, share)
    if opening is not None:
        opening = open_over_own(open_along_seam(opening, source, motion), source, motion)
    mouth = None
    if opening is not None and share > 0:
        light = mouth_light(source)
        own_row = None if anatomy is None or anatomy.teeth is None else anatomy.teeth()
        opening = opening if own_row is None else own_row.seat(opening, source, motion)
        mouth = Mouth(opening, light, share, mouth_flesh(source, light), own_row)
    stands = np.zeros_like(novelty)
    if mouth is not None and shut < 1:
        stands = standing_teeth(source, None if mouth.own is None else mouth.own.below_nose)
        motion = hold_standing(motion, stands, source)
        stands = share * np.float32(1 - shut) * warp(stands, motion)
        novelty = novelty * (1 - stands)
    hidden = np.zeros_like(novelty)
    if opening is not None:
        hidden = share * np.float32(1 - shut) * hide_own(opening, source, motion, closes)
    skin = warp(shade.skin, offset)
    if smile is not None and SKIN in classes:
        motion = raise_cheeks(motion, smile)
        skin = without_smudges(skin, shade.level, motion, smile)
        skin = skin + (fold_shade(motion, smile) + cheek_shade(motion, smile, source))[..., None] * SHADOW
    if anatomy is not None:
        motion = shape_jaw(motion, source)
        motion = hold_eyes(motion, source, anatomy.eye_growth)
    if folds is not None:
        skin = skin + relief_shade(folds, source, edited, offset, motion)
    return Change(motion, skin, warp(shade.features, offset), fresh, novelty, hidden, stands, mouth)


def judge_open_mouth(source: Drawn, pivot: Drawn, laid: Laid, teeth: Callable[[], OwnTeeth | None]) -> OpenMouth:
    """What one frame, whose edit is laid out with anatomy, says of a mouth that is open in it.

    One that is open widely is kept, unless its upper teeth are known, which `teeth` looks for.
    """
    said = _read_mouth(source, pivot, laid, laid.find_opening(source), True, None)[-1]
    wide = is_wide(source)
    if wide == 0 or said.another == 0 or teeth() is not None:
        return said
    return OpenMouth(said.opens, said.another * (1 - wide))


@dataclass(frozen=True)
class Laid:
    """An edit laid out over the source's crop: what of it tells where things go.

    Attributes
    ----------
    edited: as its head is held.
    turn: (S, S, 2), what turning does to the pivot.
    flow: (S, S, 2), from the edit to the pivot.
    offset: (S, S, 2), from the source to the pivot, in a face that grows.
    motion: as `Change` has it, of the face but for its mouth.
    wanted, before: (S, S) uint8, the classes of the edit and of the pivot moved to it.
    """

    edited: Drawn
    turn: np.ndarray
    flow: np.ndarray
    offset: np.ndarray
    motion: np.ndarray
    wanted: np.ndarray
    before: np.ndarray

    def find_opening(self, source: Drawn) -> Opening | None:
        """Where the mouth is open in the edit."""
        return find_opening(self.wanted, source, self.motion, warp(self.edited.picture, self.offset))


def lay_out(source: Drawn, pivot: Drawn, edited: Drawn, offset: np.ndarray, anatomy: Anatomy | None) -> Laid:
    """Lay an edit out over the source; parameters are those of `read_change`."""
    turn = np.zeros_like(offset)
    if anatomy is not None:
        edited, turn = keep_head(pivot, edited, anatomy.turning)
    flow = motion_between(edited, pivot)
    labels = warp_labels(pivot.labels, flow)
    motion = warp(_of_face(flow - turn, labels, edited.labels), offset)
    if anatomy is not None and anatomy.turning == 0:
        motion = even(motion, source)
    motion = motion + warp(turn, offset)
    if anatomy is not None and anatomy.folds is not None:
        growth = grow(source, motion, anatomy.folds.ageing)
        motion, offset = growth + warp(motion, growth), growth + warp(offset, growth)
    wanted, before = warp_labels(edited.labels, offset), warp_labels(labels, offset)
    return Laid(edited, turn, flow, offset, motion, wanted, before)


def _read_mouth(
    source: Drawn, pivot: Drawn, laid: Laid, opening: Opening | None, anatomy: bool, known: OpenMouth | None
) -> tuple[np.ndarray, Smile | None, OpenMouth]:
    """A motion that holds a grin as far as there is one, the smile that it gives, and what becomes of the mouth."""
    opens = 0.0
    if opening is not None:
        opens = jaw_opens(laid.motion, opening) if known is None else known.opens
    moved = laid.wanted, laid.before, laid.motion
    another = mouth_share(source, pivot, laid.edited, *moved, None if opening is None else opens)
    motion, smile = laid.motion, None
    if anatomy:
        along = warp(laid.turn, laid.offset)  # a grin goes along with the head
        motion, stays = hold_grin(motion - along, source, opens)
        motion = hold_pursed(motion, source, (1 - opens) * (1 - another) * is_shut(source))
        motion, another = motion + along, another * (1 - stays)
        smile = find_smile(source, motion)
        if smile is not None and is_open(source):  # a smile takes nobody's words away
            another *= 1 - min(1.0, JOINS * smile.strength) * (1 - opens)
    return motion, smile, OpenMouth(opens, another if known is None else known.another)


def _of_face(flow: np.ndarray, before: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A flow (S, S, 2) under which hair and cloth go along with the face, smoothly: no two strands are drawn alike.

    `labels` are those of the edit, `before` those of the pivot moved to it.
    """
    face = cv2.erode(is_one_of(labels, FACE), np.ones((3, 3), np.uint8))
    # Ears are drawn elsewhere than they are, and take along what lies beside them.
    near = np.ones((round(EAR_REACH * len(face)) | 1,) * 2, np.uint8)
    face = face * (1 - cv2.dilate(np.maximum(is_one_of(labels, EARS), is_one_of(before, EARS)), near))
    return fill(calm(flow, labels, face), face) if face.any() else flow


def motion_between(edited: Drawn, pivot: Drawn) -> np.ndarray:
    """Where in the pivot each pixel of the edit comes from, (S, S, 2) offsets in pixels.

    Read off the places on the head where the parser knows them. Else it is flow, and around the mouth, which opens,
    what landmarks say, where flow can only guess.
    """
    size = edited.picture.shape[0]
    if edited.places is not None and pivot.places is not None:
        pictures = pivot.picture, edited.picture
        return read_motion(pivot.places, edited.places, pivot.head, edited.head, pictures, size).flow
    flow = dense_flow(edited.picture, pivot.picture)
    marked = warp_between(edited.points, pivot.points - edited.points, size)
    mouth = np.maximum(is_one_of(edited.labels, (MOUTH, *LIPS)), is_one_of(pivot.labels, (MOUTH, *LIPS)))
    near = cv2.GaussianBlur(cv2.dilate(mouth, np.ones((3, 3), np.uint8)), (0, 0), MOUTH_REACH * size)
    share = np.clip(2 * near, 0, 1)[..., None]
    return share * marked + (1 - share) * flow


def dense_flow(to: np.ndarray, from_: np.ndarray, fast: bool = False) -> np.ndarray:
    """Where in `from_` each pixel of `to` comes from: pictures (S, S, 3) uint8 -> offsets (S, S, 2) in pixels.

    `fast` is enough for neighbouring frames of a clip, which differ little.

    Source: Kroeger et al., "Fast Optical Flow using Dense Inverse Search" (2016), as OpenCV has it.
    """
    preset = cv2.DISOPTICAL_FLOW_PRESET_FAST if fast else cv2.DISOPTICAL_FLOW_PRESET_MEDIUM
    search = cv2.DISOpticalFlow.create(preset)
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (to, from_)]
    flow = search.calc(grey[0], grey[1], np.zeros((*to.shape[:2], 2), np.float32))
    return cv2.GaussianBlur(flow, (0, 0), FLOW_BLUR)

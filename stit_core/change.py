"""The change that an edit makes to a drawn face: where its pixels go, how their shade changes, what is new.

All three are read between two pictures of one generator, the tuned pivot and the edit, and laid out over the source,
to whose own pixels they are given. Source: ours, after the expression ratio images of Liu, Shan and Zhang, "Expressive
Expression Mapping with Ratio Images" (2001).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from stit_core.face_labels import EYES, LIPS, MOUTH, SKIN_LIKE, is_one_of
from stit_core.warps import warp, warp_between, warp_labels

FIELD = 256  # pixels a side, at most, at which a change is read
OFFSET = 10.0  # grey levels added before brightnesses are divided: near black a ratio says little
LARGEST_SHADE = 1.4  # of the logarithm of a ratio
FLOW_BLUR = 1.5  # pixels: deviation of the Gaussian that steadies the flow between drawn pictures
SHADE_BLUR = 0.8  # pixels, of the one over the ratio
EDGE = 5  # pixels, window within which all labels must agree for a ratio to be believed
PARTS_OF_NOVELTY = (MOUTH, *EYES)  # what opens and closes
TONE_BLUR = 8.0  # pixels: within such a Gaussian the colours of source and pivot are compared


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
    """

    motion: np.ndarray
    skin: np.ndarray
    features: np.ndarray
    fresh: np.ndarray
    novelty: np.ndarray

    def stacked(self) -> np.ndarray:
        """All fields as one array (S, S, 12)."""
        parts = [self.motion, self.skin, self.features, self.fresh, self.novelty[..., None]]
        return np.concatenate(parts, axis=-1)

    @classmethod
    def unstacked(cls, fields: np.ndarray) -> Change:
        """The inverse of `stacked`."""
        return cls(fields[..., :2], fields[..., 2:5], fields[..., 5:8], fields[..., 8:11], fields[..., 11])


@dataclass(frozen=True)
class Drawn:
    """A picture (S, S, 3) uint8, its classes (S, S) uint8 and its landmarks (68, 2) in pixels."""

    picture: np.ndarray
    labels: np.ndarray
    points: np.ndarray


def read_change(source: Drawn, pivot: Drawn, edited: Drawn, offset: np.ndarray, classes: Collection[int]) -> Change:
    """Read the change from a pivot to an edit and lay it out over the source.

    Parameters
    ----------
    source, pivot, edited: of one frame and one size.
    offset: (S, S, 2), from each pixel of the source to its place in the pivot.
    classes: the parser's classes that may change.
    """
    flow = motion_between(edited, pivot)
    before = warp(pivot.picture, flow)
    after = edited.picture.astype(np.float32)
    ratio = np.log((after + OFFSET) / (before + OFFSET))
    ratio = np.clip(cv2.GaussianBlur(ratio, (0, 0), SHADE_BLUR), -LARGEST_SHADE, LARGEST_SHADE)
    labels = warp_labels(pivot.labels, flow)
    skin = fill(ratio, _agreed(labels, edited.labels, SKIN_LIKE))
    features = fill(ratio, np.maximum.reduce([_agreed(labels, edited.labels, part, 3) for part in (EYES, LIPS)]))
    motion = warp(flow, offset)
    novelty, fresh = _fresh(source, pivot, edited, offset, motion, warp_labels(labels, offset), classes)
    return Change(motion, warp(skin, offset), warp(features, offset), fresh, novelty)


def motion_between(edited: Drawn, pivot: Drawn) -> np.ndarray:
    """Where in the pivot each pixel of the edit comes from, (S, S, 2) offsets in pixels.

    Around the mouth, which opens, landmarks know what flow can only guess.
    """
    flow = dense_flow(edited.picture, pivot.picture)
    marked = warp_between(edited.points, pivot.points - edited.points, flow.shape[0])
    mouth = np.maximum(is_one_of(edited.labels, (MOUTH, *LIPS)), is_one_of(pivot.labels, (MOUTH, *LIPS)))
    reach = 0.05 * flow.shape[0]
    share = np.clip(2 * cv2.GaussianBlur(cv2.dilate(mouth, np.ones((3, 3), np.uint8)), (0, 0), reach), 0, 1)[..., None]
    return share * marked + (1 - share) * flow


def _agreed(a: np.ndarray, b: np.ndarray, classes: Sequence[int], window: int = EDGE) -> np.ndarray:
    """Where both label maps show one of the classes and so do all pixels around."""
    both = is_one_of(a, classes) * is_one_of(b, classes)
    return cv2.erode(both, np.ones((window, window), np.uint8))


def _fresh(
    source: Drawn,
    pivot: Drawn,
    edited: Drawn,
    offset: np.ndarray,
    motion: np.ndarray,
    before: np.ndarray,
    classes: Collection[int],
) -> tuple[np.ndarray, np.ndarray]:
    """Where the edit shows what the source does not have (S, S), and its colours in the source's light (S, S, 3)."""
    wanted, there = warp_labels(edited.labels, offset), warp_labels(source.labels, motion)

    def turns(old: Sequence[int], new: Sequence[int]) -> np.ndarray:
        part = [label for label in (*old, *new) if label in PARTS_OF_NOVELTY]
        return is_one_of(there, old) * is_one_of(wanted, new) * float(any(label in classes for label in part))

    opened = turns((*LIPS, *SKIN_LIKE), (MOUTH,))
    closed = turns((MOUTH,), LIPS)
    # Eyes are drawn wider or narrower than they are: new is only what the edit itself opens or closes.
    lids = turns(EYES, SKIN_LIKE) * is_one_of(before, EYES) + turns(SKIN_LIKE, EYES) * is_one_of(before, SKIN_LIKE)
    speckless = cv2.morphologyEx(np.maximum.reduce([opened, closed, lids]), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    novelty = np.clip(1.5 * cv2.GaussianBlur(cv2.dilate(speckless, np.ones((3, 3), np.uint8)), (0, 0), 0.8), 0, 1)
    tone = _tone(source, pivot, offset)
    inside = cv2.GaussianBlur(is_one_of(wanted, (MOUTH,)), (0, 0), 0.8)[..., None]
    # The mouth's own colours are not the skin's: of the difference in tone it takes over how light it is.
    tone = (1 - inside) * tone + inside * tone.mean(axis=-1, keepdims=True)
    colours = warp(edited.picture, offset)
    return novelty, np.clip((colours + OFFSET) * np.exp(tone) - OFFSET, 0, 255)


def _tone(source: Drawn, pivot: Drawn, offset: np.ndarray) -> np.ndarray:
    """Logarithm of the ratio (S, S, 3) of the source's skin to the pivot's, smooth and known all over."""
    drawn, labels = warp(pivot.picture, offset), warp_labels(pivot.labels, offset)
    ratio = np.log((source.picture.astype(np.float32) + OFFSET) / (drawn + OFFSET))
    known = _agreed(labels, source.labels, SKIN_LIKE)
    weight = cv2.GaussianBlur(known, (0, 0), TONE_BLUR)
    mean = cv2.GaussianBlur(ratio * known[..., None], (0, 0), TONE_BLUR) / np.maximum(weight, 1e-3)[..., None]
    return fill(np.clip(mean, -LARGEST_SHADE, LARGEST_SHADE), (weight > 0.1).astype(np.float32))


def dense_flow(to: np.ndarray, from_: np.ndarray) -> np.ndarray:
    """Where in `from_` each pixel of `to` comes from: pictures (S, S, 3) uint8 -> offsets (S, S, 2) in pixels.

    Source: Kroeger et al., "Fast Optical Flow using Dense Inverse Search" (2016), as OpenCV has it.
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (to, from_)]
    flow = search.calc(grey[0], grey[1], np.zeros((*to.shape[:2], 2), np.float32))
    return cv2.GaussianBlur(flow, (0, 0), FLOW_BLUR)


def fill(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Continue values (S, S, C) smoothly from where they are known, `known` (S, S) in [0, 1], over all of the field.

    Source: the pull-push pyramid of Gortler et al., "The Lumigraph" (1996), section 3.4.
    """
    levels = [(values * known[..., None], known)]
    while min(levels[-1][1].shape) > 2:
        levels.append((cv2.pyrDown(levels[-1][0]), cv2.pyrDown(levels[-1][1])))
    total, weight = levels[-1]
    result = (total.sum(axis=(0, 1)) / max(float(weight.sum()), 1e-6)) * np.ones_like(total)
    for total, weight in reversed(levels):
        size = weight.shape[1], weight.shape[0]
        coarse = cv2.resize(result, size, interpolation=cv2.INTER_LINEAR)
        share = np.clip(2 * weight, 0, 1)[..., None]
        result = share * total / np.maximum(weight, 1e-6)[..., None] + (1 - share) * coarse
    return result.astype(np.float32)

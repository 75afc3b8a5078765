"""How an edit treats a clip, seen from outside: none of the project's own measures, only landmarks and optical flow.

sharp     Laplacian energy inside the face, edited / source: under 0.9 is soft, over 1.15 noisy
detail    correlation of the fine bands with the source's, moved by optical flow onto the edit
outside   mean grey levels changed in a ring around the face: of hair and background, and of the neck
beside    the same of what is no skin by the pack's parser
flicker   grey levels by which the change itself changes from frame to frame, moved with the source's motion
jump      the largest flicker of a window as wide as half of the eyes' distance, in any frame: a mouth that blinks
moved     how far the 68 landmarks moved, % of the eyes' distance: that something happened
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import dlib
import numpy as np

from stit_core.faces.reading import landmark_predictor


@dataclass(frozen=True)
class PhotoMeasures:
    """Means over the frames of one edit, but for the jump; the columns above."""

    sharp: float
    detail: float
    outside: float
    beside: float
    flicker: float
    jump: float
    moved: float


JUMP = [field.name for field in dataclasses.fields(PhotoMeasures)].index("jump")


class _Face:
    """The source's face in one frame: landmarks, its inside, the ring around it, and the box of all that."""

    def __init__(self, grey: np.ndarray, points: np.ndarray) -> None:
        self.points = points
        self.eyes = float(np.linalg.norm(points[36:42].mean(0) - points[42:48].mean(0)))
        brows = points[17:27].mean(0)
        top = brows + (brows - points[27:31].mean(0)) * 0.9
        crown = top[None] + [[-0.6 * self.eyes, 0], [0.6 * self.eyes, 0]]
        hull = cv2.convexHull(np.concatenate([points, crown]).astype(np.float32)).astype(np.int32)
        face = np.zeros(grey.shape, np.uint8)
        cv2.fillConvexPoly(face, hull, 1)
        inner = cv2.erode(face, self._window(0.12)) > 0
        ring = (cv2.dilate(face, self._window(1.3)) > 0) & ~(cv2.dilate(face, self._window(0.55)) > 0)
        low = np.maximum(points.mean(0) - 3 * self.eyes, 0).astype(int)
        high = np.minimum(points.mean(0) + 3 * self.eyes, grey.shape[::-1]).astype(int)
        self.box = slice(low[1], high[1]), slice(low[0], high[0])
        self.inner, self.ring = inner[self.box], ring[self.box]

    def _window(self, eyes: float) -> np.ndarray:
        side = max(3, int(self.eyes * eyes) | 1)
        return np.ones((side, side), np.uint8)


def measure_pair(
    source: Iterable[np.ndarray], edited: Iterable[np.ndarray], skin: Iterable[np.ndarray] | None = None
) -> PhotoMeasures:
    """Measure an edit from the frames (H, W, 3) uint8 of source and result; frames without a face are left out.

    `skin` are the places (H, W) bool of skin in each frame of the source; without them nothing counts as skin.
    """
    detector, predictor = dlib.get_frontal_face_detector(), landmark_predictor()
    rows, last = [], None
    places = None if skin is None else iter(skin)
    for picture, result in zip(source, edited, strict=True):
        own = np.zeros(picture.shape[:2], bool) if places is None else next(places)
        before, after = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (picture, result))
        boxes = detector(before, 1)
        if not boxes:
            last = None
            continue
        box = max(boxes, key=lambda found: found.area())
        points = [np.array([(p.x, p.y) for p in predictor(grey, box).parts()], float) for grey in (before, after)]
        face = _Face(before, points[0])
        delta = after.astype(np.float32) - before
        flicker = (float("nan"),) * 2 if last is None else _flicker(face, before, delta, *last)
        last = before, delta
        rows.append((*_still(face, before, after, own), *flicker, _moved(face, points[1])))
    if not rows:
        raise SystemExit("No frame of the clip shows a face.")
    table = np.array(rows)
    means = PhotoMeasures(*(float(value) for value in np.nanmean(table, axis=0)))
    return dataclasses.replace(means, jump=float(np.nanmax(table[:, JUMP])))


def mean_of(measures: Iterable[PhotoMeasures]) -> PhotoMeasures:
    """The mean of several edits."""
    return PhotoMeasures(*np.mean([dataclasses.astuple(each) for each in measures], axis=0).tolist())


def _still(face: _Face, before: np.ndarray, after: np.ndarray, skin: np.ndarray) -> tuple[float, float, float, float]:
    """sharp, detail, outside, beside."""
    a, b = np.ascontiguousarray(before[face.box]), np.ascontiguousarray(after[face.box])
    sharp = _edges(b)[face.inner].sum() / _edges(a)[face.inner].sum()
    carried = _warp(_fine(a), _flow(b, a))
    detail = np.corrcoef(carried[face.inner], _fine(b)[face.inner])[0, 1]
    changed, bare = np.abs(b.astype(np.float32) - a), face.ring & ~skin[face.box]
    beside = changed[bare].mean() if bare.any() else 0.0
    return float(sharp), float(detail), float(changed[face.ring].mean()), float(beside)


def _flicker(
    face: _Face, before: np.ndarray, delta: np.ndarray, last: np.ndarray, last_delta: np.ndarray
) -> tuple[float, float]:
    """flicker, jump."""
    flow = _flow(np.ascontiguousarray(before[face.box]), np.ascontiguousarray(last[face.box]))
    changed = np.abs(delta[face.box] - _warp(last_delta[face.box], flow))
    side = max(3, int(face.eyes / 2) | 1)
    return float(changed[face.inner].mean()), float(cv2.blur(changed, (side, side))[face.inner].max())


def _moved(face: _Face, points: np.ndarray) -> float:
    return float(100 * np.linalg.norm(points - face.points, axis=1).mean() / face.eyes)


def _edges(grey: np.ndarray) -> np.ndarray:
    return np.abs(cv2.Laplacian(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 0.7), cv2.CV_32F))


def _fine(grey: np.ndarray) -> np.ndarray:
    fine = grey.astype(np.float32)
    return cv2.GaussianBlur(fine, (0, 0), 0.8) - cv2.GaussianBlur(fine, (0, 0), 2.5)


def _flow(to: np.ndarray, from_: np.ndarray) -> np.ndarray:
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return search.calc(to, from_, np.zeros((*to.shape, 2), np.float32))


def _warp(values: np.ndarray, flow: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(flow.shape[:2], dtype=np.float32)
    x, y = columns + flow[..., 0], rows + flow[..., 1]
    return cv2.remap(values.astype(np.float32), x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)

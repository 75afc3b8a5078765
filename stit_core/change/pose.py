"""The head as a whole in a drawn crop: an edit is drawn anew where the head stood, as wide as it was.

Every picture that a generator learns from has been cut out by its eyes and mouth. So what it draws is cut out like
that too: a head that turns is pushed back until its eyes are in the middle, one whose face gets shorter is enlarged.
In a clip a head turns around its neck and keeps its width. Only the width is undone and not the height, since a chin
that rises takes its way from the neck. Source: ours; the camera is the scaled orthographic one of
DeMenthon and Davis, "Model-Based Object Pose in 25 Lines of Code" (1995).
"""

from __future__ import annotations

import cv2
import numpy as np

from stit_core.change.drawn import Drawn
from stit_core.faces.labels import EARS, FACE, NECK, is_one_of
from stit_core.warps import fill, warp, warp_labels

AXIS = 0.2  # depth, in the reader's places, of the ears: under them a head turns on its neck
TURN_BLUR = 0.02  # of the map's side: deviation of the Gaussian over a turn; ears stand out of a head, which is round
LEAST_SEEN = 100.0  # pixels of the map of places under which no pose is told from them


def keep_head(pivot: Drawn, edited: Drawn, turning: float = 1.0) -> tuple[Drawn, np.ndarray]:
    """The edit with its head's axis where the pivot has it and the head as wide, and how the head then turns.

    Parameters
    ----------
    pivot, edited: of one frame and one size; without places the edit is handed back, and no turn.
    turning: share of that turn which the head takes.

    Returns
    -------
    The edit, and (S, S, 2), where in the pivot each of its pixels would come from if the head did nothing but turn.
    """
    size = edited.picture.shape[0]
    before, after = _across(pivot), _across(edited)
    if before is None or after is None or edited.places is None or edited.head is None:
        return edited, np.zeros((size, size, 2), np.float32)
    wider = float(np.linalg.norm(after[:3]) / np.linalg.norm(before[:3]))
    old, new = (float(pose[2] * AXIS + pose[3]) for pose in (before, after))

    def offset(side: int) -> np.ndarray:  # from each pixel to its place in the edit, of a map `side` pixels wide
        x = (np.arange(side, dtype=np.float32) + 0.5) * np.float32(size / side) - 0.5
        moved = (new + wider * (x - old) - x) * np.float32(side / size)
        return np.dstack([np.broadcast_to(moved, (side, side)), np.zeros((side, side), np.float32)])

    points = edited.points.copy()
    points[:, 0] = old + (points[:, 0] - new) / wider
    whole, small = offset(size), offset(len(edited.head))
    kept = _put(edited, whole, small, points)
    turn = _turn(kept, before[:3] - after[:3] / wider)
    if turning < 1:
        back = np.float32(turning - 1) * turn
        less = cv2.resize(back, (len(small), len(small)), interpolation=cv2.INTER_AREA) * (len(small) / size)
        rows, columns = np.clip(np.rint(points[:, ::-1]).astype(int), 0, size - 1).T
        points = points - back[rows, columns]
        kept = _put(edited, back + warp(whole, back), less + warp(small, less), points)
        turn = np.float32(turning) * turn
    return kept, turn


def _put(edited: Drawn, whole: np.ndarray, small: np.ndarray, points: np.ndarray) -> Drawn:
    """An edit looked up at offsets (S, S, 2), and (h, h, 2) where places are known, with its points elsewhere."""
    picture = np.clip(np.rint(warp(edited.picture, whole, cv2.INTER_CUBIC)), 0, 255).astype(np.uint8)
    places, head = warp(edited.places, small), warp(edited.head, small)  # type: ignore[arg-type]
    return Drawn(picture, warp_labels(edited.labels, whole), points, places, head)


def _turn(kept: Drawn, slopes: np.ndarray) -> np.ndarray:
    """Where in the pivot each pixel of an edit would come from if its head did nothing but turn, (S, S, 2).

    `slopes` (3,) say how many pixels aside that is for a unit of each of the places.
    """
    size, places, head = len(kept.labels), kept.places, kept.head
    assert places is not None
    assert head is not None
    across = cv2.transform(places, slopes[None].astype(np.float32)) - np.float32(slopes[2] * AXIS)
    # The neck goes along with the head; at the head's rim places are a mean of head and background.
    labels = cv2.resize(kept.labels, (len(head), len(head)), interpolation=cv2.INTER_NEAREST)
    sure = cv2.erode(head * (1 - is_one_of(labels, (NECK,))), np.ones((3, 3), np.uint8)).astype(np.float32)
    smooth = cv2.GaussianBlur(fill(across[..., None], sure)[..., 0], (0, 0), TURN_BLUR * len(head))
    turn = np.zeros((size, size, 2), np.float32)
    turn[..., 0] = cv2.resize(smooth, (size, size), interpolation=cv2.INTER_LINEAR)
    return turn


def _across(drawn: Drawn) -> np.ndarray | None:
    """How x, in pixels of the crop, follows from places: (4,), three slopes and a start; None where no face is seen.

    Fitted by least squares to face and ears, by which hair and neck are no part of it.
    """
    if drawn.places is None or drawn.head is None:
        return None
    side = len(drawn.head)
    labels = cv2.resize(drawn.labels, (side, side), interpolation=cv2.INTER_NEAREST)
    weight = (drawn.head * is_one_of(labels, (*FACE, *EARS))).astype(np.float64)
    if weight.sum() < LEAST_SEEN:
        return None
    places = np.concatenate([drawn.places.reshape(-1, 3), np.ones((side * side, 1))], axis=1)
    weighted = places * weight.reshape(-1, 1)
    x = (np.arange(side) + 0.5) * (len(drawn.labels) / side) - 0.5
    system = weighted.T @ places + 1e-6 * np.eye(4)
    return np.linalg.solve(system, weighted.T @ np.broadcast_to(x, (side, side)).ravel())

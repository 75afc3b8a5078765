"""Clips that lie on their side or head: pictures turned by quarters, and places in them carried back. Source: ours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stit_core.artefacts import FrameFolder

OTHER_TURNS = (1, 3, 2)  # quarters to the left after which a face is looked for, where the picture as it is has none
_LIES = {1: "on its side, its top to the right", 2: "on its head", 3: "on its side, its top to the left"}
_TURNED = {1: "a quarter turn to the left", 2: "half a turn", 3: "a quarter turn to the right"}

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class TurnedFrames(FrameFolder):
    """The pictures of a folder, each read as it looks after `turn` quarters to the left."""

    turn: int = 0

    def read(self, frame: int) -> np.ndarray:
        return turn_picture(super().read(frame), self.turn)


def turn_picture(picture: np.ndarray, turn: int) -> np.ndarray:
    """A picture (H, W, 3) after `turn` quarters to the left, contiguous."""
    return np.ascontiguousarray(np.rot90(picture, turn)) if turn else picture


def turn_points(points: np.ndarray, turn: int, width: float, height: float) -> np.ndarray:
    """Points (..., 2) after the picture that they lie in was turned by `turn` quarters to the left.

    Parameters
    ----------
    points: x, y in pixels, the centre of the first one at (0, 0).
    turn: quarters; negative ones to the right.
    width, height: of the picture before it is turned.

    Example: in a picture 4 wide and 3 high, the pixel (3, 0) in the top right corner comes to (0, 0) by one turn.
    """
    x, y = points[..., 0], points[..., 1]
    for _ in range(turn % 4):
        x, y = y, width - 1 - x
        width, height = height, width
    return np.stack([x, y], axis=-1)


def turn_box(box: Box, turn: int, width: float, height: float) -> Box:
    """A box (left, top, right, bottom), in edges of pixels, after its picture was turned; as `turn_points`."""
    corners = np.array([box[:2], box[2:]]) - 0.5
    turned = turn_points(corners, turn, width, height) + 0.5
    (left, top), (right, bottom) = turned.min(axis=0), turned.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def tell_turn(turn: int) -> tuple[str, ...]:
    """A sentence on a face that was found after `turn` quarters to the left; none where the clip stands upright."""
    if turn == 0:
        return ()
    return (
        f"The clip lies {_LIES[turn]}: no face was surely found in it as it is, but one was after {_TURNED[turn]}. "
        "It is edited as it lies.",
    )

"""A drawn head whose mouth opens, with landmarks where a predictor would put them, and what is seen of its mouth."""

from __future__ import annotations

import dataclasses

import numpy as np

from stit_core.change.drawn import Drawn
from stit_core.change.mouth import Mouth, mouth_flesh, mouth_light
from stit_core.change.opening import Opening, find_opening
from tests.support.transfer_cases import MOUTH, SIZE, STILL, drawn, head_labels, landmarks

EYES = (46.4, 60), (81.6, 60)  # so that the mouth is 50 millimetres wide
ALONE = np.eye(2, 3)  # the crop itself is the picture
LEFT, RIGHT, LIPS_MEET, CHIN = 50.0, 78.0, 92.0, 114


def face(opening: int = 0, teeth: float = 0.0) -> Drawn:
    """The drawn head with a mouth whose landmarks lie where a predictor would put them.

    `teeth` is the share of an opening, from above, that is drawn white.
    """
    labels = head_labels(opening)
    points = landmarks()
    points[48], points[54] = (LEFT, LIPS_MEET), (RIGHT, LIPS_MEET)
    points[60:68, 1] = LIPS_MEET - 4  # the upper lip stays, the lower one goes
    points[36:42], points[42:48] = EYES
    points[[33, 51, 62, 66, 57], 0] = 64
    points[33, 1] = 76
    scene = dataclasses.replace(drawn(labels), points=points)
    rows = np.flatnonzero((labels == MOUTH).any(axis=1))
    white = rows[: round(teeth * len(rows))]
    picture = scene.picture.copy()
    picture[white, 50:78] = (210, 205, 195)
    return dataclasses.replace(scene, picture=picture)


def opening_of(opening: int, teeth: float = 0.0, motion: np.ndarray = STILL) -> Opening | None:
    edited = face(opening, teeth)
    return find_opening(edited.labels, face(), motion, edited.picture.astype(np.float32))


def seen_in(opening: int, teeth: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    found = opening_of(opening, teeth)
    assert found is not None
    return seen(mouth_in(found))


def mouth_in(opening: Opening, source: Drawn | None = None, share: float = 1.0) -> Mouth:
    """A mouth in the light of a source, the shut face if none is given."""
    source = face() if source is None else source
    light = mouth_light(source)
    return Mouth(opening, light, share, mouth_flesh(source, light))


def seen(mouth: Mouth, matrix: np.ndarray = ALONE, size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Place and colours of a mouth over a whole picture."""
    place, colours = np.zeros((size, size), np.float32), np.zeros((size, size, 3), np.float32)
    shown = mouth.over(matrix, size, size)
    place[shown.rows, shown.columns], colours[shown.rows, shown.columns] = shown.place, shown.colours
    return place, colours


def opened_by(pixels: int, teeth: float = 0.0) -> Opening:
    """`opening_of` a mouth that is open."""
    opening = opening_of(pixels, teeth)
    assert opening is not None
    return opening


def parted(up: float, down: float) -> np.ndarray:
    """A motion under which shut lips part by `up` and `down` pixels from where they meet."""
    rows = np.arange(SIZE, dtype=np.float32)
    motion = np.zeros((SIZE, SIZE, 2), np.float32)
    motion[..., 1] = np.select([rows < LIPS_MEET - up, rows > LIPS_MEET + down], [up, -down], LIPS_MEET - rows)[:, None]
    return motion


def meeting() -> Drawn:
    """The head with shut lips that meet in one dark line."""
    source = face()
    picture, points = source.picture.copy(), source.points.copy()
    picture[int(LIPS_MEET) : int(LIPS_MEET) + 1, 50:78] = (60, 30, 30)
    points[60:68, 1] = LIPS_MEET
    across = np.array([54, 59, 64, 69, 74])
    points[49:54] = np.stack([across, LIPS_MEET - np.array([3, 4.5, 5, 4.5, 3])], axis=-1)
    points[59:54:-1] = np.stack([across, LIPS_MEET + np.array([4, 6, 7, 6, 4])], axis=-1)
    points[60:68, 0] = np.array([52, 58, 64, 70, 76, 70, 64, 58])
    return dataclasses.replace(source, picture=picture, points=points)

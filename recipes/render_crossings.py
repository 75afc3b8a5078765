"""Renders clips of several people who cross, come and go, with the truth of who is where in each frame.

python -m recipes.render_crossings --makehuman DIR --out tests/data

Heads are drawn one by one and laid over each other, the nearest last. Beside each clip, NAME.json has for every person
and frame the middle of the landmarks in pixels and whether the face can be seen: nobody nearer covers it, it is inside
the picture and turned to the camera.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from recipes.heads.renderer import Renderer
from recipes.render_clips import (
    OLD_MAN,
    OLD_SHAPE,
    WOMAN,
    WOMAN_SHAPE,
    YOUNG_SHAPE,
    YOUNG_WOMAN,
    Scene,
    camera_of,
    ease,
    encode,
    parameters_of,
)

RATE = Fraction(25)
SIZE = (360, 720)  # height, width
SEEN_YAW = 50.0  # degrees, from where on a face counts as turned away
SEEN_SHARE = 0.6  # of the landmarks that nobody may cover
SUPERSAMPLING = 1.5  # of a head that is drawn, before it is laid into the frame
BACKDROP = ((96, 104, 112), (58, 62, 70))  # above and below

YOUNG_MAN: dict[str, Any] = {
    **OLD_MAN,
    "ethnicity": np.array([0.9, 0.05, 0.05]),
    "age": 27.0,
    "skin_tone": 0.85,
    "grey": 0.0,
    "beard": 0.0,
    "hair_style": 1,
    "hair_dark": 1.0,
    "iris_light": 0.0,
    "brow_thickness": 0.6,
    "weight": 0.5,
    "cloth": np.array([0.3, 0.08, 0.07]),
}
YOUNG_MAN_SHAPE = {"brow_angle": -0.2, "brow_ridge": 0.5, "chin_width": 0.5, "jaw_square": 0.6, "eye_size": -0.3}


@dataclass(frozen=True)
class Walker:
    """Someone who moves through the picture.

    Attributes
    ----------
    scene: the person.
    across: middle of the head in widths of the frame at even times, eased between; beyond 0 ... 1 it is out of sight.
    side: of the square in which the head is drawn, in heights of the frame; the larger, the nearer.
    turns: yaw in degrees at even times.
    """

    scene: Scene
    across: tuple[float, ...]
    side: float
    turns: tuple[float, ...] = (0.0,)


@dataclass(frozen=True)
class Crossing:
    """A clip of walkers."""

    name: str
    walkers: tuple[Walker, ...]
    frames: int


def person(name: str, seed: int, look: dict[str, Any], shape: dict[str, float]) -> Scene:
    return Scene(name, seed, look, shape, size=(1, 1), span=4.4, height=-0.15)


YOUNG = person("young-woman", 103, YOUNG_WOMAN, YOUNG_SHAPE)
OLD = person("old-man", 108, OLD_MAN, OLD_SHAPE)
MIDDLE = person("woman", 105, WOMAN, WOMAN_SHAPE)
MAN = person("young-man", 131, YOUNG_MAN, YOUNG_MAN_SHAPE)

CROSSINGS = (
    Crossing(
        "two-crossing",
        (
            Walker(OLD, (0.22, 0.22, 0.50, 0.78, 0.78), 0.80, (0, 12, 15, 8, 0)),
            Walker(YOUNG, (0.78, 0.78, 0.50, 0.22, 0.22), 0.66, (0, -12, -15, -8, 0)),
        ),
        40,
    ),
    Crossing(
        "four-crossing",
        (
            Walker(OLD, (0.14, 0.14, 0.40, 0.62, 0.62), 0.74, (0, 10, 12, 8, 0)),
            # Away for a second: out of the picture on the right, and back.
            Walker(MIDDLE, (0.86, 0.86, 1.25, 1.25, 1.25, 0.88, 0.84), 0.66, (0, 10, 15, 0, 0, -15, 0)),
            Walker(YOUNG, (0.62, 0.62, 0.36, 0.13, 0.13), 0.62, (0, -10, -14, -8, 0)),
            # Turned away for a while, and walking behind the first meanwhile.
            Walker(MAN, (0.38, 0.38, 0.38, 0.40, 0.38), 0.58, (0, 0, -100, 0, 0)),
        ),
        56,
    ),
)


def truth_and_frames(crossing: Crossing, renderer: Renderer) -> tuple[dict[str, Any], list[np.ndarray]]:
    """What is known of a clip, ready for JSON, and its pictures (H, W, 3) uint8."""
    walkers = sorted(crossing.walkers, key=lambda walker: walker.side)  # the nearest is laid over last
    drawn = {walker.scene.name: list(_sprites(walker, crossing.frames, renderer)) for walker in walkers}
    pictures, seen = [], {walker.scene.name: [] for walker in walkers}  # type: ignore[var-annotated]
    for frame in range(crossing.frames):
        picture, owner = _backdrop(), np.full(SIZE, -1)
        for number, walker in enumerate(walkers):
            _lay(picture, owner, number, drawn[walker.scene.name][frame])
        for number, walker in enumerate(walkers):
            sprite = drawn[walker.scene.name][frame]
            x, y = np.rint(sprite.points).astype(int).T
            inside = (x >= 0) & (x < SIZE[1]) & (y >= 0) & (y < SIZE[0])
            own = inside.copy()
            own[inside] = owner[y[inside], x[inside]] == number
            shown = bool(own.mean() >= SEEN_SHARE and abs(sprite.yaw) < SEEN_YAW)
            seen[walker.scene.name].append([*np.round(sprite.points.mean(axis=0), 1).tolist(), shown])
        pictures.append(picture)
    order = [walker.scene.name for walker in reversed(walkers)]
    return {"name": crossing.name, "nearest_first": order, "places": seen}, pictures


@dataclass(frozen=True)
class _Sprite:
    """A drawn head and its place: picture (s, s, 3), alpha (s, s), left top corner, landmarks in the frame, yaw."""

    picture: np.ndarray
    alpha: np.ndarray
    corner: tuple[int, int]
    points: np.ndarray
    yaw: float


def _sprites(walker: Walker, count: int, renderer: Renderer) -> Iterator[_Sprite]:
    side = round(walker.side * SIZE[0])
    drawn_side = round(SUPERSAMPLING * side)
    scene = dataclasses.replace(walker.scene, size=(drawn_side, drawn_side))
    known: dict[tuple[float, float], Any] = {}
    yaws, across = ease(walker.turns, count), ease(walker.across, count)
    for frame in range(count):
        yaw = float(np.round(yaws[frame], 0))
        talk = 0.35 * (0.5 + 0.5 * np.cos(frame * 0.9)) if frame % 2 else 0.0
        pose = (yaw, round(talk, 1))
        if pose not in known:
            head = dataclasses.replace(parameters_of(scene), yaw=yaw, mouth_open=pose[1])
            rendering = renderer.render(head, scene.size, camera_of(scene))
            small = cv2.resize(rendering.image, (side, side), interpolation=cv2.INTER_AREA)
            alpha = cv2.resize((rendering.labels != 0).astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
            known[pose] = small, alpha, (rendering.landmarks + 0.5) * side / drawn_side - 0.5
        small, alpha, points = known[pose]
        corner = round(float(across[frame]) * SIZE[1] - side / 2), SIZE[0] - side
        yield _Sprite(small, alpha, corner, points + np.array(corner), yaw)


def _backdrop() -> np.ndarray:
    rows = np.linspace(0, 1, SIZE[0])[:, None, None]
    above, below = (np.array(colour, dtype=np.float64) for colour in BACKDROP)
    return np.broadcast_to(np.rint(above + rows * (below - above)), (*SIZE, 3)).astype(np.uint8)


def _lay(picture: np.ndarray, owner: np.ndarray, number: int, sprite: _Sprite) -> None:
    """Lay a head over the picture, and its number over the owners, in place."""
    left, top = sprite.corner
    side = len(sprite.alpha)
    a, b = max(0, left), min(SIZE[1], left + side)
    if a >= b:
        return
    place = np.s_[top : top + side, a:b]
    part = np.s_[:, a - left : b - left]
    alpha = sprite.alpha[part][..., None]
    mixed = alpha * sprite.picture[part] + (1 - alpha) * picture[place]
    picture[place] = np.rint(mixed).astype(np.uint8)
    owner[place] = np.where(sprite.alpha[part] > 0.5, number, owner[place])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--makehuman", type=Path, required=True, help="the MakeHuman data folder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", help="the name of one clip")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    renderer = Renderer(options.makehuman)
    for crossing in CROSSINGS:
        if options.only not in (None, crossing.name):
            continue
        truth, pictures = truth_and_frames(crossing, renderer)
        scene = dataclasses.replace(OLD, size=SIZE, rate=RATE, crf=26)
        encode(pictures, dataclasses.replace(scene, name=crossing.name), None, options.out / f"{crossing.name}.mp4")
        (options.out / f"{crossing.name}.json").write_text(json.dumps(truth) + "\n")
        print(f"{crossing.name}: {crossing.frames} frames", flush=True)


if __name__ == "__main__":
    main()

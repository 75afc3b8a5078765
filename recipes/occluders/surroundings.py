"""Busy backgrounds behind a head: leaves, shelves, walls, crowds, writing, strokes that look like hair."""

from __future__ import annotations

import cv2
import numpy as np

from recipes.heads.surface import L_BACKGROUND, L_HAIR
from recipes.occluders.canvas import Canvas, any_colour, cloth_texture, curve
from recipes.occluders.objects import letters


def fill_background(canvas: Canvas, rng: np.random.Generator) -> None:
    """Put something busy behind the head, in focus or not; labels stay."""
    painter = (_leaves, _shelves, _strokes, _noise, _writing, _plain, _crowd)[rng.integers(0, 7)]
    field = painter(canvas, rng)
    if rng.random() < 0.5:
        field = cv2.GaussianBlur(field, (0, 0), rng.uniform(0.5, 6))
    behind = cv2.GaussianBlur((canvas.labels == L_BACKGROUND).astype(np.float32), (3, 3), 0)
    share = 1.0 if rng.random() < 0.7 else rng.uniform(0.3, 0.9)
    canvas.paint(behind * share, np.clip(field, 0, 255), None)


def _plain(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """A wall: one colour or a slow change between two, now and then that of the hair or skin."""
    height, width = canvas.size
    first, last = any_colour(rng), any_colour(rng)
    if rng.random() < 0.5:
        first = canvas.median_colour(L_HAIR if rng.random() < 0.7 else 1, (30.0, 25.0, 20.0)) * rng.uniform(0.7, 1.3)
        last = first * rng.uniform(0.6, 1.2)
    turn = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    t = 0.5 + 0.5 * np.sin(turn + (x * np.cos(turn) + y * np.sin(turn)) * rng.uniform(0.2, 1.5) * np.pi / width)
    return (first + t[..., None] * (last - first)).astype(np.float32)  # type: ignore[no-any-return]


def _blobs(field: np.ndarray, colours: np.ndarray, count: int, largest: float, rng: np.random.Generator) -> None:
    height, width = field.shape[:2]
    for _ in range(count):
        centre = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        axes = (int(rng.uniform(1, largest)), int(rng.uniform(1, largest)))
        colour = colours[rng.integers(0, len(colours))] * rng.uniform(0.5, 1.5)
        cv2.ellipse(field, centre, axes, rng.uniform(0, 180), 0, 360, colour.tolist(), -1, cv2.LINE_AA)


def _leaves(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    field = _plain(canvas, rng)
    greens = np.array([any_colour(rng, 0.6) * (0.6, 1.0, 0.5) for _ in range(4)] + [any_colour(rng)])
    _blobs(field, greens, int(rng.integers(80, 350)), rng.uniform(3, 16), rng)
    return field


def _crowd(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Other people: blobs in the head's own skin, hair and cloth colours."""
    field = _plain(canvas, rng)
    own = [canvas.median_colour(label, tuple(any_colour(rng))) for label in (1, L_HAIR, L_HAIR, 16)]
    _blobs(field, np.array([*own, any_colour(rng)]), int(rng.integers(10, 60)), rng.uniform(10, 45), rng)
    return field


def _shelves(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    height, width = canvas.size
    field = _plain(canvas, rng)
    y = -int(rng.integers(0, 30))
    row, dark = int(rng.integers(12, 70)), rng.uniform(0, 1)
    while y < height:
        x = 0
        while x < width:
            wide = int(rng.integers(3, row))
            cv2.rectangle(field, (x, y), (x + wide, y + row - 3), any_colour(rng, dark).tolist(), -1)
            x += wide + int(rng.integers(0, 3))
        y += row
    return field


def _strokes(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Bundles of curves in the hair's colour or another: grass, fur, cables, curtains."""
    field = _plain(canvas, rng)
    height, width = canvas.size
    own = canvas.median_colour(L_HAIR, (40.0, 30.0, 24.0))
    colour = own if rng.random() < 0.5 else any_colour(rng, 0.6)
    for _ in range(rng.integers(3, 12)):
        start, end = rng.uniform(-0.2, 1.2, 2) * (width, height), rng.uniform(-0.2, 1.2, 2) * (width, height)
        bend = rng.uniform(0, 1, 2) * (width, height)
        spread = rng.uniform(2, 30)
        shade = colour * rng.uniform(0.6, 1.4)
        for _ in range(rng.integers(4, 24)):
            line = curve(
                start + rng.normal(0, spread, 2), bend + rng.normal(0, spread, 2), end + rng.normal(0, spread, 2)
            )
            points = np.round(line * 16).astype(np.int32)[:, None]
            cv2.polylines(
                field,
                [points],
                False,
                (shade * rng.uniform(0.7, 1.3)).tolist(),
                int(rng.integers(1, 3)),
                cv2.LINE_AA,
                4,
            )
    return field


def _noise(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Colour noise with the falling spectrum of photographs."""
    height, width = canvas.size
    field = np.zeros((height, width, 3), np.float32)
    amplitude, roughness = 1.0, rng.uniform(0.4, 0.9)
    for level in (3, 6, 12, 24, 48, 96, 192):
        cells = rng.standard_normal((level, level, 3)).astype(np.float32)
        mode = cv2.INTER_NEAREST if rng.random() < 0.3 else cv2.INTER_LINEAR
        field += amplitude * cv2.resize(cells, (width, height), interpolation=mode)
        amplitude *= roughness
    return any_colour(rng).astype(np.float32) + field * np.float32(rng.uniform(15, 60))  # type: ignore[no-any-return]


def _writing(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    field = cloth_texture(rng, canvas.size, any_colour(rng))
    for _ in range(rng.integers(3, 16)):
        start = rng.uniform(-0.1, 1.0, 2) * canvas.size[1]
        field += letters(canvas.size, start, rng, 2.5)[..., None] * (any_colour(rng) - field)
    return field.astype(np.float32)

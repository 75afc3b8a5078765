"""Things held before the face, and text over it: microphones, cups, telephones, sticks, subtitles."""

from __future__ import annotations

import cv2
import numpy as np

from recipes.heads.surface import L_BACKGROUND
from recipes.occluders.canvas import Canvas, any_colour, cloth_texture, filled, stroked

WORDS = ("LIVE", "news", "Hello!", "24:7", "www", "AaBb", "EXIT", "Q&A", "mmm", "lllll", "8 0 5", "open")


def hold_object(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint something that is neither face nor clothes before the face or beside it; its class is background."""
    (_microphone, _block, _block, _sticks)[rng.integers(0, 4)](canvas, rng)


def _microphone(canvas: Canvas, rng: np.random.Generator) -> None:
    d = canvas.eye_distance
    head = canvas.at(rng.uniform(-0.9, 0.9), rng.uniform(1.0, 2.1))
    turn = rng.uniform(-1.1, 1.1)
    way = np.sin(turn) * canvas.across + np.cos(turn) * canvas.down
    radius = rng.uniform(0.14, 0.42) * d
    grip = stroked([np.array([head, head + 5 * d * way])], radius * rng.uniform(0.5, 1.4), canvas.size)
    canvas.paint(grip, _lit_along(canvas, any_colour(rng, 0.9), head, way, radius), L_BACKGROUND)
    around = np.linspace(0, 2 * np.pi, 32)[:, None]
    ball = filled(
        head + radius * (np.cos(around) * canvas.across + rng.uniform(0.9, 1.4) * np.sin(around) * way), canvas.size
    )
    height, width = canvas.size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    period = rng.uniform(2, 5)
    mesh = 1 + rng.uniform(0, 0.4) * np.sin(2 * np.pi * (x + y) / period) * np.sin(2 * np.pi * (x - y) / period)
    light = 1.2 - 0.6 * np.hypot(x - head[0] + 0.4 * radius, y - head[1] + 0.4 * radius) / radius
    field = any_colour(rng, 0.8) * (mesh * np.clip(light, 0.3, 1.4))[..., None]
    canvas.paint(ball, np.clip(field, 0, 255), L_BACKGROUND)


def _lit_along(canvas: Canvas, colour: np.ndarray, start: np.ndarray, way: np.ndarray, radius: float) -> np.ndarray:
    """A colour (H, W, 3) shaded like a rod through `start` along `way`."""
    height, width = canvas.size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    aside = ((x - start[0]) * way[1] - (y - start[1]) * way[0]) / max(radius, 1.0)
    return np.clip(colour * np.clip(1.1 - 0.5 * (aside - 0.2) ** 2, 0.3, 1.3)[..., None], 0, 255)  # type: ignore[no-any-return]


def _block(canvas: Canvas, rng: np.random.Generator) -> None:
    """A cup, book, telephone, mask or sign: a slanted four-sided field, now and then with text."""
    d = canvas.eye_distance
    side = rng.choice([-1.0, 1.0])
    centre = canvas.at(side * rng.uniform(0.2, 1.5), rng.uniform(0.3, 2.4))
    turn = rng.normal(0, 0.5)
    right = np.cos(turn) * canvas.across + np.sin(turn) * canvas.down
    down = np.cos(turn) * canvas.down - np.sin(turn) * canvas.across
    wide, high, taper = rng.uniform(0.2, 0.75) * d, rng.uniform(0.25, 1.1) * d, rng.uniform(0.7, 1.2)
    corners = [centre - wide * right - high * down, centre + wide * right - high * down]
    corners += [centre + taper * wide * right + high * down, centre - taper * wide * right + high * down]
    shape = filled(np.array(corners), canvas.size)
    canvas.shade(shape, (rng.uniform(-4, 4), rng.uniform(0, 5)), rng.uniform(2, 5), rng.uniform(0, 0.4))
    field = _lit_along(canvas, np.full(3, 1.0), centre, down, wide) * cloth_texture(rng, canvas.size, any_colour(rng))
    canvas.paint(shape, np.clip(field, 0, 255), L_BACKGROUND)
    if rng.random() < 0.4:
        canvas.paint(shape * letters(canvas.size, centre - wide * right, rng), any_colour(rng), None)


def _sticks(canvas: Canvas, rng: np.random.Generator) -> None:
    """Pens, straws, cables, headset booms: a few thin lines across the picture."""
    for _ in range(rng.integers(1, 4)):
        inside = canvas.at(rng.uniform(-0.8, 0.8), rng.uniform(-0.4, 2.0))
        turn = rng.uniform(0, 2 * np.pi)
        outside = inside + rng.uniform(0.6, 4) * canvas.eye_distance * np.array([np.cos(turn), np.sin(turn)])
        alpha = stroked([np.array([inside, outside])], rng.uniform(1.5, 9), canvas.size)
        canvas.paint(alpha, any_colour(rng), L_BACKGROUND)


def write_text(canvas: Canvas, rng: np.random.Generator) -> None:
    """Lay a subtitle or logo over the picture; its letters are background."""
    colour = any_colour(rng)
    for _ in range(rng.integers(1, 4)):
        start = np.array([rng.uniform(0, 0.7), rng.uniform(0.1, 1.0)]) * canvas.size[1]
        canvas.paint(letters(canvas.size, start, rng), colour, L_BACKGROUND)


def letters(size: tuple[int, int], start: np.ndarray, rng: np.random.Generator, largest: float = 1.3) -> np.ndarray:
    """Alpha (H, W) float32 of a word that begins at `start` (2,)."""
    mask = np.zeros(size, np.uint8)
    word, place = WORDS[rng.integers(0, len(WORDS))], (int(start[0]), int(start[1]))
    font, scale, thick = int(rng.integers(0, 8)), rng.uniform(0.4, largest), int(rng.integers(1, 4))
    cv2.putText(mask, word, place, font, scale, 255, thick, cv2.LINE_AA)
    return mask.astype(np.float32) / 255

"""Glasses and sunglasses, placed by the landmarks of a turned head."""

from __future__ import annotations

import cv2
import numpy as np

from recipes.heads.surface import L_GLASSES
from recipes.occluders.canvas import Canvas, any_colour, curve, filled, stroked

OPAQUE = 0.45  # tint over which a lens hides the eye, and is called glasses


def wear_glasses(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint a pair of glasses: frame, bridge, temples, and lenses that are clear, tinted or dark.

    Frames and dark lenses get the class of glasses; behind clear lenses eyes stay eyes.
    """
    bridge = canvas.landmarks[27] + canvas.eye_distance * rng.uniform(-0.02, 0.10) * canvas.down
    style = _style(rng)
    lenses = [_lens(canvas, bridge, side, style) for side in (0, 1)]
    frame = _frame(canvas, lenses, bridge, style, rng)
    glass = np.maximum(*(filled(lens, canvas.size) for lens in lenses))
    if rng.random() < 0.8:
        down = canvas.down * rng.uniform(1.0, 4.0)
        canvas.shade(
            np.maximum(frame, 0.0), (float(down[0]), float(down[1])), rng.uniform(0.8, 3), rng.uniform(0, 0.45)
        )
    _glaze(canvas, glass, rng)
    canvas.paint(frame * rng.uniform(0.85, 1.0), _frame_colour(canvas, rng), L_GLASSES)
    if rng.random() < 0.5:
        gleam = stroked([lens[rng.integers(0, 20) :][:8] for lens in lenses], 1, canvas.size)
        canvas.paint(0.6 * gleam * frame, np.full(3, 245.0), None)


def _style(rng: np.random.Generator) -> dict[str, float]:
    """Shape of the lenses: corners, size, slant; and thickness of the frame in eye distances."""
    thin = rng.random() < 0.45
    return {
        "power": rng.choice([2.0, 2.3, 3.0, 4.5, 7.0]),
        "inner": rng.uniform(0.08, 0.17),
        "outer": rng.uniform(0.62, 0.95),
        "height": rng.uniform(0.17, 0.40),
        "drop": rng.uniform(0.0, 0.13),
        "cat": rng.uniform(-0.05, 0.22) if rng.random() < 0.4 else 0.0,
        "droop": rng.uniform(0.0, 0.4) if rng.random() < 0.3 else 0.0,
        "thick": rng.uniform(0.012, 0.032) if thin else rng.uniform(0.035, 0.11),
        "rim": rng.choice([0.0, 1.0, 2.0], p=[0.06, 0.80, 0.14]),  # none, whole, upper half
    }


def _lens(canvas: Canvas, bridge: np.ndarray, side: int, style: dict[str, float]) -> np.ndarray:
    """Outline (40, 2) of a lens: a superellipse from beside the bridge to beyond the eye, as wide as yaw leaves it."""
    eye = canvas.eyes[side]
    way = eye - bridge
    span = float(way @ canvas.across)
    sign = -1.0 if side == 0 else 1.0
    span = sign * max(sign * span, 0.16 * canvas.eye_distance)
    inner, outer = span * 2 * style["inner"], span * (1 + style["outer"])
    centre_x, half = (inner + outer) / 2, abs(outer - inner) / 2
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    c, s = np.cos(turn), np.sin(turn)
    x = np.sign(c) * np.abs(c) ** (2 / style["power"])
    y = np.sign(s) * np.abs(s) ** (2 / style["power"])
    outwards = sign * x
    y = y - style["cat"] * np.clip(outwards, 0, 1) * (y < 0) + style["droop"] * np.clip(y, 0, 1) * outwards
    height = style["height"] * canvas.eye_distance
    level = float((eye - bridge) @ canvas.down) + style["drop"] * canvas.eye_distance
    right, down = centre_x + half * x, level + height * y
    return bridge + right[:, None] * canvas.across + down[:, None] * canvas.down  # type: ignore[no-any-return]


def _frame(
    canvas: Canvas, lenses: list[np.ndarray], bridge: np.ndarray, style: dict[str, float], rng: np.random.Generator
) -> np.ndarray:
    """Alpha (H, W) of rims, bridge and temples."""
    thick = style["thick"] * canvas.eye_distance
    mask = np.zeros(canvas.size, np.float32)
    if style["rim"] == 1:
        mask = stroked(lenses, thick, canvas.size, closed=True)
    elif style["rim"] == 2:
        mask = np.maximum(
            stroked([np.roll(lens, 20, 0)[:21] for lens in lenses], thick, canvas.size),
            stroked(lenses, 1, canvas.size, closed=True) * 0.7,
        )
    inner = [lens[np.argmin(np.linalg.norm(lens - bridge, axis=1))] for lens in lenses]
    top = (inner[0] + inner[1]) / 2 - canvas.down * canvas.eye_distance * rng.uniform(0.02, 0.14)
    mask = np.maximum(mask, stroked([curve(inner[0], top, inner[1])], max(0.8 * thick, 1), canvas.size))
    for side, lens in enumerate(lenses):
        sign = -1.0 if side == 0 else 1.0
        outer = lens[np.argmax(sign * (lens - bridge) @ canvas.across)]
        outer = outer - canvas.down * 0.4 * style["height"] * canvas.eye_distance
        ear = canvas.landmarks[0 if side == 0 else 16] - canvas.down * canvas.eye_distance * rng.uniform(0.0, 0.2)
        reach = sign * float((ear - outer) @ canvas.across)
        if reach > 0.05 * canvas.eye_distance:
            width = thick * rng.uniform(0.6, 1.3)
            mask = np.maximum(mask, stroked([np.array([outer, ear])], max(width, 1), canvas.size))
    return mask


def _frame_colour(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """A colour (3,) or field (H, W, 3): black, metal, horn or anything."""
    kind = rng.integers(0, 4)
    if kind == 0:
        return np.full(3, rng.uniform(5, 50))
    if kind == 1:
        return np.array([1.0, 0.9, 0.72]) ** rng.uniform(0, 1.5) * rng.uniform(80, 230)
    if kind == 2:
        spots = cv2.resize(rng.random((28, 28)).astype(np.float32), canvas.size[::-1], interpolation=cv2.INTER_CUBIC)
        return np.array([70.0, 38.0, 18.0]) + np.clip(spots, 0, 1)[..., None] * np.array([110.0, 70.0, 30.0])
    return any_colour(rng)


def _glaze(canvas: Canvas, glass: np.ndarray, rng: np.random.Generator) -> None:
    """Tint the lenses and let them mirror a light or a window."""
    dark = rng.random() < 0.3
    tint = rng.uniform(0.5, 0.98) if dark else rng.uniform(0.0, 0.18) * (rng.random() < 0.6)
    colour = any_colour(rng, 1.0) * 0.5 if dark else any_colour(rng)
    height, width = canvas.size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    along = (x - canvas.middle[0]) * canvas.down[0] + (y - canvas.middle[1]) * canvas.down[1]
    fade = np.clip(1 - rng.uniform(0, 0.8) * (0.5 + along / (0.8 * canvas.eye_distance)), 0.3, 1) if dark else 1.0
    canvas.paint(glass * tint * fade, colour, None)
    if dark and tint > OPAQUE:
        canvas.labels[glass > 0.5] = L_GLASSES
    for _ in range(rng.integers(0, 4)):
        turn, offset = rng.uniform(0, np.pi), rng.uniform(-0.9, 0.9) * canvas.eye_distance
        band = (x - canvas.middle[0]) * np.cos(turn) + (y - canvas.middle[1]) * np.sin(turn) - offset
        wide = rng.uniform(0.02, 0.22) * canvas.eye_distance
        sheen = np.clip(1.5 - np.abs(band) / wide, 0, 1) * glass
        light = np.clip(any_colour(rng) + 100, 0, 255)
        canvas.paint(cv2.GaussianBlur(sheen, (0, 0), rng.uniform(0.5, 2)) * rng.uniform(0.05, 0.6), light, None)

"""Hands before the face: fingers as rounded limbs in the head's own or another skin."""

from __future__ import annotations

import cv2
import numpy as np

from recipes.heads.surface import L_BACKGROUND, L_SKIN
from recipes.occluders.canvas import Canvas

SKIN = (196.0, 150.0, 128.0)
ALIKE, HUES = 0.08, 0.03  # deviations: of how light a hand is, as a share of its face; of each of its channels


def hold_hands(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint one or two hands that reach from the picture's edge to the face; their class is background."""
    own = canvas.median_colour(L_SKIN, SKIN)
    colour = own * rng.normal(1, ALIKE) if rng.random() < 0.8 else np.array(SKIN) * rng.uniform(0.25, 1.2)
    for _ in range(1 + (rng.random() < 0.3)):
        # Mostly in nearly the face's own colour: only shape tells such a hand from a cheek.
        _paint_hand(canvas, colour * rng.normal(1, HUES, 3), rng)


def _paint_hand(canvas: Canvas, colour: np.ndarray, rng: np.random.Generator) -> None:
    d = canvas.eye_distance
    target = canvas.at(rng.uniform(-1.1, 1.1), rng.uniform(-0.3, 2.0))
    turn = rng.uniform(-2.4, 2.4)
    away = np.sin(turn) * canvas.across + np.cos(turn) * canvas.down  # from the fingertips to the wrist
    side = np.array([away[1], -away[0]])
    width = rng.uniform(0.17, 0.30) * d
    length = rng.uniform(0.7, 1.5) * d
    fingers, spread = int(rng.integers(1, 6)), rng.uniform(-0.1, 0.5)
    palm = target + away * (length + rng.uniform(0.4, 0.8) * d)
    limbs: list[tuple[np.ndarray, np.ndarray, float, float]] = []
    for k in range(fingers):
        place = k - (fingers - 1) / 2
        base = target + away * length + side * width * place * 1.02
        long = length * (1 - 0.08 * abs(place) - 0.06 * rng.random())
        tip = base - away * long + side * (place * spread * width + rng.normal(0, 0.12) * width)
        knuckle = (base + tip) / 2 + side * rng.normal(0, 0.15) * width
        limbs += [(tip, knuckle, 0.44 * width, 0.5 * width), (knuckle, base, 0.5 * width, 0.54 * width)]
        limbs.append((base, palm + side * width * place * 0.7, 0.54 * width, 0.8 * width))
    limbs.append((palm, palm + away * 4 * d, max(0.55 * fingers, 1.3) * width, max(0.5 * fingers, 1.5) * width))
    tips = [limb[0] for limb in limbs[0 : 3 * fingers : 3]]
    half = canvas.size[0] // 2, canvas.size[1] // 2
    small = [(first / 2, last / 2, r0 / 2, r1 / 2) for first, last, r0, r1 in limbs]
    fields = _limb_field(half, small, rng)
    depth, shade = (cv2.resize(field, canvas.size[::-1], interpolation=cv2.INTER_LINEAR) for field in fields)
    depth = 2 * depth
    inside = np.clip(depth + 0.5, 0, 1)
    canvas.shade(inside, (rng.uniform(-4, 4), rng.uniform(0, 5)), rng.uniform(2, 5), rng.uniform(0.1, 0.5))
    field = np.clip(colour * shade[..., None], 0, 255)
    canvas.paint(inside, field, L_BACKGROUND)
    if rng.random() < 0.6:
        _paint_nails(canvas, tips, away, side, width, colour, rng)


def _limb_field(
    size: tuple[int, int], limbs: list[tuple[np.ndarray, np.ndarray, float, float]], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels inside the limbs (H, W), negative outside, and their brightness (H, W) under a side light."""
    height, width = size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    depth = np.full(size, -1e3, np.float32)
    bulge = np.full(size, -1e3, np.float32)
    across = np.zeros(size, np.float32)
    for first, last, r0, r1 in limbs:
        way = (last - first).astype(np.float32)
        size2 = max(float(way @ way), 1e-6)
        t = np.clip(((x - first[0]) * way[0] + (y - first[1]) * way[1]) / size2, 0, 1)
        dx, dy = x - first[0] - t * way[0], y - first[1] - t * way[1]
        radius = r0 + t * (r1 - r0)
        inside = radius - np.sqrt(dx * dx + dy * dy)
        top = np.where(inside > 0, np.sqrt(np.maximum(inside * (2 * radius - inside), 0)) / radius, inside)
        front = top > bulge
        bulge = np.where(front, top, bulge)
        signed = (dx * way[1] - dy * way[0]) / np.sqrt(size2) / radius
        across = np.where(front, signed, across)
        depth = np.maximum(depth, inside)
    tilt = rng.uniform(-0.35, 0.35)
    shade = 0.55 + 0.45 * np.clip(bulge, 0, 1) ** 0.7 + tilt * across
    mottle = cv2.resize(rng.normal(0, 1, (40, 40)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    shade = np.clip(shade * rng.uniform(0.85, 1.15) * (1 + 0.04 * mottle), 0.15, 1.5)
    return np.maximum(depth, -8), shade.astype(np.float32)


def _paint_nails(
    canvas: Canvas,
    tips: list[np.ndarray],
    away: np.ndarray,
    side: np.ndarray,
    width: float,
    colour: np.ndarray,
    rng: np.random.Generator,
) -> None:
    turn = np.linspace(0, 2 * np.pi, 16)[:, None]
    polish = rng.uniform(0, 255, 3) if rng.random() < 0.3 else np.clip(colour * 1.15 + (8, -4, 2), 0, 255)
    for tip in tips:
        nail = tip + width * (0.26 * np.cos(turn) * side + 0.33 * np.sin(turn) * away)
        mask = np.zeros(canvas.size, np.uint8)
        cv2.fillPoly(mask, [np.round(nail * 16).astype(np.int32)[:, None]], 255, cv2.LINE_AA, 4)
        canvas.paint(mask.astype(np.float32) * (0.8 / 255), polish, None)

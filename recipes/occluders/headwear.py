"""Fringes and loose strands, hats, caps and bands, earrings."""

from __future__ import annotations

import cv2
import numpy as np

from recipes.heads.surface import L_EARRING, L_HAIR, L_HAT, L_LEFT_EAR, L_RIGHT_EAR
from recipes.occluders.canvas import HEAD_CLASSES, Canvas, any_colour, cloth_texture, curve, filled, stroked

HAIR_COLOURS = (
    (28.0, 22.0, 18.0),
    (60.0, 40.0, 26.0),
    (110.0, 78.0, 48.0),
    (176.0, 146.0, 98.0),
    (150.0, 148.0, 146.0),
)


def hair_colour(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """The colour (3,) of the head's own hair, or of some hair where it has none or by chance."""
    other = HAIR_COLOURS[rng.integers(0, len(HAIR_COLOURS))]
    own = canvas.median_colour(L_HAIR, other)
    return np.asarray(own if rng.random() < 0.75 else other) * rng.uniform(0.6, 1.15)  # type: ignore[no-any-return]


def wear_fringe(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint hair that falls over the forehead, or loose strands before cheeks, strand by strand."""
    colour = hair_colour(canvas, rng)
    kind = rng.choice(["full", "side", "curtain", "wisps", "cheeks"], p=[0.35, 0.2, 0.15, 0.15, 0.15])
    lines, widths = _strands(canvas, str(kind), rng)
    order = rng.permutation(len(lines))
    groups = np.array_split(order, min(6, len(lines)))
    total = np.zeros(canvas.size, np.float32)
    layers = []
    for group in groups:
        alpha = stroked([lines[k] for k in group], float(np.mean(widths[group])), canvas.size)
        layers.append((alpha, colour * rng.uniform(0.6, 1.35) + rng.uniform(-6, 6)))
        total = np.maximum(total, alpha)
    if kind in ("full", "side", "curtain"):
        closed = cv2.morphologyEx(total, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        canvas.shade(closed, (0.0, rng.uniform(1, 4)), rng.uniform(1, 3), rng.uniform(0.0, 0.4))
        canvas.paint(np.clip(closed, 0, 1) * rng.uniform(0.75, 1.0), 0.62 * colour, L_HAIR)
    for alpha, shade in layers:
        canvas.paint(alpha * 0.9, np.clip(shade, 0, 255), L_HAIR)


def _strands(canvas: Canvas, kind: str, rng: np.random.Generator) -> tuple[list[np.ndarray], np.ndarray]:
    """Curves (10, 2) each, and widths in pixels, of a fringe of some kind."""
    count = {"wisps": rng.integers(6, 40), "cheeks": rng.integers(30, 120)}.get(kind, rng.integers(120, 240))
    parting, swept = rng.uniform(-0.5, 0.5), rng.uniform(0.3, 1.2) * rng.choice([-1.0, 1.0])
    high, low = rng.uniform(0.75, 1.15), rng.uniform(-0.45, 0.05)
    ragged, reach = rng.uniform(0.02, 0.2), rng.uniform(0.85, 1.35)
    lines = []
    for _ in range(count):
        across = rng.uniform(-reach, reach)
        arch = 1 - 0.38 * across**2
        if kind == "cheeks":
            side = rng.choice([-1.0, 1.0])
            first = canvas.at(side * rng.uniform(0.6, 1.0), -rng.uniform(0.5, 0.9))
            last = canvas.at(side * (rng.uniform(0.75, 1.25) + 0.1 * swept), rng.uniform(0.5, 2.0))
            bend = canvas.at(side * rng.uniform(0.95, 1.3), rng.uniform(-0.2, 0.7))
        else:
            shift = {"side": 0.5 * swept, "curtain": 0.55 * np.sign(across - parting)}.get(kind, rng.normal(0, 0.06))
            start = 0.5 * across + 0.5 * parting if kind in ("side", "curtain") else 0.85 * across
            first = canvas.at(start, -high * arch - rng.uniform(0, 0.1))
            fall = low + (0.25 * abs(across - parting) if kind == "curtain" else 0.0) + rng.normal(0, ragged)
            last = canvas.at(across + shift, fall + 0.12 * across**2)
            bend = (first + last) / 2 + canvas.eye_distance * (0.25 * shift * canvas.across - 0.12 * canvas.down)
        lines.append(curve(first, bend, last))
    return lines, rng.uniform(0.5, 2.2, count) * canvas.eye_distance / 64


def wear_hat(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint a cap, woollen hat, hood, helmet or band over forehead and crown; its class is hat."""
    edge_height = -rng.uniform(0.42, 0.85)
    sag = rng.uniform(-0.12, 0.2)
    reach = rng.uniform(1.08, 1.35)
    across = np.linspace(-reach, reach, 21)
    edge = np.array([canvas.at(x, edge_height - sag * (x / reach) ** 2 + sag) for x in across])
    band = rng.random() < 0.25
    if band:
        deep = rng.uniform(0.12, 0.5)
        body = np.concatenate([edge, edge[::-1] - deep * canvas.eye_distance * canvas.down])
        shape = filled(body, canvas.size)
        head = cv2.dilate(np.isin(canvas.labels, HEAD_CLASSES).astype(np.uint8), np.ones((3, 3), np.uint8))
        shape *= head
    else:
        shape = filled(np.concatenate([edge, _crown(canvas, edge, rng)[::-1]]), canvas.size)
    colour = any_colour(rng, 0.7)
    canvas.shade(shape, (0.0, rng.uniform(2, 7)), rng.uniform(1.5, 4), rng.uniform(0.1, 0.55))
    canvas.paint(shape, _rounded(canvas, cloth_texture(rng, canvas.size, colour), reach, rng), L_HAT)
    if not band and rng.random() < 0.55:
        _brim(canvas, edge, colour * rng.uniform(0.5, 1.2), rng)


def _crown(canvas: Canvas, edge: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Upper outline (21, 2) of a hat, over all of the hair above its edge."""
    head = np.argwhere(np.isin(canvas.labels, HEAD_CLASSES))[:, ::-1] - canvas.middle
    top = min(float((head @ canvas.down).min()) / canvas.eye_distance, -1.0) if len(head) else -1.6
    top = top * rng.uniform(1.0, 1.2)
    base = float(np.mean((edge - canvas.middle) @ canvas.down)) / canvas.eye_distance
    turn = np.linspace(np.pi, 0, len(edge))
    flat = 2 / rng.uniform(2, 4.5)
    rise = np.sin(turn) ** flat * (base - top)
    wide = abs(float((edge[0] - canvas.middle) @ canvas.across)) / canvas.eye_distance
    x = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** flat * wide
    return np.array([canvas.at(right, base - up) for right, up in zip(x, rise, strict=True)])


def _rounded(canvas: Canvas, field: np.ndarray, reach: float, rng: np.random.Generator) -> np.ndarray:
    """A colour field (H, W, 3) lit as if it lay around the head."""
    height, width = canvas.size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    right = ((x - canvas.middle[0]) * canvas.across[0] + (y - canvas.middle[1]) * canvas.across[1]) / (
        reach * canvas.eye_distance
    )
    light = rng.uniform(-0.6, 0.6)
    shade = np.clip(1.05 - rng.uniform(0.2, 0.7) * (right - light) ** 2, 0.2, 1.3)
    return np.clip(field * shade[..., None], 0, 255)  # type: ignore[no-any-return]


def _brim(canvas: Canvas, edge: np.ndarray, colour: np.ndarray, rng: np.random.Generator) -> None:
    deep = rng.uniform(0.05, 0.4) * canvas.eye_distance
    wide = rng.uniform(0.85, 1.5)
    middle = edge.mean(0)
    line = middle + (edge - middle) * wide
    bulge = np.sin(np.linspace(0, np.pi, len(edge)))[:, None]
    lower = line + deep * bulge * canvas.down
    brim = filled(np.concatenate([line - 0.05 * deep * canvas.down, lower[::-1]]), canvas.size)
    canvas.shade(brim, (0.0, rng.uniform(2, 8)), rng.uniform(2, 4), rng.uniform(0.1, 0.5))
    canvas.paint(brim, np.clip(colour, 0, 255), L_HAT)


def wear_earrings(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint studs, hoops or drops at the lobes of the ears that are seen, now and then before hair."""
    kind = rng.choice(["stud", "hoop", "drop"])
    colour = np.array([1.0, 0.86, 0.6]) ** rng.uniform(0, 1.5) * rng.uniform(90, 250)
    colour = colour if rng.random() < 0.7 else any_colour(rng)
    size = {"stud": rng.uniform(0.025, 0.055), "hoop": rng.uniform(0.07, 0.3), "drop": rng.uniform(0.05, 0.16)}[kind]
    covered = rng.random() < 0.3
    length, squeeze, thick = rng.uniform(0.0, 0.35), rng.uniform(0.35, 1.0), rng.uniform(0.8, 3.0)
    for ear, corner in ((L_RIGHT_EAR, 2), (L_LEFT_EAR, 14)):
        seen = np.argwhere(canvas.labels == ear)[:, ::-1]
        if len(seen) > 25:
            lobe = seen[np.argsort(seen @ canvas.down)[-8:]].mean(0)
        elif covered:
            lobe = canvas.landmarks[corner] - 0.1 * canvas.eye_distance * canvas.down
        else:
            continue
        radius = size * canvas.eye_distance
        turn = np.linspace(0, 2 * np.pi, 24)[:, None]
        ring = np.hstack([squeeze * np.cos(turn), np.sin(turn)]) * radius
        if kind == "hoop":
            alpha = stroked([lobe + ring + radius * canvas.down], thick * canvas.eye_distance / 64, canvas.size, True)
        else:
            hang = length * canvas.eye_distance if kind == "drop" else 0.0
            alpha = filled(lobe + ring + hang * canvas.down, canvas.size)
            if hang:
                alpha = np.maximum(alpha, stroked([np.array([lobe, lobe + hang * canvas.down])], 1, canvas.size))
        canvas.paint(alpha, np.clip(colour, 0, 255), L_EARRING)
        if rng.random() < 0.6:
            canvas.paint(filled(lobe + 0.25 * ring, canvas.size) * 0.7 * (alpha > 0.3), np.full(3, 250.0), None)

"""A scatter plot with a name at every point, drawn with Pillow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 1100, 720  # pixels
LEFT, RIGHT, TOP, BOTTOM = 90, 250, 60, 80  # pixels of margin
RADIUS = 6  # pixels of a point
SCALE = 2  # drawn larger, then shrunk
INK, QUIET, PAPER, LINE = (30, 30, 30), (120, 120, 120), (255, 255, 255), (225, 225, 225)
CHOSEN, PLAIN = (200, 60, 40), (40, 90, 170)


def draw_frontier(
    points: Mapping[str, tuple[float, float]], chosen: tuple[str, ...], title: str, axes: tuple[str, str], file: Path
) -> None:
    """Write a plot of named points (x, y); those in `chosen` stand out. axes: what x and y are."""
    values = np.array(list(points.values()), np.float64)
    (x0, y0), (x1, y1) = values.min(axis=0), values.max(axis=0)
    pad_x, pad_y = 0.06 * (x1 - x0 or 1), 0.08 * (y1 - y0 or 1)
    low, high = np.array([x0 - pad_x, y0 - pad_y]), np.array([x1 + pad_x, y1 + pad_y])
    image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), PAPER)
    draw = ImageDraw.Draw(image)
    fonts = {size: ImageFont.load_default(size * SCALE) for size in (12, 13, 14, 17)}

    def place(x: float, y: float) -> tuple[float, float]:
        share = (np.array([x, y]) - low) / (high - low)
        across = LEFT + share[0] * (WIDTH - LEFT - RIGHT)
        return float(across * SCALE), float((HEIGHT - BOTTOM - share[1] * (HEIGHT - TOP - BOTTOM)) * SCALE)

    for value in ticks(low[0], high[0]):
        x, _ = place(value, low[1])
        draw.line([(x, TOP * SCALE), (x, (HEIGHT - BOTTOM) * SCALE)], LINE, SCALE)
        draw.text((x, (HEIGHT - BOTTOM + 14) * SCALE), f"{value:g}", QUIET, fonts[12], anchor="mm")
    for value in ticks(low[1], high[1]):
        _, y = place(low[0], value)
        draw.line([(LEFT * SCALE, y), ((WIDTH - RIGHT) * SCALE, y)], LINE, SCALE)
        draw.text(((LEFT - 10) * SCALE, y), f"{value:g}", QUIET, fonts[12], anchor="rm")
    draw.text((LEFT * SCALE, 26 * SCALE), title, INK, fonts[17], anchor="lm")
    draw.text(((LEFT + WIDTH - RIGHT) / 2 * SCALE, (HEIGHT - 30) * SCALE), axes[0], INK, fonts[14], anchor="mm")
    draw.text((LEFT * SCALE, 48 * SCALE), axes[1], INK, fonts[14], anchor="lm")
    taken: list[tuple[float, float, float, float]] = []
    for name, (a, b) in points.items():
        x, y = place(a, b)
        colour, reach = (CHOSEN if name in chosen else PLAIN), RADIUS * SCALE
        draw.ellipse([x - reach, y - reach, x + reach, y + reach], colour)
        label(draw, (x, y), name, colour, fonts[13], taken)
    file.parent.mkdir(parents=True, exist_ok=True)
    image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).save(file, quality=90)


def label(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    colour: tuple[int, int, int],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    taken: list[tuple[float, float, float, float]],
) -> None:
    """Write `text` to the right of a place, pushed up or down until it covers no box of `taken`, which it joins."""
    x, y = place[0] + 2 * RADIUS * SCALE, place[1]
    step = 6 * SCALE
    for move in (0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6):
        box = draw.textbbox((x, y + move * step), text, font=font, anchor="lm")
        if all(box[2] < t[0] or box[0] > t[2] or box[3] < t[1] or box[1] > t[3] for t in taken):
            break
    taken.append(box)
    draw.text((x, (box[1] + box[3]) / 2), text, colour, font, anchor="lm")


def ticks(low: float, high: float) -> list[float]:
    """Round numbers between two bounds, about six."""
    raw = (high - low) / 6
    step = 10 ** np.floor(np.log10(raw))
    step *= min((m for m in (1, 2, 5, 10)), key=lambda m: abs(m * step - raw))
    return [round(float(value), 10) for value in np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step]

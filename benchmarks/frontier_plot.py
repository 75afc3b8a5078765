"""Scatter plots with a name at every point, drawn with Pillow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 1000, 560  # pixels of a panel
LEFT, RIGHT, TOP, BOTTOM = 70, 230, 40, 64  # pixels of margin
TITLE = 44  # pixels
RADIUS = 5  # pixels of a point
SCALE = 2  # drawn larger, then shrunk
INK, QUIET, PAPER, LINE = (30, 30, 30), (120, 120, 120), (255, 255, 255), (225, 225, 225)
CHOSEN, PLAIN = (200, 60, 40), (40, 90, 170)
MOVES = (0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6)  # of a label, in steps of STEP
STEP = 6  # pixels

Box = tuple[float, float, float, float]
Panel = tuple[str, str, Mapping[str, tuple[float, float]]]  # what x is, what y is, named points


def draw_frontier(panels: Sequence[Panel], chosen: Sequence[str], title: str, file: Path) -> None:
    """Write panels under each other; the points named in `chosen` stand out. Makes the file's folder."""
    image = Image.new("RGB", (WIDTH * SCALE, (TITLE + HEIGHT * len(panels)) * SCALE), PAPER)
    font = ImageFont.load_default(17 * SCALE)
    ImageDraw.Draw(image).text((LEFT * SCALE, TITLE * SCALE / 2), title, INK, font, anchor="lm")
    for number, panel in enumerate(panels):
        image.paste(draw_panel(panel, chosen), (0, (TITLE + HEIGHT * number) * SCALE))
    file.parent.mkdir(parents=True, exist_ok=True)
    image.resize((image.width // SCALE, image.height // SCALE), Image.Resampling.LANCZOS).save(file, quality=90)


def draw_panel(panel: Panel, chosen: Sequence[str]) -> Image.Image:
    """One scatter plot, SCALE times as large as it will be."""
    across, up, points = panel
    low, high = bounds(np.array(list(points.values()), np.float64))
    image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), PAPER)
    draw = ImageDraw.Draw(image)
    small, usual = (ImageFont.load_default(size * SCALE) for size in (12, 13))
    left, right, top, bottom = (v * SCALE for v in (LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM))

    def place(x: float, y: float) -> tuple[float, float]:
        share = (np.array([x, y]) - low) / (high - low)
        return left + float(share[0]) * (right - left), bottom - float(share[1]) * (bottom - top)

    for value in ticks(low[0], high[0]):
        x, _ = place(value, low[1])
        draw.line([(x, top), (x, bottom)], LINE, SCALE)
        draw.text((x, bottom + 12 * SCALE), f"{value:g}", QUIET, small, anchor="mm")
    for value in ticks(low[1], high[1]):
        _, y = place(low[0], value)
        draw.line([(left, y), (right, y)], LINE, SCALE)
        draw.text((left - 8 * SCALE, y), f"{value:g}", QUIET, small, anchor="rm")
    draw.text(((left + right) / 2, bottom + 36 * SCALE), across, INK, usual, anchor="mm")
    draw.text((left, top - 16 * SCALE), up, INK, usual, anchor="lm")
    taken: list[Box] = []
    for name, point in points.items():
        x, y = place(*point)
        colour, reach = (CHOSEN if name in chosen else PLAIN), RADIUS * SCALE
        draw.ellipse([x - reach, y - reach, x + reach, y + reach], colour)
        write_label(draw, (x, y), name, colour, taken)
    return image


def bounds(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower left and upper right corner (2,) of a panel for points (N, 2), with room around them."""
    low, high = values.min(axis=0), values.max(axis=0)
    room = 0.07 * np.where(high > low, high - low, 1.0)
    return low - room, high + room


def write_label(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, colour: tuple[int, int, int], taken: list[Box]
) -> None:
    """Write `text` to the right of a place, pushed up or down until it covers no box of `taken`, which it joins."""
    font = ImageFont.load_default(12 * SCALE)
    x, y = place[0] + 2 * RADIUS * SCALE, place[1]
    boxes = [draw.textbbox((x, y + move * STEP * SCALE), text, font=font, anchor="lm") for move in MOVES]
    free = (box for box in boxes if not any(overlap(box, other) for other in taken))
    box = next(free, boxes[0])
    taken.append(box)
    draw.text((x, (box[1] + box[3]) / 2), text, colour, font, anchor="lm")


def overlap(a: Box, b: Box) -> bool:
    """Whether two boxes (left, top, right, bottom) share a point."""
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def ticks(low: float, high: float) -> list[float]:
    """Round numbers between two bounds, about six."""
    raw = (high - low) / 6
    unit = 10 ** np.floor(np.log10(raw))
    step = unit * min((1, 2, 5, 10), key=lambda m: abs(m * unit - raw))
    return [round(float(value), 10) for value in np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step]

"""What is behind the head: a room or a place outdoors far out of focus, drawn small and enlarged smoothly."""

from __future__ import annotations

import numpy as np
from numba import njit

from .parameters import HeadParameters
from .scene import BOKEH_GROUPS

GRID = 96  # texels a side
REACH = 1.25  # half of what the grid spans, in halves of the picture's width
DISCS = 9  # soft discs a group
_AXIS = (np.arange(GRID) + 0.5) / GRID * 2 * REACH - REACH
_U, _V = np.meshgrid(_AXIS, _AXIS)


def step(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """Smoothstep from `low` to `high`."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)  # type: ignore[no-any-return]


def _disc_fields() -> np.ndarray:
    """Fixed patterns (BOKEH_GROUPS, GRID, GRID) of overlapping soft discs: leaves and lights out of focus."""
    rng = np.random.default_rng(5)
    fields = np.zeros((BOKEH_GROUPS, GRID, GRID))
    for group in range(BOKEH_GROUPS):
        for _ in range(DISCS):
            x, y, radius = rng.uniform(-1.15, 1.15), rng.uniform(-1.1, 0.9), rng.uniform(0.08, 0.30)
            away = np.hypot(_U - x, _V - y) / radius
            fields[group] += rng.uniform(0.3, 1.0) * step(1.45, 0.55, away)
    return fields


def _mottle_field() -> np.ndarray:
    """A fixed soft unevenness (GRID, GRID) of mean 0: boughs, shelves and folds that are not told apart."""
    rng = np.random.default_rng(11)
    field = np.zeros((GRID, GRID))
    for scale in (1.6, 2.6, 4.2):
        for _ in range(5):
            turn, phase = rng.uniform(0, 2 * np.pi, 2)
            field += np.sin(scale * np.pi * (np.cos(turn) * _U + np.sin(turn) * _V) + phase) / scale
    return field / field.std()  # type: ignore[no-any-return]


_FIELDS = _disc_fields()
_MOTTLE = _mottle_field()


def draw_backdrop(p: HeadParameters) -> np.ndarray:
    """Linear RGB (GRID, GRID, 3) over u, v in [-REACH, REACH] (right, down). Source: ours.

    A wall or sky above, floor or foliage below a soft horizon, a dark mass at a side, a bright window or gap in
    the leaves with its halo, and soft discs of light. All that moves does so smoothly.
    """
    out = p.outdoor
    below = step(-0.30, 0.30, _V - p.horizon[0] - p.horizon[1] * _U)
    above = 1.0 - (0.12 + 0.10 * out) * (_V + 0.3)
    uneven = np.exp((0.07 + 0.22 * out) * (0.35 + 0.65 * below) * _MOTTLE)
    picture = (above * (1 - below) * uneven)[..., None] * p.wall + (below * uneven)[..., None] * p.floor
    # A cupboard or door frame indoors, a trunk or hedge outdoors.
    width, top = 0.34 + 0.08 * out, -0.75 - 0.6 * out
    mass = step(width + 0.13, width - 0.13, np.abs(_U - p.mass[0])) * step(top - 0.2, top + 0.2, _V) * p.mass[1]
    picture += mass[..., None] * (0.38 * (0.7 * p.floor + 0.3 * p.wall) - picture)
    x, y, size, strength = p.window
    away_x, away_y = np.abs(_U - x) / (0.36 * size), np.abs(_V - y) / ((0.60 - 0.18 * out) * size)
    power = 5.0 - 2.8 * out
    pane = step(1.5 + 0.3 * out, 0.6 - 0.4 * out, (away_x**power + away_y**power) ** (1 / power)) * strength
    pane *= 1 - 0.25 * (1 - out) * np.exp(-(((_U - x) / 0.08) ** 2))
    halo = 0.22 * strength * np.exp(-((_U - x) ** 2 + (_V - y) ** 2) / 0.55)
    glow = p.glow
    picture += pane[..., None] * (1.5 * glow - 0.8 * picture) + halo[..., None] * glow
    lights = np.tensordot(p.bokeh, _FIELDS, 1) * (0.04 + 0.50 * out)
    picture += lights[..., None] * (0.42 * glow + 0.55 * picture)
    return picture * (1 - 0.10 * (_U**2 + _V**2))[..., None]  # type: ignore[no-any-return]


@njit(cache=True, nogil=True, fastmath=True)
def backdrop(look, u, v, out):  # type: ignore[no-untyped-def]
    """Background colour at u, v (right, down; the picture is 2 wide) off the small picture of `draw_backdrop`."""
    table = look.backdrop
    last = table.shape[0] - 1.001
    x = min(max((u + REACH) / (2.0 * REACH) * GRID - 0.5, 0.0), last)
    y = min(max((v + REACH) / (2.0 * REACH) * GRID - 0.5, 0.0), last)
    i, j = int(x), int(y)
    x, y = x - i, y - j
    for c in range(3):
        low = table[j, i, c] * (1.0 - x) + table[j, i + 1, c] * x
        high = table[j + 1, i, c] * (1.0 - x) + table[j + 1, i + 1, c] * x
        out[c] = low * (1.0 - y) + high * y

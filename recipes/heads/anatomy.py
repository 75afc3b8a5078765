"""Where things are on the head: soft region masks, ambient occlusion, and the painted detail texture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.interpolate import PchipInterpolator

from .makehuman import read_target
from .raster import EMPTY, raster_triangles
from .shape import HeadShape
from .surface import (
    BEARD,
    CHEEK,
    CLOTH,
    EAR,
    LOWER_LIP,
    NECK,
    NOSE,
    NUM_ATTRIBUTES,
    OCCLUSION,
    REST_X,
    SCALP,
    SOCKET,
    TEXTURE_BOX,
    UPPER_LIP,
)

SKULL_CENTRE = np.array([0.0, 0.45, -0.05])
# Elevation of the hairline in degrees over the azimuth from the front.
HAIRLINE_AZIMUTH = (0, 18, 38, 52, 64, 74, 84, 92, 104, 125, 180)
HAIRLINE_ELEVATION = (37, 38, 41, 34, 15, 2, -4, 8, -6, -28, -36)
TEXTURE_SIZE = 512


def smooth(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """Smoothstep from `low` to `high`."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)  # type: ignore[no-any-return]


def hairline_height(points: np.ndarray) -> np.ndarray:
    """Degrees above the hairline (negative below) of points (N, 3) on the rest head."""
    away = points - SKULL_CENTRE
    azimuth = np.degrees(np.arctan2(np.abs(away[:, 0]), away[:, 2]))
    elevation = np.degrees(np.arcsin(away[:, 1] / np.linalg.norm(away, axis=1)))
    return elevation - np.interp(azimuth, HAIRLINE_AZIMUTH, HAIRLINE_ELEVATION)  # type: ignore[no-any-return]


def region_masks(root: Path, shape: HeadShape, rest: np.ndarray) -> np.ndarray:
    """Static attributes (V, NUM_ATTRIBUTES) of the kept vertices over the rest head (V, 3); occlusion is left at 1."""
    count = len(shape.index)

    def region(*names: str, gain: float = 1.0) -> np.ndarray:
        total = sum(np.linalg.norm(read_target(root, name, count)[shape.index >= 0], axis=1) for name in names)
        return np.clip(gain * total / total.max(), 0, 1)  # type: ignore[union-attr, operator]

    masks = np.zeros((len(rest), NUM_ATTRIBUTES))
    x, y, z = rest.T
    masks[:, UPPER_LIP] = region("mouth/mouth-upperlip-volume-incr", gain=1.6)
    masks[:, LOWER_LIP] = region("mouth/mouth-lowerlip-volume-incr", gain=1.6)
    masks[:, CHEEK] = region("cheek/l-cheek-volume-incr", "cheek/r-cheek-volume-incr")
    masks[:, NOSE] = smooth(0.10, 0.35, region("nose/nose-scale-horiz-incr", "nose/nose-scale-depth-incr"))
    masks[:, EAR] = smooth(0.1, 0.3, region("ears/l-ear-scale-incr", "ears/r-ear-scale-incr"))
    for side in (-1, 1):
        spread = ((x - side * 0.29) / 0.22) ** 2 + ((y - 0.36) / 0.13) ** 2
        masks[:, SOCKET] += np.exp(-spread) * (z > 0.3)
    masks[:, BEARD] = _beard_mask(x, y, z) * (1 - masks[:, EAR])
    masks[:, SCALP] = smooth(-5, 5, hairline_height(rest)) * (1 - masks[:, EAR])
    masks[:, OCCLUSION] = 1
    masks[:, NECK] = smooth(0.04, -0.04, y - (-0.62 + 0.5 * np.clip(0.75 - z, 0, 0.9))) * (1 - masks[:, EAR])
    masks[:, CLOTH] = y
    masks[:, REST_X : REST_X + 3] = rest
    return masks


def _beard_mask(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    across = np.abs(x)
    line = np.interp(across, [0.0, 0.12, 0.3, 0.42, 0.6, 0.72], [-0.145, -0.15, -0.2, -0.2, 0.0, 0.3])
    upper = smooth(0.03, -0.05, y - line)
    under = smooth(-1.05, -0.8, y)
    side = smooth(-0.12, 0.08, z)
    return upper * under * side  # type: ignore[no-any-return]


def bake_occlusion(points: np.ndarray, normals: np.ndarray, triangles: np.ndarray, size: int = 256) -> np.ndarray:
    """Ambient occlusion (N,) of a mesh from 96 directions by depth maps: the cosine-weighted share of open sky."""
    number = 96
    height = 1 - 2 * (np.arange(number) + 0.5) / number
    turn = np.pi * (1 + 5**0.5) * np.arange(number)
    flat = np.sqrt(1 - height**2)
    directions = np.stack([flat * np.cos(turn), height, flat * np.sin(turn)], 1)
    seen, total = np.zeros(len(points)), np.zeros(len(points))
    for direction in directions:
        facing = normals @ direction
        side = np.cross(direction, [0.3, 0.9, 0.2])
        side /= np.linalg.norm(side)
        axes = np.stack([side, np.cross(direction, side), direction])
        local = points @ axes.T
        pixels = local.copy()
        pixels[:, :2] = (local[:, :2] - local[:, :2].min(0)) * (size / np.ptp(local[:, :2], axis=0).max())
        depth = np.full((size, size), -1e9, np.float32)
        owner = np.full((size, size), EMPTY, np.int32)
        raster_triangles(pixels, triangles, 0, depth, owner, np.zeros((size, size, 2), np.float32), False)
        place = np.clip(pixels[:, :2].astype(int), 0, size - 1)
        open_sky = local[:, 2] + 0.035 >= depth[place[:, 1], place[:, 0]]
        weight = np.maximum(facing, 0)
        seen += weight * open_sky
        total += weight
    return seen / np.maximum(total, 1e-6)  # type: ignore[no-any-return]


def paint_detail(marks: np.ndarray) -> np.ndarray:
    """Detail texture (TEXTURE_SIZE, TEXTURE_SIZE, 8) over the rest head's front, the channels of shading.py.

    `marks` (68, 3) are the landmarks on that head. The pattern is fixed (seed 0).
    """
    rng = np.random.default_rng(0)
    size = TEXTURE_SIZE
    x0, x1, y0, y1 = TEXTURE_BOX
    x = x0 + (np.arange(size) + 0.5) / size * (x1 - x0)
    y = y1 - (np.arange(size) + 0.5) / size * (y1 - y0)
    grid_x, grid_y = np.meshgrid(x, y)
    texel = (x1 - x0) / size

    def noise(scale: float) -> np.ndarray:
        field = ndimage.gaussian_filter(rng.normal(size=(size, size)), scale / texel, mode="wrap")
        return field / field.std()  # type: ignore[no-any-return]

    channels = np.zeros((size, size, 8), np.float32)
    channels[..., 0] = _paint_brows(grid_x, grid_y, marks[22:27, :2] - [0.0, 0.025], rng)
    channels[..., 1] = smooth(1.9, 2.9, noise(0.010)) + 0.7 * smooth(1.8, 2.6, noise(0.018))
    channels[..., 2] = np.clip(0.6 * noise(0.004) + 0.4 * noise(0.012), -2, 2)
    wrinkles = _paint_wrinkles(grid_x, grid_y, noise(0.06), noise(0.05)) + 0.0003 * noise(0.008)
    slope_y, slope_x = np.gradient(ndimage.gaussian_filter(wrinkles, 1.0), texel)
    channels[..., 3], channels[..., 4] = slope_x, -slope_y
    channels[..., 5] = np.clip(0.5 + 0.5 * noise(0.004) + 0.3 * noise(0.05), 0, 1)
    channels[..., 6] = np.clip(noise(0.08) * 0.6 + noise(0.03) * 0.4, -2, 2)
    channels[..., 7] = _paint_lips(grid_x, grid_y, marks)
    return channels


def _paint_brows(x: np.ndarray, y: np.ndarray, line: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A field in [0, 1] that the shader thresholds: the brow's body times the texture of its hairs."""
    along = np.clip((np.abs(x) - line[0, 0]) / (line[-1, 0] - line[0, 0]), -0.3, 1.3)
    centre = np.interp(np.abs(x), line[:, 0], ndimage.gaussian_filter1d(line[:, 1], 0.5))
    width = np.interp(along, [0, 0.15, 0.5, 0.8, 1.0], [0.040, 0.047, 0.042, 0.030, 0.013])
    distance = np.abs(y - centre) / width
    ends = smooth(-0.10, 0.08, along) * smooth(1.08, 0.9, along)
    body = np.clip(1.15 - 0.62 * distance**1.5, 0, 1) * ends
    strokes = rng.normal(size=x.shape)
    slanted = ndimage.gaussian_filter(strokes, (0.5, 2.8))
    slanted /= slanted.std()
    # Hairs lean outwards: shear the noise so that strokes rise with |x|.
    rows, columns = np.indices(x.shape)
    slanted = ndimage.map_coordinates(
        slanted, [rows + 0.55 * np.abs(columns - x.shape[1] / 2), columns], order=1, mode="wrap"
    )
    return np.clip(body * (1 + 0.16 * slanted) + 0.03 * slanted * (body > 0.02), 0, 1)  # type: ignore[no-any-return]


def _paint_lips(x: np.ndarray, y: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Coverage of the lips inside the outline of landmarks 48-59, soft at the border."""
    across = np.abs(x)
    top, low = marks[[54, 53, 52, 51], :2][::-1], marks[[57, 56, 55, 54], :2]
    fine = np.linspace(0, marks[54, 0], 60)
    upper = PchipInterpolator(top[:, 0] + [-1e-3, 0, 0, 0], top[:, 1])(fine)
    lower = PchipInterpolator(low[:, 0] + [-1e-3, 0, 0, 0], low[:, 1])(fine)
    inside = np.minimum(np.interp(across, fine, upper) - y, y - np.interp(across, fine, lower))
    return smooth(-0.012, 0.012, inside) * smooth(marks[54, 0] + 0.01, marks[54, 0] - 0.03, across)


def _paint_wrinkles(x: np.ndarray, y: np.ndarray, warp: np.ndarray, uneven: np.ndarray) -> np.ndarray:
    """Height in decimetres of the creases of age: forehead, crow's feet, mouth folds, under the eyes."""
    height = np.zeros_like(x)
    across = np.abs(x)
    strength = 1 + 0.4 * np.clip(uneven, -2, 2)

    def crease(distance: np.ndarray, width: float, depth: float | np.ndarray, where: np.ndarray) -> None:
        height[...] -= depth * np.exp(-((distance / width) ** 2)) * where * strength

    for level, reach in ((0.66, 0.36), (0.75, 0.42), (0.85, 0.38), (0.95, 0.3)):
        crease(
            y - level - 0.02 * warp,
            0.018,
            0.0055 * np.clip(1 + 0.6 * uneven, 0, 2),
            smooth(reach + 0.1, reach - 0.15, across),
        )
    for lean in (-0.35, 0.0, 0.35):
        outwards = across - 0.47
        crease(
            y - 0.39 - lean * outwards - 0.006 * warp,
            0.009,
            0.007,
            smooth(0, 0.05, outwards) * smooth(0.2, 0.1, outwards),
        )
    fold = np.interp(y, [-0.42, -0.3, -0.15, -0.02], [0.36, 0.35, 0.29, 0.2])
    crease(across - fold - 0.004 * warp, 0.02, 0.016, smooth(-0.45, -0.35, y) * smooth(0.02, -0.08, y))
    arc = 0.255 + 0.9 * (across - 0.27) ** 2
    crease(y - arc - 0.006 * warp, 0.013, 0.008, smooth(0.24, 0.14, np.abs(across - 0.27)))
    crease(across - 0.05 - 0.006 * warp, 0.012, 0.008, smooth(0.44, 0.48, y) * smooth(0.62, 0.54, y))
    return height

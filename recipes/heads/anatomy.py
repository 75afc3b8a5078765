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
    BROW,
    CHEEK,
    CLOTH,
    CREASE,
    EAR,
    FLUSH,
    FOLD,
    FRECKLE,
    GRAIN,
    LID,
    LIPS,
    LOWER_LIP,
    NECK,
    NOSE,
    NUM_ATTRIBUTES,
    NUM_DETAILS,
    OCCLUSION,
    REST_X,
    SCALP,
    SHADE,
    SOCKET,
    STUBBLE,
    TEXTURE_BOX,
    UPPER_LIP,
    WRINKLE_X,
    WRINKLE_Y,
)

SKULL_CENTRE = np.array([0.0, 0.45, -0.05])
# Elevation of the hairline in degrees over the azimuth from the front.
HAIRLINE_AZIMUTH = (0, 18, 32, 42, 50, 57, 64, 71, 78, 86, 93, 104, 125, 180)
HAIRLINE_ELEVATION = (34, 35, 36, 30, 18, 7, -2, -12, -18, -20, 6, -6, -28, -36)
TEXTURE_SIZE = 512


def smooth(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """Smoothstep from `low` to `high`."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)  # type: ignore[no-any-return]


def hair_growth(points: np.ndarray) -> np.ndarray:
    """How firmly hair grows at points (N, 3) of the rest head: 0.5 at the hairline, 3 on top, up to 6 at the sides.

    Where it is low hair recedes first: at the temples, then on the top, never at the sides and the nape. Source: ours.
    """
    away = points - SKULL_CENTRE
    azimuth = np.degrees(np.arctan2(np.abs(away[:, 0]), away[:, 2]))
    elevation = np.degrees(np.arcsin(away[:, 1] / np.linalg.norm(away, axis=1)))
    height = elevation - np.interp(azimuth, HAIRLINE_AZIMUTH, HAIRLINE_ELEVATION)
    degrees = 15 + 12 * np.exp(-(((azimuth - 38) / 15) ** 2))
    lasting = smooth(58, 74, azimuth) * smooth(46, 26, elevation) * smooth(-2, 6, height)
    return np.clip(0.5 + height / degrees, 0, 3) + 3 * lasting  # type: ignore[no-any-return]


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
    masks[:, EAR] = smooth(0.06, 0.2, region("ears/l-ear-wing-incr", "ears/r-ear-wing-incr"))
    for side in (-1, 1):
        spread = ((x - side * 0.29) / 0.22) ** 2 + ((y - 0.36) / 0.13) ** 2
        masks[:, SOCKET] += np.exp(-spread) * (z > 0.3)
    masks[:, BEARD] = _beard_mask(x, y, z) * (1 - masks[:, EAR])
    masks[:, SCALP] = hair_growth(rest) * (1 - masks[:, EAR])
    masks[:, OCCLUSION] = 1
    masks[:, NECK] = smooth(0.04, -0.04, y - (-0.62 + 0.5 * np.clip(0.75 - z, 0, 0.9))) * (1 - masks[:, EAR])
    masks[:, CLOTH] = y
    masks[:, REST_X : REST_X + 3] = rest
    return masks


def _beard_mask(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """How far inside the beard's widest area a point is: 0.5 at its border."""
    across = np.abs(x)
    line = np.interp(across, [0.0, 0.12, 0.3, 0.42, 0.55, 0.66, 0.72], [-0.07, -0.085, -0.18, -0.16, -0.06, 0.14, 0.3])
    upper = np.clip(0.5 + (line - y) / 0.26, 0, 1)
    under = smooth(-0.84, -0.68, y)
    side = smooth(-0.12, 0.08, z)
    return upper * under * side  # type: ignore[no-any-return]


def beard_area(masks: np.ndarray, wide: float, moustache: float) -> np.ndarray:
    """How far inside this beard's area (N,) the rows of attributes (N, NUM_ATTRIBUTES) are; 0.5 at its edge."""
    across, y = np.abs(masks[:, REST_X]), masks[:, REST_X + 1]
    lip = smooth(-0.27, -0.20, y) * smooth(0.36, 0.28, across)
    sides = np.minimum(masks[:, BEARD], 0.5 + (0.29 - across) / 0.2 + 2.2 * wide)
    return np.maximum(sides, 0) * (1 - lip * (1 - moustache))  # type: ignore[no-any-return]


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
    """Detail texture (TEXTURE_SIZE, TEXTURE_SIZE, NUM_DETAILS) over the rest head's front, the channels of surface.py.

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

    channels = np.zeros((size, size, NUM_DETAILS), np.float32)
    channels[..., BROW] = _paint_brows(grid_x, grid_y, marks[22:27, :2] - [0.0, 0.020], rng)
    channels[..., FRECKLE] = smooth(1.9, 2.9, noise(0.010)) + 0.7 * smooth(1.8, 2.6, noise(0.018))
    channels[..., GRAIN] = np.clip(0.6 * noise(0.004) + 0.4 * noise(0.012), -2, 2)
    crease, fold = _paint_wrinkles(grid_x, grid_y, noise(0.06), noise(0.05))
    relief = 0.012 * (crease + fold) - 0.0003 * noise(0.008)
    slope_y, slope_x = np.gradient(ndimage.gaussian_filter(relief, 1.2), texel)
    channels[..., WRINKLE_X], channels[..., WRINKLE_Y] = -slope_x, slope_y
    channels[..., CREASE], channels[..., FOLD] = crease, fold
    channels[..., STUBBLE] = _paint_stubble(grid_x, rng)
    uneven = np.clip(0.6 * noise(0.08) + 0.4 * noise(0.03), -2, 2)
    channels[..., FLUSH] = _paint_flush(grid_x, grid_y) + 0.32 * uneven
    channels[..., SHADE] = (
        _paint_shade(grid_x, grid_y) + 0.13 * np.clip(noise(0.06), -2, 2) + 0.12 * np.clip(noise(0.02), -2, 2)
    )
    channels[..., LIPS] = _paint_lips(grid_x, grid_y, marks, rng)
    channels[..., LID] = _paint_lids(grid_x, grid_y, marks)
    return channels


def _paint_brows(x: np.ndarray, y: np.ndarray, line: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Density of the brows' hairs in [0, 1], drawn one by one along the arch `line` (5, 2); both brows are alike."""
    texel, texel_y = float(x[0, 1] - x[0, 0]), float(y[0, 0] - y[1, 0])
    count = 900
    along, across = rng.uniform(-0.14, 1.0, count), np.clip(0.52 * rng.normal(size=count), -1.2, 1.2)
    arch = ndimage.gaussian_filter1d(line[:, 1], 0.7) + np.array([0.012, -0.002, -0.004, 0.002, 0.0])
    width = np.interp(along, [0, 0.2, 0.55, 0.8, 1.0], [0.048, 0.056, 0.050, 0.036, 0.014])
    root_x = line[0, 0] + along * (line[-1, 0] - line[0, 0])
    root_y = PchipInterpolator(line[:, 0], arch)(np.clip(root_x, line[0, 0], line[-1, 0])) + across * width
    # Hairs stand up near the nose, lie along the arch further out, and lean towards its middle line.
    rise = np.radians(np.interp(along, [0, 0.12, 0.35, 0.7, 1.0], [48, 38, 20, 0, -22]) - 18 * across)
    length = rng.uniform(0.7, 1.1, count) * np.interp(along, [0, 0.3, 1.0], [0.055, 0.075, 0.055])
    weight = (1 - 0.4 * across**2) * np.interp(along, [-0.14, 0.10, 0.75, 1.0], [0.3, 1.0, 1.0, 0.6])
    field = np.zeros(x.shape)
    for step in np.linspace(0, 1, 28):
        columns = (root_x + step * length * np.cos(rise) - x[0, 0]) / texel
        rows = (y[0, 0] - root_y - step * length * np.sin(rise)) / texel_y
        place = np.round(rows).astype(int), np.round(columns).astype(int)
        np.add.at(field, place, weight * (1 - 0.7 * step))
    field += field[:, ::-1]
    strokes, body = ndimage.gaussian_filter(field, 0.8), ndimage.gaussian_filter(field, 3.5)
    peak = float(np.quantile(body[body > 0.1 * body.max()], 0.9))
    return np.clip(0.45 * body / peak + 0.40 * strokes / peak, 0, 1)  # type: ignore[no-any-return]


def _paint_lids(x: np.ndarray, y: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Darkness in [0, 1] of the crease of the upper lids."""
    across = np.abs(x)
    lid = PchipInterpolator(marks[42:46, 0], marks[42:46, 1])
    inner, outer = marks[42, 0], marks[45, 0]
    edge = lid(np.clip(across, inner, outer))
    part = (across - inner) / (outer - inner)
    crease = edge + 0.032 + 0.038 * np.clip(1 - (2 * part - 1.1) ** 2, 0, 1)
    ends = smooth(0.02, 0.25, part) * smooth(1.16, 0.92, part)
    fold = np.exp(-(((y - crease) / 0.011) ** 2)) + 0.35 * np.exp(-(((y - crease - 0.012) / 0.03) ** 2))
    return np.clip(0.45 * fold * ends, 0, 1)  # type: ignore[no-any-return]


def _paint_lips(x: np.ndarray, y: np.ndarray, marks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Coverage of the lips inside the outline of landmarks 48-59, soft at the border and finely grooved."""
    across = np.abs(x)
    top, low = marks[[54, 53, 52, 51], :2][::-1], marks[[57, 56, 55, 54], :2]
    fine = np.linspace(0, marks[54, 0], 60)
    upper = PchipInterpolator(top[:, 0] + [-1e-3, 0, 0, 0], top[:, 1])(fine)
    lower = PchipInterpolator(low[:, 0] + [-1e-3, 0, 0, 0], low[:, 1])(fine)
    inside = np.minimum(np.interp(across, fine, upper) - y, y - np.interp(across, fine, lower))
    cover = smooth(-0.020, 0.028, inside) * smooth(marks[54, 0] + 0.01, marks[54, 0] - 0.05, across)
    grooves = ndimage.gaussian_filter(rng.normal(size=x.shape), (9.0, 1.1))
    grooves = np.clip(grooves / grooves.std(), -2, 2) * smooth(0.0, 0.04, inside)
    return cover * (0.9 + 0.06 * grooves)  # type: ignore[no-any-return]


def _paint_stubble(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Short hairs, 0 between and 1 on them, that hang down and a little outwards."""

    def hairs(length: float, width: float, lean: float) -> np.ndarray:
        field = ndimage.gaussian_filter(rng.normal(size=x.shape), (length, width), mode="wrap")
        rows, columns = np.indices(x.shape)
        outwards = np.abs(columns - x.shape[1] / 2) + lean * rows
        side = np.where(columns < x.shape[1] / 2, x.shape[0], 0)
        field = ndimage.map_coordinates(field, [rows + side, outwards], order=1, mode="grid-wrap")
        return field / field.std()  # type: ignore[no-any-return]

    return np.clip(0.5 + 0.22 * (hairs(2.6, 0.4, -0.35) + hairs(2.0, 0.5, 0.1)), 0, 1)  # type: ignore[no-any-return]


def _spot(x: np.ndarray, y: np.ndarray, centre: tuple[float, float], radius: tuple[float, float]) -> np.ndarray:
    """A soft ellipse on both sides of the face, decimetres."""
    return np.exp(-(((np.abs(x) - centre[0]) / radius[0]) ** 2) - ((y - centre[1]) / radius[1]) ** 2)  # type: ignore[no-any-return]


def _paint_flush(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Where blood shows more than on the average face (positive) or less."""
    flush = 1.0 * _spot(x, y, (0.36, 0.02), (0.17, 0.15)) + 1.0 * _spot(x, y, (0.0, 0.03), (0.11, 0.11))
    flush += 0.45 * _spot(x, y, (0.11, -0.03), (0.06, 0.06)) + 0.4 * _spot(x, y, (0.0, -0.56), (0.18, 0.12))
    flush += 0.5 * _spot(x, y, (0.29, 0.39), (0.17, 0.09)) + 0.25 * _spot(x, y, (0.0, -0.30), (0.32, 0.14))
    return flush - 0.35 * _spot(x, y, (0.0, 0.85), (0.6, 0.22)) - 0.2  # type: ignore[no-any-return]


def _paint_shade(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Where skin is darker (positive) or lighter than on average."""
    shade = 0.8 * _spot(x, y, (0.24, 0.36), (0.19, 0.11)) + 0.5 * _spot(x, y, (0.26, 0.25), (0.13, 0.05))
    shade += 0.2 * _spot(x, y, (0.24, -0.28), (0.09, 0.10)) + 0.3 * _spot(x, y, (0.0, -0.46), (0.16, 0.04))
    shade += 0.6 * smooth(0.45, 0.8, np.abs(x)) + 0.5 * smooth(-0.55, -0.85, y)
    shade -= 0.45 * _spot(x, y, (0.0, 0.75), (0.45, 0.22)) + 0.4 * _spot(x, y, (0.40, 0.16), (0.15, 0.09))
    return shade - 0.3 * _spot(x, y, (0.0, 0.25), (0.06, 0.25))  # type: ignore[no-any-return]


def _paint_wrinkles(
    x: np.ndarray, y: np.ndarray, warp: np.ndarray, uneven: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Depth, about [0, 1], of the creases of age, and apart from them of the folds from the nose past the mouth."""
    across = np.abs(x)
    strength = np.clip(1 + 0.4 * uneven, 0.2, 1.8)

    def crease(distance: np.ndarray, width: float | np.ndarray, depth: float, where: np.ndarray) -> np.ndarray:
        return depth * np.exp(-((distance / width) ** 2)) * where * strength  # type: ignore[no-any-return]

    total = np.zeros_like(x)
    for level, reach, depth in ((0.70, 0.36, 0.35), (0.785, 0.42, 0.5), (0.87, 0.36, 0.4)):
        arch = level + 0.015 * np.cos(across * 9.0) + 0.013 * warp
        ends = smooth(reach + 0.12, reach - 0.2, across)
        total += crease(y - arch, 0.013, depth, ends * np.clip(0.8 + 0.6 * uneven, 0, 1.5))
    outwards = across - 0.46
    for lean, depth in ((-0.45, 0.5), (-0.1, 0.6), (0.3, 0.5)):
        ends = smooth(0, 0.05, outwards) * smooth(0.19, 0.08, outwards)
        total += crease(y - 0.375 - lean * outwards - 0.006 * warp, 0.010, depth, ends)
    # Under the eye a trough from the inner corner outwards, and a finer line above it.
    arc = 0.235 + 1.1 * (across - 0.29) ** 2
    total += crease(y - arc - 0.004 * warp, 0.018, 0.75, smooth(0.23, 0.10, np.abs(across - 0.27)))
    arc = 0.285 + 0.9 * (across - 0.29) ** 2
    total += crease(y - arc - 0.004 * warp, 0.009, 0.4, smooth(0.19, 0.08, np.abs(across - 0.29)))
    total += crease(across - 0.045 - 0.006 * warp, 0.012, 0.3, smooth(0.45, 0.5, y) * smooth(0.62, 0.54, y))
    # From the corners of the mouth down, and the rim of the jowl.
    down = np.interp(y, [-0.55, -0.42, -0.29], [0.31, 0.275, 0.245])
    total += crease(across - down - 0.005 * warp, 0.018, 0.75, smooth(-0.55, -0.40, y) * smooth(-0.27, -0.31, y))
    total += crease(
        across - 0.60 - 0.5 * (y + 0.1) - 0.02 * warp, 0.020, 0.4, smooth(-0.42, -0.3, y) * smooth(0.0, -0.1, y)
    )
    line = np.interp(y, [-0.38, -0.31, -0.22, -0.12, 0.0], [0.315, 0.325, 0.295, 0.235, 0.155])
    width = np.interp(y, [-0.38, -0.2, 0.0], [0.030, 0.026, 0.018])
    fold = crease(across - line - 0.004 * warp, width, 1.0, smooth(-0.40, -0.28, y) * smooth(0.03, -0.05, y))
    return total, fold

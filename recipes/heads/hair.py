"""Hair: strands grown once per style on the neutral head, then carried along by every head's shape and pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.spatial import cKDTree

from .parameters import HAIR_STYLES, HeadParameters
from .shape import head_rotation
from .surface import EAR, SCALP

POINTS = 14  # a strand
BOUND_TO = 3  # surface vertices that carry a point
CLUMPS = 260
BUN = np.array([0.0, 1.36, -0.78])


@dataclass(frozen=True)
class Style:
    """How a style grows: strands, length and distance to the skull (layers 0 and 1) in decimetres, forces."""

    strands: int
    length: float
    low: float
    high: float
    gravity: float
    comb: float
    curl: float = 0.0
    clump: float = 0.45
    width: float = 0.017


STYLES = {
    "buzz": Style(5200, 0.06, 0.01, 0.05, 0.0, 0.3, width=0.012, clump=0.0),
    "side": Style(4600, 0.80, 0.02, 0.17, 0.10, 0.9),
    "back": Style(4600, 0.95, 0.02, 0.17, 0.10, 0.9),
    "bob": Style(4600, 2.1, 0.03, 0.20, 0.55, 0.7),
    "long": Style(5200, 3.2, 0.03, 0.20, 0.60, 0.7),
    "curly": Style(5200, 0.58, 0.05, 0.42, 0.05, 0.0, curl=0.05, clump=0.6, width=0.018),
    "bun": Style(4600, 1.5, 0.015, 0.06, 0.0, 1.0, clump=0.2),
}


@dataclass(frozen=True)
class Strands:
    """Strands in space: points and normals (N, 3), look (N, 2: occlusion, tint), widths, first points of segments."""

    position: np.ndarray
    normal: np.ndarray
    look: np.ndarray
    width: np.ndarray
    starts: np.ndarray


@dataclass(frozen=True)
class _Grown:
    position: np.ndarray  # (N, 3) on the neutral head
    outward: np.ndarray  # (N, 3) unit
    spread: np.ndarray  # (N,) how far hair_volume moves a point
    look: np.ndarray
    width: np.ndarray
    starts: np.ndarray
    bound: np.ndarray  # (N, BOUND_TO) surface vertices
    weight: np.ndarray  # (N, BOUND_TO)
    follow: np.ndarray  # (N,)


class HairSet:
    """All styles, grown on the neutral head's surface (V, 3) with its normals and static masks."""

    def __init__(self, surface: np.ndarray, normals: np.ndarray, masks: np.ndarray) -> None:
        self.surface = surface
        self.styles = {
            name: _grow_style(name, style, surface, normals, masks, seed)
            for seed, (name, style) in enumerate(STYLES.items())
        }

    def grow(self, p: HeadParameters, rest: np.ndarray) -> Strands:
        """The strands of a head whose un-posed surface is `rest` (V, 3)."""
        grown = self.styles.get(HAIR_STYLES[p.hair_style])
        if grown is None:
            nothing = np.zeros((1, 3))
            return Strands(nothing, nothing, np.ones((1, 2)), np.ones(1), np.zeros(0, np.int64))
        turns = np.stack([head_rotation(s * p.yaw, s * p.pitch, s * p.roll) for s in np.linspace(0, 1, 9)])
        position, normal = carry_strands(
            grown.position,
            grown.outward,
            grown.spread * (0.07 * p.hair_volume),
            grown.bound,
            grown.weight,
            grown.follow,
            rest - self.surface,
            turns,
        )
        return Strands(position, normal, grown.look, grown.width, grown.starts)


@njit(cache=True, nogil=True, fastmath=True)
def carry_strands(points, outward, spread, bound, weight, follow, moved, turns):  # type: ignore[no-untyped-def]
    """Move points (N, 3) with the surface they are bound to, then turn them by their share of the pose."""
    position, normal = np.empty_like(points), np.empty_like(points)
    place = np.empty(3)
    for i in range(points.shape[0]):
        for c in range(3):
            place[c] = points[i, c] + outward[i, c] * spread[i]
            for k in range(bound.shape[1]):
                place[c] += weight[i, k] * moved[bound[i, k], c]
        step = follow[i] * 8.0
        low = min(int(step), 7)
        part = step - low
        for r in range(3):
            s = t = 0.0
            for c in range(3):
                m = turns[low, r, c] * (1.0 - part) + turns[low + 1, r, c] * part
                s += m * place[c]
                t += m * outward[i, c]
            position[i, r] = s
            normal[i, r] = t
    return position, normal


def _choose_roots(masks: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    chance = np.clip(masks[:, SCALP] - 0.25, 0, 0.75) * (masks[:, EAR] < 0.2)
    return rng.choice(len(masks), count, p=chance / chance.sum())  # type: ignore[no-any-return]


def _comb(name: str, point: np.ndarray, root: np.ndarray, along: float) -> np.ndarray:
    """Direction (N, 3) in which a style is combed at points."""
    x, _y, z = point.T
    part = {"side": 0.30, "bob": 0.04, "long": -0.16}.get(name, 0.0)
    side = np.where(root[:, 0] > part, 1.0, -1.0)
    zero = np.zeros_like(x)
    if name == "side":
        top = np.clip((root[:, 1] - 0.75) / 0.3, 0, 1)
        ahead = 0.45 * np.clip(z + 0.2, -0.6, 0.6)
        return np.stack(
            [side * (0.15 + 0.75 * top), -0.9 * (1 - top) - 0.25 * along, ahead * top - 0.35 * (1 - top)], 1
        )
    if name == "back":
        return np.stack([0.15 * np.sign(x), 0.35 * (z > 0.3) - 0.35 * (z < -0.4), -1.0 + zero], 1)
    if name == "bun":
        away = BUN - point
        return away / np.linalg.norm(away, axis=1, keepdims=True)  # type: ignore[no-any-return]
    if name in ("bob", "long"):
        lead = max(0.0, 1 - 2.5 * along)
        return np.stack([side * lead, -0.3 - along + zero, np.where(root[:, 2] > 0.2, -0.55, -0.1) * lead], 1)
    return zero[:, None] + np.array([0.0, -0.2, 0.3])


def _grow_style(
    name: str, style: Style, surface: np.ndarray, normals: np.ndarray, masks: np.ndarray, seed: int
) -> _Grown:
    rng = np.random.default_rng([7, seed])
    tree = cKDTree(surface)
    ids = _choose_roots(masks, style.strands, rng)
    root = surface[ids] + rng.normal(scale=0.022, size=(len(ids), 3))
    normal = normals[ids]
    layer = rng.uniform(size=len(ids)) ** 0.8
    length = style.length * rng.uniform(0.82, 1.05, len(ids)) * _length_share(name, root)
    direction = normal + 0.25 * rng.normal(size=normal.shape)
    points = [root]
    for step in range(1, POINTS):
        along = step / (POINTS - 1)
        lift = max(0.0, 1.0 - 4.0 * along) if name not in ("curly", "buzz") else 1.2
        drop = np.array([0.0, -1.0, 0.0]) * style.gravity * min(1.0, 0.4 + 1.5 * along)
        direction = (
            0.45 * _unit(direction)
            + style.comb * _comb(name, points[-1], root, along) * 0.55
            + drop
            + lift * 0.5 * normal
        )
        direction = _unit(direction + 0.06 * rng.normal(size=normal.shape))
        point = points[-1] + direction * (length / (POINTS - 1))[:, None]
        point = _keep_off(
            point, tree, surface, normals, style.low + (style.high - style.low) * layer * min(1.0, 3.0 * along), name
        )
        direction = point - points[-1]
        points.append(point)
    strand = np.stack(points, 1)  # (S, POINTS, 3)
    strand = _clump(strand, style.clump, rng)
    if name in ("bob", "long"):
        x, y, z = np.moveaxis(strand, -1, 0)
        clear = ~((np.abs(x) < 0.56) & (z > 0.3) & (y < 0.62) & (y > -1.0)).any(1)
        strand, layer, normal = strand[clear], layer[clear], normal[clear]
    if style.curl:
        strand = _curl(strand, style.curl, rng)
    if name == "bun":
        strand, layer, normal = _add_bun(strand, layer, normal, rng)
    return _bind(name, style, strand, layer, tree, rng)


def _length_share(name: str, root: np.ndarray) -> np.ndarray:
    """Shorter at the sides and the nape for short styles; long hair ends at one height."""
    if name in ("side", "back"):
        return np.clip(0.22 + 0.78 * (root[:, 1] - 0.45) / 0.55, 0.2, 1.0)  # type: ignore[no-any-return]
    if name in ("bob", "long"):
        end = {"bob": -0.62, "long": -1.75}[name]
        return np.clip((root[:, 1] - end + 0.35 * (root[:, 1] > 1.0)) / STYLES[name].length, 0.1, 1.2)  # type: ignore[no-any-return]
    if name == "bun":
        return np.linalg.norm(BUN - root, axis=1) * 1.12 / STYLES[name].length  # type: ignore[no-any-return]
    if name == "curly":
        return np.clip(0.45 + 0.55 * (root[:, 1] + 0.1) / 0.8, 0.35, 1.0)  # type: ignore[no-any-return]
    return np.ones(len(root))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)  # type: ignore[no-any-return]


def _keep_off(
    point: np.ndarray, tree: cKDTree, surface: np.ndarray, normals: np.ndarray, gap: np.ndarray, name: str
) -> np.ndarray:
    """Push points out of the head to at least `gap` (N,), and long hair out of the face."""
    _, near = tree.query(point, k=4)
    centre, normal = surface[near].mean(1), _unit(normals[near].mean(1))
    height = ((point - centre) * normal).sum(1)
    point = point + normal * np.maximum(gap - height, 0)[:, None]
    if name in ("side", "back", "bob", "long", "bun"):
        # Hair lies on the head where the head is under it; below the jaw it hangs free.
        above = np.clip((point[:, 1] + 0.2) / 0.4, 0, 1) if name in ("bob", "long") else 1.0
        point = point - normal * (0.8 * above * np.maximum(height - 1.25 * gap, 0))[:, None]
    if name in ("bob", "long"):
        x, y, z = point.T
        face = (z > 0.15) & (y < 0.95)
        border = 0.60 + 0.10 * np.clip(0.5 - y, 0, 1) - 0.25 * np.clip(y - 0.5, 0, 1)
        short = np.maximum(border - np.abs(x), 0) * face
        point = point + np.stack([np.where(x >= 0, 1, -1) * short * 0.6, 0 * x, -0.35 * short], 1)
    return point  # type: ignore[no-any-return]


def _clump(strand: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Draw strands towards the nearest of CLUMPS leaders, more at the tips."""
    leaders = strand[rng.choice(len(strand), CLUMPS, replace=False)]
    key = np.array([1.0, 1.0, 1.0, 0.5, 0.5, 0.5])
    _, nearest = cKDTree(key * np.concatenate([leaders[:, 1], leaders[:, -1]], 1)).query(
        key * np.concatenate([strand[:, 1], strand[:, -1]], 1)
    )
    share = (strength * np.linspace(0, 1, POINTS) ** 0.8)[None, :, None]
    return strand * (1 - share) + leaders[nearest] * share  # type: ignore[no-any-return]


def _curl(strand: np.ndarray, radius: float, rng: np.random.Generator) -> np.ndarray:
    phase = rng.uniform(0, 2 * np.pi, (len(strand), 1)) + np.linspace(0, 5 * np.pi, POINTS)
    tangent = _unit(np.gradient(strand, axis=1))
    side = _unit(np.cross(tangent, [0.3, 0.5, 0.8]))
    other = np.cross(tangent, side)
    grow = radius * np.minimum(1, np.linspace(0, 3, POINTS))[None, :, None]
    return strand + grow * (np.cos(phase)[..., None] * side + np.sin(phase)[..., None] * other)  # type: ignore[no-any-return]


def _add_bun(strand: np.ndarray, layer: np.ndarray, normal: np.ndarray, rng: np.random.Generator):  # type: ignore[no-untyped-def]
    count = 900
    axis = _unit(rng.normal(size=(count, 3)) * [0.5, 0.5, 0.5] + [0.0, 0.75, -0.65])
    first = _unit(np.cross(axis, rng.normal(size=(count, 3))))
    second = np.cross(axis, first)
    turn = rng.uniform(0, 6.28, (count, 1)) + np.linspace(0, 2.6, POINTS)
    size = rng.uniform(0.6, 1.0, count)
    ring = np.cos(turn)[..., None] * first[:, None] + np.sin(turn)[..., None] * second[:, None]
    ball = BUN + [0, 0.08, -0.04] + 0.30 * size[:, None, None] * ring
    return np.concatenate([strand, ball]), np.concatenate([layer, size]), np.concatenate([normal, axis])


def _bind(
    name: str, style: Style, strand: np.ndarray, layer: np.ndarray, tree: cKDTree, rng: np.random.Generator
) -> _Grown:
    count = len(strand)
    along = np.broadcast_to(np.linspace(0, 1, POINTS), (count, POINTS))
    flat = strand.reshape(-1, 3)
    distance, bound = tree.query(flat, k=BOUND_TO)
    weight = 1 / (distance + 0.05)
    weight /= weight.sum(1, keepdims=True)
    height = np.clip(flat[:, 1], -0.3, 0.75)
    outward = _unit(flat - np.stack([0 * height, height * 0.8 + 0.1, np.full_like(height, -0.05)], 1))
    deep = np.clip(0.30 + 0.75 * layer[:, None] * np.minimum(1, 0.35 + 2 * along), 0.2, 1.05)
    if name in ("buzz",):
        deep = np.broadcast_to(np.full((1, 1), 0.9), deep.shape)
    tint = np.exp(0.16 * rng.normal(size=(count, 1))) * (0.80 + 0.28 * along)
    taper = style.width * np.minimum(1.0, 1.25 - 0.95 * along**3)
    follow = 1 - 0.55 * np.clip((-0.35 - flat[:, 1]) / 1.0, 0, 1)
    starts = (np.arange(count)[:, None] * POINTS + np.arange(POINTS - 1)).ravel()
    spread = (along * np.minimum(1, 2 * layer[:, None] + 0.3)).ravel() * (name != "buzz")
    look = np.stack([deep.ravel(), np.broadcast_to(tint, along.shape).ravel()], 1)
    return _Grown(flat, outward, spread, look, taper.ravel(), starts, bound, weight, follow)
